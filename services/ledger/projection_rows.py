"""What of each message a person asks for: rows of the projection."""

from collections.abc import Iterator
from typing import Any

import msgspec

from services.ledger.entries import Row
from shared.messages.desk import HeartbeatV1
from shared.messages.hedging import HedgeIntentV1
from shared.messages.market import FeedV1
from shared.messages.message import Message
from shared.messages.orders import AccountV1, FillV1, OrderV1
from shared.messages.quoting import QuotingStatusV1
from shared.messages.risk import (
    AlertV1,
    HaltV1,
    LimitsV1,
    PnlV1,
    PortfolioV1,
    ReconciliationV1,
)

# The table of a message, and the field that is its key.
TABLES: dict[type, tuple[str, str]] = {
    HeartbeatV1: ("agents", "service"),
    QuotingStatusV1: ("quoting", "underlying"),
    PortfolioV1: ("portfolios", "underlying"),
    PnlV1: ("pnl", "underlying"),
    LimitsV1: ("limits", "underlying"),
    ReconciliationV1: ("reconciliations", "currency"),
    AccountV1: ("accounts", "currency"),
    FeedV1: ("feed", ""),
    AlertV1: ("alerts", "alert_id"),
    HaltV1: ("halts", "halt_id"),
    HedgeIntentV1: ("intents", "intent_id"),
}


def plain_row(message: Message) -> Iterator[Row]:
    """Returns the message itself as a row, if its table keeps it."""
    found = TABLES.get(type(message))
    if found is not None:
        table, field = found
        key = getattr(message, field) if field else table
        yield Row(table, key, _values(message))


def order_row(order: OrderV1) -> Row:
    return Row("orders", order.order_id, _values(order))


def fill_row(fill: FillV1) -> Row:
    return Row("fills", fill.trade_id, _values(fill))


def _values(message: Message) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(message)
    del values["type"]
    return values
