"""Every fill of a desk has its whole trace, also while agents are killed (`make trace-test` asks
for a thousand fills). Jaeger is asked where JAEGER_BIN says where it is, else an OTLP receiver."""

import pytest

from infra.traces import check as trace_check


def test_every_fill_has_its_whole_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trace_check, "KILL_PAUSE_S", 8.0)
    monkeypatch.setenv("HEDGEROW_HOME", "set by check")
    found = trace_check.check(fills=60, limit_s=120, is_calm=False)
    with capsys.disabled():
        print(f"\ntraces were read from {found['store']}")  # noqa: T201  # which it was
    assert found["fills"] >= 60
    assert found["agents_killed"] >= 1
    assert found["lacking"] == []
    assert found["quotes_told_ratio"] >= 0.9
    assert found["missing_edges"] == []
