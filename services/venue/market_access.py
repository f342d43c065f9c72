"""What the crowd needs of an exchange: quote, take, look."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from native.book import Best, Records

Int64s = NDArray[np.int64]


class MarketAccess(Protocol):
    """Owners are the crowd's own numbers from 0; instruments are positions in the book."""

    def quote_batch(
        self,
        owner: int,
        instruments: Int64s,
        bid_ticks: Int64s,
        bid_lots: Int64s,
        ask_ticks: Int64s,
        ask_lots: Int64s,
    ) -> Records:
        """Replaces the owner's quotes, post-only; lots 0 cancels a side and -1 leaves it alone.

        Returns native.book.QUOTE_RESULT rows; a refused side is out of the book.
        """
        ...

    def take(self, owner: int, instrument: int, side: int, lots: int, limit_ticks: int) -> int:
        """Trades at once what the limit allows; returns the lots that traded."""
        ...

    def best(self) -> Best:
        """Returns the best prices of all instruments now."""
        ...
