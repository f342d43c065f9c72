import random

import pytest

from services.hedging.band import BandConfig, band_coin, hedge_coin, whole_lots
from services.hedging.core import Config, Hedging
from shared.breaker import State
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import Instrument, InstrumentsV1, Tick, TicksV1
from shared.messages.risk import AlertV1, LeaseV1, PortfolioV1, Position

START_NS = 1_768_294_800 * NS_PER_S
INDEX_USD = 92_000.0
LOT_USD = 10.0
DATED_EXPIRY_NS = START_NS + 30 * 86_400 * NS_PER_S


def future(name, expiry_ns):
    return Instrument(
        name=name,
        instrument_id=1,
        kind="future" if expiry_ns else "perpetual",
        underlying="BTC",
        expiry_ns=expiry_ns,
        strike_usd=0.0,
        is_call=False,
        tick_e8=50_000_000,
        tick_steps=(),
        lot_e8=1_000_000_000,
        maker_fee_ratio=0.0,
        taker_fee_ratio=0.0005,
    )


class ToyDesk:
    """One hedging core; its outputs are kept, time moves when told."""

    def __init__(self, is_started=True, **config):
        self.core = Hedging(Config(**config), ("BTC",))
        self.now_ns = START_NS
        self.out = []
        self.sequence = 0
        for name, expiry_ns in (("BTC-PERPETUAL", 0), ("BTC-30JAN26", DATED_EXPIRY_NS)):
            batch = InstrumentsV1(
                created_ns=START_NS,
                underlying="BTC",
                expiry_ns=expiry_ns,
                instruments=(future(name, expiry_ns),),
            )
            self.take(self.core.on_instruments(batch))
        if is_started:
            self.take(self.core.on_start(TimerV1(created_ns=START_NS)))
        self.ticks()

    def take(self, outputs):
        self.out += list(outputs)

    @property
    def intents(self):
        return [one for one in self.out if isinstance(one, HedgeIntentV1)]

    def later(self, ms):
        self.now_ns += ms * NS_PER_MS

    def ticks(self, perpetual_live=True, spread_ticks=1, dated_spread_ticks=20):
        mid = round(INDEX_USD * 2)
        rows = (
            Tick("BTC-PERPETUAL", mid, 100, mid + spread_ticks, 100, INDEX_USD, 0.0,
                 self.now_ns, perpetual_live),
            Tick("BTC-30JAN26", mid, 100, mid + dated_spread_ticks, 100, INDEX_USD, 0.0,
                 self.now_ns),
        )  # fmt: skip
        self.sequence += 1
        batch = TicksV1(
            created_ns=self.now_ns,
            underlying="BTC",
            sequence=self.sequence,
            index_usd=INDEX_USD,
            index_ns=self.now_ns,
            ticks=rows,
        )
        self.take(self.core.on_ticks(batch))

    def portfolio(self, delta, lots=0, gamma=0.0, instrument="BTC-PERPETUAL"):
        message = PortfolioV1(
            created_ns=self.now_ns,
            underlying="BTC",
            positions=(Position(instrument, lots),),
            fill_count=0,
            last_trade_id="",
            delta_coin=delta,
            option_delta_coin=delta,
            gamma_coin_per_usd=gamma,
            vega_usd=0.0,
            theta_usd_per_day=0.0,
            value_coin=0.0,
            cash_coin_e12=0,
            index_usd=INDEX_USD,
            surface_version=1,
        )
        self.take(self.core.on_portfolio(message))

    def outcome(self, filled_lots, intent=None):
        intent = intent or self.intents[-1]
        message = HedgeOutcomeV1(
            created_ns=self.now_ns,
            intent_id=intent.intent_id,
            underlying="BTC",
            result="done",
            filled_lots=filled_lots,
            order_count=1,
            reason="",
        )
        self.take(self.core.on_outcome(message))

    def lease(self, state):
        lease = LeaseV1(
            created_ns=self.now_ns,
            underlying="BTC",
            sequence=1,
            state=state,
            expires_ns=self.now_ns + NS_PER_S,
        )
        self.take(self.core.on_lease(lease))


def test_band_is_whalley_and_wilmotts():
    config = BandConfig(risk_aversion_per_usd=1e-4, band_coin_min=0.0, band_coin_max=100.0)
    # (3/2 * 0.0005 * 92000 * 0.001^2 / 1e-4)^(1/3) = 0.69^(1/3)
    assert band_coin(config, 0.0005, 0.001, 92_000.0) == pytest.approx(0.69 ** (1 / 3), rel=1e-12)


