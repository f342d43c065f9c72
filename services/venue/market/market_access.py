"""What the crowd needs of an exchange: quote, take, look."""

from typing import Protocol

from native.book import Best, Records


class MarketAccess(Protocol):
    """Owners are the crowd's own numbers from 0; instruments are positions in the book."""

    def quote_batch(self, owner: int, quotes: Records) -> Records:
        """Replaces an owner's quotes, post-only: native.book.QUOTE rows in, QUOTE_RESULT rows out.

        Lots 0 cancel a side and -1 leaves it alone; a refused side is out of the book.
        """
        ...

    def take(self, owner: int, instrument: int, side: int, lots: int, limit_ticks: int) -> int:
        """Trades at once what the limit allows; returns the lots that traded."""
        ...

    def best(self) -> Best:
        """Returns the best prices of all instruments now."""
        ...
