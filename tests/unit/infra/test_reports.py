"""What the simulation's tools make of their arguments and results."""

import json
import subprocess
import sys

import pytest

from infra import desk_report, simulate_many
from infra.markouts import Markouts
from shared.clock import NS_PER_S
from shared.messages.market import Tick, TicksV1
from tests.unit.risk.samples import CALL, NOW, fill, instruments


def test_seeds_are_a_count_a_range_or_a_list():
    assert simulate_many.seeds_of("3") == [1, 2, 3]
    assert simulate_many.seeds_of("5-7") == [5, 6, 7]
    assert simulate_many.seeds_of("3,11") == [3, 11]
    with pytest.raises(ValueError, match="many"):
        simulate_many.seeds_of("many")


def test_a_core_that_raises_is_a_finding():
    assert simulate_many.faults_of({"seed": 1, "error": "KeyError"}) == ["KeyError"]
    check = {"name": "bid_below_ask", "details": ["A 2 x 1"]}
    assert simulate_many.faults_of({"invariants": [check]}) == ["bid_below_ask: A 2 x 1"]


def row(seed, pnl, plain):
    return {"seed": seed, "pnl": pnl, "plain": plain, "violations": 0}


def test_the_report_says_mean_error_and_pnl_per_deviation():
    result = desk_report.report([row(1, 10.0, -10.0), row(2, 30.0, 30.0)], 3600.0)
    assert result["mean_pnl_usd"] == 20.0
    assert result["standard_error_usd"] == pytest.approx(10.0)
    assert result["sharpe"] == pytest.approx(20.0 / 200.0**0.5)
    assert result["sharpe_plain"] == pytest.approx(10.0 / 800.0**0.5)


def test_marks_that_fall_after_a_purchase_are_adverse():
    markouts = Markouts()
    for message in (*instruments(), ticks(NOW, 0.07), fill(1, lots=10)):
        markouts.observe(message)
    markouts.observe(ticks(NOW + 59 * NS_PER_S, 0.06))
    assert markouts.fill_count == 0
    markouts.observe(ticks(NOW + 60 * NS_PER_S, 0.06))
    assert markouts.usd == pytest.approx(-0.01 * 1.0 * 100_000)
    markouts.observe(fill(1, lots=10))
    markouts.finish()
    assert markouts.fill_count == 1


def ticks(now, mark):
    tick = Tick(CALL, 0, 0, 0, 0, mark, 0.6, now)
    return TicksV1(
        created_ns=now, underlying="BTC", sequence=1, index_usd=100_000.0, index_ns=now,
        ticks=(tick,),
    )  # fmt: skip


def test_a_journal_that_is_not_one_is_refused(tmp_path):
    path = tmp_path / "x.journal"
    path.write_bytes(b"not a journal")
    command = (sys.executable, "-m", "infra.rebuild", str(path), "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "no journal begins like this" in done.stderr


def test_an_empty_journal_has_no_positions(tmp_path):
    path = tmp_path / "x.journal"
    path.write_bytes(b"HRJRNL1\n")
    command = (sys.executable, "-m", "infra.rebuild", str(path), "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["positions_lots"] == {}
