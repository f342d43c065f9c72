"""The crowd's door to the exchange: no session, no limits, its own numbers for owners."""

from native.book import IOC, Best, Records
from services.venue.matching.exchange import Exchange

FIRST_CROWD = 100  # account ids; a crowd's owner n is account 100 + n
GROUP = "crowd"


class CrowdAccess:
    """Implements MarketAccess, once an exchange is bound to it: the market is made first, for the
    exchange's marks follow it."""

    _exchange: Exchange

    def __init__(self) -> None:
        self.now_ns = 0

    def bind(self, exchange: Exchange, names: tuple[str, ...], deposit_e12: int) -> None:
        """Opens the crowd's accounts."""
        self._exchange = exchange
        for owner, name in enumerate(names):
            exchange.accounts.open(FIRST_CROWD + owner, name)
            for currency in exchange.currencies:
                exchange.accounts.deposit(FIRST_CROWD + owner, currency, deposit_e12)

    def quote_batch(self, owner: int, quotes: Records) -> Records:
        """Replaces the owner's quotes, post-only; none is left in what has expired."""
        account_id, closed = FIRST_CROWD + owner, self._exchange.closed
        if closed is not None:
            shut = closed[quotes["instrument"]]
            quotes["bid_lots"][shut] = 0
            quotes["ask_lots"][shut] = 0
        group = self._exchange.book_group(account_id, GROUP)
        return self._exchange.book.quote_batch(account_id, group, quotes, post_only=True)

    def take(self, owner: int, instrument: int, side: int, lots: int, limit_ticks: int) -> int:
        """Trades at once what the limit allows; returns the lots that traded."""
        exchange = self._exchange
        currency = exchange.instruments[instrument].underlying
        if exchange.states[instrument] != "open" or exchange.is_settling(currency, self.now_ns):
            return 0
        account_id = FIRST_CROWD + owner
        outcome = exchange.book.submit(instrument, account_id, side, limit_ticks, lots, IOC)
        if outcome.filled_lots:
            exchange.settle_events(self.now_ns)
        return outcome.filled_lots

    def best(self) -> Best:
        return self._exchange.book.best(len(self._exchange.instruments))
