"""Execution hedges while hedging is silent, and nothing is hedged twice."""

from services.execution.backup import MARK
from services.execution.breakers import Breakers
from services.execution.core import Config, Execution
from shared.breaker import State
from shared.clock import NS_PER_S
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.orders import PlaceOrderV1
from shared.messages.risk import LimitsV1, PortfolioV1, Position
from tests.unit.execution.desk import PERPETUAL, Desk, fill

DELTA_COIN_MAX = 10.0  # a band of 0.5 by the default ratio


def portfolio(now_ns, delta_coin, fill_count=1, lots=0):
    return PortfolioV1(
        created_ns=now_ns, underlying="BTC", positions=(Position(PERPETUAL, lots),),
        fill_count=fill_count, last_trade_id="", delta_coin=delta_coin, option_delta_coin=0.0,
        gamma_coin_per_usd=0.0, vega_usd=0.0, theta_usd_per_day=0.0, value_coin=0.0,
        cash_coin_e12=0, index_usd=90_000.0, surface_version=1,
    )  # fmt: skip


def limits(now_ns):
    return LimitsV1(
        created_ns=now_ns, underlying="BTC", version=1, delta_coin_max=DELTA_COIN_MAX,
        vega_usd_max=1.0, gamma_coin_per_usd_max=1.0, quote_lots_max=1, position_lots_max=1,
        collar_vol=0.1, collar_coin=0.1, surface_age_ns_max=1, tick_age_ns_max=1, author="a",
    )  # fmt: skip


class BackedDesk(Desk):
    """A desk whose hedging is silent, unless told."""

    def __init__(self, *, is_silent=True):
        super().__init__()
        self.breakers = Breakers()
        fresh = Execution(Config(), self.breakers)
        fresh._markets = self.core._markets
        self.core = fresh
        self.take(fresh.start(self.timer()))
        self.take(fresh.on_limits(limits(self.now_ns)))
        if is_silent:
            self.silence()

    def timer(self):
        from shared.messages.desk import TimerV1

        return TimerV1(created_ns=self.now_ns)

    def silence(self):
        self.breakers.hedging.transition(State.FORCED_OPEN, self.now_ns)

    def held(self, delta_coin, **fields):
        self.take(self.core.on_portfolio(portfolio(self.now_ns, delta_coin, **fields)))

    def backups(self):
        return [one for one in self.said(HedgeIntentV1) if MARK in one.intent_id]

    def fill_all(self):
        """The backup's order is filled whole; its outcome comes back."""
        place = self.said(PlaceOrderV1)[-1]
        self.take(
            self.core.on_fill(fill(place, f"t{len(self.out)}", place.amount_lots, self.now_ns))
        )
        self.told("filled", place)
        self.tick()
        outcome = self.said(HedgeOutcomeV1)[-1]
        self.take(self.core.on_outcome(outcome))
        return place


def test_a_delta_beyond_the_band_is_taken_back_to_its_edge():
    desk = BackedDesk()
    desk.held(1.5)
    desk.tick()
    (intent,) = desk.backups()
    assert (intent.side, intent.urgency, intent.instrument) == ("sell", "taking", PERPETUAL)
    assert intent.band_coin == 0.5
    (place,) = desk.said(PlaceOrderV1)
    assert place.side == "sell"
    assert abs(place.amount_lots * 10.0 / 90_002.5 - 1.0) < 0.001  # coin: 10 USD a lot


def test_nothing_is_hedged_inside_the_band_or_while_hedging_is_there():
    inside, there = BackedDesk(), BackedDesk(is_silent=False)
    inside.held(-0.49)
    there.held(-5.0)
    for desk in (inside, there):
        desk.tick(30)
        assert desk.backups() == []


def test_an_old_portfolio_is_not_hedged():
    desk = BackedDesk()
    desk.now_ns += 1
    desk.held(-5.0)
    desk.breakers.hedging.reset(desk.now_ns)
    desk.tick(40)
    desk.silence()
    desk.tick(5)
    assert desk.backups() == []


def test_the_next_hedge_waits_until_risk_has_seen_the_last_one():
    desk = BackedDesk()
    desk.held(1.5)
    desk.tick()
    place = desk.fill_all()
    desk.held(1.5)  # risk does not know of it yet
    desk.tick(20)
    desk.held(1.5)
    desk.tick(5)
    assert len(desk.backups()) == 1
    desk.held(1.5, fill_count=2, lots=-place.amount_lots)  # it does, and delta has moved again
    desk.tick()
    assert len(desk.backups()) == 2


def test_an_intent_that_does_not_know_of_the_backups_hedge_is_refused():
    desk = BackedDesk()
    desk.held(1.5)
    desk.tick()
    desk.intent("late", portfolio_fill_count=1)  # while ours is open
    place = desk.fill_all()
    desk.held(0.5, fill_count=2, lots=-place.amount_lots)
    desk.intent("later", portfolio_fill_count=1)  # made from before our hedge
    orders = len(desk.said(PlaceOrderV1))
    desk.tick(3)
    refused = [one for one in desk.said(HedgeOutcomeV1) if one.result == "replaced"]
    assert [one.intent_id for one in refused] == ["late", "later"]
    assert {one.filled_lots for one in refused} == {0}
    assert len(desk.said(PlaceOrderV1)) == orders
    desk.intent("knows", portfolio_fill_count=2, side="buy")
    desk.tick()
    assert len(desk.said(PlaceOrderV1)) == orders + 1


def test_a_hedge_that_is_open_is_not_joined_by_the_backups():
    desk = BackedDesk(is_silent=False)
    desk.held(1.5)
    desk.intent("own")
    desk.tick()
    desk.silence()
    desk.tick(5)
    desk.held(1.5)
    desk.tick(5)
    assert desk.backups() == []


def test_no_order_goes_out_while_the_gateways_breaker_is_open_or_ticks_are_late():
    for name in ("gateway", "ticks"):
        desk = BackedDesk(is_silent=False)
        breaker = getattr(desk.breakers, name)
        breaker.transition(State.FORCED_OPEN, desk.now_ns)
        desk.intent("one")
        desk.tick(5)
        assert desk.said(PlaceOrderV1) == []
        breaker.reset(desk.now_ns)
        desk.tick(5)
        assert len(desk.said(PlaceOrderV1)) == 1, name


def test_what_rests_is_cancelled_when_ticks_are_late():
    desk = BackedDesk(is_silent=False)
    desk.intent("one")
    desk.tick()
    desk.told("open")
    desk.breakers.ticks.transition(State.FORCED_OPEN, desk.now_ns)
    desk.tick()
    assert "CancelOrderV1" in desk.kinds


def test_an_intent_as_old_as_a_restart_is_worked_on_again():
    """The record of a former life is no intent that comes too late."""
    desk = BackedDesk()
    desk.held(1.5)
    desk.tick()
    (intent,) = desk.backups()
    again = Execution(Config(), Breakers())
    again._markets = desk.core._markets
    list(again.on_intent(intent))
    outputs = list(again.start(desk.timer()))
    assert any(isinstance(one, PlaceOrderV1) for one in outputs)
    assert intent.created_ns <= desk.now_ns < intent.deadline_ns + NS_PER_S
