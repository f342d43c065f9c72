"""How far delta may wander before it is hedged, and by how much then.

Whalley and Wilmott (1997), "An asymptotic analysis of an optimal hedging model for option pricing
with transaction costs": with a proportional cost c of the traded value and exponential utility of
risk aversion a, holdings within
    h = (3/2 * c * S * gamma^2 / a)^(1/3)        (rates are 0 here)
of the target are best left alone, and from outside it is best to trade to the band's edge.
Units: S USD per coin, gamma coin per (USD per coin), a per USD; h comes out in coin.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.messages.message import NonNegative, Positive


class BandConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The band of one underlying."""

    risk_aversion_per_usd: Positive
    band_coin_min: NonNegative  # at a gamma near 0 the formula would hedge every crumb
    band_coin_max: Positive
    urgent_ratio: Annotated[float, Meta(ge=1.0, le=100.0)] = 6.0  # times the band: take liquidity


def band_coin(config: BandConfig, cost_ratio: float, gamma: float, index_usd: float) -> float:
    """Returns the no-trade half-width in coin for a book gamma in coin per USD."""
    cubed = 1.5 * max(0.0, cost_ratio) * index_usd * gamma * gamma / config.risk_aversion_per_usd
    return min(config.band_coin_max, max(config.band_coin_min, float(cubed ** (1.0 / 3.0))))


def hedge_coin(delta_coin: float, band: float, *, is_to_edge: bool) -> float:
    """Returns the signed coin amount to trade: none inside the band; from outside to its edge where
    trading costs, to the target itself where it does not."""
    if abs(delta_coin) <= band:
        return 0.0
    kept = band if is_to_edge else 0.0
    return kept - delta_coin if delta_coin > 0 else -kept - delta_coin


def whole_lots(amount_coin: float, price_usd: float, lot_usd: float) -> int:
    """Returns the signed whole lots of an inverse future inside a coin amount; never more."""
    return int(amount_coin * price_usd / lot_usd)
