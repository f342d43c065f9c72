import json

import pytest

from infra.alerting.scraper import parsed, sample_of
from shared.breaker import State
from shared.clock import SimulatedClock
from shared.dependency import Dependencies, Dependency, Verdicts, call_breaker
from shared.messages.desk import VitalsV1
from shared.messages.message import decode, encode
from shared.metric_names import COUNTERS, GAUGES, HISTOGRAMS, JUDGED
from shared.service import Measured, Reading
from shared.telemetry import Telemetry, open_log
from shared.vitals import breaker_readings, vitals_of


def exposed(telemetry, *arguments):
    return telemetry.exposition(*arguments)[0].decode()


def test_the_exposition_names_every_metric():
    text = exposed(Telemetry())
    for metric in (*COUNTERS, *GAUGES, *HISTOGRAMS):
        assert f"# HELP {metric.name}" in text, metric.name


def test_a_counter_reaches_a_count_kept_elsewhere():
    telemetry = Telemetry()
    for count in (3, 3, 5):
        telemetry.reach("message_resent", count)
    assert "message_resent_total 5.0" in exposed(telemetry)


def test_logs_are_events_in_json_with_desk_time(capsys):
    log = open_log("pricing", "run-1", SimulatedClock(1_500_000_000_000_000_000))
    log.info("quote_pulled", reason="stale", instrument="BTC-PERPETUAL")
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "quote_pulled"
    assert line["service"] == "pricing"
    assert line["run"] == "run-1"
    assert line["created_ns"] == 1_500_000_000_000_000_000
    assert line["time"].startswith("2017-07-14T02:40:00")


def test_what_is_below_the_level_is_not_written(capsys):
    log = open_log("pricing", "run-1", SimulatedClock(0), level="warning")
    log.info("agent_started")
    log.warning("bus_lost")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["event"] == "bus_lost"


def test_a_histogram_counts_cumulatively_and_sums():
    telemetry = Telemetry()
    ages = telemetry.histograms["message_age_seconds"].labels("TicksV1")
    for seconds in (0.0003, 0.001, 5.0):
        ages.observe(seconds)
    text = exposed(telemetry)
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
    dependencies = Dependencies("gateway", [venue])
    telemetry.keep(lambda: breaker_readings(dependencies))
    breaker.on_success(0, 0)
    breaker.on_success(2, 0)
    breaker.transition(State.FORCED_OPEN, 0)
    assert not breaker.try_acquire(0)
    text = exposed(telemetry)
    assert 'breaker_state{dependency="venue",state="forced_open"} 1.0' in text
    assert 'breaker_state{dependency="venue",state="closed"} 0.0' in text
    for outcome in ("ok", "slow", "not_permitted"):
        assert f'breaker_calls_total{{dependency="venue",outcome="{outcome}"}} 1.0' in text


def test_what_is_kept_elsewhere_is_read_when_somebody_looks():
    telemetry = Telemetry()
    fills = [3]
    telemetry.keep(lambda: [Reading("fill_booked", fills[0], ("BTC",))])
    fills[0] = 4
    text = exposed(telemetry)
    assert "# TYPE fill_booked_total counter" in text
    assert 'fill_booked_total{underlying="BTC"} 4.0' in text
    assert exposed(telemetry, "", ["fill_booked"]).count("# HELP") == 1


@pytest.mark.parametrize(
    "reading",
    [
        Reading("invented", 1.0),
        Reading("fill_booked", 1.0),
        Reading("fill_booked", 1.0, ("a", "b")),
    ],
)
def test_an_undeclared_reading_or_label_is_a_bug(reading):
    telemetry = Telemetry()
    telemetry.keep(lambda: [reading])
    with pytest.raises(AssertionError):
        telemetry.exposition()


def test_series_of_a_metric_are_bounded():
    telemetry = Telemetry()
    telemetry.keep(lambda: [Reading("fill_booked", 1.0, (f"order-{n}",)) for n in range(1_000)])
    with pytest.raises(AssertionError, match="more than 256 series"):
        telemetry.exposition()


def test_a_histogram_points_to_the_traces_of_its_buckets():
    telemetry = Telemetry()
    durations = telemetry.histograms["handler_duration_seconds"].labels("FillV1")
    durations.observe(0.003)
    durations.exemplify(0.003, "ab" * 16, 1_800_000_000.5)
    measured = Measured((0.001, 0.01), (0, 1, 0), 0.002)
    told = [("cd" * 16, 0.002, 1_800_000_000.25)]
    telemetry.keep(lambda: [Reading("tick_to_quote_seconds", measured)], lambda _name: told)
    accept = "application/openmetrics-text; version=1.0.0"
    body, content_type = telemetry.exposition(accept)
    text = body.decode()
    assert content_type.startswith("application/openmetrics-text")
    assert f'le="0.005"}} 1.0 # {{trace_id="{"ab" * 16}"}} 0.003' in text
    assert f'le="0.01"}} 1.0 # {{trace_id="{"cd" * 16}"}} 0.002' in text
    assert "trace_id" not in exposed(telemetry)


def test_what_an_agent_tells_is_what_it_would_be_asked_for():
    telemetry = Telemetry()
    telemetry.reach("message_dropped", 3, "inbox_full", "TicksV1")
    telemetry.counters["message_handled"].labels("TicksV1").inc(2)
    telemetry.gauges["bus_up"].set(1)
    breaker = call_breaker(slow_ns=1)
    feed = Dependency(name="feed", breaker=breaker, on=Verdicts(), fallback="none")
    known = Dependencies("risk", [feed])
    telemetry.keep(
        lambda: [
            *breaker_readings(known),
            Reading("tick_age_seconds", 0.1, ("BTC",)),
            Reading("greek_usd", 7.0, ("BTC", "vega")),
            Reading("journal_sync_seconds", Measured((1.0,), (1, 0), 0.5)),
        ]
    )
    told = decode(VitalsV1, encode(vitals_of("risk", 1, telemetry)))
    samples = [sample_of(one.name, one.labels, one.value, "risk") for one in told.vitals]
    assert len(set(samples)) == len(samples)
    assert set(samples) == set(parsed(exposed(telemetry, "", JUDGED), "risk"))
    assert {one.name for one in samples} >= {"tick_age_seconds", "breaker_state", "bus_up"}
