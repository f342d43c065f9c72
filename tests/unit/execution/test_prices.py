"""Prices of hedge orders: always on the grid, never crossing, never beyond the collar."""

from hypothesis import given
from hypothesis import strategies as st

from services.execution.prices import (
    PriceRules,
    ceil_ticks,
    floor_ticks,
    mid_ticks,
    passive_ticks,
    step_ticks,
    taking_ticks,
)
from shared.messages.market import Tick
from shared.messages.message import Side
from tests.unit.execution.desk import OPTION, PERPETUAL, instrument

FUTURE = instrument()
RULES = PriceRules(improve_steps=1, slippage_ratio=0.001, collar_ratio=0.01)
SIDES = st.sampled_from(["buy", "sell"])


def tick(bid: int, ask: int, mark: float) -> Tick:
    return Tick(PERPETUAL, bid, int(bid > 0), ask, int(ask > 0), mark, 0.0, 1)


def test_option_grid_is_coarser_above_fifty_ticks() -> None:
    assert [step_ticks(OPTION, ticks) for ticks in (49, 50, 55)] == [1, 5, 5]
    assert [floor_ticks(OPTION, ticks) for ticks in (49, 50, 54.9, 55)] == [49, 50, 50, 55]
    assert [ceil_ticks(OPTION, ticks) for ticks in (48.5, 49.1, 50.1, 55)] == [49, 50, 55, 55]


def test_option_order_improves_by_a_whole_step() -> None:
    assert passive_ticks(OPTION, "buy", tick(100, 115, 0.0107), PriceRules(1, 0.0, 0.5)) == 105
    assert passive_ticks(OPTION, "sell", tick(45, 50, 0.0047), PriceRules(1, 0.0, 0.5)) == 49


@given(
    side=SIDES,
    bid=st.integers(0, 200_000),
    gap=st.integers(1, 2000),
    has_ask=st.booleans(),
    mark=st.floats(0.0, 100_000.0),
    own=st.integers(0, 200_000),
)
def test_passive_price_never_crosses_and_stays_in_the_collar(
    side: Side, bid: int, gap: int, has_ask: bool, mark: float, own: int
) -> None:
    now = tick(bid, bid + gap if has_ask else 0, mark)
    price = passive_ticks(FUTURE, side, now, RULES, own)
    if price == 0:
        return
    middle = mid_ticks(FUTURE, now)
    assert abs(price / middle - 1.0) <= RULES.collar_ratio + 1.0 / middle
    assert not (side == "buy" and now.ask_lots and price >= now.ask_ticks)
    assert not (side == "sell" and now.bid_lots and price <= now.bid_ticks)


@given(side=SIDES, bid=st.integers(1, 200_000), gap=st.integers(1, 5000))
def test_taking_price_reaches_the_touch_and_not_beyond_its_bounds(
    side: Side, bid: int, gap: int
) -> None:
    now = tick(bid, bid + gap, 0.0)
    price = taking_ticks(FUTURE, side, now, RULES)
    middle = mid_ticks(FUTURE, now)
    if price == 0:
        touch = now.ask_ticks if side == "buy" else now.bid_ticks
        assert abs(touch / middle - 1.0) > RULES.collar_ratio - 1.0 / middle
    elif side == "buy":
        assert now.ask_ticks <= price <= min(now.ask_ticks * 1.001, middle * 1.01)
    else:
        assert max(now.bid_ticks * 0.999, middle * 0.99) <= price <= now.bid_ticks
