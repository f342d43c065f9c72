"""The transaction log of one account: what moved its balance, with the balance after each row."""

from typing import Any

from services.venue.floor import Floor
from services.venue.matching.history import Party, Trade
from shared.messages.market import Instrument
from shared.units import E12

Row = dict[str, Any]


def money_rows(floor: Floor, account_id: int, currency: str) -> list[Row]:
    """Returns trades, settlements and deliveries, oldest first, `id` counting them.

    Balances and positions are those of now, taken back row by row.
    """
    if currency not in floor.exchange.currencies:
        return []
    trades = _trade_rows(floor, account_id, currency)
    rows = [*trades, *_settlement_rows(floor, account_id, currency)]
    rows.sort(key=lambda row: row["timestamp"])  # stable: each kind keeps its own order
    account = floor.exchange.accounts.get(account_id)
    wallet = account.wallets[currency]
    balance = wallet.balance_e12 / E12
    positions: dict[str, float] = {}
    for number in range(len(rows), 0, -1):
        row = rows[number - 1]
        name = row["instrument_name"]
        if name not in positions:
            index = floor.exchange.index_of[name]
            positions[name] = floor.portfolio.position(account_id, index)["size"]
        row["position"] = round(positions[name], 8)
        row["balance"] = round(balance, 12)
        balance -= row["change"]
        if row["type"] == "trade":
            positions[name] -= row["amount"] if "buy" in row["side"] else -row["amount"]
        elif row["type"] == "delivery":
            positions[name] = row["held"]
        row.update(id=number, user_seq=number, user_id=account_id, username=account.name)
    _name_sides(rows)
    return rows


def _trade_rows(floor: Floor, account_id: int, currency: str) -> list[Row]:
    exchange = floor.exchange
    rows = []
    for trade, party in exchange.history.by_account.get(account_id, ()):
        instrument = exchange.instruments[trade.index]
        if instrument.underlying == currency:
            rows.append(_trade_row(trade, party, instrument))
    return rows


def _trade_row(trade: Trade, party: Party, instrument: Instrument) -> Row:
    wire = trade.wire_of(instrument, party)
    is_option = instrument.kind == "option"
    fee = party.fee_e12 / E12
    cashflow = 0.0
    if is_option:
        cashflow = wire["amount"] * wire["price"]
        cashflow = -cashflow if wire["direction"] == "buy" else cashflow
    return {
        "type": "trade",
        "timestamp": wire["timestamp"],
        "currency": instrument.underlying,
        "instrument_name": instrument.name,
        "side": wire["direction"],
        "amount": wire["amount"],
        "price": wire["price"],
        "price_currency": instrument.underlying if is_option else "USD",
        "mark_price": trade.mark_price,
        "index_price": trade.index_price,
        "commission": fee,
        "cashflow": cashflow,
        "change": cashflow - fee,
        "profit_as_cashflow": False,
        "trade_id": trade.trade_id,
        "order_id": party.order_id,
        "user_role": "maker" if party.is_maker else "taker",
        "interest_pl": None,
        "info": {},
    }


def _settlement_rows(floor: Floor, account_id: int, currency: str) -> list[Row]:
    events = floor.settlement.account_events.get(account_id, ())
    rows = []
    for event in events:
        if not event["instrument_name"].startswith(f"{currency}-"):
            continue
        fee = event.get("commission", 0.0)
        rows.append(
            {
                "type": event["type"],
                "timestamp": event["timestamp"],
                "currency": currency,
                "instrument_name": event["instrument_name"],
                "side": "-",
                "amount": abs(event["position"]),
                "price": event["mark_price"],
                "index_price": event["index_price"],
                "commission": fee,
                "cashflow": event["profit_loss"],
                "change": event["profit_loss"] - fee,
                "trade_id": None,
                "order_id": None,
                "interest_pl": None,
                "info": {},
                "held": event["position"],
            }
        )
    return rows


def _name_sides(rows: list[Row]) -> None:
    """Says of each trade whether it opened or closed, of each settlement which way it stood."""
    for row in rows:
        after = row["position"]
        if row["type"] != "trade":
            held = row.pop("held")
            row["side"] = "long" if held > 0 else "short" if held < 0 else "-"
            continue
        is_opening = after > 0 if row["side"] == "buy" else after < 0
        row["side"] = f"{'open' if is_opening else 'close'} {row['side']}"
