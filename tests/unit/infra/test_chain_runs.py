"""Runs from recorded chains: what counts as well, and that a run without a report is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra import chain_runs

CHAIN = Path("chain.csv.gz")


@pytest.mark.parametrize(
    ("day", "is_good"),
    [
        ({"exit_code": 0, "two_sided_uptime_pct": 95.0}, True),
        ({"exit_code": 0, "two_sided_uptime_pct": 94.9}, False),
        ({"exit_code": 1, "two_sided_uptime_pct": 100.0}, False),
        ({"exit_code": 2}, False),
    ],
)
def test_a_chain_is_well_if_the_run_was_and_quotes_stood(day, is_good):
    assert chain_runs.is_good(day) is is_good
    assert chain_runs.row(CHAIN, day).startswith("ok " if is_good else "BAD")


def test_a_chain_that_is_not_there_is_a_bad_row_and_a_bad_exit(tmp_path, monkeypatch, capsys):
    lines = tmp_path / "lines.jsonl"
    missing = tmp_path / "no.csv.gz"
    monkeypatch.setattr(sys, "argv", ["chain_runs", str(missing), "--json", str(lines)])
    assert chain_runs.main() == 1
    assert capsys.readouterr().out.startswith("BAD no.csv.gz exit 2 ")
    assert '"exit_code": 2' in lines.read_text()


def test_seconds_and_seed_reach_the_run(monkeypatch):
    asked = []

    def run(argv, **_options):
        asked.append(argv)
        return subprocess.CompletedProcess(argv, 0)

    monkeypatch.setattr(chain_runs.subprocess, "run", run)
    assert chain_runs.run_chain(CHAIN, 7.0, 3) == {"exit_code": 0}
    assert asked[0][asked[0].index("--seconds") + 1] == "7.0"
    assert asked[0][asked[0].index("--seed") + 1] == "3"
