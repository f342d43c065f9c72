"""What quoting does while it cannot trust what it depends on, over both transports."""

import pytest

from services.market_making.breakers import Breakers
from shared.breaker import State
from shared.messages.quoting import QuotesPulledV1, QuotingStatusV1
from tests.unit.market_making.toy_desk import quoting_desk

NAME = "BTC-44D-95000-C"


def breakers_of(desk) -> Breakers:
    return desk.core._breakers


def spread(desk):
    return desk.rests[NAME, "ask"][0] - desk.rests[NAME, "bid"][0]


def test_a_surface_that_is_not_trusted_is_quoted_wider_and_then_as_before(kind):
    desk = quoting_desk(kind)
    before = spread(desk)
    breakers_of(desk).surface.transition(State.FORCED_OPEN, desk.now_ns)
    desk.run(1000)
    assert spread(desk) > 1.3 * before
    breakers_of(desk).surface.reset(desk.now_ns)
    desk.run(2000)
    assert spread(desk) < 1.2 * before


def test_with_the_breaker_disabled_nothing_is_wider(kind):
    desk = quoting_desk(kind)
    before = spread(desk)
    breakers_of(desk).surface.transition(State.DISABLED, desk.now_ns)
    desk.run(1000)
    assert spread(desk) < 1.2 * before


@pytest.mark.parametrize("name", ["lease", "bus"])
def test_nothing_is_quoted_while_lease_or_bus_are_not_trusted(kind, name):
    desk = quoting_desk(kind)
    breaker = getattr(breakers_of(desk), name)
    breaker.transition(State.FORCED_OPEN, desk.now_ns)
    desk.run(500)
    assert desk.two_sided() == set()
    assert desk.last(QuotesPulledV1).reason == f"{name} breaker"
    desk.run(3000)
    assert desk.two_sided() == set()
    desk.second_timer()
    assert desk.last(QuotingStatusV1).state == f"halted: {name} breaker"
    breaker.reset(desk.now_ns)
    desk.run(2000)
    assert NAME in desk.two_sided()


def test_the_venue_sessions_breaker_takes_no_quote_away(kind):
    desk = quoting_desk(kind)
    breakers_of(desk).venue.transition(State.FORCED_OPEN, desk.now_ns)
    desk.run(500)
    assert NAME in desk.two_sided()
