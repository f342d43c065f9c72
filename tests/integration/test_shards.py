"""A process per underlying: `hedgerow up --shards`, where a dead shard is nobody else's trouble."""

import os
import signal
from pathlib import Path

from infra.trial_desk import Desk, running_desk

SHARDED = {
    f"{service}-{underlying}"
    for service in ("pricing", "market_making", "hedging")
    for underlying in ("btc", "eth")
}


def quotes(desk: Desk, underlying: str) -> tuple[int, int]:
    """Returns on how many instruments the desk is two-sided, and the quotes sent in this life."""
    row = desk.status()["quotes"][underlying]
    return row["quoted_count"], row["quotes_sent_count"]


def test_a_shard_that_dies_leaves_the_other_quoting(tmp_path: Path) -> None:
    with running_desk(tmp_path, "--shards", "--seed", "5") as desk:
        desk.until(lambda: quotes(desk, "BTC")[0] > 100, 40, "quotes of BTC")
        desk.until(lambda: quotes(desk, "ETH")[0] > 100, 40, "quotes of ETH")
        agents = {agent["service"]: agent for agent in desk.status()["agents"]}
        assert {*agents} >= SHARDED
        assert not {*agents} & {"pricing", "market_making", "hedging"}
        assert all(agents[name]["is_ready"] for name in SHARDED), agents
        sent_before = quotes(desk, "BTC")[1]
        os.kill(agents["market_making-btc"]["pid"], signal.SIGKILL)
        kept = []

        def is_back() -> bool:
            kept.append(quotes(desk, "ETH")[0])
            quoted, sent = quotes(desk, "BTC")
            return quoted > 100 and sent < sent_before

        desk.until(is_back, 40, "quotes of BTC from its next life")
        assert min(kept) > 100
        report = desk.end()
    assert report["services"]["market_making-btc"]["restarts"] == 1
    assert report["services"]["market_making-eth"]["restarts"] == 0
    assert report["violations"] == 0, report["invariants"]
    assert report["positions_equal_venue"], report["venue_differences"]
    assert report["reconciliation_breaks"] == 0
    run = tmp_path / "current"
    assert (run / "market_making-btc.journal").exists()
    assert (run / "market_making-eth.journal").exists()
