"""Spans as we make them against those of OpenTelemetry's SDK, and where they are sent."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from shared.causes import Cause
from shared.collector import Collector
from shared.configuration import ConfigurationError, DeskConfig, section
from shared.spans import (
    CLIENT,
    CONSUMER,
    INTERNAL,
    KEPT,
    PRODUCER,
    Spans,
    form_of,
    request_of,
    resource_of,
)

KINDS = {
    INTERNAL: SpanKind.INTERNAL,
    CLIENT: SpanKind.CLIENT,
    PRODUCER: SpanKind.PRODUCER,
    CONSUMER: SpanKind.CONSUMER,
}
ATTRIBUTES = {"messaging.system": "nats", "name": "ä" * 300, "count": -3, "big": 2**62}
FORM = form_of("a", INTERNAL)
OWN = Cause(7 << 100, 9 << 40, is_order=True)
PARENT, LINKED = Cause(7 << 100, 11, is_order=True), Cause(13, 17)


class Ids(IdGenerator):
    def generate_span_id(self):
        return OWN.span_id

    def generate_trace_id(self):
        return OWN.trace_id


def context(cause):
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(cause.trace_id, cause.span_id, is_remote=True, trace_flags=flags)


def by_the_sdk(kind, parent, links):
    kept = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "risk", "service.namespace": "hedgerow"}),
        id_generator=Ids(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(kept))
    span = provider.get_tracer("hedgerow").start_span(
        "process orders.fill.v1.{key}",
        context=set_span_in_context(NonRecordingSpan(context(parent))) if parent else None,
        kind=KINDS[kind],
        links=[Link(context(one)) for one in links],
        attributes={**ATTRIBUTES, KEPT: True},
        start_time=1_000,
    )
    span.set_attribute("error.type", "10004")
    span.end(2_000)
    return encode_spans(kept.get_finished_spans())


def by_us(kind, parent, links):
    ended = []
    spans = Spans(lambda span, is_order: ended.append((span, is_order)))
    span = spans.start(
        form_of("process orders.fill.v1.{key}", kind, {"messaging.system": "nats"}),
        1_000,
        {key: value for key, value in ATTRIBUTES.items() if key != "messaging.system"},
        parent=parent,
        links=links,
        own=OWN,
        is_order=True,
    )
    assert span.cause == OWN
    span.set("error.type", "10004")
    span.end(2_000)
    ((message, is_order),) = ended
    assert is_order
    return ExportTraceServiceRequest.FromString(request_of(resource_of("risk"), [message]))


def plain(request):
    """Without flags (the SDK says of a parent that it was remote, we of the span that it was
    sampled) and the SDK's empty status."""
    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    for span in scope.spans:
        span.ClearField("flags")
        assert not span.status.code
        span.ClearField("status")
        for link in span.links:
            link.ClearField("flags")
    return request


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(("parent", "links"), [(None, []), (PARENT, [LINKED, PARENT])])
def test_a_span_is_what_the_sdk_would_send(kind, parent, links):
    ours, theirs = by_us(kind, parent, links), by_the_sdk(kind, parent, links)
    assert plain(ours) == plain(theirs)


def test_a_truth_and_a_one_are_two_values():
    ended = []
    spans = Spans(lambda span, _: ended.append(span))
    for value in (1, True, 1):
        spans.start(FORM, 1, {"value": value}).end(2)
    decoded = [Span.FromString(span) for span in ended]
    kinds = [span.attributes[0].value.WhichOneof("value") for span in decoded]
    assert kinds == ["int_value", "bool_value", "int_value"]


def test_a_span_is_in_its_parents_trace_and_a_root_in_one_of_its_own():
    spans = Spans(lambda _span, _is_order: None)
    child = spans.start(FORM, 1, parent=PARENT)
    first, second = (spans.start(FORM, 1) for _ in range(2))
    assert child.cause.trace_id == PARENT.trace_id != child.cause.span_id
    assert len({first.cause.trace_id, second.cause.trace_id, PARENT.trace_id}) == 3


class Server(ThreadingHTTPServer):
    """Counts connections, and closes each after so many requests without a word."""

    daemon_threads = True

    def __init__(self, requests_max, status=200):
        self.connections, self.bodies, self.paths = 0, [], []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                owner.connections += 1
                self.left = requests_max

            def do_POST(self):
                owner.paths.append(self.path)
                owner.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.left -= 1
                self.close_connection = not self.left

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def end(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


@pytest.mark.parametrize(("requests_max", "connections"), [(10, 1), (1, 3)])
def test_a_connection_is_kept_and_made_anew_when_it_has_gone(requests_max, connections):
    server = Server(requests_max)
    collector = Collector(server.url, 2.0)
    try:
        assert all(collector.post(body) for body in (b"1", b"2", b"3"))
    finally:
        collector.close()
        server.end()
    assert server.bodies == [b"1", b"2", b"3"]
    assert server.connections == connections


def test_what_was_refused_or_found_nobody_has_not_arrived():
    server = Server(10, status=503)
    collector = Collector(server.url, 2.0)
    try:
        assert not collector.post(b"1")
    finally:
        collector.close()
        server.end()
    assert not collector.post(b"2"), "nobody listens"


@pytest.mark.parametrize("ending", ["", "/", "/v1/traces", "/v1/traces/"])
def test_the_path_of_traces_is_added_where_it_is_missing(ending):
    server = Server(10)
    collector = Collector(server.url + ending, 2.0)
    try:
        assert collector.post(b"1")
    finally:
        collector.close()
        server.end()
    assert server.paths == ["/v1/traces"]


@pytest.mark.parametrize("endpoint", ["localhost:4318", "http://", "grpc://jaeger:4317", "x"])
def test_an_endpoint_that_is_none_is_refused(endpoint):
    with pytest.raises(ConfigurationError, match="otlp_endpoint"):
        section({"desk": {"otlp_endpoint": endpoint}}, "desk", DeskConfig)
    assert msgspec.convert({"otlp_endpoint": "https://host:4318/x"}, DeskConfig)
