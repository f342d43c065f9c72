"""One input after the other, by whoever brings it.

An input that comes by the bus while nothing else waits is handled at once, in the task that
received it: a hop through another task costs more than most handlers. All others wait in the inbox
for the worker's own task. There is never more than one at work, and after a failure none.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec
import structlog

from shared.causes import Cause, cause_in
from shared.clock import NS_PER_MS, NS_PER_S, Clock
from shared.inbox import Entry, Inbox
from shared.messages.risk import AlertV1
from shared.metrics import Count, Durations
from shared.outlet import Countdown, Outlet
from shared.telemetry import Log, Telemetry

if TYPE_CHECKING:
    from shared.tracing import Tracing  # loads protobuf

T = TypeVar("T")

TURN_NS_MAX = 2 * NS_PER_MS  # handlers run at most so long before input and output get a turn
MESSAGE_LOG_MAX = 2_000
LOSSY_AGE_NS_MAX = 2 * NS_PER_S  # what has waited longer, anywhere, is not acted on
NO_HEADERS: dict[str, str] = {}


class Worker:
    """Takes entries out of the inbox, has them handled and their outputs routed."""

    def __init__(
        self,
        inbox: Inbox,
        outlet: Outlet,
        clock: Clock,
        telemetry: Telemetry,
        log: Log,
        tracing: "Tracing | None",
        has_failed: Callable[[], bool],
    ) -> None:
        self._inbox = inbox
        self._outlet = outlet
        self._clock = clock
        self._log = log
        self._tracing = tracing
        self._has_failed = has_failed
        self._is_busy = False
        self._idle = asyncio.Event()  # set when an attendance is over
        self._counters = telemetry.counters["message_handled"]
        self._failures = telemetry.counters["handler_failed"]
        self._histograms = telemetry.histograms["handler_duration_seconds"]
        self._series: dict[type, tuple[Count, Durations]] = {}
        self._ages = telemetry.histograms["message_age_seconds"]
        self._ages_of: dict[type, Durations] = {}
        self._drops = telemetry.counters["message_dropped"]
        self.dropped_count = 0  # lossy and too old
        self.handled_count = 0

    async def run(self) -> None:
        """Handles what waits, and gives way to the sockets now and then."""
        while not self._has_failed():
            await self._inbox.wait()
            if self._is_busy:
                await self._idle.wait()
                continue
            self._is_busy = True
            await self._turn()
            self._is_busy = False
            if len(self._inbox):
                await asyncio.sleep(0)

    async def attend(self, receive: Callable[[T], None], message: T) -> None:
        """Has a message received, and what of it is put into the inbox handled now if nothing
        waits."""
        if self._is_busy or len(self._inbox):
            receive(message)
            return
        self._is_busy = self._inbox.is_attended = True
        self._idle.clear()
        try:
            receive(message)
            await self._turn()
        finally:
            self._is_busy = False
            self._inbox.leave()
            self._idle.set()

    async def _turn(self) -> None:
        began_ns = now_ns = self._clock.monotonic_ns()
        while now_ns - began_ns <= TURN_NS_MAX and not self._has_failed():
            entry = self._inbox.take()
            if entry is None:
                break
            if entry.call is None:
                if entry.read is not None:
                    is_read = entry.read(entry)
                    now_ns = self._clock.monotonic_ns()  # handling begins after reading
                    if not is_read:
                        continue
                if entry.age_ns is None or self._is_timely(entry, entry.age_ns):
                    await self._handle(entry, now_ns)
            else:
                answer = entry.call()
                if answer is not None:
                    await answer
            now_ns = self._clock.monotonic_ns()
        self._outlet.push()

    def _is_timely(self, entry: Entry, age_ns: int) -> bool:
        """Says whether a lossy message is still handled; an old one by those alone who want it."""
        if age_ns > LOSSY_AGE_NS_MAX:
            entry.handlers = entry.late_handlers
        if not entry.handlers:
            self.dropped_count += 1
            self._drops.labels("too_old", entry.kind.__name__).inc()
            return False
        ages = self._ages_of.get(entry.kind)
        if ages is None:
            ages = self._ages_of[entry.kind] = self._ages.labels(entry.kind.__name__)
        ages.observe(max(age_ns, 0) / NS_PER_S)
        return True

    async def _handle(self, entry: Entry, began_ns: int) -> None:
        tracing = self._tracing
        if tracing is not None and entry.is_replay and not tracing.is_missed(entry):
            tracing = None
        turn = tracing.begin(entry) if tracing is not None else None
        trace_id = turn.trace_id if turn is not None else ""
        if trace_id:
            structlog.contextvars.bind_contextvars(trace_id=trace_id)
        outputs: list[object] = []
        try:
            for handler in entry.handlers:
                outputs.extend(handler(entry.message))
        except Exception as error:
            self._failures.labels(entry.kind.__name__).inc()
            self._log.exception("handler_failed", input=describe(entry.message), exc_info=error)
            raise
        finally:
            if trace_id:
                structlog.contextvars.unbind_contextvars("trace_id")
        self.handled_count += 1
        if entry.is_replay:
            for output in outputs:
                self._outlet.check(output)
            if tracing is not None and turn is not None:
                tracing.end(turn, has_spoken=False)
            return
        countdown = Countdown(entry.done) if entry.done is not None else None
        for output in outputs:
            headers = NO_HEADERS
            if tracing is not None and turn is not None:
                output, headers = tracing.output(turn, output)  # noqa: PLW2901  # the same, marked
            if isinstance(output, AlertV1):
                self._tell(output, headers)
            await self._outlet.route(output, countdown, headers)
        if countdown is not None:
            countdown.close()
        if tracing is not None and turn is not None:
            tracing.end(turn, has_spoken=bool(outputs))
        cause = turn.cause if turn is not None else None
        self._count(entry.kind, self._clock.monotonic_ns() - began_ns, cause)

    def _tell(self, alert: AlertV1, headers: dict[str, str]) -> None:
        """Every alert is in the log too, with the trace that it is a part of."""
        cause = cause_in(headers)
        more = {"trace_id": f"{cause.trace_id:032x}"} if cause is not None else {}
        self._log.warning(
            "alert_raised",
            alert=alert.name, severity=alert.severity, text=alert.text, **more,
        )  # fmt: skip

    def _count(self, kind: type, took_ns: int, cause: Cause | None) -> None:
        series = self._series.get(kind)
        if series is None:
            name = kind.__name__
            series = self._series[kind] = (
                self._counters.labels(name), self._histograms.labels(name),
            )  # fmt: skip
        count, durations = series
        count.inc()
        durations.observe(took_ns / NS_PER_S)
        if cause is not None and self._tracing is not None:
            unix_s = self._tracing.unix_s(self._clock.wall_ns())
            durations.exemplify(took_ns / NS_PER_S, f"{cause.trace_id:032x}", unix_s)


def describe(message: object) -> str:
    """Returns a message as text for a log line, cut to a bound."""
    is_struct = isinstance(message, msgspec.Struct)
    text = msgspec.json.encode(message).decode() if is_struct else repr(message)
    return text[:MESSAGE_LOG_MAX]
