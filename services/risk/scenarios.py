"""What the book would make or lose over spot x vol x time, in dollars."""

import numpy as np

from services.risk.greeks import VOL_MIN, YEARS_MIN, Book, Floats, Values
from shared.clock import NS_PER_YEAR
from shared.messages.message import finite
from shared.messages.risk import ScenariosV1


def scenarios(
    book: Book,
    amounts: Floats,
    values: Values,
    grid: tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]],
    underlying: str,
    created_ns: int,
) -> ScenariosV1:
    """Returns the grid of (spot moves, vol moves, horizons in ns), full revaluation."""
    spots, vols, horizons = grid
    axes = np.meshgrid(spots, vols, horizons, indexing="ij")
    spot, vol, horizon = (axis.ravel()[:, None].astype(np.float64) for axis in axes)
    inputs = values.inputs
    forwards = inputs.forwards * (1.0 + spot)
    option_vols = np.maximum(inputs.vols + vol, VOL_MIN)
    years = np.maximum(inputs.years - horizon / NS_PER_YEAR, YEARS_MIN)
    coin = book.coin_grid(forwards, option_vols, years) - values.coin
    usd = (coin @ amounts) * inputs.index_usd * (1.0 + spot[:, 0])
    return ScenariosV1(
        created_ns=created_ns,
        underlying=underlying,
        spot_moves_ratio=spots,
        vol_moves=vols,
        horizons_ns=horizons,
        pnl_usd=tuple(finite(value) for value in usd.tolist()),
        worst_pnl_usd=finite(min(0.0, float(usd.min()))),
    )