def test_band_grows_with_the_two_thirds_power_of_gamma_and_stays_in_its_bounds():
    config = BandConfig(risk_aversion_per_usd=1e-4, band_coin_min=0.05, band_coin_max=3.0)
    one = band_coin(config, 0.0005, 0.001, 92_000.0)
    assert band_coin(config, 0.0005, -0.008, 92_000.0) == 3.0
    assert band_coin(config, 0.0005, 0.002, 92_000.0) == pytest.approx(one * 2 ** (2 / 3))
    assert band_coin(config, 0.0005, 0.0, 92_000.0) == 0.05


@pytest.mark.parametrize(
    ("delta", "to_edge", "expected"),
    [(0.5, True, 0.0), (-1.0, True, 0.0), (3.0, True, -2.0), (-3.0, True, 2.0),
     (3.0, False, -3.0), (-3.0, False, 3.0)],
)  # fmt: skip
def test_hedge_goes_to_the_edge_or_to_the_target(delta, to_edge, expected):
    assert hedge_coin(delta, 1.0, is_to_edge=to_edge) == expected


def test_lots_are_never_more_than_the_amount():
    assert whole_lots(0.00021, 92_000.0, 10.0) == 1
    assert whole_lots(-0.00021, 92_000.0, 10.0) == -1
    assert whole_lots(0.0001, 92_000.0, 10.0) == 0


def test_delta_inside_the_band_is_left_alone():
    desk = ToyDesk()
    desk.portfolio(0.04)
    assert desk.intents == []


def test_long_delta_just_outside_is_sold_resting_to_the_target():
    desk = ToyDesk()
    desk.portfolio(0.1)
    (intent,) = desk.intents
    assert (intent.side, intent.urgency, intent.instrument) == ("sell", "passive", "BTC-PERPETUAL")
    assert intent.amount_lots == int(0.1 * (INDEX_USD + 0.15) / LOT_USD)


def test_short_delta_far_outside_is_bought_at_once_to_the_edge():
    desk = ToyDesk()
    desk.portfolio(-3.0)
    (intent,) = desk.intents
    assert (intent.side, intent.urgency) == ("buy", "taking")
    edge = 3.0 - intent.band_coin
    assert intent.amount_lots == int(edge * (INDEX_USD + 0.25) / LOT_USD)


def test_reducing_takes_at_once():
    desk = ToyDesk()
    desk.lease("reducing")
    desk.portfolio(0.2)
    assert desk.intents[-1].urgency == "taking"


def test_one_intent_is_open_at_a_time():
    desk = ToyDesk()
    for delta in (1.0, 2.0, 5.0):
        desk.later(100)
        desk.portfolio(delta)
    assert len(desk.intents) == 1


def test_a_portfolio_that_has_not_seen_the_hedge_is_not_hedged_again():
    desk = ToyDesk()
    desk.portfolio(-3.0)
    lots = desk.intents[0].amount_lots
    desk.later(100)
    desk.outcome(lots)
    for _ in range(10):
        desk.later(100)
        desk.ticks()
        desk.portfolio(-3.0, lots=0)
    assert len(desk.intents) == 1
    desk.portfolio(-3.0, lots=lots)  # seen, and something new has moved delta again
    assert len(desk.intents) == 2


def test_an_intent_that_filled_nothing_is_tried_again_from_a_newer_portfolio():
    desk = ToyDesk()
    desk.portfolio(1.0)
    desk.later(5000)
    desk.outcome(0)
    assert len(desk.intents) == 1
    desk.later(100)
    desk.ticks()
    desk.portfolio(1.0)
    assert len(desk.intents) == 2


def test_an_outcome_told_twice_changes_nothing():
    desk = ToyDesk()
    desk.portfolio(1.0)
    lots = desk.intents[0].amount_lots
    desk.outcome(lots)
    desk.later(100)
    desk.portfolio(1.0, lots=-lots)
    assert len(desk.intents) == 2
    desk.outcome(lots, desk.intents[0])
    desk.later(100)
    desk.portfolio(1.0, lots=-lots)
    assert len(desk.intents) == 2


def test_a_restart_waits_for_the_outcome_of_what_was_open():
    first = ToyDesk()
    first.portfolio(1.0)
    intent = first.intents[0]
    desk = ToyDesk(is_started=False)
    desk.take(desk.core.on_intent(intent))
    desk.take(desk.core.on_start(TimerV1(created_ns=desk.now_ns)))
    desk.portfolio(1.0)
    assert desk.intents == []
    desk.outcome(0, intent)
    desk.later(100)
    desk.portfolio(1.0)
    assert len(desk.intents) == 1


def test_a_restart_after_the_outcome_hedges_at_once():
    first = ToyDesk()
    first.portfolio(1.0)
    intent = first.intents[0]
    desk = ToyDesk(is_started=False)
    desk.outcome(5, intent)  # kinds are replayed one after the other, in either order
    desk.take(desk.core.on_intent(intent))
    desk.take(desk.core.on_start(TimerV1(created_ns=desk.now_ns)))
    desk.portfolio(1.0)
    assert len(desk.intents) == 1


