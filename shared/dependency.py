"""What an agent depends on, a breaker each: declared in its wiring as data, run by the loop.

Four things are called a dependency, and each has calls with outcomes of its own:
- a feed (messages of a kind): ten times a second the newest is asked for; too old is a failure;
- calls over the bus or to the edge: what the core yields, and the input that answers it;
- verdicts: the core compares by itself, and tells the breaker what it found;
- the venue session: its requests, and while it is down a failure ten times a second. A session
  that has just logged in starts closed: the socket's own waits stand between two attempts.
And every agent depends on the bus, about which the shell is asked.

Where a core can refuse to call it asks the breaker itself; where it can only decide what to do with
what it has, it looks whether the breaker is trusted. Requests to the venue are held back here;
cancels never are.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from shared.breaker import Breaker, BreakerSettings, Event, State
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import BreakerStanding, BreakerV1, TimerV1
from shared.messages.message import Message
from shared.venue_budget import CANCEL_METHODS
from shared.venue_link import (
    NOT_SENT,
    OUTCOME_UNKNOWN,
    VenueDown,
    VenueReply,
    VenueRequest,
    VenueUp,
)

CHECK_INTERVAL_MS = 100
START_GRACE_NS = 30 * NS_PER_S  # before what was never heard of counts as a failure
EVENTS_MAX = 256
OPEN_CALLS_MAX = 10_000
LATCH: Final = "latch"
STATES = {
    "force_open": State.FORCED_OPEN,
    "disable": State.DISABLED,
    "metrics_only": State.METRICS_ONLY,
    "reset": State.CLOSED,
    LATCH: State.OPEN,
}
# The venue itself is in trouble, or we ask too much of it; all other errors are about the request.
VENUE_FAILURES = {OUTCOME_UNKNOWN, 10028, 10040, 10041, 11051, 13028, -32603}


def feed_breaker() -> Breaker:
    """Opens when a feed has been late for half a second, closes when it is there for as long."""
    return Breaker(
        BreakerSettings(
            window_size=10,
            call_count_min=5,
            open_ns=NS_PER_S // 2,
            permitted_half_open_count=5,
        )
    )


def call_breaker(*, slow_ns: int, call_count_min: int = 5, is_automatic: bool = False) -> Breaker:
    """Opens when half of the calls of ten seconds fail or are slow; then one at a time tries."""
    return Breaker(
        BreakerSettings(
            window="time",
            window_size=10,
            call_count_min=call_count_min,
            slow_call_ns=slow_ns,
            slow_call_rate_threshold=50.0,
            open_ns=2 * NS_PER_S,
            is_automatic=is_automatic,
            permitted_half_open_count=1,
            half_open_ns_max=30 * NS_PER_S,
        )
    )


@dataclass(frozen=True)
class Feed:
    """Messages of a kind; with `sender`, heartbeats of that service alone, all its shards."""

    kind: type[Message]
    age_ms_max: int
    sender: str = ""

    def is_from(self, key: str) -> bool:
        return not self.sender or key == self.sender or key.startswith(f"{self.sender}-")


@dataclass(frozen=True)
class Calls:
    """`ask` is what the core yields, `answer` the input that ends it: `is_ok` says how, None that
    it does not. `name` gives what pairs the two; of calls with one name the oldest is timed."""

    ask: type
    answer: type
    name: Callable[[Any], str]
    is_ok: Callable[[Any], bool | None]
    timeout_ms: int


@dataclass(frozen=True)
class VenueCalls:
    """Requests of the service's venue session."""


@dataclass(frozen=True)
class Verdicts:
    """The core judges by itself, and tells the breaker."""


@dataclass(frozen=True)
class BusHealth:
    """The connection to NATS, and whether it confirms what it is given."""


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """`fallback` says what serves while the breaker is open."""

    name: str
    breaker: Breaker
    on: Feed | Calls | VenueCalls | Verdicts | BusHealth
    fallback: str


class Change(NamedTuple):
    """A breaker has changed its state."""

    dependency: str
    event: Event
    failure_rate: float
    slow_call_rate: float
    fallback: str


@dataclass
class _Watched:
    """A dependency and what is known of its calls."""

    dependency: Dependency
    newest_ns: dict[str, int] = field(default_factory=dict)  # of a feed, by key
    asked_ns: dict[str, int] = field(default_factory=dict)  # open calls
    is_up: bool = False  # the venue session
    was_up: bool = False


