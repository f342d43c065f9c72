"""Which quotes a `private/cancel_quotes` means."""

from collections.abc import Callable

from services.venue.errors import VenueError
from services.venue.matching.exchange import Exchange
from services.venue.matching.orders import Order
from services.venue.rpc.parameters import Params


def quote_filter(exchange: Exchange, params: Params) -> Callable[[Order], bool]:
    """Returns the test that a quote must pass to be cancelled."""
    kind = params.choice(
        "cancel_type",
        ("delta", "quote_set_id", "instrument", "instrument_kind", "currency",
         "currency_pair", "all"),
    )  # fmt: skip
    match kind:
        case "delta":
            low = params.number("min_delta", -2.0)
            high = params.number("max_delta", 2.0)
            deltas = exchange.marks.deltas
            return lambda order: (
                exchange.instruments[order.index].kind == "option"
                and low <= abs(deltas[order.index]) <= high
            )
        case "quote_set_id":
            set_id = params.text("quote_set_id")
            return lambda order: order.quote_set_id == set_id
        case "instrument":
            index = exchange.index_of.get(params.text("instrument_name"), -1)
            if index < 0:
                raise VenueError(10020)
            return lambda order: order.index == index
        case "instrument_kind":
            wanted = params.text("kind", "any")
            currency = params.text("currency", "any")
            return lambda order: (
                wanted in ("any", kind_of(exchange, order.index))
                and currency in ("any", exchange.instruments[order.index].underlying)
            )
        case "currency":
            currency = params.text("currency")
            return lambda order: exchange.instruments[order.index].underlying == currency
        case "currency_pair":
            pair = params.text("currency_pair")
            return lambda order: exchange.price_index(order.index) == pair
        case _:
            return lambda _order: True


def kind_of(exchange: Exchange, index: int) -> str:
    """Returns an instrument's kind as the wire names it: a perpetual is a future."""
    return "option" if exchange.instruments[index].kind == "option" else "future"
