"""Random parameters, surfaces, positions, refusals and losses: what rests at the venue is lawful,
and is what the engine believes."""

import random

import pytest

from native.engine import ask_ceil_ticks, bid_floor_ticks
from services.market_making.core import Config
from services.market_making.policy import Policy
from services.market_making.quoter import Phase
from shared.clock import NS_PER_S
from tests.unit.market_making.toy_desk import INDEX_USD, ToyDesk, limits, surface

STEPS = 120


def random_policy(source):
    return Policy(
        edge_coin=source.choice((0.0, 0.00015, 0.002)),
        vol_half=source.choice((0.0005, 0.003, 0.03)),
        vol_wing_ratio=source.uniform(0.0, 3.0),
        spot_sigmas=source.uniform(0.0, 5.0),
        skew_delta_ratio=source.choice((0.0, 2e-5, 1e-3)),
        skew_vega_vol=source.choice((0.0, 4e-7, 1e-4)),
        skew_term_vol=source.choice((0.0, 1e-5)),
        skew_region_vol=source.choice((0.0, 1e-5)),
        skew_half_spreads_max=source.choice((0.5, 1.5, 10.0)),
        flow_delta_ratio=source.choice((0.0, 1e-3)),
        flow_vega_vol=source.choice((0.0, 1e-4)),
        amount_lots=source.choice((1, 5, 500)),
        theo_ticks_min=source.choice((0.0, 4.0)),
        delta_min=source.choice((0.0, 0.05)),
        delta_max=source.choice((0.95, 1.0)),
    )


def check_resting(desk):
    law = desk.quoter.limits
    for (name, side), (price, amount) in desk.rests.items():
        ticks = round(price * 10_000)
        live = desk.quoter.engine.quote(desk.quoter.contracts.slots[name])
        vega_coin = live.vega_usd * 100.0 / INDEX_USD
        assert abs(ticks * 1e-4 - price) < 1e-12
        assert ticks >= 1
        assert ticks <= 50 or ticks % 5 == 0
        assert abs(price - live.theo_coin) <= max(0.002, 0.15 * vega_coin * 1.1) + 1e-9
        assert 0 < amount <= law.quote_lots_max * 0.1 + 1e-9
        own = desk.rests.get((name, "ask" if side == "bid" else "bid"))
        if own:
            assert (price < own[0]) == (side == "bid")


def check_belief(desk):
    """With nothing on its way, the engine believes exactly what rests at the venue."""
    if desk.waiting or desk.quoter.phase is not Phase.QUOTING:
        return False
    for name, slot in desk.quoter.contracts.slots.items():
        live = desk.quoter.engine.quote(slot)
        for side, ticks, lots in (
            ("bid", live.bid_ticks, live.bid_lots),
            ("ask", live.ask_ticks, live.ask_lots),
        ):
            price, amount = desk.rests.get((name, side), (0.0, 0.0))
            assert round(amount * 10) == lots
            assert not lots or round(price * 10_000) == ticks
    return True


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_what_rests_is_lawful_and_believed(seed):
    source = random.Random(seed)
    desk = ToyDesk(Config(BTC=random_policy(source)))
    desk.run(300)
    index, vol, held, believed = INDEX_USD, 0.45, {}, 0
    for step in range(STEPS):
        desk.later(100)
        if source.random() < 0.3:
            index *= 1.0 + source.uniform(-0.004, 0.004)
        if source.random() < 0.1:
            vol = source.uniform(0.25, 0.9)
        desk.refuse = set(source.sample(sorted(desk.rests), min(2, len(desk.rests))))
        desk.errors = {"private/mass_quote": -1} if source.random() < 0.02 else {}
        desk.take(desk.core.on_surface(surface(desk.now_ns, step + 2, vol)))
        desk.tick(index)
        desk.timer()
        if source.random() < 0.02:
            desk.down()
            desk.up()
        if source.random() < 0.05:
            desk.lease(source.choice(("active", "active", "reducing")))
        desk.answer()
        if desk.rests and not desk.waiting and source.random() < 0.6:
            name, side = source.choice(sorted(desk.rests))
            lots = source.randint(1, round(desk.rests[name, side][1] * 10))
            desk.trade(name, side, lots / 10, f"t{step}")
            held[name] = held.get(name, 0) + (lots if side == "bid" else -lots)
            desk.answer()
        if not desk.waiting and not desk.quoter._has_more:  # else some are on their way
            check_resting(desk)
        believed += check_belief(desk)
    for name, lots in held.items():
        slot = desk.quoter.contracts.slots[name]
        assert desk.quoter.engine.quote(slot).position_lots == lots
    assert believed > STEPS // 4


@pytest.mark.parametrize("seed", range(6))
def test_forced_fills_stop_the_opening_side_only(seed):
    """A taker hits every bid it sees: book greeks stay within limits plus one window's fills."""
    source = random.Random(seed)
    desk = ToyDesk()
    desk.take(desk.core.on_limits(limits(2, delta_coin_max=2.0, vega_usd_max=2_000.0)))
    desk.run(500)
    for step in range(200):
        desk.run(100)
        bids = sorted(key for key in desk.rests if key[1] == "bid")
        if bids:
            name, side = source.choice(bids)
            desk.trade(name, side, desk.rests[name, side][1], f"t{step}")
        risk = desk.quoter.engine.risk()
        assert abs(risk.delta_coin) <= 2.0 * 1.25 + 0.5
        assert abs(risk.vega_usd) <= 2_000.0 * 1.25 + 200.0
    desk.run(5000)
    offers = [key for key in desk.rests if key[1] == "ask"]
    assert offers  # what reduces may still be done


def test_rounding_is_outward():
    source = random.Random(1)
    for _ in range(5000):
        price = source.uniform(0.0001, 0.02)
        bid = bid_floor_ticks(price, 0.0001, 50, 5)
        ask = ask_ceil_ticks(price, 0.0001, 50, 5)
        assert bid * 1e-4 <= price + 1e-9
        assert ask * 1e-4 >= price - 1e-9


def test_old_parameters_age_out_on_the_desk_clock():
    desk = ToyDesk()
    desk.run(300)
    desk.now_ns += 6 * NS_PER_S
    desk.timer()
    desk.answer()
    assert desk.rests == {}
