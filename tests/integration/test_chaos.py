"""The experiments that CI runs: every fault is seen by its own alert, ends, and breaks nothing."""

import pytest

from chaos import run


def test_the_desk_holds_through_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    names = run.named("", {"process", "ci"})
    assert len(names) >= 10
    rows = run.run_all(names, run.desk, with_off=False)
    with capsys.disabled():
        run.show(rows, "Chaos")
    assert [(row.fault, row.result) for row in rows if not run.is_well(row)] == []


def test_a_fault_does_harm_without_its_protection() -> None:
    """`make chaos-off` asks this of every experiment."""
    experiment = run.load(run.EXPERIMENTS / "feed_lost.json")
    assert run.off_leg(experiment, "feed_lost", run.desk).startswith("deviated")
