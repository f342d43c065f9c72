"""The whole desk in one process, in simulated time, from one seed.

The same services with the same wiring as the shell runs: inputs in the same order at a start
(newest STATE, replay, `start`, then the rest), the same routing of outputs, the same venue session.
Time moves from event to event; nothing here or in a core reads a clock. Crashes, stalls and lost
venue connections come from the seed (shared/faults.py).
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from shared.clock import NS_PER_MS, NS_PER_S, SimulatedClock
from shared.faults import Event, FaultRates, Faults
from shared.messages.desk import TimerV1
from shared.messages.message import Delivery, Message
from shared.service import Consume, Every, Output, Service
from shared.simulated_bus import SimulatedBus
from shared.simulated_link import SimulatedLink, VenuePort
from shared.venue_link import VenueRequest

BACKLOG_MAX = 5000  # lossy inputs kept for a stalled agent; older ones go
EVENTS_MAX = 4_000_000  # a run that schedules more at once has lost its way


class Sink(Protocol):
    """What stands for a service's edge; it outlives a crash, as a disk and a network do."""

    accepts: frozenset[type]

    def open(self, deliver: Callable[[object], None]) -> None:
        """The agent has started: `deliver` hands it an input."""
        ...

    def send(self, message: object) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Settings:
    seed: int
    start_ns: int
    faults: FaultRates | None = None
    is_encoded: bool = False  # every message through the codec; slower
    immortal: frozenset[str] = frozenset({"venue"})  # not crashed or stalled by faults


class Agent:
    """One service in its place: started, crashed, stalled, started again."""

    def __init__(self, simulation: "Simulation", build: Callable[[], Service]) -> None:
        self._simulation = simulation
        self._build = build
        self.incarnation = 0
        self.restart_count = -1
        self.is_running = False
        self.stalled_until_ns = 0
        self.service = build()
        self.name = self.service.name
        self.link: SimulatedLink | None = None
        self.sink: Sink | None = None
        self._handlers: dict[type, tuple[Callable[[Any], Output], ...]] = {}
        self._is_handling = False
        self._backlog: deque[tuple[bool, Callable[[], None]]] = deque()

    def start(self) -> None:
        assert not self.is_running, f"{self.name} started twice"
        simulation, bus = self._simulation, self._simulation.bus
        if self.incarnation:
            self.service = self._build()
        self.incarnation += 1
        self.restart_count += 1
        self.is_running = True
        self._backlog.clear()
        self.stalled_until_ns = 0
        service = self.service
        self._handlers = {}
        for consume in service.consumes:
            others = self._handlers.get(consume.kind, ())
            self._handlers[consume.kind] = (*others, consume.handler)
        for consume in service.consumes:
            if _delivery_of(consume) is Delivery.STATE:
                for message in list(bus.state.values()):
                    if type(message) is consume.kind:
                        self.route(consume.handler(message))
        for message in _replay(bus, service.consumes):
            for handler in self._handlers[type(message)]:
                deque(handler(message), maxlen=0)  # what a replay leads to was said before
        bus.subscribe(self, service.consumes)
        if service.start is not None:
            self.route(service.start(TimerV1(created_ns=simulation.clock.now_ns)))
        for timer in service.timers:
            self._arm(timer, self.incarnation)
        if self.sink is not None:
            self.sink.open(self.take)
        if self.link is not None:
            self.link.open()

    def crash(self) -> None:
        """Dies as by kill -9: nothing is said, the kernel closes its connections."""
        self.incarnation += 1
        self.is_running = False
        self._simulation.bus.unsubscribe(self)
        if self.link is not None:
            self.link.kill()

    def stall(self, until_ns: int) -> None:
        """Runs no code until then; what comes in waits."""
        self.stalled_until_ns = max(self.stalled_until_ns, until_ns)
        self._simulation.at(self.stalled_until_ns, self._resume)

    def drain(self) -> None:
        if self.is_running and self.service.drain is not None:
            self.route(self.service.drain(TimerV1(created_ns=self._simulation.clock.now_ns)))

    @property
    def is_free(self) -> bool:
        """Whether an input is handled at once."""
        return (
            self.is_running
            and not self._backlog
            and self._simulation.clock.now_ns >= self.stalled_until_ns
        )

    def deliver(self, consume: Consume, message: Message, done: Callable[[], None]) -> None:
        if self.is_free:
            self.route(consume.handler(message))
            done()
            return

        def handle() -> None:
            self.route(consume.handler(message))
            done()

        self.run(handle, is_lossy=message.delivery is Delivery.LOSSY)

    def take(self, message: object) -> None:
        """Handles an input that is not from the bus: the link's or the edge's."""
        if self.is_free and not self._is_handling:
            for handler in self._handlers[type(message)]:
                self.route(handler(message))
            return

        def handle() -> None:
            for handler in self._handlers[type(message)]:
                self.route(handler(message))

        if self._is_handling:  # a handler's own output led to this input: it comes next
            self._simulation.at(self._simulation.clock.now_ns, lambda: self.run(handle))
        else:
            self.run(handle)

    def run(self, work: Callable[[], None], *, is_lossy: bool = False) -> None:
        """Does what an agent does, now or when it is no longer stalled."""
        if not self.is_running:
            return
        if self._simulation.clock.now_ns >= self.stalled_until_ns and not self._backlog:
            work()
            return
        if is_lossy and len(self._backlog) >= BACKLOG_MAX:
            return
        self._backlog.append((is_lossy, work))

    def route(self, outputs: Output) -> None:
        """Sends what a handler yields where it belongs, as the shell does."""
        self._is_handling = True
        service = self.service
        for output in outputs:
            kind = type(output)
            if kind in service.publishes:
                self._simulation.bus.publish(self.name, output)  # type: ignore[arg-type]
            elif kind is VenueRequest and self.link is not None:
                self.link.request(output)  # type: ignore[arg-type]
            elif self.sink is not None and kind in self.sink.accepts:
                self.sink.send(output)
            else:
                raise AssertionError(f"{self.name} yielded {kind.__name__}, which it may not")
        self._is_handling = False

    def _arm(self, timer: Every, incarnation: int) -> None:
        simulation, interval_ns = self._simulation, timer.interval_ms * NS_PER_MS

        def fire() -> None:
            if self.incarnation != incarnation or not self.is_running:
                return
            now_ns = simulation.clock.now_ns
            if now_ns >= self.stalled_until_ns:  # a stalled agent's timers are missed, not queued
                self.route(timer.handler(TimerV1(created_ns=now_ns)))
            simulation.at(now_ns + interval_ns, fire)

        simulation.at(simulation.clock.now_ns + interval_ns, fire)

    def _resume(self) -> None:
        while self._backlog and self._simulation.clock.now_ns >= self.stalled_until_ns:
            _, work = self._backlog.popleft()
            if self.is_running:
                work()


