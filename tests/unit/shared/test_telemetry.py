import json
import re

from shared.breaker import State
from shared.clock import SimulatedClock
from shared.dependency import Dependencies, Dependency, Verdicts, call_breaker
from shared.telemetry import COUNTERS, GAUGES, HISTOGRAMS, Telemetry, open_log

UNITS = ("_seconds", "_bytes", "_messages")


def test_metric_names_follow_the_house_style():
    metrics = (*COUNTERS, *GAUGES, *HISTOGRAMS)
    names = [metric.name for metric in metrics]
    assert len(names) == len(set(names))
    for metric in metrics:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", metric.name)
        assert not metric.name.endswith(("_total", "_count"))
        assert metric.help.endswith(".")
        assert set(metric.labels) <= {"kind", "reason"}
    for metric in HISTOGRAMS:
        assert metric.name.endswith(UNITS)


def test_the_exposition_names_every_metric():
    text = Telemetry().exposition().decode()
    for metric in (*COUNTERS, *GAUGES, *HISTOGRAMS):
        assert f"# HELP {metric.name}" in text, metric.name


def test_a_counter_reaches_a_count_kept_elsewhere():
    telemetry = Telemetry()
    for count in (3, 3, 5):
        telemetry.reach("message_resent", count)
    assert "message_resent_total 5.0" in telemetry.exposition().decode()


def test_logs_are_events_in_json_with_desk_time(capsys):
    log = open_log("pricing", "run-1", SimulatedClock(1_500_000_000_000_000_000))
    log.info("quote_pulled", reason="stale", instrument="BTC-PERPETUAL")
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "quote_pulled"
    assert line["service"] == "pricing"
    assert line["run"] == "run-1"
    assert line["created_ns"] == 1_500_000_000_000_000_000
    assert line["time"].startswith("2017-07-14T02:40:00")


def test_a_histogram_counts_cumulatively_and_sums():
    telemetry = Telemetry()
    ages = telemetry.histograms["message_age_seconds"].labels("TicksV1")
    for seconds in (0.0003, 0.001, 5.0):
        ages.observe(seconds)
    text = telemetry.exposition().decode()
    for line in (
        'message_age_seconds_bucket{kind="TicksV1",le="0.0002"} 0.0',
        'message_age_seconds_bucket{kind="TicksV1",le="0.001"} 2.0',
        'message_age_seconds_bucket{kind="TicksV1",le="2.0"} 2.0',
        'message_age_seconds_bucket{kind="TicksV1",le="+Inf"} 3.0',
        'message_age_seconds_count{kind="TicksV1"} 3.0',
        'message_age_seconds_sum{kind="TicksV1"} 5.0013',
    ):
        assert line in text, line


def test_breakers_are_shown_by_state_and_by_outcome():
    breaker = call_breaker(slow_ns=1)
    venue = Dependency(name="venue", breaker=breaker, on=Verdicts(), fallback="none")
    telemetry = Telemetry()
    telemetry.keep_breakers(Dependencies("gateway", [venue]))
    breaker.on_success(0, 0)
    breaker.on_success(2, 0)
    breaker.transition(State.FORCED_OPEN, 0)
    assert not breaker.try_acquire(0)
    text = telemetry.exposition().decode()
    assert 'breaker_state{dependency="venue",state="forced_open"} 1.0' in text
    assert 'breaker_state{dependency="venue",state="closed"} 0.0' in text
    for outcome in ("ok", "slow", "not_permitted"):
        assert f'breaker_calls_total{{dependency="venue",outcome="{outcome}"}} 1.0' in text
