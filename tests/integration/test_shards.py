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


def quoted(desk: Desk, underlying: str) -> int:
    """Returns on how many instruments the desk is two-sided."""
    return desk.status()["quotes"][underlying]["quoted_count"]


def test_a_shard_that_dies_leaves_the_other_quoting(tmp_path: Path) -> None:
    with running_desk(tmp_path, "--shards", "--seed", "5") as desk:
        desk.until(lambda: quoted(desk, "BTC") > 100, 40, "quotes of BTC")
        desk.until(lambda: quoted(desk, "ETH") > 100, 40, "quotes of ETH")
        agents = {agent["service"]: agent for agent in desk.status()["agents"]}
        assert {*agents} >= SHARDED
        assert not {*agents} & {"pricing", "market_making", "hedging"}
        assert all(agents[name]["is_ready"] for name in SHARDED), agents
        killed_pid = agents["market_making-btc"]["pid"]
        os.kill(killed_pid, signal.SIGKILL)
        kept = []
        sent = []  # as told since its next life began; the first may still be the last life's word

        def is_back() -> bool:
            status = desk.status()
            kept.append(status["quotes"]["ETH"]["quoted_count"])
            pids = {agent["service"]: agent["pid"] for agent in status["agents"]}
            row = status["quotes"]["BTC"]
            if pids["market_making-btc"] not in {killed_pid, None}:
                sent.append(row["quotes_sent_count"])
            return row["quoted_count"] > 100 and len({*sent}) > 1

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
