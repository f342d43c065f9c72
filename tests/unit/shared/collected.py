"""A collector in memory: what tests read of the requests that tracing sends."""

from types import SimpleNamespace

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

KINDS = {number: name.removeprefix("SPAN_KIND_") for name, number in Span.SpanKind.items()}


class Collected:
    """Takes requests only while it is up."""

    def __init__(self, *, is_up=True):
        self.is_up = is_up
        self.requests = []

    def take(self, request):
        if self.is_up:
            self.requests.append(request)
        return self.is_up

    def spans(self):
        request = ExportTraceServiceRequest.FromString(b"".join(self.requests))
        return [
            shown(span, values(resource.resource.attributes))
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def names(self):
        return [span.name for span in self.spans()]


def shown(span, resource):
    parent = place(span.trace_id, span.parent_span_id) if span.parent_span_id else None
    return SimpleNamespace(
        name=span.name,
        kind=KINDS[span.kind],
        context=place(span.trace_id, span.span_id),
        parent=parent,
        links=[place(link.trace_id, link.span_id) for link in span.links],
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
        attributes=values(span.attributes),
        resource=resource,
    )


def place(trace_id, span_id):
    return SimpleNamespace(
        trace_id=int.from_bytes(trace_id, "big"), span_id=int.from_bytes(span_id, "big")
    )


def values(attributes):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
