"""The venue's parts, made and bound to each other."""

from services.venue.accounts.margin import Margin
from services.venue.accounts.portfolio import Portfolio
from services.venue.floor import Floor
from services.venue.matching.exchange import Exchange
from services.venue.matching.order_entry import OrderEntry
from services.venue.matching.quote_entry import QuoteEntry
from services.venue.matching.settlement import Settlement
from services.venue.rpc.channels import Parser, Registry
from services.venue.rpc.market_feeds import MarketFeeds
from services.venue.rpc.rate_limits import Tier
from services.venue.rpc.sessions import Sessions
from services.venue.rpc.user_feeds import UserFeeds
from services.venue.rpc.views import Views


def wire(
    exchange: Exchange, tier: Tier, token_secret: bytes, settlement_ns: int, now_ns: int
) -> Floor:
    """Returns the parts around an exchange. Tokens come from `token_secret`."""
    margin = Margin(exchange)
    views = Views(exchange)
    instruments = exchange.instruments
    registry = Registry(Parser(exchange.index_of, exchange.currencies))
    market_feeds = MarketFeeds(exchange, views, registry)
    portfolio = Portfolio(exchange, margin, views, tier)
    user_feeds = UserFeeds(exchange, portfolio, registry)
    entry = OrderEntry(exchange, margin)
    assert instruments
    floor = Floor(
        exchange=exchange,
        margin=margin,
        views=views,
        portfolio=portfolio,
        orders=entry,
        quotes=QuoteEntry(exchange, margin, entry),
        sessions=Sessions(token_secret),
        registry=registry,
        market_feeds=market_feeds,
        user_feeds=user_feeds,
        settlement=Settlement(exchange, margin, views, settlement_ns, now_ns),
    )

    def on_ended(key: tuple[str, int]) -> None:
        market_feeds.on_ended(key)
        user_feeds.on_ended(key)

    registry.on_ended = on_ended
    return floor