def test_an_intent_without_outcome_is_replaced_long_after_its_deadline_with_an_alarm():
    desk = ToyDesk()
    desk.portfolio(0.1)
    desk.later(4000 + 14_900)
    desk.ticks()
    desk.portfolio(0.1)
    assert len(desk.intents) == 1
    desk.later(200)
    desk.portfolio(0.1)
    assert len(desk.intents) == 2
    assert [one.name for one in desk.out if isinstance(one, AlertV1)] == ["hedge_overdue"]


def test_a_dead_perpetual_sends_the_hedge_to_the_dated_future():
    desk = ToyDesk()
    desk.ticks(perpetual_live=False)
    desk.portfolio(1.0)
    assert desk.intents[0].instrument == "BTC-30JAN26"


def test_a_dated_future_that_is_cheaper_to_take_is_taken():
    desk = ToyDesk()
    desk.ticks(spread_ticks=400, dated_spread_ticks=1)
    desk.portfolio(5.0)
    assert (desk.intents[0].instrument, desk.intents[0].urgency) == ("BTC-30JAN26", "taking")


def test_stale_inputs_hedge_nothing_and_say_so():
    desk = ToyDesk()
    desk.portfolio(0.0)
    desk.later(20_000)
    desk.portfolio(2.0)
    assert desk.intents == []
    assert [one.name for one in desk.out if isinstance(one, AlertV1)] == ["hedging_blind"]


def test_switched_off_hedges_nothing():
    desk = ToyDesk(hedging_enabled=False)
    desk.portfolio(5.0)
    assert desk.out == []


def test_draining_opens_nothing_new():
    desk = ToyDesk()
    desk.take(desk.core.on_drain(TimerV1(created_ns=desk.now_ns)))
    desk.portfolio(5.0)
    assert desk.out == []


@pytest.mark.parametrize("seed", range(40))
def test_hedging_under_delayed_portfolios_never_overshoots(seed):
    """Fills, outcomes and portfolios take their own time; nothing but hedges moves delta, so what
    is hedged in all must never carry delta through zero."""
    source = random.Random(seed)
    desk = ToyDesk()
    start_delta = source.choice((-1, 1)) * source.uniform(0.2, 8.0)
    traded = 0  # lots at the venue, and the (time, lots) risk learns of them at
    news = [(desk.now_ns, 0)]
    answers = []
    answered = 0
    for _ in range(400):
        desk.later(50)
        desk.ticks()
        for due_ns, intent, filled in [one for one in answers if one[0] <= desk.now_ns]:
            answers.remove((due_ns, intent, filled))
            desk.outcome(filled, intent)
        if len(desk.intents) > answered:
            intent = desk.intents[answered]
            answered += 1
            filled = source.choice((0, intent.amount_lots, source.randint(0, intent.amount_lots)))
            traded += filled if intent.side == "buy" else -filled
            due_ns = desk.now_ns + source.randint(0, 3000) * NS_PER_MS
            news.append((max(due_ns, news[-1][0]), traded))  # risk counts fills in their order
            answers.append((desk.now_ns + source.randint(0, 3000) * NS_PER_MS, intent, filled))
        delta_now = start_delta + traded * LOT_USD / INDEX_USD
        assert delta_now * start_delta >= 0.0
        if source.random() < 0.5:
            known = [lots for due_ns, lots in news if due_ns <= desk.now_ns][-1]
            desk.portfolio(start_delta + known * LOT_USD / INDEX_USD, lots=known)
        desk.take(desk.core.on_timer(TimerV1(created_ns=desk.now_ns)))
    assert answered > 0
    assert abs(start_delta + traded * LOT_USD / INDEX_USD) < abs(start_delta)


def test_inputs_that_are_not_trusted_hedge_nothing():
    for name in ("portfolio", "ticks", "execution"):
        desk = ToyDesk()
        breaker = getattr(desk.core._breakers, name)
        breaker.transition(State.FORCED_OPEN, desk.now_ns)
        desk.portfolio(2.0)
        assert desk.intents == [], name
        breaker.reset(desk.now_ns)
        desk.portfolio(2.0)
        assert len(desk.intents) == 1, name


def test_the_age_of_a_hedge_is_that_of_an_open_one():
    desk = ToyDesk()
    desk.portfolio(delta=1.5)
    desk.later(7_000)
    ages = [
        one.value for one in desk.core.readings(desk.now_ns) if one.name == "hedge_open_seconds"
    ]
    assert ages == [7.0]
    desk.outcome(filled_lots=0)
    desk.later(60_000)
    ages = [
        one.value for one in desk.core.readings(desk.now_ns) if one.name == "hedge_open_seconds"
    ]
    assert ages == [0.0]
