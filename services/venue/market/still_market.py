"""A market that stands still: the opening chain's index and volatilities, and no crowd. For
scripted sessions, where nothing may happen but what the script does."""

import numpy as np
from numpy.typing import NDArray

from services.venue.market.chain import Chain

Floats = NDArray[np.float64]


class StillMarket:
    owners: tuple[str, ...] = ()

    def __init__(self, chain: Chain) -> None:
        self._index_usd = dict(chain.index_usd)
        self._forwards = chain.forwards_usd.copy()
        self._vols = chain.vols
        self._residuals = chain.mark_residuals_coin
        self._underlyings = np.array([i.underlying for i in chain.instruments])

    def index_usd(self, currency: str) -> float:
        return self._index_usd[currency]

    def move_index(self, currency: str, usd: float) -> None:
        """Moves the index, and every forward by the same ratio."""
        mine = self._underlyings == currency
        self._forwards[mine] *= usd / self._index_usd[currency]
        self._index_usd[currency] = usd

    def forwards_usd(self) -> Floats:
        return self._forwards

    def vols(self) -> Floats:
        return self._vols

    def mark_residuals_coin(self) -> Floats:
        return self._residuals

    def premiums(self) -> list[float]:
        return []

    def step(self, now_ns: int) -> None:
        """Nobody trades."""

    def on_trade(
        self, instrument: int, taker_side: int, lots: int, maker: int, maker_left_lots: int
    ) -> None:
        """Nobody minds."""
