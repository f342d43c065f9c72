"""A trader's word on single expiries, applied to the fitted slices and certified again."""

import math
from collections.abc import Sequence

from native import surface
from native.surface import Svi
from shared.messages.pricing import OverrideV1

REFUSED = "override_refused"
ALERT_ID_MAX = 64


def refusal_id(override_id: str) -> str:
    """Returns the id of the alert that refuses an override."""
    return f"{REFUSED}-{override_id}"[:ALERT_ID_MAX]


class Overrides:
    """The live overrides of one underlying, at most one an expiry: the newest."""

    def __init__(self) -> None:
        self._live: dict[int, OverrideV1] = {}
        self._refusals: set[str] = set()

    def accept(self, message: OverrideV1) -> None:
        if refusal_id(message.override_id) not in self._refusals:
            self._live[message.expiry_ns] = message

    def refuse(self, refusal: str) -> None:
        """Drops an override for good; known before it arrives, it is never accepted."""
        self._refusals.add(refusal)
        self._live = {e: o for e, o in self._live.items() if refusal_id(o.override_id) != refusal}

    def apply(
        self, expiries_ns: Sequence[int], years: Sequence[float], slices: list[Svi], now_ns: int
    ) -> list[OverrideV1]:
        """Changes `slices` in place; returns the overrides that would have made arbitrage."""
        self._live = {e: o for e, o in self._live.items() if o.expires_ns > now_ns}
        refused: list[OverrideV1] = []
        for expiry_ns, override in sorted(self._live.items()):
            if expiry_ns not in expiries_ns:
                continue
            place = list(expiries_ns).index(expiry_ns)
            fitted = slices[place]
            moved = shifted(fitted, years[place], override.shift_vol, override.skew_vol)
            if moved is not None:
                slices[place] = moved
            if moved is None or not surface.certify(slices).is_free:
                slices[place] = fitted
                refused.append(override)
        for override in refused:
            self.refuse(refusal_id(override.override_id))
        return refused


def shifted(svi: Svi, years: float, shift_vol: float, skew_vol: float) -> Svi | None:
    """Returns the slice with its volatility at the forward up by `shift_vol`, its slope there by
    `skew_vol` per unit of log-moneyness; None where no slice is that."""
    w = surface.total_variance(svi, 0.0)
    vol = math.sqrt(w / years)
    if vol + shift_vol <= 0.0:
        return None
    scale = ((vol + shift_vol) / vol) ** 2
    root = math.hypot(svi.m, svi.sigma)
    b = svi.b * scale
    slope = b * (svi.rho - svi.m / root) + 2.0 * (vol + shift_vol) * years * skew_vol
    if skew_vol == 0.0:
        return svi._replace(a=svi.a * scale, b=b)
    if b == 0.0:
        return None
    rho = slope / b + svi.m / root
    if abs(rho) >= 1.0:
        return None
    return svi._replace(a=w * scale - b * (root - rho * svi.m), b=b, rho=rho)
