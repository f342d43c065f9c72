"""Spans that no crash may lose, and what becomes of them while nobody takes them."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.span_export import KEPT, QUEUE_SPANS_MAX, SPOOL_BYTES_MAX, SpanExport, SpanSpool


class Flaky(InMemorySpanExporter):
    """Takes spans only while it is up."""

    is_up = True

    def export(self, spans):
        return super().export(spans) if self.is_up else SpanExportResult.FAILURE


class Life:
    """One life of an agent's tracing, which ends without a word unless it is closed."""

    def __init__(self, path, exporter, *, is_kept=True):
        self.received = []
        self.can_send = True
        spool = SpanSpool(path) if is_kept else None
        self.export = SpanExport(exporter, spool, self._send)
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(self.export)
        self._tracer = self._provider.get_tracer("test")

    def _send(self, data):
        if self.can_send:
            self.received.append(data)
        return self.can_send

    def span(self, name, *, is_order=True):
        attributes = {KEPT: True} if is_order else {}
        self._tracer.start_span(name, attributes=attributes).end()

    def flush(self):
        return self.export.force_flush()

    def close(self):
        self._provider.shutdown()

    def names(self):
        request = ExportTraceServiceRequest.FromString(b"".join(self.received))
        return [
            span.name
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def down():
    exporter = Flaky()
    exporter.is_up = False
    return exporter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "agent.spans"


def test_the_next_life_sends_what_a_killed_one_had_not_exported(path, down):
    killed = Life(path, down)
    killed.span("fill 1")
    killed.span("a tick", is_order=False)
    killed.span("fill 2")
    born = Life(path, Flaky())
    assert born.flush()
    assert born.names() == ["fill 1", "fill 2"]
    born.flush()
    assert len(born.received) == 1, "sent once"


def test_without_the_file_a_killed_life_loses_its_spans(path, down):
    killed = Life(path, down, is_kept=False)
    killed.span("fill 1")
    born = Life(path, Flaky(), is_kept=False)
    born.flush()
    assert born.names() == []


def test_what_has_arrived_is_not_sent_again(path):
    exporter = Flaky()
    killed = Life(path, exporter)
    killed.span("fill 1")
    assert killed.flush()
    assert path.stat().st_size == 0
    born = Life(path, Flaky())
    born.flush()
    assert born.received == []


def test_spans_wait_for_an_absent_collector_in_order(path, down):
    life = Life(path, down)
    for number in range(3):
        life.span(f"fill {number}")
    assert not life.flush()
    down.is_up = True
    assert life.flush()
    assert [span.name for span in down.get_finished_spans()] == ["fill 0", "fill 1", "fill 2"]
    assert path.stat().st_size == 0


def test_two_deaths_in_a_row_lose_nothing(path, down):
    Life(path, down).span("fill 1")
    second = Life(path, down)
    second.can_send = False
    second.flush()
    second.span("fill 2")
    third = Life(path, Flaky())
    third.flush()
    assert third.names() == ["fill 1", "fill 2"]


def test_a_torn_last_span_is_left_out(path, down):
    life = Life(path, down)
    life.span("fill 1")
    life.span("fill 2")
    path.write_bytes(path.read_bytes()[:-3])
    born = Life(path, Flaky())
    born.flush()
    assert born.names() == ["fill 1"]


def test_a_full_file_takes_no_more(path):
    spool = SpanSpool(path)
    assert spool.append(b"x" * (SPOOL_BYTES_MAX // 2))
    assert not spool.append(b"x" * (SPOOL_BYTES_MAX // 2 + 1))
    assert path.stat().st_size < SPOOL_BYTES_MAX


def test_what_finds_no_room_in_the_queue_is_counted(path, down):
    life = Life(path, down, is_kept=False)
    for _ in range(QUEUE_SPANS_MAX + 2):
        life.span("a tick", is_order=False)
    assert life.export.dropped_count == 2


def test_closing_exports_the_rest(path):
    exporter = Flaky()
    life = Life(path, exporter)
    life.span("fill 1")
    life.close()
    assert [span.name for span in exporter.get_finished_spans()] == ["fill 1"]
