"""What a venue asks of whatever drives it: a market with a crowd, or one that stands still."""

from collections.abc import Callable
from typing import Protocol

from services.venue.market.market_access import MarketAccess
from services.venue.market.marks import Fair
from services.venue.market.new_expiries import Listing
from shared.messages.market import Instrument


class Market(Fair, Protocol):
    """What drives the venue: the truth that marks follow, and the crowd."""

    @property
    def owners(self) -> tuple[str, ...]: ...

    @property
    def instruments(self) -> tuple[Instrument, ...]: ...

    @property
    def listings(self) -> list[Listing]:
        """All that was listed since the opening."""

    def next_listing(self, since_ns: int, at_ns: int, strikes_max: int) -> Listing | None:
        """Returns what the calendar lists at the last time that has passed, and did not before the
        first that is due."""

    def take_listing(self, listing: Listing) -> None: ...

    def premiums(self) -> list[float]: ...

    def step(self, now_ns: int) -> None: ...

    def on_trade(
        self, instrument: int, taker_side: int, lots: int, maker: int, maker_left_lots: int
    ) -> None: ...


MakeMarket = Callable[[MarketAccess], Market]
