"""Spans, made straight as the messages that OTLP carries.

OpenTelemetry's SDK made a span, copied it to have it redacted, and translated it for the file and
once more for the wire. The classes of these messages are generated from OpenTelemetry's own
definitions; a receiver sees no difference.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from shared.causes import Cause
from shared.redaction import redact

INTERNAL, CLIENT = Message.SPAN_KIND_INTERNAL, Message.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Message.SPAN_KIND_PRODUCER, Message.SPAN_KIND_CONSUMER
KEPT = "hedgerow.is_order"  # the attribute of spans that must not be lost; collectors keep them too
SAMPLED = 0x01  # W3C trace flags
SCOPE = "hedgerow"
WORDS_KEPT = 2_048

Attributes = Mapping[str, str | int]


class Span:
    """One that has begun. `cause` is what it is to whatever it leads to."""

    __slots__ = ("_end", "_message", "cause")

    def __init__(
        self, message: Message, cause: Cause, end: Callable[[Message, bool], None]
    ) -> None:
        self._message = message
        self._end = end
        self.cause = cause

    def set(self, key: str, value: str | int) -> None:
        self._message.attributes.append(_attribute(key, value))

    def end(self, at_ns: int) -> None:
        """Ends it, once; `at_ns` since 1970."""
        self._message.end_time_unix_nano = at_ns
        self._end(self._message, self.cause.is_order)


class Spans:
    """Makes spans; `end` takes each that has ended, and whether it is one of an order's. Secrets
    in names and attributes are hidden before anything is kept."""

    def __init__(self, end: Callable[[Message, bool], None]) -> None:
        self._end = end

    def start(
        self,
        name: str,
        kind: int,
        at_ns: int,
        attributes: Attributes,
        *,
        parent: Cause | None = None,
        links: Iterable[Cause] = (),
        own: Cause | None = None,
        is_order: bool = False,
    ) -> Span:
        """Begins a span `at_ns` since 1970: in its parent's trace, with the ids of `own`, or at the
        root of a new trace."""
        cause = own or Cause(
            parent.trace_id if parent is not None else random.getrandbits(128),
            random.getrandbits(64),
            is_order,
        )
        message = Message(
            trace_id=cause.trace_id.to_bytes(16, "big"),
            span_id=cause.span_id.to_bytes(8, "big"),
            name=redact(name),
            kind=kind,  # type: ignore[arg-type]  # the generated enumeration's own numbers
            start_time_unix_nano=at_ns,
            flags=SAMPLED,
            attributes=[_attribute(key, value) for key, value in attributes.items()],
        )
        if is_order:
            message.attributes.append(_attribute(KEPT, True))
        if parent is not None:
            message.parent_span_id = parent.span_id.to_bytes(8, "big")
        for one in links:
            message.links.add(
                trace_id=one.trace_id.to_bytes(16, "big"),
                span_id=one.span_id.to_bytes(8, "big"),
                flags=SAMPLED,
            )
        return Span(message, cause, self._end)


def resource_of(service: str) -> Resource:
    """Returns who speaks."""
    names = {"service.name": service, "service.namespace": "hedgerow"}
    return Resource(attributes=[_attribute(key, value) for key, value in names.items()])


def request_of(resource: Resource, spans: Iterable[Message]) -> bytes:
    """Returns spans as a collector takes them."""
    request = ExportTraceServiceRequest()
    of_service = request.resource_spans.add(resource=resource)
    of_service.scope_spans.add(scope=_SCOPE, spans=spans)
    return bytes(request.SerializeToString())


_SCOPE = InstrumentationScope(name=SCOPE)


def _attribute(key: str, value: str | int) -> KeyValue:
    return _key_value(key, redact(value) if isinstance(value, str) else value)


@lru_cache(maxsize=WORDS_KEPT, typed=True)
def _key_value(key: str, value: str | int) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    return KeyValue(key=key, value=AnyValue(int_value=value))
