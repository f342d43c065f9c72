"""The breakers around a service's wiring, by hand: inputs, outputs and timers with their times."""

import pytest

from shared.breaker import Breaker, BreakerSettings, State
from shared.clock import NS_PER_MS, NS_PER_S
from shared.dependency import (
    Calls,
    Dependency,
    Feed,
    VenueCalls,
    Verdicts,
    call_breaker,
    feed_breaker,
)
from shared.guarding import guarded
from shared.messages.desk import BreakerV1, TimerV1
from shared.messages.market import TicksV1
from shared.messages.orders import OrderV1, PlaceOrderV1
from shared.service import Service, every, on
from shared.venue_link import NOT_SENT, VenueDown, VenueReply, VenueRequest, VenueUp

S = NS_PER_S
FEED = Feed(TicksV1, age_ms_max=2_000)


def timer(now_ns):
    return TimerV1(created_ns=now_ns)


def ticks(now_ns, underlying="BTC"):
    return TicksV1(
        created_ns=now_ns,
        underlying=underlying,
        sequence=1,
        index_usd=1.0,
        index_ns=now_ns,
        ticks=(),
    )


def word(action, now_ns, dependency="ticks", service="one"):
    return BreakerV1(
        created_ns=now_ns, command_id=f"{action}-{now_ns}", service=service,
        dependency=dependency, action=action, author="a", reason="",
    )  # fmt: skip


class Guarded:
    """A guarded service, driven; `asks` are what its core yields at every tick batch."""

    def __init__(self, dependency, asks=()):
        self.taken = []
        self.asks = list(asks)

        def take(message):
            self.taken.append(message)
            return [self.asks.pop(0)] if self.asks else []

        kinds = (TicksV1, OrderV1, VenueReply, VenueUp, VenueDown)
        self.service = guarded(
            Service(
                name="one",
                consumes=tuple(on(kind, take) for kind in kinds),
                timers=(every(250, take),),
            ),
            dependency,
        )
        self.now_ns = 0

    def give(self, message):
        self.now_ns = max(self.now_ns, message.created_ns)
        handlers = [c.handler for c in self.service.consumes if c.kind is type(message)]
        return [output for handler in handlers for output in handler(message)]

    def start(self):
        list(self.service.start(timer(self.now_ns)))

    def run(self, seconds, each=lambda now_ns: None):
        """Lets the checks run ten times a second; returns what they yield."""
        outputs = []
        for _ in range(round(seconds * 10)):
            self.now_ns += 100 * NS_PER_MS
            message = each(self.now_ns)
            if message is not None:
                self.give(message)
            outputs += self.service.timers[0].handler(timer(self.now_ns))
        return outputs


def on_ticks():
    breaker = feed_breaker()
    dependency = Dependency(name="ticks", breaker=breaker, on=FEED, fallback="old ticks")
    return Guarded(dependency), breaker


def test_a_feed_that_is_late_opens_its_breaker_within_a_second_of_its_bound():
    desk, breaker = on_ticks()
    desk.start()
    desk.run(3, ticks)
    assert breaker.state is State.CLOSED
    desk.run(1.9)
    assert breaker.state is State.CLOSED
    desk.run(1)
    opened_ns = breaker.since_ns
    assert breaker.state is State.OPEN
    desk.run(60)
    assert (breaker.state, breaker.since_ns) == (State.OPEN, opened_ns)  # one alert, not many


def test_a_feed_that_comes_back_is_trusted_once_it_has_stayed():
    desk, breaker = on_ticks()
    desk.start()
    desk.run(1, ticks)
    desk.run(4)
    assert not breaker.is_trusted
    desk.give(ticks(desk.now_ns))
    desk.run(0.2, ticks)
    assert not breaker.is_trusted
    desk.run(1.5, ticks)
    assert breaker.state is State.CLOSED


def test_the_oldest_of_a_feeds_keys_counts():
    desk, breaker = on_ticks()
    desk.start()
    desk.give(ticks(desk.now_ns, "ETH"))
    desk.run(4, ticks)
    assert not breaker.is_trusted


def test_a_feed_that_was_never_heard_of_has_time_to_come():
    desk, breaker = on_ticks()
    desk.start()
    desk.run(30)
    assert breaker.state is State.CLOSED
    desk.run(1.2)
    assert not breaker.is_trusted


def test_transitions_are_told_once_each_with_their_fallback():
    desk, _ = on_ticks()
    desk.start()
    desk.run(1, ticks)
    desk.run(2.7)
    (change,) = desk.service.dependencies.take_changes()
    assert (change.dependency, change.fallback) == ("ticks", "old ticks")
    assert (change.event.before, change.event.after) == (State.CLOSED, State.OPEN)
    assert change.failure_rate == 50.0
    assert desk.service.dependencies.take_changes() == []


def test_a_person_may_force_a_breaker_and_a_restart_remembers_it():
    desk, breaker = on_ticks()
    desk.give(word("force_open", 5))  # replayed
    desk.start()
    desk.run(3, ticks)
    assert breaker.state is State.FORCED_OPEN
    (standing, _bus) = desk.service.dependencies.standings()
    assert (standing.state, standing.fallback) == ("forced_open", "old ticks")
    desk.give(word("reset", desk.now_ns, service="another"))
    desk.give(word("reset", desk.now_ns, dependency="nonsense"))
    assert breaker.state is State.FORCED_OPEN
    desk.give(word("reset", desk.now_ns))
    assert breaker.state is State.CLOSED
    desk.give(word("disable", desk.now_ns))
    desk.run(5)
    assert breaker.state is State.DISABLED