class Simulation:
    """All agents, their bus, their venue and the clock."""

    def __init__(
        self,
        settings: Settings,
        builders: list[Callable[[], Service]],
        venue_port: VenuePort | None = None,
    ) -> None:
        self.settings = settings
        self.clock = SimulatedClock(settings.start_ns)
        self.observers: list[Callable[[int, str, Message], None]] = []
        self.events: list[Event] = []
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._connection_count = 0
        faults = settings.faults
        self._faults = None if faults is None else Faults(faults, settings.seed)
        self.bus = SimulatedBus(
            self.at, settings.seed, self._faults, self._observe, is_encoded=settings.is_encoded
        )
        self.bus.now_ns = settings.start_ns
        self.agents = {agent.name: agent for agent in (Agent(self, b) for b in builders)}
        self.venue_port = venue_port
        for agent in self.agents.values():
            if agent.service.link is not None:
                assert venue_port is not None, f"{agent.name} needs a venue"
                nonce = random.Random(f"{settings.seed}/nonce/{agent.name}")
                agent.link = SimulatedLink(self, agent, venue_port, agent.service.link, nonce)

    def at(self, at_ns: int, work: Callable[[], None]) -> None:
        """Schedules work; equal times run in the order of scheduling."""
        self._sequence += 1
        assert len(self._heap) < EVENTS_MAX, "too many events wait"
        heapq.heappush(self._heap, (at_ns, self._sequence, work))

    def next_connection_id(self) -> int:
        self._connection_count += 1
        return self._connection_count

    def start(self, end_ns: int) -> None:
        """Starts all agents, and plans the faults of the run up to `end_ns`."""
        for agent in self.agents.values():
            agent.start()
        if self._faults is not None:
            mortal = [name for name in self.agents if name not in self.settings.immortal]
            linked = [agent.name for agent in self.agents.values() if agent.link is not None]
            self.events = self._faults.plan(self.clock.now_ns, end_ns, mortal, linked)
            for event in self.events:
                self.at(event.at_ns, lambda event=event: self._happen(event))  # type: ignore[misc]

    def run_until(self, end_ns: int) -> None:
        heap, clock, bus = self._heap, self.clock, self.bus
        while heap and heap[0][0] <= end_ns:
            at_ns, _, work = heapq.heappop(heap)
            clock.now_ns = at_ns
            bus.now_ns = at_ns
            work()
        clock.advance_to(end_ns)
        bus.now_ns = end_ns

    def drain(self, names: list[str], bound_s: float) -> None:
        """Drains agents in order, each until it says it is done or the bound is over."""
        for name in names:
            agent = self.agents[name]
            agent.drain()
            end_ns = self.clock.now_ns + round(bound_s * NS_PER_S)
            while self.clock.now_ns < end_ns:
                self.run_until(self.clock.now_ns + 50 * NS_PER_MS)
                if agent.is_running and agent.service.is_drained():
                    break

    def _observe(self, sender: str, message: Message) -> None:
        for observer in self.observers:
            observer(self.clock.now_ns, sender, message)

    def _happen(self, event: Event) -> None:
        agent = self.agents[event.service]
        if not agent.is_running:
            return
        if event.kind == "crash":
            agent.crash()
            self.at(self.clock.now_ns + event.duration_ns, agent.start)
        elif event.kind == "stall":
            agent.stall(self.clock.now_ns + event.duration_ns)
        elif agent.link is not None:
            agent.link.cut(event.duration_ns)


def _delivery_of(consume: Consume) -> Delivery | None:
    return getattr(consume.kind, "delivery", None)


def _replay(bus: SimulatedBus, consumes: tuple[Consume, ...]) -> list[Message]:
    """Returns what the agent is rebuilt from, all its replayed kinds in one order."""
    kinds = {consume.kind for consume in consumes if consume.replay}
    return [message for message in bus.record if type(message) in kinds]
