"""The oracle of the surface certificates: the same questions asked of a dense grid, in NumPy.

A grid proves nothing between its points; the C certificates do. They must not disagree.
"""

import math

import numpy as np

from native.surface import Svi


def density_factor(svi: Svi, log_moneyness: float) -> float:
    """Returns Durrleman's g(k) (Gatheral and Jacquier 2014, equation 2.1)."""
    return float(_density_factors(svi, np.array([log_moneyness]))[0])


def grid_density_minimum(svi: Svi, points: int = 20_001) -> float:
    """Returns the least g on a grid even in asinh, and in the limits of both wings.

    A slice whose total variance is not above 0 everywhere gives -inf.
    """
    if svi.a + svi.b * svi.sigma * math.sqrt(1.0 - svi.rho**2) <= 0.0:
        return -math.inf
    wings = [0.25 - (svi.b * (1.0 + side * svi.rho)) ** 2 / 16.0 for side in (-1.0, 1.0)]
    return min(float(_density_factors(svi, _grid(svi, 1e6, points)).min()), *wings)


def grid_calendar_gap(earlier: Svi, later: Svi, reach: float = 1e6, points: int = 20_001) -> float:
    """Returns the least w_later - w_earlier on a grid even in asinh."""
    grid = np.concatenate([_grid(earlier, reach, points), _grid(later, reach, points)])
    return float((_variances(later, grid) - _variances(earlier, grid)).min())


def from_jump_wings(
    variance: float,
    skew: float,
    put_wing: float,
    call_wing: float,
    least_variance: float,
    years: float,
) -> Svi:
    """Returns raw SVI from the jump-wings parameters (Gatheral and Jacquier 2014, lemma 3.2)."""
    w = variance * years
    b = 0.5 * math.sqrt(w) * (call_wing + put_wing)
    rho = 1.0 - put_wing * math.sqrt(w) / b
    beta = rho - 2.0 * skew * math.sqrt(w) / b
    alpha = math.copysign(math.sqrt(1.0 / beta**2 - 1.0), beta)
    root = math.sqrt(1.0 - rho**2)
    m = (
        (variance - least_variance)
        * years
        / (b * (-rho + math.copysign(math.sqrt(1.0 + alpha**2), alpha) - alpha * root))
    )
    sigma = alpha * m
    return Svi(least_variance * years - b * sigma * root, b, rho, m, sigma)


def _grid(svi: Svi, reach: float, points: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    span = math.asinh(reach / svi.sigma)
    return svi.m + svi.sigma * np.sinh(np.linspace(-span, span, points))


def _variances(
    svi: Svi, log_moneyness: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    z = log_moneyness - svi.m
    return svi.a + svi.b * (svi.rho * z + np.sqrt(z * z + svi.sigma**2))


def _density_factors(
    svi: Svi, log_moneyness: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    z = log_moneyness - svi.m
    root = np.sqrt(z * z + svi.sigma**2)
    w = svi.a + svi.b * (svi.rho * z + root)
    first = svi.b * (svi.rho + z / root)
    second = svi.b * svi.sigma**2 / root**3
    drift = 1.0 - log_moneyness * first / (2.0 * w)
    return drift * drift - 0.25 * first**2 * (1.0 / w + 0.25) + 0.5 * second
