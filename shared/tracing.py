"""OpenTelemetry spans of one agent; made only where an endpoint is configured.

A span is made for a sampled cause and for what it leads to: `process` an input, `publish` a
message, `send` a venue request. A tick batch starts a trace at the configured ratio; orders, fills,
hedges and halts always have one. What a timer yields continues the newest cause that came in since
that timer last spoke: conflation, not chance, decided the moment. What an edge did by itself is
told afterwards (shared/journeys.py).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from shared.causes import Cause
from shared.clock import NS_PER_S, Clock
from shared.configuration import DeskConfig, Runtime
from shared.inbox import Entry
from shared.journeys import Journey, Travelled
from shared.messages.desk import TimerV1
from shared.messages.market import TicksV1
from shared.messages.message import Delivery, Message, tag_of
from shared.messages.registry import is_keyed
from shared.telemetry import SPAN_PROCESS, SPAN_PUBLISH, SPAN_SEND
from shared.venue_causes import VenueCauses
from shared.venue_link import VenueReply, VenueRequest

ALWAYS = ("orders.", "hedging.", "risk.halt.", "quoting.pulled.")
STALE_NS = 1 * NS_PER_S  # a cause that old no longer explains what a timer yields
QUEUE_SPANS_MAX = 8_192
EXPORT_TIMEOUT_S = 2
OPEN_REQUESTS_MAX = 4_096


@dataclass(slots=True)
class Turn:
    """One input being handled: the cause of its outputs, and its span if it is sampled."""

    cause: Cause | None
    span: Span | None
    timer: object  # which one, if a timer began the turn

    @property
    def is_timer(self) -> bool:
        return self.timer is not None


class Tracing:
    def __init__(
        self,
        service: str,
        ratio: float,
        server_address: str,
        clock: Clock,
        exporter: SpanExporter,
        chance: Callable[[], float] = random.random,
        *,
        offset_ns: int = 0,
    ) -> None:
        self._clock = clock
        self._offset_ns = offset_ns  # desk time less the time of day, which spans are told in
        self._ratio = ratio
        self._chance = chance
        self._common = {"messaging.system": "nats", "server.address": server_address}
        resource = Resource.create({"service.name": service, "service.namespace": "hedgerow"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, QUEUE_SPANS_MAX, schedule_delay_millis=1_000)
        )
        self._tracer = self._provider.get_tracer("hedgerow")
        self._venue = VenueCauses()
        self._requests: dict[int, Span] = {}
        self._is_order: dict[type[Message], bool] = {}
        self._newest: Cause | None = None
        self._newest_ns = 0
        self._spoken: dict[object, Cause | None] = {}  # by timer: the cause it last continued

    def incoming(self, event: object) -> Cause | None:
        """Returns the cause of an event of the link or the edge; ends the span of its request."""
        if isinstance(event, VenueReply):
            span = self._requests.pop(event.request_id, None)
            if span is not None:
                if event.error_code:
                    span.set_attribute("error.type", str(event.error_code))
                span.end()
        elif isinstance(event, Travelled):
            for journey in event.journeys():
                if journey.is_rare or self._chance() < self._ratio:
                    self._tell(journey)
            return None
        return self._venue.incoming(event)

    def _tell(self, journey: Journey) -> None:
        """Makes the spans of what is over: one for the whole, one for each stage."""
        whole = self._tracer.start_span(
            journey.name,
            start_time=journey.began_ns - self._offset_ns,
            kind=SpanKind.INTERNAL,
            attributes=journey.attributes,
        )
        inside = trace.set_span_in_context(whole)
        began_ns = journey.began_ns
        for stage, ended_ns in journey.stages:
            span = self._tracer.start_span(
                stage, context=inside, start_time=began_ns - self._offset_ns
            )
            span.end(ended_ns - self._offset_ns)
            began_ns = ended_ns
        whole.end(began_ns - self._offset_ns)

    def begin(self, entry: Entry) -> Turn:
        """Starts a turn. A timer's takes the newest cause that it has not continued yet."""
        if entry.kind is TimerV1:
            return Turn(self._cause_for(entry.timer), None, entry.timer)
        if entry.cause is None:
            return Turn(None, None, None)
        span = self._tracer.start_span(
            f"{SPAN_PROCESS} {destination(entry.kind)}",
            context=_context(entry.cause),
            kind=SpanKind.CONSUMER,
            links=(Link(_span_context(entry.cause)),),
            attributes={**self._common, **_describe(entry.message, "process")},
        )
        cause = _cause(span, is_order=entry.cause.is_order)
        fresh_ns = self._clock.monotonic_ns() - self._newest_ns
        if cause.is_order or not (self._newest and self._newest.is_order and fresh_ns < STALE_NS):
            self._newest, self._newest_ns = cause, self._clock.monotonic_ns()
        return Turn(cause, span, None)

    def output(self, turn: Turn, output: object) -> tuple[object, dict[str, str]]:
        """Returns an output and its headers, its span made if it is sampled."""
        if isinstance(output, VenueRequest):
            return self._outgoing(turn, output), {}
        return output, self._headers(turn, output) if isinstance(output, Message) else {}

    def _headers(self, turn: Turn, message: Message) -> dict[str, str]:
        """Returns the headers of an output, its span made; none if it is not sampled."""
        kind = type(message)
        is_order = self._is_order.get(kind)
        if is_order is None:
            is_order = self._is_order[kind] = tag_of(kind).startswith(ALWAYS)
        parent = turn.cause
        if parent is not None and turn.is_timer and kind.delivery is Delivery.LOSSY:
            parent = None  # a regular word of the timer's own
        is_drawn = kind is TicksV1 and self._chance() < self._ratio
        if parent is None and not is_order and not is_drawn:
            return {}
        span = self._tracer.start_span(
            f"{SPAN_PUBLISH} {destination(kind)}",
            context=_context(parent) if parent is not None else None,
            kind=SpanKind.PRODUCER,
            attributes={**self._common, **_describe(message, "publish")},
        )
        cause = _cause(span, is_order=is_order or (parent is not None and parent.is_order))
        span.end()
        return cause.headers()

    def _outgoing(self, turn: Turn, request: VenueRequest) -> VenueRequest:
        """Returns a venue request with its cause; its span ends with the reply."""
        if turn.cause is None:
            return request
        span = self._tracer.start_span(
            f"{SPAN_SEND} {request.method}",
            context=_context(turn.cause),
            kind=SpanKind.CLIENT,
            attributes={"rpc.system": "jsonrpc", "rpc.method": request.method},
        )
        self._requests[request.request_id] = span
        if len(self._requests) > OPEN_REQUESTS_MAX:
            self._requests.pop(next(iter(self._requests))).end()
        return self._venue.outgoing(request, _cause(span, is_order=turn.cause.is_order))

    def end(self, turn: Turn, *, has_spoken: bool) -> None:
        if turn.is_timer and has_spoken:
            self._spoken[turn.timer] = self._newest
        if turn.span is not None:
            turn.span.end()

    def close(self) -> None:
        """Exports what is left; blocks for at most the exporter's timeout."""
        self._provider.shutdown()

    def _cause_for(self, timer: object) -> Cause | None:
        if self._newest is None or self._clock.monotonic_ns() - self._newest_ns > STALE_NS:
            return None
        return self._newest if self._spoken.get(timer) is not self._newest else None


