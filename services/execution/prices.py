"""Prices of hedge orders: on the grid, at or inside the touch, within the collar of the mid."""

from dataclasses import dataclass

from shared.messages.market import Instrument, Tick
from shared.messages.message import Side
from shared.units import E8


@dataclass(frozen=True)
class PriceRules:
    """How far a price may go. Ratios of the price."""

    improve_steps: int  # inside the touch, where there is room
    slippage_ratio: float  # how far beyond the touch an order that takes may go
    collar_ratio: float  # how far from the mid any order may be


def step_ticks(instrument: Instrument, price_ticks: int) -> int:
    """Returns the step between valid prices at and just above `price_ticks`."""
    step = 1
    for one in instrument.tick_steps:
        if price_ticks >= one.above_ticks:
            step = one.step_ticks
    return step


def floor_ticks(instrument: Instrument, price_ticks: float) -> int:
    """Returns the highest valid price not above `price_ticks`."""
    whole = int(price_ticks // 1)
    return whole - whole % step_ticks(instrument, whole)


def ceil_ticks(instrument: Instrument, price_ticks: float) -> int:
    """Returns the lowest valid price not below `price_ticks`."""
    floored = floor_ticks(instrument, price_ticks)
    if floored >= price_ticks:
        return floored
    return floored + step_ticks(instrument, floored)


def mid_ticks(instrument: Instrument, tick: Tick) -> float:
    """Returns the middle of the market; the mark where a side is empty; 0 for nothing known."""
    if tick.bid_lots and tick.ask_lots:
        return (tick.bid_ticks + tick.ask_ticks) / 2.0
    return tick.mark_price * E8 / instrument.tick_e8


def passive_ticks(
    instrument: Instrument, side: Side, tick: Tick, rules: PriceRules, own_ticks: int = 0
) -> int:
    """Returns where a post-only order should rest now; 0: nowhere.

    `own_ticks` is where ours rests already: it stays while nobody is ahead of it.
    """
    middle = mid_ticks(instrument, tick)
    if not middle:
        return 0
    best = tick.bid_ticks if side == "buy" else tick.ask_ticks
    best_lots = tick.bid_lots if side == "buy" else tick.ask_lots
    if own_ticks and not (best_lots and _is_ahead(side, best, own_ticks)):
        wanted = own_ticks
    elif best_lots:
        wanted = best
        for _ in range(rules.improve_steps):
            nearer = _nearer(instrument, side, wanted)
            if not _crosses(side, nearer, tick):
                wanted = nearer
    else:
        wanted = round(middle)
    wanted = _collared(instrument, side, wanted, middle, rules.collar_ratio)
    return 0 if wanted <= 0 or _crosses(side, wanted, tick) else wanted


def taking_ticks(instrument: Instrument, side: Side, tick: Tick, rules: PriceRules) -> int:
    """Returns the limit of an order that takes now; 0: nothing to take within the collar."""
    middle = mid_ticks(instrument, tick)
    if side == "buy":
        if not tick.ask_lots or not middle:
            return 0
        furthest = middle * (1.0 + rules.collar_ratio)
        limit = floor_ticks(
            instrument, min(tick.ask_ticks * (1.0 + rules.slippage_ratio), furthest)
        )
        return limit if limit >= tick.ask_ticks else 0
    if not tick.bid_lots or not middle:
        return 0
    furthest = middle * (1.0 - rules.collar_ratio)
    limit = ceil_ticks(instrument, max(tick.bid_ticks * (1.0 - rules.slippage_ratio), furthest))
    return limit if 0 < limit <= tick.bid_ticks else 0


def _is_ahead(side: Side, best_ticks: int, own_ticks: int) -> bool:
    return best_ticks > own_ticks if side == "buy" else best_ticks < own_ticks


def _nearer(instrument: Instrument, side: Side, price_ticks: int) -> int:
    """Returns the next valid price towards the other side."""
    if side == "buy":
        return price_ticks + step_ticks(instrument, price_ticks)
    return floor_ticks(instrument, price_ticks - 1)


def _crosses(side: Side, price_ticks: int, tick: Tick) -> bool:
    if side == "buy":
        return bool(tick.ask_lots) and price_ticks >= tick.ask_ticks
    return bool(tick.bid_lots) and price_ticks <= tick.bid_ticks


def _collared(
    instrument: Instrument, side: Side, price_ticks: int, middle: float, collar_ratio: float
) -> int:
    lowest = ceil_ticks(instrument, middle * (1.0 - collar_ratio))
    highest = floor_ticks(instrument, middle * (1.0 + collar_ratio))
    rounded = (
        floor_ticks(instrument, price_ticks)
        if side == "buy"
        else ceil_ticks(instrument, price_ticks)
    )
    return max(lowest, min(highest, rounded))
