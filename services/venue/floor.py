"""The venue's parts, wired once, and what a method is handed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.venue.accounts.margin import Margin
from services.venue.accounts.portfolio import Portfolio
from services.venue.errors import VenueError
from services.venue.matching.exchange import Exchange
from services.venue.matching.order_entry import OrderEntry
from services.venue.matching.quote_entry import QuoteEntry
from services.venue.matching.settlement import Settlement
from services.venue.rpc.channels import Registry
from services.venue.rpc.market_feeds import MarketFeeds
from services.venue.rpc.parameters import Params
from services.venue.rpc.sessions import Connection, Sessions
from services.venue.rpc.user_feeds import UserFeeds
from services.venue.rpc.views import Views
from shared.messages.market import Instrument


@dataclass(frozen=True, slots=True)
class Floor:
    """Everything that methods work on."""

    exchange: Exchange
    margin: Margin
    views: Views
    portfolio: Portfolio
    orders: OrderEntry
    quotes: QuoteEntry
    sessions: Sessions
    registry: Registry
    market_feeds: MarketFeeds
    user_feeds: UserFeeds
    settlement: Settlement

    def add_contracts(
        self, instruments: Sequence[Instrument], created_ns: int, now_ns: int
    ) -> None:
        """Begins trading in contracts that the market knows already."""
        self.exchange.add_contracts(instruments, created_ns)
        self.exchange.marks.add_contracts(instruments)
        self.exchange.marks.refresh(now_ns)
        self.settlement.add_contracts(len(instruments))
        self.views.forget_best()

    def index(self, name: str) -> int:
        """Returns the instrument of a name. Raises 13020."""
        index = self.exchange.index_of.get(name, -1)
        if index < 0:
            raise VenueError(13020, data={"reason": "no such instrument"})
        return index

    def currency(self, params: Params, default: str | None = None, *, any_: bool = False) -> str:
        """Returns a listed currency, "any" where that is allowed. A currency of the real venue
        that is not listed here comes back as it is: nothing matches it."""
        name = params.text("currency") if default is None else params.text("currency", default)
        if name.lower() in ("any", "all", "grouped"):
            if any_:
                return "any"
        elif name.upper() in (*self.exchange.currencies, *OTHER_CURRENCIES):
            return name.upper()
        raise VenueError(-32602, data={"reason": "invalid currency", "param": "currency"})

    def select(self, currency: str, kind: str, *, is_expired: bool = False) -> list[int]:
        """Returns open (or expired) instruments of a currency and kind."""
        exchange = self.exchange
        return [
            index
            for index, instrument in enumerate(exchange.instruments)
            if currency in ("any", instrument.underlying)
            and kind in ("any", "option" if instrument.kind == "option" else "future")
            and (exchange.states[index] != "open") == is_expired
        ]


OTHER_CURRENCIES = (
    "USDC",
    "USDT",
    "EURR",
    "SOL",
    "XRP",
    "STETH",
    "ETHW",
    "USYC",
    "PAXG",
    "BNB",
    "USDE",
)
KINDS = ("option", "future", "spot", "future_combo", "option_combo", "combo", "any")


@dataclass(slots=True)
class Context:
    """One call in progress. `account_id` -1: nobody is logged in."""

    connection: Connection
    account_id: int
    scope: str
    params: Params
    now_ns: int
    real_ns: int


@dataclass(frozen=True, slots=True)
class Method:
    """One JSON-RPC method. `cost`: which allowance it takes from; `needs`: the scope it writes."""

    handler: Callable[[Context], Any]
    cost: str = "request"
    needs: str = ""
    is_private: bool = False
    is_websocket_only: bool = False


Table = dict[str, Method]