def latched():
    breaker = Breaker(BreakerSettings(window_size=2, call_count_min=2, is_latched=True))
    return breaker, Dependency(name="ledger", breaker=breaker, on=Verdicts(), fallback="none")


def test_a_latched_breaker_is_remembered_until_a_person_resets_it():
    breaker, dependency = latched()
    desk = Guarded(dependency)
    assert BreakerV1 in desk.service.publishes
    desk.start()
    breaker.on_error(0, S)
    breaker.on_error(0, S)
    (latch,) = desk.run(60)
    assert (latch.action, latch.dependency) == ("latch", "ledger")
    desk.give(latch)  # its own word, come back
    assert breaker.state is State.OPEN

    again_breaker, again_dependency = latched()
    again = Guarded(again_dependency)
    again.give(latch)  # replayed after a restart
    again.start()
    assert again.run(60) == []
    assert again_breaker.state is State.OPEN
    again.give(word("reset", again.now_ns, "ledger"))
    assert again_breaker.state is State.CLOSED


def place(number, now_ns):
    return PlaceOrderV1(
        created_ns=now_ns, order_id=f"a-{number}", intent_id="a", instrument="BTC-PERPETUAL",
        side="buy", amount_lots=1, price_ticks=1, is_post_only=False, is_immediate=True,
        is_reduce_only=False, expires_ns=now_ns,
    )  # fmt: skip


def told(number, now_ns, state="open"):
    return OrderV1(
        created_ns=now_ns, order_id=f"a-{number}", venue_order_id="", instrument="BTC-PERPETUAL",
        state=state, side="buy", amount_lots=1, filled_lots=0, price_ticks=1,
        reason="", venue_ns=0,
    )  # fmt: skip


def on_orders(count):
    breaker = call_breaker(slow_ns=S)
    calls = Calls(
        PlaceOrderV1, OrderV1, lambda one: one.order_id, lambda o: o.state != "unknown", 5000
    )
    dependency = Dependency(name="gateway", breaker=breaker, on=calls, fallback="none")
    return Guarded(dependency, [place(number, 0) for number in range(count)]), breaker


def test_answers_are_counted_by_their_outcome_and_time():
    desk, breaker = on_orders(4)
    desk.start()
    for number, (after_s, state) in enumerate(((0.2, "open"), (2, "open"), (0.1, "unknown"))):
        desk.give(ticks(desk.now_ns))
        desk.run(after_s)
        desk.give(told(number, desk.now_ns, state))
        desk.give(told(number, desk.now_ns))  # a second word says nothing new
    assert (breaker.ok_count, breaker.slow_count, breaker.failed_count) == (1, 1, 1)
    desk.give(ticks(desk.now_ns))
    desk.run(5.2)  # never answered
    assert breaker.failed_count == 2


def request(number, method="private/get_positions"):
    return VenueRequest(number, method, {})


def on_venue(*requests):
    breaker = call_breaker(slow_ns=S)
    dependency = Dependency(name="venue", breaker=breaker, on=VenueCalls(), fallback="none")
    return Guarded(dependency, requests), breaker


def test_an_open_breaker_holds_requests_back_and_lets_cancels_go():
    methods = ("private/get_positions", "private/cancel_all", "private/buy")
    desk, breaker = on_venue(*(request(n, method) for n, method in enumerate(methods, 1)))
    desk.start()
    desk.give(VenueUp(desk.now_ns, 1))  # yields the first
    breaker.transition(State.FORCED_OPEN, desk.now_ns)
    assert [one.request_id for one in desk.give(ticks(desk.now_ns))] == [2]
    assert desk.give(ticks(desk.now_ns)) == []
    desk.run(0.1)
    refused = desk.taken[-1]
    assert (refused.request_id, refused.error_code) == (3, NOT_SENT)
    assert breaker.not_permitted_count == 1


@pytest.mark.parametrize(("code", "state"), [(10028, State.OPEN), (10009, State.CLOSED)])
def test_only_trouble_of_the_venue_itself_opens_its_breaker(code, state):
    desk, breaker = on_venue(*(request(number) for number in range(1, 6)))
    desk.start()
    desk.give(VenueUp(desk.now_ns, 1))
    for number in range(1, 6):
        if number > 1:
            desk.give(ticks(desk.now_ns))
        desk.give(VenueReply(desk.now_ns, number, None, code))
    assert breaker.state is state


def test_a_session_that_is_down_opens_the_breaker_and_a_new_login_closes_it():
    desk, breaker = on_venue()
    desk.start()
    desk.give(VenueUp(desk.now_ns, 1))
    desk.run(2)
    assert breaker.state is State.CLOSED
    desk.give(VenueDown(desk.now_ns, "gone"))
    desk.run(1)
    assert breaker.is_open
    desk.give(VenueUp(desk.now_ns, 2))
    assert breaker.state is State.CLOSED


def test_the_bus_is_everybodys_dependency():
    desk, _ = on_venue()
    known = desk.service.dependencies
    bus = next(one.breaker for one in known.all if one.name == "bus")
    desk.start()
    desk.run(1)
    known.is_bus_well = lambda: False
    desk.run(0.6)
    assert bus.is_open
