"""Spans, encoded as OTLP carries them while they are made.

What spans of one sort share, and each attribute, is encoded once, by the classes that are generated
from OpenTelemetry's own definitions; a span is these pieces in a row, for that is what protobuf
takes for one message. Only ids and times differ from span to span, and their fields have a fixed
size. A generated message a span took ten times as long, in the middle of handling a fill.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from struct import Struct

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from shared.causes import Cause
from shared.redaction import redact

INTERNAL, CLIENT = Message.SPAN_KIND_INTERNAL, Message.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Message.SPAN_KIND_PRODUCER, Message.SPAN_KIND_CONSUMER
KEPT = "hedgerow.is_order"  # the attribute of spans that must not be lost; collectors keep them too
SAMPLED = 0x01  # W3C trace flags
SCOPE = "hedgerow"
WORDS_KEPT = 2_048
TRACE_ID_BYTES, SPAN_ID_BYTES = 16, 8

Attributes = Mapping[str, str | int]
NONE: Attributes = {}


class Span:
    """One that has begun. `cause` is what it is to whatever it leads to."""

    __slots__ = ("_began_ns", "_end", "_form", "_rest", "cause")

    def __init__(
        self,
        form: bytes,
        began_ns: int,
        rest: bytes,
        cause: Cause,
        end: Callable[[bytes, bool], None],
    ) -> None:
        self._form = form
        self._began_ns = began_ns
        self._rest = rest
        self._end = end
        self.cause = cause

    def set(self, key: str, value: str | int) -> None:
        self._rest += _attribute(key, value)

    def end(self, at_ns: int) -> None:
        """Ends it, once; `at_ns` since 1970."""
        head = _HEAD.pack(_TRACE, *_ids(self.cause), _BEGAN, self._began_ns, _ENDED, at_ns)
        self._end(head + self._form + self._rest, self.cause.is_order)


class Spans:
    """Makes spans; `end` takes each that has ended, encoded, and whether it is one of an order's.
    Secrets in names and attributes are hidden before anything is kept."""

    def __init__(self, end: Callable[[bytes, bool], None]) -> None:
        self._end = end

    def start(
        self,
        form: bytes,
        at_ns: int,
        attributes: Attributes = NONE,
        *,
        parent: Cause | None = None,
        links: Iterable[Cause] = (),
        own: Cause | None = None,
        is_order: bool = False,
    ) -> Span:
        """Begins a span `at_ns` since 1970: in its parent's trace, with the ids of `own`, or at the
        root of a new trace. `form` says of which sort it is, `attributes` what is its alone."""
        cause = own or Cause(
            parent.trace_id if parent is not None else random.getrandbits(128),
            random.getrandbits(64),
            is_order,
        )
        rest = b"".join([_attribute(key, value) for key, value in attributes.items()])
        if is_order:
            rest += _attribute(KEPT, True)
        if parent is not None:
            rest += _PARENT + parent.span_id.to_bytes(SPAN_ID_BYTES, "big")
        for one in links:
            rest += _link(one)
        return Span(form, at_ns, rest, cause, self._end)


def form_of(name: str, kind: int, attributes: Attributes = NONE) -> bytes:
    """Returns what all spans of one sort share, encoded; it is kept by whoever makes them."""
    message = Message(
        name=redact(name),
        kind=kind,  # type: ignore[arg-type]  # the generated enumeration's own numbers
        flags=SAMPLED,
        attributes=[_key_value(key, _hidden(value)) for key, value in attributes.items()],
    )
    return bytes(message.SerializeToString())


def resource_of(service: str) -> Resource:
    """Returns who speaks."""
    names = {"service.name": service, "service.namespace": "hedgerow"}
    return Resource(attributes=[_key_value(key, value) for key, value in names.items()])


def request_of(resource: Resource, spans: Iterable[bytes]) -> bytes:
    """Returns encoded spans as a collector takes them."""
    scope = ScopeSpans(scope=_SCOPE).SerializeToString()
    of_scope = bytes(scope) + b"".join([_inside(_SPANS, one) for one in spans])
    of_resource = bytes(ResourceSpans(resource=resource).SerializeToString())
    return _inside(_RESOURCE_SPANS, of_resource + _inside(_SCOPE_SPANS, of_scope))


def is_whole(span: bytes) -> bool:
    """Says whether bytes are an encoded span."""
    try:
        Message.FromString(span)
    except DecodeError:
        return False
    return True


def _attribute(key: str, value: str | int) -> bytes:
    return _encoded(key, _hidden(value))


def _hidden(value: str | int) -> str | int:
    return redact(value) if isinstance(value, str) else value


@lru_cache(maxsize=WORDS_KEPT, typed=True)
def _encoded(key: str, value: str | int) -> bytes:
    return bytes(Message(attributes=[_key_value(key, value)]).SerializeToString())


def _key_value(key: str, value: str | int) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    return KeyValue(key=key, value=AnyValue(int_value=value))


def _link(cause: Cause) -> bytes:
    return _LINK.pack(_LINKED, _TRACE, *_ids(cause), _FLAGS, SAMPLED)


def _ids(cause: Cause) -> tuple[bytes, bytes, bytes]:
    """Returns the ids of a span, and between them what the second begins with."""
    trace_id = cause.trace_id.to_bytes(TRACE_ID_BYTES, "big")
    return trace_id, _SPAN, cause.span_id.to_bytes(SPAN_ID_BYTES, "big")


def _inside(tag: bytes, data: bytes) -> bytes:
    """Returns bytes as a field of what is around them: its tag, their length, themselves."""
    left, length = len(data), bytearray()
    while left >= _MORE:
        length.append(left % _MORE | _MORE)
        left //= _MORE
    length.append(left)
    return b"".join((tag, length, data))


def _tag(number: int, wire: int) -> bytes:
    return bytes([number << 3 | wire])


_MORE = 0x80  # of a length's byte: another one follows
_FIXED64, _BYTES, _FIXED32 = 1, 2, 5  # how fields are written
_TRACE = _tag(Message.TRACE_ID_FIELD_NUMBER, _BYTES) + bytes([TRACE_ID_BYTES])
_SPAN = _tag(Message.SPAN_ID_FIELD_NUMBER, _BYTES) + bytes([SPAN_ID_BYTES])
_PARENT = _tag(Message.PARENT_SPAN_ID_FIELD_NUMBER, _BYTES) + bytes([SPAN_ID_BYTES])
_BEGAN = _tag(Message.START_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
_ENDED = _tag(Message.END_TIME_UNIX_NANO_FIELD_NUMBER, _FIXED64)
_FLAGS = _tag(Message.Link.FLAGS_FIELD_NUMBER, _FIXED32)
_HEAD = Struct("<2s16s2s8scQcQ")
_LINK = Struct("<2s2s16s2s8scI")  # a link's ids have the numbers of a span's
_LINKED = _tag(Message.LINKS_FIELD_NUMBER, _BYTES) + bytes([_LINK.size - 2])
_SPANS = _tag(ScopeSpans.SPANS_FIELD_NUMBER, _BYTES)
_SCOPE_SPANS = _tag(ResourceSpans.SCOPE_SPANS_FIELD_NUMBER, _BYTES)
_RESOURCE_SPANS = _tag(ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER, _BYTES)
_SCOPE = InstrumentationScope(name=SCOPE)
