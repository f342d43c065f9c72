"""Black-76 in plain Python at sixty digits: the oracle of the differential tests.

Slow and simple on purpose. Inputs are the exact values of the doubles given; outputs are rounded
once. Symbols: x = ln(F/K), s = vol sqrt(T), d1 = x/s + s/2, d2 = d1 - s (Black 1976).
"""

from decimal import Context, Decimal, localcontext
from typing import NamedTuple

_DIGITS = Context(prec=60, Emin=-99_999, Emax=99_999)
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640629")
_FRACTION_TERMS = 400  # leaves < 1e-48 from 2 deviations outward
_SERIES_LIMIT = 2


class ReferenceGreeks(NamedTuple):
    """The fields of `native.pricing.Greeks`, in its units."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    vanna: float
    volga: float


def black76(
    forward: float, strike: float, years: float, vol: float, is_call: bool
) -> ReferenceGreeks:
    """Returns price and greeks of one option; needs vol * sqrt(years) > 1e-25."""
    with localcontext(_DIGITS):
        f, k, t, sigma = (Decimal(value) for value in (forward, strike, years, vol))
        s = sigma * t.sqrt()
        d1 = (f / k).ln() / s + s / 2
        d2 = d1 - s
        sign = 1 if is_call else -1
        pdf = _density(d1)
        delta = sign * _cumulative(sign * d1)
        price = f * delta - sign * k * _cumulative(sign * d2)
        return ReferenceGreeks(
            price=float(price),
            delta=float(delta),
            gamma=float(pdf / (f * s)),
            vega=float(f * pdf * t.sqrt()),
            theta=float(-f * pdf * sigma / (2 * t.sqrt())),
            vanna=float(-pdf * d2 / sigma),
            volga=float(f * pdf * t.sqrt() * d1 * d2 / sigma),
        )


def implied_vol(price: float, forward: float, strike: float, years: float, is_call: bool) -> float:
    """Returns the vol that gives `price`, which must lie inside the no-arbitrage bounds."""
    with localcontext(_DIGITS):
        f, k, t, target = (Decimal(value) for value in (forward, strike, years, price))
        x = (f / k).ln()
        sign = 1 if is_call else -1
        low, high = Decimal("1e-25"), Decimal(2) ** 10
        s = Decimal(1)
        while high - low > low * Decimal("1e-25"):
            d1 = x / s + s / 2
            value = sign * (f * _cumulative(sign * d1) - k * _cumulative(sign * (d1 - s)))
            low, high = (s, high) if value < target else (low, s)
            slope = f * _density(d1)
            s = s - (value - target) / slope if slope > 0 else s
            if not low < s < high:
                s = (low * high).sqrt()
            elif abs(value - target) < slope * s * Decimal("1e-25"):
                break
        return float(s / t.sqrt())


def _density(z: Decimal) -> Decimal:
    return (-z * z / 2).exp() / (2 * _PI).sqrt()


def _cumulative(z: Decimal) -> Decimal:
    """The normal law: its power series near 0, the Mills continued fraction outside."""
    if abs(z) < _SERIES_LIMIT:
        term = total = z
        n = 1
        while abs(term) > Decimal("1e-70"):
            n += 2
            term = term * z * z / n
            total += term
        return Decimal("0.5") + _density(z) * total
    size = abs(z)
    fraction = size
    for n in range(_FRACTION_TERMS, 0, -1):
        fraction = size + n / fraction
    tail = _density(size) / fraction
    return tail if z < 0 else 1 - tail
