"""OpenTelemetry spans of one agent; made only where an endpoint is configured.

A span is made for a sampled cause and for what it leads to: `process` an input, `publish` a
message, `send` a venue request. A tick batch starts a trace at the configured ratio; orders, fills,
hedges, halts and alerts always have one. What a timer yields continues what came in since it last
spoke (shared/trace_turns.py): conflation, not chance, decided the moment. What an edge did by
itself is told afterwards (shared/journeys.py). What of the record an agent had not handled when it
died is traced when it is replayed.
"""

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from shared.causes import Cause, fill_cause
from shared.clock import NS_PER_S, Clock
from shared.collector import Collector
from shared.configuration import DeskConfig, Runtime
from shared.exposition import Sampled
from shared.inbox import Entry
from shared.journeys import Journey, Travelled
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeIntentV1
from shared.messages.market import TicksV1
from shared.messages.message import Delivery, Message, subject_of, tag_of
from shared.messages.orders import FillV1
from shared.messages.registry import is_keyed
from shared.span_export import SpanExport, SpanSpool
from shared.spans import (
    CLIENT,
    CONSUMER,
    INTERNAL,
    PRODUCER,
    Span,
    Spans,
    form_of,
    resource_of,
)
from shared.telemetry import SPAN_PROCESS, SPAN_PUBLISH, SPAN_SEND
from shared.trace_memory import TraceMemory
from shared.trace_turns import Causes, States
from shared.venue_causes import VenueCauses
from shared.venue_link import VenueReply, VenueRequest

ALWAYS = ("orders.", "hedging.", "risk.halt.", "risk.alert.", "quoting.pulled.")
EXPORT_TIMEOUT_S = 2
OPEN_REQUESTS_MAX = 4_096
INTENTS_MAX = 1_024
TOLD_MAX = 64  # journeys that a histogram may point to


class Turn(NamedTuple):
    """One input being handled: the cause of its outputs, and its span if it is sampled."""

    cause: Cause | None
    span: Span | None
    timer: object  # which one, if a timer began the turn
    place: tuple[str, int] | None = None

    @property
    def trace_id(self) -> str:
        return f"{self.cause.trace_id:032x}" if self.cause is not None else ""


UNTRACED = Turn(None, None, None)
NO_HEADERS: dict[str, str] = {}


class Sort(NamedTuple):
    """What is always the same of a class of messages, or of other inputs."""

    is_message: bool
    is_state: bool
    is_lossy: bool
    is_order: bool  # its spans are kept
    is_led: bool  # it begins no trace, and continues that of its turn alone
    subject: str  # what it has before its key
    process: bytes  # the forms of its spans
    publish: bytes