class Dependencies:
    """All of one service."""

    def __init__(self, service: str, dependencies: Sequence[Dependency]) -> None:
        self.service = service
        self.is_bus_well: Callable[[], bool] = lambda: True  # the shell knows
        self._watched = {one.name: _Watched(one) for one in dependencies}
        self._changes: deque[Change] = deque(maxlen=EVENTS_MAX)
        self._refused: list[VenueReply] = []
        self._said: list[BreakerV1] = []  # latches, to be remembered over a restart
        self._started_ns = 0
        self._now_ns = 0
        self._is_replaying = True
        for one in dependencies:
            one.breaker.tell = self._listener(one)

    def inputs(self) -> frozenset[type]:
        """Returns the kinds that `on_input` wants to see."""
        kinds: set[type] = set()
        for one in self.all:
            if isinstance(one.on, Feed):
                kinds.add(one.on.kind)
            elif isinstance(one.on, Calls):
                kinds.add(one.on.answer)
            elif isinstance(one.on, VenueCalls):
                kinds |= {VenueReply, VenueUp, VenueDown}
        return frozenset(kinds)

    def outputs(self) -> frozenset[type]:
        """Returns the kinds that `let_through` wants to see."""
        kinds: set[type] = set()
        for one in self.all:
            if isinstance(one.on, Calls):
                kinds.add(one.on.ask)
            elif isinstance(one.on, VenueCalls):
                kinds.add(VenueRequest)
        return frozenset(kinds)

    @property
    def all(self) -> list[Dependency]:
        return [watched.dependency for watched in self._watched.values()]

    def standings(self) -> tuple[BreakerStanding, ...]:
        """Returns every breaker's state, as heartbeats tell it."""
        return tuple(
            BreakerStanding(
                dependency=one.name,
                state=one.breaker.state.value,
                since_ns=one.breaker.since_ns,
                not_permitted_count=one.breaker.not_permitted_count,
                fallback="" if one.breaker.is_trusted else one.fallback,
            )
            for one in self.all
        )

    def take_changes(self) -> list[Change]:
        """Returns the transitions since the last time."""
        changes = list(self._changes)
        self._changes.clear()
        return changes

    # What goes by

    def on_input(self, message: Any) -> None:
        """Looks at an input before the core takes it."""
        self._now_ns = max(self._now_ns, getattr(message, "created_ns", 0))
        kind = type(message)
        for watched in self._watched.values():
            on = watched.dependency.on
            if isinstance(on, Feed):
                if kind is on.kind and on.is_from(message.key()):
                    known_ns = watched.newest_ns.get(message.key(), 0)
                    watched.newest_ns[message.key()] = max(known_ns, message.created_ns)
            elif isinstance(on, Calls):
                if kind is on.answer:
                    self._on_answer(watched, on, message)
            elif isinstance(on, VenueCalls):
                self._on_venue(watched, message)

    def let_through(self, output: Any) -> bool:
        """Looks at an output; returns whether it may go on its way."""
        kind = type(output)
        for watched in self._watched.values():
            on = watched.dependency.on
            if isinstance(on, Calls) and kind is on.ask:
                if len(watched.asked_ns) < OPEN_CALLS_MAX:
                    watched.asked_ns.setdefault(on.name(output), self._now_ns)
            elif isinstance(on, VenueCalls) and kind is VenueRequest:
                return self._may_ask(watched, output)
        return True

    def take_refused(self) -> list[VenueReply]:
        """Returns the answers to requests that were held back: the core's next inputs."""
        refused, self._refused = self._refused, []
        return refused

    def on_start(self, now_ns: int) -> None:
        self._is_replaying = False
        self._started_ns = self._now_ns = max(self._now_ns, now_ns)

    def on_timer(self, timer: TimerV1) -> Iterator[object]:
        """Asks every feed, ends calls that were never answered, lets breakers' timers run."""
        now_ns = self._now_ns = max(self._now_ns, timer.created_ns)
        if not self._started_ns:
            self.on_start(now_ns)
        for watched in self._watched.values():
            breaker, on = watched.dependency.breaker, watched.dependency.on
            breaker.advance(now_ns)
            if isinstance(on, Feed):
                self._check(breaker, self._is_fresh(watched, on, now_ns), now_ns)
            elif isinstance(on, BusHealth):
                self._check(breaker, self.is_bus_well(), now_ns)
            elif isinstance(on, Calls):
                self._time_out(watched, on, now_ns)
            elif isinstance(on, VenueCalls) and not watched.is_up:
                is_well = False if self._is_judged(watched.was_up, now_ns) else None
                self._check(breaker, is_well, now_ns)
        said, self._said = self._said, []
        yield from said

    def on_command(self, command: BreakerV1) -> Iterator[object]:
        """A person's word on a breaker, or a latch of an earlier life."""
        watched = self._watched.get(command.dependency)
        if command.service == self.service and watched is not None:
            breaker = watched.dependency.breaker
            is_own_latch = command.action == LATCH and not self._is_replaying
            if command.action == "reset":
                breaker.reset(max(self._now_ns, command.created_ns))
            elif not is_own_latch:  # which is true already
                breaker.transition(STATES[command.action], max(self._now_ns, command.created_ns))
            if self._is_replaying:
                self._said.clear()  # it has been said
        yield from ()

    def _check(self, breaker: Breaker, is_well: bool | None, now_ns: int) -> None:
        """One call of what is there or is not. While the breaker is open nobody calls what is not
        there: it stays open, and is tried when there is something to try."""
        if is_well is None or breaker.state is State.FORCED_OPEN:
            return
        if (breaker.is_open and not is_well) or not breaker.try_acquire(now_ns):
            return
        if is_well:
            breaker.on_success(0, now_ns)
        else:
            breaker.on_error(0, now_ns)

    def _is_fresh(self, watched: _Watched, feed: Feed, now_ns: int) -> bool | None:
        """Returns whether the newest of every key is young enough; None before the first came."""
        if not watched.newest_ns:
            return False if self._is_judged(False, now_ns) else None
        return now_ns - min(watched.newest_ns.values()) <= feed.age_ms_max * NS_PER_MS

    def _is_judged(self, was_there: bool, now_ns: int) -> bool:
        return was_there or now_ns - self._started_ns > START_GRACE_NS

    def _on_answer(self, watched: _Watched, calls: Calls, message: Any) -> None:
        is_ok = calls.is_ok(message)
        asked_ns = None if is_ok is None else watched.asked_ns.pop(calls.name(message), None)
        if asked_ns is None:
            return
        breaker, took_ns = watched.dependency.breaker, max(0, self._now_ns - asked_ns)
        if is_ok:
            breaker.on_success(took_ns, self._now_ns)
        else:
            breaker.on_error(took_ns, self._now_ns)

    def _time_out(self, watched: _Watched, calls: Calls, now_ns: int) -> None:
        limit_ns = calls.timeout_ms * NS_PER_MS
        late = [name for name, at_ns in watched.asked_ns.items() if now_ns - at_ns > limit_ns]
        for name in late:
            del watched.asked_ns[name]
            watched.dependency.breaker.on_error(limit_ns, now_ns)

    def _may_ask(self, watched: _Watched, request: VenueRequest) -> bool:
        """Returns whether a request may leave; one that may not is answered as never sent."""
        if request.method in CANCEL_METHODS:
            return True
        if not watched.is_up:
            return True  # the session itself refuses it
        if not watched.dependency.breaker.try_acquire(self._now_ns):
            text = "the breaker of the venue session is open"
            self._refused.append(VenueReply(self._now_ns, request.request_id, None, NOT_SENT, text))
            return False
        watched.asked_ns[str(request.request_id)] = self._now_ns
        return True

    def _on_venue(self, watched: _Watched, message: Any) -> None:
        breaker, now_ns = watched.dependency.breaker, self._now_ns
        if isinstance(message, VenueReply):
            asked_ns = watched.asked_ns.pop(str(message.request_id), None)
            if asked_ns is None:
                return
            if message.error_code == NOT_SENT:
                breaker.on_ignored(now_ns)
            elif message.error_code in VENUE_FAILURES:
                breaker.on_error(now_ns - asked_ns, now_ns)
            else:
                breaker.on_success(now_ns - asked_ns, now_ns)
        elif isinstance(message, VenueDown):
            watched.is_up = False
        elif isinstance(message, VenueUp):
            watched.is_up = watched.was_up = True
            if breaker.state in (State.OPEN, State.HALF_OPEN):
                breaker.transition(State.CLOSED, now_ns)

    def _listener(self, dependency: Dependency) -> Callable[[Event], None]:
        def hear(event: Event) -> None:
            if event.kind != "state_transition":
                return
            breaker = dependency.breaker
            self._changes.append(
                Change(
                    dependency.name,
                    event,
                    breaker.failure_rate(event.at_ns),
                    breaker.slow_call_rate(event.at_ns),
                    dependency.fallback,
                )
            )
            if breaker.settings.is_latched and event.after is State.OPEN:
                self._said.append(self._latch(dependency.name, event.at_ns))

        return hear

    def _latch(self, name: str, now_ns: int) -> BreakerV1:
        return BreakerV1(
            created_ns=now_ns,
            command_id=f"{self.service}-{name}-{now_ns}",
            service=self.service,
            dependency=name,
            action=LATCH,
            author=self.service,
            reason="opened, and stays so until a person resets it",
        )
