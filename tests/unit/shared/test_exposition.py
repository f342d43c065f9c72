"""Our page against prometheus_client: what it reads of it and writes again is the same."""

import pytest
from prometheus_client import ProcessCollector
from prometheus_client import exposition as plain
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from shared.exposition import Page
from shared.metric_names import Declared
from shared.service import Measured, Reading
from shared.telemetry import Telemetry

OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
WORDS = 'a "word", back\\slash\nnext line ä'


class Registry:
    def __init__(self, families):
        self._families = list(families)

    def collect(self):
        return self._families


def filled():
    telemetry = Telemetry()
    telemetry.counters["message_handled"].labels("FillV1").inc(7)
    telemetry.counters["message_handled"].labels(WORDS).inc(123_456_789)
    telemetry.gauges["bus_ack_seconds"].set(1.25e-7)
    telemetry.gauges["memory_used_ratio"].set(float("inf"))
    durations = telemetry.histograms["handler_duration_seconds"].labels("FillV1")
    for seconds in (0.003, 0.1, 9.0):
        durations.observe(seconds)
    durations.exemplify(0.003, "ab" * 16, 1_800_000_000.5)
    measured = Measured((0.001, 0.01), (2, 1, 0), 0.0035)
    readings = [
        Reading("quote_spread_vol", 0.015, ("BTC", "1w", "10-35")),
        Reading("fill_booked", 1_000_000, ("BTC",)),
        Reading("quote_spread_vol", float("nan"), ("ETH", "1w", "10-35")),
        Reading("tick_to_quote_seconds", measured),
    ]
    told = [("cd" * 16, 0.002, 1_800_000_000.25)]
    telemetry.keep(lambda: readings, lambda _name: told)
    return telemetry


def test_openmetrics_is_what_the_library_would_write():
    body, content_type = filled().exposition(OPEN)
    assert content_type == openmetrics.CONTENT_TYPE_LATEST
    known = Registry(read_open(body.decode()))
    assert body == openmetrics.generate_latest(known)
    shown = {sample.labels.get("kind") for family in known.collect() for sample in family.samples}
    assert WORDS in shown
    assert body.count(b"trace_id") == 2


def test_plain_text_is_what_the_library_would_write():
    body, content_type = filled().exposition()
    assert content_type == plain.CONTENT_TYPE_PLAIN_0_0_4
    assert body == plain.generate_latest(Registry(read_plain(body.decode())))
    assert b"trace_id" not in body
    assert b"# EOF" not in body


@pytest.mark.parametrize("accept", ["", OPEN])
def test_only_what_is_asked_for_is_collected(accept):
    telemetry = Telemetry()
    telemetry.keep(lambda: 1 / 0)
    body, _ = telemetry.exposition(accept, ["bus_up", "process_cpu_seconds"])
    headings = [line for line in body.decode().splitlines() if line.startswith("# TYPE")]
    assert len(headings) == 2


@pytest.mark.parametrize("declared", ["gauge", "histogram"])
def test_a_reading_of_the_wrong_kind_is_a_bug(declared):
    name = {"gauge": "feed_up", "histogram": "tick_to_quote_seconds"}[declared]
    value = {"gauge": Measured((1.0,), (0, 0), 0.0), "histogram": 1.0}[declared]
    telemetry = Telemetry()
    telemetry.keep(lambda: [Reading(name, value)])
    with pytest.raises(AssertionError, match="histogram"):
        telemetry.exposition()


def test_a_heading_stands_where_there_is_no_series():
    page = Page()
    page.numbers(Declared("fill_booked", "Fills.", ("underlying",), "counter"), [])
    assert page.body() == b"# HELP fill_booked_total Fills.\n# TYPE fill_booked_total counter\n"


def test_of_the_process_it_tells_what_the_librarys_collector_would():
    ours = {one.name: one for one in read_plain(Telemetry().exposition()[0].decode())}
    for theirs in ProcessCollector(registry=None).collect():
        family = ours[theirs.name]
        assert (family.type, family.documentation) == (theirs.type, theirs.documentation)
        told, known = family.samples[0].value, theirs.samples[0].value
        exactly = theirs.name in {"process_start_time_seconds", "process_max_fds"}
        assert told == known if exactly else told == pytest.approx(known, rel=0.2, abs=2.0)


def test_a_series_that_moved_is_written_anew_in_each_format():
    telemetry = Telemetry()
    durations = telemetry.histograms["handler_duration_seconds"].labels("FillV1")
    series = 'handler_duration_seconds_count{kind="FillV1"}'
    for count in (1.0, 2.0):
        durations.observe(0.003)
        durations.exemplify(0.003, f"{count:032}", 1_800_000_000.5)
        for accept in ("", OPEN, ""):
            body = telemetry.exposition(accept)[0].decode()
            assert f"{series} {count}" in body
            assert body.count("trace_id") == (accept == OPEN)