class Tracing:
    """`memory` and `spool` keep over a crash what a trace needs; without them it is lost."""

    def __init__(
        self,
        service: str,
        ratio: float,
        server_address: str,
        clock: Clock,
        send: Callable[[bytes], bool],
        chance: Callable[[], float] = random.random,
        *,
        offset_ns: int = 0,
        memory: TraceMemory | None = None,
        spool: SpanSpool | None = None,
    ) -> None:
        self._clock = clock
        self._offset_ns = offset_ns  # desk time less the time of day, which spans are told in
        self._ratio = ratio
        self._chance = chance
        self._common = {"messaging.system": "nats", "server.address": server_address}
        self.export = SpanExport(resource_of(service), send, spool)
        self._spans = Spans(self.export.take)
        self._memory = memory
        self._venue = (
            VenueCauses(memory.label, memory.labels()) if memory is not None else VenueCauses()
        )
        self._requests: dict[int, Span] = {}
        self._told: dict[str, deque[Sampled]] = {}
        self._tellers: dict[type, bool] = {}
        self._sorts: dict[type, Sort] = {}
        self._stage_forms: dict[str, bytes] = {}
        self._request_forms: dict[str, bytes] = {}
        self._causes = Causes()
        self._states = States()
        self._intents: OrderedDict[str, Cause] = OrderedDict()  # in which each was heard

    def incoming(self, event: object) -> Cause | None:
        """Returns the cause of an event of the link or the edge; ends the span of its request."""
        if isinstance(event, VenueReply):
            span = self._requests.pop(event.request_id, None)
            if span is not None:
                if event.error_code:
                    span.set("error.type", str(event.error_code))
                span.end(self._now_ns())
        elif self._tells(event):
            for journey in event.journeys(lambda: self._chance() < self._ratio):
                self._tell(journey)
            return None
        return self._venue.incoming(event)

    def _tells(self, event: object) -> TypeGuard[Travelled]:
        """Asked once a class: what a protocol is made of takes Python long to look up."""
        kind = type(event)
        if kind not in self._tellers:
            self._tellers[kind] = isinstance(event, Travelled)
        return self._tellers[kind]

    def _tell(self, journey: Journey) -> None:
        """Makes the spans of what is over: one for the whole, one for each stage."""
        began_ns = journey.began_ns - self._offset_ns
        is_rare = journey.is_rare
        whole = self._spans.start(
            self._stage_form(journey.name),
            began_ns,
            journey.attributes,
            parent=journey.cause,
            is_order=is_rare,
        )
        at_ns = began_ns
        for stage, ended_ns in journey.stages:
            form = self._stage_form(stage)
            span = self._spans.start(form, at_ns, parent=whole.cause, is_order=is_rare)
            at_ns = ended_ns - self._offset_ns
            span.end(at_ns)
        whole.end(at_ns)
        trace_id = f"{whole.cause.trace_id:032x}"
        told = self._told.setdefault(f"{journey.name}_seconds", deque(maxlen=TOLD_MAX))
        told.append((trace_id, (at_ns - began_ns) / NS_PER_S, at_ns / NS_PER_S))

    def exemplars(self, metric: str) -> Iterable[Sampled]:
        """Returns journeys told lately, for the histogram that counts them."""
        return self._told.get(metric, ())

    def _now_ns(self) -> int:
        """Returns the time of day, in ns since 1970."""
        return self._clock.wall_ns() - self._offset_ns

    def unix_s(self, desk_ns: int) -> float:
        """Returns the time of day, in which spans are told, of a desk time."""
        return (desk_ns - self._offset_ns) / NS_PER_S

    def is_missed(self, entry: Entry) -> bool:
        """Says whether a replayed input is one that an earlier life had not handled; remembers of
        the others what later messages may refer to."""
        if entry.cause is not None and isinstance(entry.message, HedgeIntentV1):
            self._remember(entry.message, entry.cause)
        memory, place = self._memory, entry.place
        return memory is not None and place is not None and memory.is_missed(*place)

    def _remember(self, intent: HedgeIntentV1, cause: Cause) -> None:
        self._intents[intent.intent_id] = cause
        if len(self._intents) > INTENTS_MAX:
            self._intents.popitem(last=False)

    def begin(self, entry: Entry) -> Turn:
        """Starts a turn. A timer's has no cause of its own: each output finds what it continues."""
        if entry.kind is TimerV1:
            return Turn(None, None, entry.timer)
        cause = entry.cause
        message: Any = entry.message
        sort = self._sort(entry.kind)
        if sort.is_state:
            is_first = self._states.is_first(subject_of(message))
            if cause is not None and cause.is_repeat and not is_first:
                cause = None
        if cause is None:
            return UNTRACED if entry.place is None else Turn(None, None, None, entry.place)
        span = self._spans.start(
            sort.process,
            self._now_ns(),
            _described(message, sort),
            parent=cause,
            is_order=cause.is_order,
        )
        inside = span.cause
        if isinstance(message, HedgeIntentV1):
            self._remember(message, inside)
        key = message.key() if sort.is_message else ""
        self._causes.hear(inside, key, self._clock.monotonic_ns())
        return Turn(inside, span, None, entry.place)

    def output(self, turn: Turn, output: object) -> tuple[object, dict[str, str]]:
        """Returns an output and its headers, its span made if it is sampled."""
        if isinstance(output, VenueRequest):
            return self._outgoing(turn, output), NO_HEADERS
        sort = self._sort(type(output))
        if not sort.is_message or (sort.is_led and turn.cause is None):
            return output, NO_HEADERS
        return output, self._headers(turn, output, sort)

    def _headers(self, turn: Turn, message: Any, sort: Sort) -> dict[str, str]:
        """Returns the headers of a message, its span made; none if it is not sampled."""
        is_order = sort.is_order
        now_ns = self._clock.monotonic_ns()
        causes = [turn.cause] if turn.cause is not None else []
        if turn.timer is not None and not sort.is_lossy:
            causes = self._causes.since(turn.timer, message.key(), now_ns)
        intent = self._intents.get(getattr(message, "intent_id", ""))
        if intent is not None:  # whatever the moment was, it is done for the intent
            causes = [*(cause for cause in causes if cause != intent), intent]
        before = None
        if sort.is_state:
            before = self._states.before(subject_of(message), now_ns)
        is_drawn = isinstance(message, TicksV1) and self._chance() < self._ratio
        if not causes and not is_order and not is_drawn:
            if before is None:
                return NO_HEADERS
            return Cause(before.trace_id, before.span_id, True, True).headers()
        if isinstance(message, FillV1) and message.order_id:
            ordered = self._venue.of_label(message.order_id)
            causes = causes if ordered is None else [ordered]
        parent = causes[-1] if causes else None
        own = None
        if parent is None and isinstance(message, FillV1):
            own = fill_cause(message.trade_id)
        is_order = is_order or (parent is not None and parent.is_order)
        others = [*causes[:-1], *([before] if before is not None else [])]
        at_ns = self._now_ns()
        span = self._spans.start(
            sort.publish,
            at_ns,
            _described(message, sort),
            parent=parent,
            links=others,
            own=own,
            is_order=is_order,
        )
        cause = span.cause
        span.end(at_ns)
        if sort.is_state:
            self._states.say(subject_of(message), cause, now_ns)
        return cause.headers()

    def _outgoing(self, turn: Turn, request: VenueRequest) -> VenueRequest:
        """Returns a venue request with its cause; its span ends with the reply."""
        cause = turn.cause
        if turn.timer is not None:
            found = self._causes.since(turn.timer, "", self._clock.monotonic_ns())
            cause = found[-1] if found else None
        if cause is None:
            return request
        span = self._spans.start(
            self._request_form(request.method),
            self._now_ns(),
            parent=cause,
            is_order=cause.is_order,
        )
        self._requests[request.request_id] = span
        if len(self._requests) > OPEN_REQUESTS_MAX:
            self._requests.pop(next(iter(self._requests))).end(self._now_ns())
        return self._venue.outgoing(request, span.cause, cause)

    def end(self, turn: Turn, *, has_spoken: bool) -> None:
        if turn.timer is not None and has_spoken:
            self._causes.spoke(turn.timer)
        if turn.span is not None:
            turn.span.end(self._now_ns())
        if self._memory is not None and turn.place is not None:
            self._memory.handled(*turn.place)

    def _sort(self, kind: type) -> Sort:
        found = self._sorts.get(kind)
        if found is None:
            found = self._sorts[kind] = self._sort_of(kind)
        return found

    def _sort_of(self, kind: type) -> Sort:
        template = destination(kind)
        forms = []
        for name, sort, operation in (
            (SPAN_PROCESS, CONSUMER, "process"),
            (SPAN_PUBLISH, PRODUCER, "send"),
        ):
            attributes = {
                **self._common,
                "messaging.operation.name": name,
                "messaging.operation.type": operation,
                "messaging.destination.template": template,
            }
            forms.append(form_of(f"{name} {template}", sort, attributes))
        if not issubclass(kind, Message):
            return Sort(False, False, False, False, False, template, *forms)
        tag, delivery = tag_of(kind), kind.delivery
        is_state, is_lossy = delivery is Delivery.STATE, delivery is Delivery.LOSSY
        is_order = tag.startswith(ALWAYS)
        is_led = is_lossy and not is_order and kind is not TicksV1
        assert not is_led or "intent_id" not in kind.__struct_fields__, f"{tag} leads to an intent"
        return Sort(True, is_state, is_lossy, is_order, is_led, tag, *forms)

    def _stage_form(self, name: str) -> bytes:
        found = self._stage_forms.get(name)
        if found is None:
            found = self._stage_forms[name] = form_of(name, INTERNAL)
        return found

    def _request_form(self, method: str) -> bytes:
        found = self._request_forms.get(method)
        if found is None:
            attributes = {"rpc.system": "jsonrpc", "rpc.method": method}
            form = form_of(f"{SPAN_SEND} {method}", CLIENT, attributes)
            found = self._request_forms[method] = form
        return found

    def close(self) -> None:
        """Exports what is left; blocks for a bounded time."""
        self.export.close()
        if self._memory is not None:
            self._memory.close()


def open_tracing(service: str, desk: DeskConfig, runtime: Runtime, clock: Clock) -> Tracing:
    """Returns the tracing of an agent that exports to the desk's endpoint."""
    directory = Path(runtime.directory)
    return Tracing(
        service,
        desk.trace_ratio,
        runtime.nats_url.rpartition("/")[2],
        clock,
        Collector(desk.otlp_endpoint, EXPORT_TIMEOUT_S).post,
        offset_ns=runtime.clock_offset_ns,
        memory=TraceMemory(directory, service),
        spool=SpanSpool(directory / f"{service}.spans"),
    )


def destination(kind: type) -> str:
    """Returns a subject's template, or the name of what is no message."""
    if not issubclass(kind, Message):
        return kind.__name__
    return f"{tag_of(kind)}.{{key}}" if is_keyed(kind) else tag_of(kind)


def _described(message: Any, sort: Sort) -> dict[str, str]:
    """Returns what a span says of its message alone."""
    if not sort.is_message:
        return {"messaging.destination.name": sort.subject}
    key = message.key()
    found = {"messaging.destination.name": f"{sort.subject}.{key}" if key else sort.subject}
    message_id = message.message_id()
    if message_id is not None:
        found["messaging.message.id"] = message_id
    return found