def open_tracing(service: str, desk: DeskConfig, runtime: Runtime, clock: Clock) -> Tracing:
    """Returns the tracing of an agent that exports to the desk's endpoint."""
    endpoint = desk.otlp_endpoint.rstrip("/")
    if not endpoint.endswith("/v1/traces"):
        endpoint += "/v1/traces"
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S)
    address = runtime.nats_url.rpartition("/")[2]
    return Tracing(
        service, desk.trace_ratio, address, clock, exporter, offset_ns=runtime.clock_offset_ns
    )


def destination(kind: type) -> str:
    """Returns a subject's template, or the name of what is no message."""
    if not issubclass(kind, Message):
        return kind.__name__
    return f"{tag_of(kind)}.{{key}}" if is_keyed(kind) else tag_of(kind)


def _describe(message: Any, operation: str) -> dict[str, str]:
    template = destination(type(message))
    found = {
        "messaging.operation.name": operation,
        "messaging.operation.type": "send" if operation == "publish" else operation,
        "messaging.destination.template": template,
        "messaging.destination.name": template,
    }
    if isinstance(message, Message):
        key = message.key()
        found["messaging.destination.name"] = f"{tag_of(type(message))}{'.' + key if key else ''}"
        message_id = message.message_id()
        if message_id is not None:
            found["messaging.message.id"] = message_id
    return found


def _span_context(cause: Cause) -> SpanContext:
    return SpanContext(
        cause.trace_id, cause.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def _context(cause: Cause) -> Any:
    return trace.set_span_in_context(NonRecordingSpan(_span_context(cause)))


def _cause(span: Span, *, is_order: bool) -> Cause:
    context = span.get_span_context()
    return Cause(context.trace_id, context.span_id, is_order)
