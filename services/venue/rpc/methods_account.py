"""Account methods: positions, summaries, and the log of what moved money."""

from typing import Any

from services.venue.accounts.money_log import money_rows
from services.venue.floor import KINDS, Context, Floor, Method, Table
from services.venue.rpc.parameters import INTEGER_MAX

COUNT_MAX = 1_000


class AccountMethods:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def table(self) -> Table:
        return {
            f"private/{name}": Method(handler, is_private=True)
            for name, handler in {
                "get_positions": self.positions,
                "get_position": self.position,
                "get_account_summary": self.summary,
                "get_account_summaries": self.summaries,
                "get_subaccounts": self.subaccounts,
                "get_subaccounts_details": self.subaccounts_details,
                "get_transaction_log": self.transactions,
                "get_user_locks": self.locks,
                "get_deposits": _nothing,
                "get_withdrawals": _nothing,
                "get_transfers": _nothing,
                "get_access_log": lambda _c: {"data": [], "records_total": 0},
                "get_address_book": lambda _c: [],
                "get_new_announcements": lambda _c: [],
                "get_email_language": lambda _c: "en",
                "get_block_trades": lambda _c: [],
                "get_block_trade_requests": lambda _c: [],
                "get_block_rfqs": lambda _c: {"block_rfqs": [], "continuation": None},
            }.items()
        }

    def positions(self, call: Context) -> list[dict[str, Any]]:
        currency = self._floor.currency(call.params, "any", any_=True)
        kind = call.params.choice("kind", KINDS, "any")
        return self._floor.portfolio.positions(call.account_id, currency, kind)

    def position(self, call: Context) -> dict[str, Any]:
        index = self._floor.index(call.params.text("instrument_name"))
        return self._floor.portfolio.position(call.account_id, index)

    def summary(self, call: Context) -> dict[str, Any]:
        currency = self._floor.currency(call.params)
        extended = call.params.boolean("extended")
        if currency not in self._floor.exchange.currencies:
            return _empty(currency)
        return self._floor.portfolio.summary(call.account_id, currency, is_extended=extended)

    def summaries(self, call: Context) -> dict[str, Any]:
        portfolio = self._floor.portfolio
        return {
            **portfolio.identity(call.account_id),
            "summaries": [
                portfolio.summary(call.account_id, currency, is_extended=False)
                for currency in self._floor.exchange.currencies
            ],
        }

    def subaccounts(self, call: Context) -> list[dict[str, Any]]:
        portfolio = self._floor.portfolio
        row = portfolio.identity(call.account_id)
        row.update(is_password=True, receive_notifications=False, margin_model="segregated_pm")
        row["security_keys_assignments"] = []
        if call.params.boolean("with_portfolio"):
            row["portfolio"] = {
                currency.lower(): portfolio.money(call.account_id, currency)
                for currency in self._floor.exchange.currencies
            }
        return [row]

    def subaccounts_details(self, call: Context) -> list[dict[str, Any]]:
        currency = self._floor.currency(call.params)
        row: dict[str, Any] = {
            "uid": call.account_id,
            "positions": self._floor.portfolio.positions(call.account_id, currency, "any"),
        }
        if call.params.boolean("with_open_orders"):
            exchange = self._floor.exchange
            row["open_orders"] = [
                order.wire(exchange.instruments[order.index], call.account_id)
                for order in exchange.orders.live(call.account_id)
                if exchange.instruments[order.index].underlying == currency
            ]
        return [row]

    def transactions(self, call: Context) -> dict[str, Any]:
        """Returns what moved the balance, newest first: trades, settlements and deliveries."""
        currency = self._floor.currency(call.params)
        start_ms = call.params.integer("start_timestamp")
        end_ms = call.params.integer("end_timestamp")
        count = call.params.integer("count", 100, 1, COUNT_MAX)
        below = call.params.integer("continuation", INTEGER_MAX)
        rows = [
            row
            for row in reversed(money_rows(self._floor, call.account_id, currency))
            if start_ms <= row["timestamp"] <= end_ms and row["id"] <= below
        ]
        has_more = len(rows) > count
        return {"logs": rows[:count], "continuation": rows[count]["id"] if has_more else None}

    def locks(self, _call: Context) -> list[dict[str, Any]]:
        return [
            {"currency": currency, "locked": False, "enabled": False}
            for currency in self._floor.exchange.currencies
        ]


def _nothing(_call: Context) -> dict[str, Any]:
    """Coins do not come and go here: deposits are made when an account is opened."""
    return {"count": 0, "data": []}


def _empty(currency: str) -> dict[str, Any]:
    """Returns the summary of a currency that is not traded here."""
    names = ("balance", "equity", "margin_balance", "available_funds", "initial_margin",
             "maintenance_margin", "available_withdrawal_funds", "delta_total", "total_pl",
             "session_upl", "session_rpl", "options_value")  # fmt: skip
    return {"currency": currency, **dict.fromkeys(names, 0.0)}
