"""What a service is, as data: the wiring that the shell runs, the simulation runs, and the
topology graph is drawn from. Nothing here touches a bus or a clock."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from shared.dependency import Dependencies
from shared.messages.desk import TimerV1
from shared.messages.message import Message
from shared.venue_link import LinkSettings

T = TypeVar("T")
Output = Iterable[object]  # messages for the bus, or what the service's edge or link accepts
Handler = Callable[[Any], Output]


@dataclass(frozen=True)
class Consume:
    """One input. `replay`: a DURABLE kind is delivered from the start of the record before
    anything else (the core rebuilds its state from it, and dedupes by id). `command`: what
    one agent executes once: explicit ack, a durable consumer, no replay after a restart. `late`: a
    LOSSY kind is taken at any age, by one who acts on nothing and goes by the stamps.

    What a handler yields during replay is dropped: an earlier life said it, and the venue link is
    not open yet. `Service.start` yields what is still true."""

    kind: type
    handler: Handler
    replay: bool = False
    command: bool = False
    late: bool = False


@dataclass(frozen=True)
class Every:
    """A timer: `handler` gets a TimerV1 with the time each `interval_ms`."""

    interval_ms: int
    handler: Callable[[TimerV1], Output]


class Edge(Protocol):
    """A service's own contact with the outside (a server, a database, a screen)."""

    accepts: frozenset[type]  # what the core yields that goes here and not to the bus

    async def start(self, deliver: Callable[[object], None]) -> None:
        """Opens; `deliver` hands an input to the core, whose outputs the shell routes. Call it
        from the loop's own thread only. An exception that is delivered fails the agent."""
        ...

    def send(self, message: object) -> None: ...

    async def stop(self) -> None: ...


class Measured(NamedTuple):
    """A histogram that is kept elsewhere: `counts` are between the bounds, and beyond the last."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Reading(NamedTuple):
    """The value of a metric that shared/metric_names.py declares, now; labels in its order."""

    name: str
    value: float | Measured
    labels: tuple[str, ...] = ()


# What a core or an edge knows of itself, told when somebody looks, with the time of looking.
Readings = Callable[[int], Iterable[Reading]]


@runtime_checkable
class Measuring(Protocol):
    """An edge that has readings of its own."""

    def readings(self, now_ns: int) -> Iterable[Reading]: ...


@dataclass(frozen=True)
class Service:
    """`start` runs once inputs have been replayed; `drain` on SIGTERM, and the shell then waits
    for `is_drained` (bounded) before it leaves; `not_ready` gives a reason, or the empty string."""

    name: str
    consumes: tuple[Consume, ...] = ()
    publishes: frozenset[type[Message]] = frozenset()
    timers: tuple[Every, ...] = ()
    link: LinkSettings | None = None  # a venue session; the shell opens it, the simulation fakes it
    edge: Callable[[], Edge] | None = None
    start: Callable[[TimerV1], Output] | None = None
    drain: Callable[[TimerV1], Output] | None = None
    is_drained: Callable[[], bool] = field(default=lambda: True)
    not_ready: Callable[[], str] = field(default=lambda: "")
    dependencies: Dependencies | None = None  # with a breaker each; see shared/guarding.py
    is_per_underlying: bool = False  # nothing is kept across underlyings: each may have a process
    readings: Readings = field(default=lambda _now_ns: ())
    # What GET /<name> on the agent's port answers, as JSON.
    answers: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    core: object = None  # for tests and the simulation's look inside

    def of_shard(self, instance: str, shard: str) -> "Service":
        """Returns this service as the process of one underlying: its name is its own on the bus, in
        the log, in the run's folder and at the venue, and it hears of no other underlying."""
        return replace(
            self,
            name=instance,
            link=self.link and replace(self.link, session_name=instance),
            consumes=tuple(
                replace(consume, handler=_only(shard, consume.handler)) for consume in self.consumes
            ),
        )


def _only(shard: str, handler: Handler) -> Handler:
    """Returns a handler that is deaf to other underlyings."""

    def handle(message: Any) -> Output:
        if getattr(message, "underlying", shard) in {shard, "all"}:
            return handler(message)
        return ()

    return handle


def on(
    kind: type[T],
    handler: Callable[[T], Output],
    *,
    replay: bool = False,
    command: bool = False,
    late: bool = False,
) -> Consume:
    """Returns an input; typed, so that mypy refuses a handler of another message."""
    assert not (replay and command), "a command is executed once, not replayed"
    return Consume(kind=kind, handler=handler, replay=replay, command=command, late=late)


def every(interval_ms: int, handler: Callable[[TimerV1], Output]) -> Every:
    assert interval_ms > 0
    return Every(interval_ms=interval_ms, handler=handler)
