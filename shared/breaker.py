"""A circuit breaker, with the semantics that resilience4j documents (core module, "CircuitBreaker":
https://resilience4j.readme.io/docs/circuitbreaker). No clock: every call brings its time.

What the documentation leaves open, or this breaker adds:
- A call is timed by whoever makes it. Its result counts in the state in which it ends.
- Half-open decides when all permitted calls have ended, whatever the minimum for a closed one.
- Timers (automatic half-open, the longest stay in half-open) take effect as of when they were due,
  at the next call of anything or `advance`.
- The counts of a breaker's life go on in every state; the window is of the state alone.
- A latched breaker opens by itself, and only a person's `reset` or transition ends that.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from shared.clock import NS_PER_MS, NS_PER_S
from shared.sliding_window import CountWindow, TimeWindow, Window

NO_RATE = -1.0  # too few calls to say
WINDOW_SIZE_MAX = 100_000


class State(enum.Enum):
    CLOSED = "closed"  # calls pass and are counted
    OPEN = "open"  # none passes
    HALF_OPEN = "half_open"  # so many pass, and decide
    DISABLED = "disabled"  # all pass, none is counted
    FORCED_OPEN = "forced_open"  # none passes, whatever happens
    METRICS_ONLY = "metrics_only"  # all pass and are counted; it never opens


EventKind = Literal[
    "state_transition", "reset", "success", "error", "ignored_error", "not_permitted",
    "failure_rate_exceeded", "slow_call_rate_exceeded",
]  # fmt: skip


class Event(NamedTuple):
    """`before` and `after` differ for a transition; `rate` is the one exceeded, in percent."""

    kind: EventKind
    at_ns: int
    before: State
    after: State
    rate: float = NO_RATE


@dataclass(frozen=True, kw_only=True)
class BreakerSettings:
    """Rates are in percent. The defaults are the documented ones."""

    failure_rate_threshold: float = 50.0
    slow_call_rate_threshold: float = 100.0
    slow_call_ns: int = 60 * NS_PER_S  # a call that takes longer is slow
    window: Literal["count", "time"] = "count"
    window_size: int = 100  # calls, or seconds
    call_count_min: int = 100  # before a rate says anything; in a count window at most its size
    open_ns: int = 60 * NS_PER_S
    is_automatic: bool = False  # goes to half-open by itself, not with the next call
    permitted_half_open_count: int = 10
    half_open_ns_max: int = 0  # then open again; 0: for as long as it takes
    is_latched: bool = False

    def __post_init__(self) -> None:
        assert 0.0 < self.failure_rate_threshold <= 100.0
        assert 0.0 < self.slow_call_rate_threshold <= 100.0
        assert self.slow_call_ns > 0
        assert 0 < self.window_size <= WINDOW_SIZE_MAX
        assert self.call_count_min > 0
        assert self.open_ns >= NS_PER_MS
        assert self.permitted_half_open_count > 0
        assert self.half_open_ns_max == 0 or self.half_open_ns_max >= NS_PER_MS


class Breaker:
    """Ask `try_acquire` before a call, and tell `on_success`, `on_error` or `on_ignored` after it.

    Times are nanoseconds of any one clock that does not run backwards. `tell` hears every event.
    """

    def __init__(
        self, settings: BreakerSettings, tell: Callable[[Event], None] | None = None
    ) -> None:
        self.settings = settings
        self.state = State.CLOSED
        self.since_ns = 0  # when it entered its state
        self.ok_count = 0
        self.failed_count = 0
        self.slow_count = 0  # that went well but took too long
        self.ignored_count = 0
        self.not_permitted_count = 0
        self.tell = tell
        self._window = self._fresh_window()
        self._permits_left = 0
        self._due_ns = 0  # when the state ends by itself; 0: it does not
        self._is_rate_told = [False, False]  # in metrics-only each rate is told of once

    @property
    def is_open(self) -> bool:
        """No call would pass now, short of the one that ends the wait."""
        return self.state is State.OPEN or self.state is State.FORCED_OPEN

    @property
    def is_trusted(self) -> bool:
        """Calls pass freely: neither open nor on trial."""
        return not self.is_open and self.state is not State.HALF_OPEN

    def try_acquire(self, now_ns: int) -> bool:
        """Returns whether a call may be made. If so, its end must be told, or it is released."""
        self.advance(now_ns)
        state = self.state
        if state is State.CLOSED or state is State.DISABLED or state is State.METRICS_ONLY:
            return True
        if (
            state is State.OPEN
            and not self.settings.is_latched
            and now_ns >= self.since_ns + self.settings.open_ns
        ):
            self._enter(State.HALF_OPEN, now_ns)
            state = self.state
        if state is State.HALF_OPEN and self._permits_left > 0:
            self._permits_left -= 1
            return True
        self.not_permitted_count += 1
        self._say("not_permitted", now_ns)
        return False

    def release(self, now_ns: int) -> None:
        """Gives back a permission that was not used."""
        self.advance(now_ns)
        if self.state is State.HALF_OPEN:
            most = self.settings.permitted_half_open_count
            self._permits_left = min(most, self._permits_left + 1)

    def on_success(self, duration_ns: int, now_ns: int) -> None:
        self._record(duration_ns, now_ns, is_failed=False)

    def on_error(self, duration_ns: int, now_ns: int) -> None:
        self._record(duration_ns, now_ns, is_failed=True)

    def on_ignored(self, now_ns: int) -> None:
        """The call ended in a way that says nothing of what was called."""
        self.release(now_ns)
        self.ignored_count += 1
        self._say("ignored_error", now_ns)

    def advance(self, now_ns: int) -> None:
        """Lets the timers take effect that were due."""
        while self._due_ns and now_ns >= self._due_ns:
            after = State.HALF_OPEN if self.state is State.OPEN else State.OPEN
            self._enter(after, self._due_ns)

    def transition(self, after: State, now_ns: int) -> None:
        """Enters a state at somebody's word, its window empty. Half-open is not to be had so."""
        assert after is not State.HALF_OPEN, "half-open comes of open"
        self.advance(now_ns)
        self._enter(after, now_ns)

    def reset(self, now_ns: int) -> None:
        """Closes, with nothing remembered."""
        self.transition(State.CLOSED, now_ns)
        self._say("reset", now_ns)

    def failure_rate(self, now_ns: int) -> float:
        """Returns the window's failure rate in percent, NO_RATE with too few calls."""
        self._window.slide(now_ns // NS_PER_S)
        return self._rate(self._window.failed_count)

    def slow_call_rate(self, now_ns: int) -> float:
        self._window.slide(now_ns // NS_PER_S)
        return self._rate(self._window.slow_count)

    def _record(self, duration_ns: int, now_ns: int, *, is_failed: bool) -> None:
        self.advance(now_ns)
        is_slow = duration_ns > self.settings.slow_call_ns
        if is_failed:
            self.failed_count += 1
        elif is_slow:
            self.slow_count += 1
        else:
            self.ok_count += 1
        state = self.state
        if state is State.DISABLED or state is State.FORCED_OPEN:
            return
        self._say("error" if is_failed else "success", now_ns)
        self._window.add(now_ns // NS_PER_S, is_failed=is_failed, is_slow=is_slow)
        if state is State.CLOSED or state is State.METRICS_ONLY:
            if self._is_exceeded(now_ns) and state is State.CLOSED:
                self._enter(State.OPEN, now_ns)
        elif state is State.HALF_OPEN and self._has_decided():
            is_bad = self._is_exceeded(now_ns)
            self._enter(State.OPEN if is_bad else State.CLOSED, now_ns)

    def _has_decided(self) -> bool:
        return self._window.call_count >= self.settings.permitted_half_open_count

    def _is_exceeded(self, now_ns: int) -> bool:
        """Returns whether a rate has reached its threshold, and tells which."""
        settings, window = self.settings, self._window
        failure = self._rate(window.failed_count)
        slow = self._rate(window.slow_count)
        is_failing = failure >= settings.failure_rate_threshold
        is_slow = slow >= settings.slow_call_rate_threshold
        if is_failing:
            self._say_rate(0, "failure_rate_exceeded", now_ns, failure)
        if is_slow:
            self._say_rate(1, "slow_call_rate_exceeded", now_ns, slow)
        return is_failing or is_slow

    def _rate(self, count: int) -> float:
        settings, calls = self.settings, self._window.call_count
        least = settings.call_count_min
        if self.state is State.HALF_OPEN:
            least = settings.permitted_half_open_count
        elif settings.window == "count":
            least = min(least, settings.window_size)
        return 100.0 * count / calls if calls >= least else NO_RATE

    def _enter(self, after: State, at_ns: int) -> None:
        before, settings = self.state, self.settings
        self.state = after
        self.since_ns = at_ns
        self._due_ns = 0
        self._is_rate_told = [False, False]
        if after is State.OPEN:  # its window stays: it says why
            if settings.is_automatic and not settings.is_latched:
                self._due_ns = at_ns + settings.open_ns
        elif after is State.HALF_OPEN:
            self._permits_left = settings.permitted_half_open_count
            self._window = CountWindow(settings.permitted_half_open_count)
            if settings.half_open_ns_max:
                self._due_ns = at_ns + settings.half_open_ns_max
        else:
            self._window = self._fresh_window()
        if before is not after and self.tell is not None:
            self.tell(Event("state_transition", at_ns, before, after))

    def _fresh_window(self) -> Window:
        settings = self.settings
        kind = CountWindow if settings.window == "count" else TimeWindow
        return kind(settings.window_size)

    def _say(self, kind: EventKind, now_ns: int, rate: float = NO_RATE) -> None:
        if self.tell is not None and (
            kind == "reset"
            or (self.state is not State.DISABLED and self.state is not State.FORCED_OPEN)
        ):
            self.tell(Event(kind, now_ns, self.state, self.state, rate))

    def _say_rate(self, which: int, kind: EventKind, now_ns: int, rate: float) -> None:
        if self.state is State.METRICS_ONLY:
            if self._is_rate_told[which]:
                return
            self._is_rate_told[which] = True
        self._say(kind, now_ns, rate)
