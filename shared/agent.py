"""The one run loop of every agent.

Start: NATS, streams, a self-test of permissions, the newest STATE, the replay of what the core
rebuilds itself from, the core's `start`, then lossy traffic, commands, timers, the link and the
edge. What handlers yield during replay is dropped: it was said in an earlier life; `start` says
what is still true. An exception in a handler is a bug: it is logged once, with its message, and
ends the process. Bytes that cannot be read are weather: a dead letter, a count, and on. Stop:
`drain`, a bounded wait for `is_drained`, edge and link, outbox, connection.
"""

import asyncio
import contextlib
import os
import resource
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.agent_http import AgentHttp
from shared.bus import Bus
from shared.bus_login import login_of
from shared.clock import NS_PER_MS, NS_PER_S, Clock
from shared.configuration import Runtime
from shared.dead_letters import DeadLetters
from shared.inbox import Entry, Inbox
from shared.intake import Intake
from shared.messages.desk import (
    ABOUT_AN_AGENT,
    BreakerStanding,
    DeadLetterV1,
    HeartbeatV1,
    TimerV1,
    VitalsV1,
)
from shared.messages.message import Message, tag_of
from shared.messages.registry import is_keyed
from shared.outlet import Outlet
from shared.process import resident_bytes
from shared.service import Edge, Every, Handler, Measuring, Output, Reading, Service
from shared.state_keeper import StateKeeper
from shared.telemetry import Log, Telemetry
from shared.venue_link import LinkSettings
from shared.vitals import Vitals, breaker_readings, sheddable, vitals_of
from shared.worker import Worker

if TYPE_CHECKING:
    from shared.tracing import Tracing  # loads protobuf

DRAIN_S_MAX = 3.0
FLUSH_S_MAX = 2.0
CLOSE_S_MAX = 1.0
HEARTBEAT_NS = 1 * NS_PER_S
CONFIRM_NS_MAX = 2 * NS_PER_S  # a bus that takes longer is not well

OpenLink = Callable[[LinkSettings], Edge]


class AgentError(RuntimeError):
    """The agent has failed; the cause is the exception's cause."""


