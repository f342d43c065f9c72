import pytest

from shared.breaker import NO_RATE, Breaker, BreakerSettings, State
from shared.clock import NS_PER_S

S = NS_PER_S


def breaker(**settings):
    told = []
    plain = {"window_size": 4, "call_count_min": 4, "open_ns": 10 * S, "slow_call_ns": S}
    return Breaker(BreakerSettings(**{**plain, **settings}), told.append), told


def fail(one, count, now_ns=0):
    for _ in range(count):
        one.on_error(0, now_ns)


def test_it_opens_when_half_of_the_last_calls_have_failed():
    one, told = breaker()
    one.on_success(0, 0)
    one.on_success(0, 0)
    one.on_error(0, 0)
    assert one.failure_rate(0) == NO_RATE
    one.on_error(0, 0)
    assert one.state is State.OPEN
    assert one.failure_rate(0) == 50.0
    assert [event.kind for event in told[-2:]] == ["failure_rate_exceeded", "state_transition"]
    assert not one.try_acquire(9 * S)
    assert one.not_permitted_count == 1


def test_slow_calls_open_it_too():
    one, _ = breaker(slow_call_rate_threshold=75.0)
    for took_ns in (S, S + 1, S + 1, S + 1):
        one.on_success(took_ns, 0)
    assert one.is_open
    assert (one.ok_count, one.slow_count, one.failed_count) == (1, 3, 0)


def test_after_the_wait_so_many_calls_try_and_decide():
    one, _ = breaker(permitted_half_open_count=2)
    fail(one, 4)
    assert one.try_acquire(10 * S)
    assert one.state is State.HALF_OPEN
    assert not one.is_trusted
    assert one.try_acquire(10 * S)
    assert not one.try_acquire(10 * S)
    one.on_success(0, 11 * S)
    assert one.state is State.HALF_OPEN
    one.on_success(0, 11 * S)
    assert one.state is State.CLOSED
    fail(one, 4, 12 * S)
    assert one.try_acquire(22 * S)
    one.on_error(0, 22 * S)
    one.on_success(0, 22 * S)
    assert one.state is State.OPEN


def test_half_open_does_not_wait_for_ever():
    one, told = breaker(half_open_ns_max=3 * S, is_automatic=True)
    fail(one, 4)
    one.advance(13 * S)
    assert one.state is State.OPEN
    assert [event.at_ns for event in told[-2:]] == [10 * S, 13 * S]


def test_an_ignored_call_gives_its_permission_back():
    one, _ = breaker(permitted_half_open_count=1)
    fail(one, 4)
    assert one.try_acquire(10 * S)
    one.on_ignored(10 * S)
    assert one.try_acquire(10 * S)
    assert not one.try_acquire(10 * S)


def test_a_time_window_forgets_by_the_second():
    one, _ = breaker(window="time", window_size=2, call_count_min=2)
    one.on_error(0, 0)
    one.on_error(0, 2 * S)
    assert one.state is State.CLOSED
    one.on_error(0, 3 * S)
    assert one.state is State.OPEN


def test_a_latched_breaker_waits_for_a_person():
    one, _ = breaker(is_latched=True, is_automatic=True)
    fail(one, 4)
    assert not one.try_acquire(10_000 * S)
    one.advance(20_000 * S)
    assert one.state is State.OPEN
    one.reset(20_001 * S)
    assert one.try_acquire(20_001 * S)


@pytest.mark.parametrize(
    ("state", "passes", "opens"),
    [(State.DISABLED, True, False), (State.METRICS_ONLY, True, False),
     (State.FORCED_OPEN, False, False), (State.CLOSED, True, True)],
)  # fmt: skip
def test_special_states_stay_what_they_are(state, passes, opens):
    one, told = breaker()
    one.transition(state, 0)
    told.clear()
    fail(one, 10)
    assert one.try_acquire(100 * S) is passes
    assert (one.state is state) is not opens
    assert bool(told) is (state in {State.METRICS_ONLY, State.CLOSED})


def test_nonsense_settings_are_refused():
    for wrong in (
        {"failure_rate_threshold": 0.0}, {"slow_call_rate_threshold": 101.0}, {"open_ns": 0},
        {"window_size": 0}, {"call_count_min": 0}, {"permitted_half_open_count": 0},
        {"half_open_ns_max": -1}, {"slow_call_ns": 0},
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            breaker(**wrong)
