"""All JSON-RPC methods of the venue, in one table."""

from services.venue.floor import Floor, Table
from services.venue.rpc.methods_account import AccountMethods
from services.venue.rpc.methods_market import MarketMethods
from services.venue.rpc.methods_orders import OrderMethods
from services.venue.rpc.methods_queries import QueryMethods
from services.venue.rpc.methods_quotes import QuoteMethods
from services.venue.rpc.methods_session import SessionMethods
from services.venue.rpc.methods_trades import TradeMethods


def all_methods(floor: Floor) -> Table:
    """Returns the table; no two areas offer the same method."""
    market = MarketMethods(floor)
    orders = OrderMethods(floor)
    areas = (
        SessionMethods(floor),
        market,
        TradeMethods(floor, market),
        orders,
        QueryMethods(floor, orders),
        QuoteMethods(floor),
        AccountMethods(floor),
    )
    table: Table = {}
    for area in areas:
        methods = area.table()
        assert not table.keys() & methods.keys()
        table.update(methods)
    return table