class Agent:
    """Runs one service. `open_link` makes its venue session's socket, if it has one."""

    def __init__(
        self,
        service: Service,
        runtime: Runtime,
        clock: Clock,
        log: Log,
        *,
        open_link: OpenLink | None = None,
        tracing: "Tracing | None" = None,
        tells_vitals: bool = True,
    ) -> None:
        self.service = service
        self.runtime = runtime
        self.clock = clock
        self.log = log
        self.telemetry = Telemetry()
        if service.dependencies is not None:
            service.dependencies.is_bus_well = self._is_bus_well
        self._tracing = tracing
        self._tells_vitals = tells_vitals
        self.inbox = Inbox()
        name = f"{service.name}-{os.getpid()}"
        login = login_of(service.name, runtime)
        self.bus = Bus(
            runtime.nats_url, name, clock, self.fail, login, replicas=runtime.stream_replicas
        )
        self._edges = _edges(service, open_link)
        self._measuring = [edge for edge in self._edges if isinstance(edge, Measuring)]
        self._outlet = Outlet(service, self.bus, self.telemetry, self._edges)
        self._vitals = Vitals(self.telemetry, self.bus, self.inbox, clock)
        for reason, kind in sheddable(service):
            self.telemetry.reach("message_dropped", 0, reason, kind)
        exemplars = tracing.exemplars if tracing is not None else lambda _name: ()
        self.telemetry.keep(self._readings, exemplars)
        self.letters = DeadLetters(self.bus)
        self.intake = Intake(service, self.bus, self.inbox, clock, self.telemetry, self.letters)
        self._keeper = StateKeeper(service, self.bus, self.intake.bury, self.intake.defer)
        self.worker = Worker(
            self.inbox, self._outlet, clock, self.telemetry, log, tracing, self._has_failed
        )
        self.bus.attend = self.worker.attend
        self.http = AgentHttp(self, runtime.http_ports.get(service.name, 0))
        self.started_ns = clock.wall_ns()
        self._phase = "starting"
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        self._handlers = _by_kind(service)
        self._outbox_path = Path(runtime.directory) / f"{service.name}.outbox.json"

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop`, then drains. Raises AgentError on any failure."""
        try:
            if not await self._opened_before(stop):
                return
            self._phase = "running"
            self.log.info("agent_started", http_port=self.http.port, pid=os.getpid())
            await self._unless_failed(stop.wait())
            self._phase = "draining"
            self.log.info("agent_draining")
            await self._unless_failed(self._drain())
        except BaseException as error:
            self.log.error("agent_failed", reason=str(error), exc_info=error)  # noqa: TRY400
            raise AgentError(str(error)) from error
        finally:
            await self._close()
        self.log.info("agent_stopped", handled=self.worker.handled_count)

    def fail(self, error: BaseException) -> None:
        """Ends the agent; the first cause counts."""
        if not self._failed.done():
            self._failed.set_exception(error)

    def _has_failed(self) -> bool:
        return self._failed.done()

    def not_ready(self) -> str:
        """Returns why the agent is not ready, or the empty string."""
        if self._phase != "running":
            return self._phase
        if not self.bus.is_connected:
            return "NATS is away"
        return self.bus.alarm or self.service.not_ready()

    async def _opened_before(self, stop: asyncio.Event) -> bool:
        """Opens, unless it is told to stop first; returns whether it is open."""
        opening = asyncio.create_task(self._open())
        stopping = asyncio.create_task(stop.wait())
        done = asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        try:
            await self._unless_failed(done)
            if not opening.done():
                return False
            opening.result()
            return True
        finally:
            stopping.cancel()
            opening.cancel()

    async def _open(self) -> None:
        await self.http.start()
        await self.bus.connect()
        await self.bus.self_test(_probe_subjects(self.service))
        await self.http.join(self.bus)
        recovered = await self.bus.take_back(self._outbox_path)
        if recovered:
            self.log.info("outbox_recovered", messages=recovered)
        self._start_task(self.letters.run())
        self._start_task(self.worker.run())
        self._start_task(self._beat())
        await self.intake.load_state()
        await self.intake.replay()
        if self.service.start is not None:
            await self._hand(self.service.start)
        await self.intake.open_live()
        await self._keeper.start()
        for edge in self._edges:
            await edge.start(self.deliver)
        for timer in self.service.timers:
            self._start_task(self._tick(timer))

    async def _drain(self) -> None:
        if self.service.drain is not None:
            await self._hand(self.service.drain)
        deadline_ns = self.clock.monotonic_ns() + int(DRAIN_S_MAX * NS_PER_S)
        while not self.service.is_drained():
            if self.clock.monotonic_ns() >= deadline_ns:
                self.log.warning("drain_timed_out", limit_s=DRAIN_S_MAX)
                break
            await asyncio.sleep(0.01)
        for edge in self._edges:
            await edge.stop()
        await self.intake.close()
        if not await self.bus.flush(FLUSH_S_MAX):
            saved = self.bus.outbox.save(self._outbox_path)
            self.log.warning("outbox_saved", messages=saved)

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._phase != "draining":
            for edge in self._edges:
                await _quietly(edge.stop())
        await _quietly(self.http.stop())
        await _quietly(self.bus.close())
        if self._tracing is not None:
            await _quietly(asyncio.to_thread(self._tracing.close))
        if self._failed.done():
            self._failed.exception()

    def deliver(self, message: object) -> None:
        """An input of the edge or the link, or its failure; from the loop's own thread."""
        if isinstance(message, BaseException):
            self.fail(message)
            return
        handlers = self._handlers.get(type(message))
        if not handlers:
            self.fail(AssertionError(f"{self.service.name} takes no {type(message).__name__}"))
            return
        cause = self._tracing.incoming(message) if self._tracing is not None else None
        self.inbox.put_critical(
            Entry(kind=type(message), message=message, handlers=handlers, cause=cause)
        )

    async def _hand(self, handler: Callable[[TimerV1], Output]) -> None:
        """Has the core take a `start` or a `drain`, in turn, and waits for it."""
        handled = asyncio.Event()
        timer = TimerV1(created_ns=self.clock.wall_ns())
        self.inbox.put_critical(Entry(kind=TimerV1, message=timer, handlers=(handler,)))
        self.intake.defer(handled.set)
        await handled.wait()

    async def _tick(self, timer: Every) -> None:
        """A TimerV1 each interval; one that still waits is not joined by another."""
        interval_ns = timer.interval_ms * NS_PER_MS
        due_ns = self.clock.monotonic_ns() + interval_ns
        is_waiting = False

        def take(now: TimerV1) -> Output:
            nonlocal is_waiting
            is_waiting = False
            return timer.handler(now)

        while True:
            await asyncio.sleep(max(0, due_ns - self.clock.monotonic_ns()) / NS_PER_S)
            if is_waiting:
                self.telemetry.counters["timer_skipped"].inc()
            else:
                is_waiting = True
                now = TimerV1(created_ns=self.clock.wall_ns())
                self.inbox.put_critical(
                    Entry(kind=TimerV1, message=now, handlers=(take,), timer=timer)
                )
            behind = max(0, self.clock.monotonic_ns() - due_ns) // interval_ns
            self.telemetry.counters["timer_skipped"].inc(behind)
            due_ns += interval_ns * (1 + behind)

    async def _beat(self) -> None:
        """A heartbeat each second, with the gauges and what the watcher judges."""
        due_ns = self.clock.monotonic_ns()
        while True:
            late_ns = self.clock.monotonic_ns() - due_ns
            self.telemetry.gauges["loop_delay_seconds"].set(max(0, late_ns) / NS_PER_S)
            beat = self.heartbeat()
            self._vitals.measure(
                beat, rebind_count=self.intake.rebind_count, order=self.intake.order
            )
            self._tell_changes()
            await self._outlet.publish(beat, {})
            if self._tells_vitals:
                vitals = vitals_of(self.service.name, self.clock.wall_ns(), self.telemetry)
                await self._outlet.publish(vitals, {})
            due_ns += HEARTBEAT_NS * (1 + max(0, late_ns) // HEARTBEAT_NS)
            await asyncio.sleep(max(0, due_ns - self.clock.monotonic_ns()) / NS_PER_S)

    def heartbeat(self) -> HeartbeatV1:
        """Returns the agent's word about itself, now."""
        reason = self.not_ready()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        counts = self.bus.counts
        lossy = self.inbox.dropped_count + self.worker.dropped_count
        return HeartbeatV1(
            created_ns=self.clock.wall_ns(),
            service=self.service.name,
            pid=os.getpid(),
            started_ns=self.started_ns,
            is_ready=not reason,
            reason=reason,
            handled_count=self.worker.handled_count,
            published_count=self._outlet.published_count,
            dropped_count=lossy + counts.lossy_dropped.total() + counts.lossy_refused_count,
            critical_dropped_count=counts.critical_dropped_count,
            dead_letter_count=self.intake.dead_letter_count,
            rss_bytes=resident_bytes(),
            cpu_s=usage.ru_utime + usage.ru_stime,
            http_port=self.http.port,
            breakers=self.breakers(),
        )

    def breakers(self) -> tuple[BreakerStanding, ...]:
        """Returns how the circuit breakers stand."""
        known = self.service.dependencies
        return known.standings() if known is not None else ()

    def _is_bus_well(self) -> bool:
        """Whether NATS is there and confirms what it is given."""
        now_ns = self.clock.monotonic_ns()
        unconfirmed_ns = now_ns - (self.bus.outbox.oldest_put_ns() or now_ns)
        return self.bus.is_connected and unconfirmed_ns <= CONFIRM_NS_MAX

    def _tell_changes(self) -> None:
        """One event a transition of a circuit breaker."""
        if self.service.dependencies is None:
            return
        for change in self.service.dependencies.take_changes():
            event = change.event
            self.log.warning(
                "breaker_changed",
                dependency=change.dependency,
                before=event.before.value,
                after=event.after.value,
                changed_ns=event.at_ns,
                failure_rate=change.failure_rate,
                slow_call_rate=change.slow_call_rate,
                fallback=change.fallback,
            )

    def _readings(self) -> Iterator[Reading]:
        """What the core and its edges know of themselves, now."""
        now_ns = self.clock.wall_ns()
        yield from self.service.readings(now_ns)
        if self.service.dependencies is not None:
            yield from breaker_readings(self.service.dependencies)
        for edge in self._measuring:
            yield from edge.readings(now_ns)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_task_done)
        self._tasks.append(task)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fail(error)

    async def _unless_failed(self, work: Coroutine[Any, Any, Any]) -> None:
        """Waits for `work`, or for a failure, which it raises."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
            task.result()
        finally:
            task.cancel()


def _edges(service: Service, open_link: OpenLink | None) -> tuple[Edge, ...]:
    """The service's own edge, then its venue session: opened in this order."""
    edges = (service.edge(),) if service.edge is not None else ()
    if service.link is None:
        return edges
    assert open_link is not None, f"{service.name} needs a venue session"
    return (*edges, open_link(service.link))


def _by_kind(service: Service) -> dict[type, tuple[Handler, ...]]:
    """The handlers of what the edge and the link deliver."""
    found: dict[type, tuple[Handler, ...]] = {}
    for consume in service.consumes:
        found[consume.kind] = (*found.get(consume.kind, ()), consume.handler)
    return found


def _probe_subjects(service: Service) -> list[str]:
    """One subject under each that this service publishes on, which no reader takes; about itself
    it speaks under its own name."""
    about_itself: set[type[Message]] = {HeartbeatV1, VitalsV1, DeadLetterV1}
    about_itself |= service.publishes.intersection(ABOUT_AN_AGENT)
    said = service.publishes - about_itself
    core = [f"{tag_of(kind)}.probe" if is_keyed(kind) else tag_of(kind) for kind in said]
    return [*core, *(f"{tag_of(kind)}.{service.name}" for kind in about_itself)]


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    """On the way out, a second failure must not hide the first, nor hold up the end."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_S_MAX):
            await work
