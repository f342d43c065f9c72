"""What a surface must look like to be believed, beyond being free of arbitrage."""

import math
from collections.abc import Mapping, Sequence

from native import surface
from native.surface import Svi
from services.pricing.chain import Market
from shared.clock import NS_PER_S, NS_PER_YEAR
from shared.messages.pricing import Slice

VOL_MIN = 0.01
VOL_MAX = 5.0
DEVIATIONS = (-2.0, -1.0, 0.0, 1.0, 2.0)  # of log-moneyness, where volatilities are looked at
JUMP_LIFE_NS_MIN = 12 * 3600 * NS_PER_S  # in its last hours an expiry's volatility may do anything


def nonsense(slices: Sequence[Svi], years: Sequence[float]) -> str:
    """Returns which slice has volatilities out of bounds, or the empty string."""
    for svi, when in zip(slices, years, strict=True):
        deviation = math.sqrt(max(surface.total_variance(svi, 0.0), 0.0))
        for count in DEVIATIONS:
            vol = math.sqrt(max(surface.total_variance(svi, count * deviation), 0.0) / when)
            if not VOL_MIN < vol < VOL_MAX:
                return f"volatility {vol:.3f} at {count:+.0f} deviations of {when * 365:.2f} days"
    return ""


def jump(
    before: Mapping[int, Slice], market: Market, slices: Sequence[Svi], ratio_max: float
) -> str:
    """Returns which expiry's volatility at the forward jumped since `before`, or the empty
    string."""
    for expiry_ns, when, svi in zip(market.expiries_ns, market.years, slices, strict=True):
        old = before.get(expiry_ns)
        if old is None or when * NS_PER_YEAR < JUMP_LIFE_NS_MIN:
            continue
        old_svi = Svi(old.a, old.b, old.rho, old.m, old.sigma)
        was = math.sqrt(surface.total_variance(old_svi, 0.0) / old.years)
        now = math.sqrt(surface.total_variance(svi, 0.0) / when)
        if not 1.0 / ratio_max < now / was < ratio_max:
            return f"volatility of {when * 365:.2f} days went from {was:.3f} to {now:.3f}"
    return ""
