"""The desk end to end: as many processes as a user gets, on a real nats-server."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from infra.topology import SERVICES
from infra.trial_desk import over, running_desk
from native.path_records import FILL, RECORD_DTYPE
from shared.journal import read_entries
from shared.journal_verifier import verify
from tests.integration.bare_start import bare_start_s

FIRST_QUOTE_S = 10.0
STARTS_MAX = 12.0  # or so many bare starts of its slowest process, where the machine is a slow one


@pytest.mark.parametrize("transport", ["fix", "websocket"])
def test_desk_quotes_trades_hedges_and_accounts_for_it(tmp_path: Path, transport: str) -> None:
    first_s = max(FIRST_QUOTE_S, STARTS_MAX * bare_start_s())
    with running_desk(
        tmp_path, "--seconds", "60", "--seed", "7", *over(transport, tmp_path)
    ) as desk:
        assert desk.process.wait(130) == 0, (tmp_path / "up.log").read_text()
        report = desk.end()
    assert report["quoted_instruments_max"] >= 400
    assert report["time_to_first_quote_s"] <= first_s
    assert report["two_sided_uptime_pct"] >= 95
    assert report["fills"] >= 50
    assert report["hedge_orders"] > 0
    assert report["residual_share"] <= 0.01
    assert report["violations"] == 0, report["invariants"]
    assert all(check["checks"] > 0 for check in report["invariants"]), report["invariants"]
    assert report["reconciliation_checks"] > 0
    assert report["reconciliation_breaks"] == 0
    assert report["critical_dropped"] == 0
    assert {*report["services"]} >= {*SERVICES}
    assert all(report["services"][name]["restarts"] == 0 for name in SERVICES)
    assert all(report["services"][name]["rss_mb"] > 0 for name in SERVICES)
    records = tmp_path / "current" / "market_making.journal"
    if transport == "websocket":
        assert report["tick_to_quote_us"] is None
        assert not records.exists()
        return
    speed = report["tick_to_quote_us"]
    assert speed["samples"] > 0
    assert 0 < speed["p50"] <= speed["p90"] <= speed["p99"] <= speed["p999"] <= speed["max"]
    assert verify(records).is_whole
    assert len(recorded_fills(records)) == report["fills"] - report["hedge_fills"]


def recorded_fills(path: Path) -> set[bytes]:
    """Returns the ids of the trades that the C loop has recorded."""
    batches = [
        np.frombuffer(zlib.decompress(entry.payload), RECORD_DTYPE) for entry in read_entries(path)
    ]
    records = np.concatenate(batches)
    return set(records[records["kind"] == FILL]["text"].tolist())


def test_nothing_runs_after_the_desk_has_ended(tmp_path: Path) -> None:
    with running_desk(tmp_path, "--seed", "3") as desk:
        desk.until(lambda: desk.status()["quotes"] != {}, 30, "quotes in the status")
        pids = [agent["pid"] for agent in desk.status()["agents"]]
        assert len(pids) == len(SERVICES) + 2  # NATS, and the watcher
        desk.end()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert desk.command("status", "--json").returncode == 3
