"""Public market methods: currencies, instruments, tickers, books and indices."""

from typing import Any

from services.venue.errors import VenueError, invalid
from services.venue.floor import KINDS, Context, Floor, Method, Table
from services.venue.market.expiries import date_name
from services.venue.market.listing import public_instrument
from shared.clock import NS_PER_MS, NS_PER_S

LONG_NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum"}
COIN_TYPES = {"BTC": "BITCOIN", "ETH": "ETHER"}
DEPTH_MAX = 10_000


class MarketMethods:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def table(self) -> Table:
        return {
            "public/get_currencies": Method(self.currencies),
            "public/get_instruments": Method(self.instruments, cost="instruments"),
            "public/get_instrument": Method(self.instrument),
            "public/get_combos": Method(lambda _c: []),
            "public/get_combo_ids": Method(lambda _c: []),
            "public/get_expirations": Method(self.expirations),
            "public/ticker": Method(self.ticker),
            "public/get_order_book": Method(self.order_book),
            "public/get_order_book_by_instrument_id": Method(self.order_book_by_id),
            "public/get_book_summary_by_currency": Method(self.book_summaries),
            "public/get_book_summary_by_instrument": Method(self.book_summary),
            "public/get_index_price": Method(self.index_price),
            "public/get_index": Method(self.index),
            "public/get_index_price_names": Method(self.index_names),
            "public/get_supported_index_names": Method(self.index_names),
            "public/get_contract_size": Method(self.contract_size),
            "public/get_announcements": Method(lambda _c: []),
            "public/get_funding_rate_value": Method(self.funding_value),
            "public/get_funding_rate_history": Method(self.funding_history),
            "public/get_funding_chart_data": Method(self.funding_chart),
            "public/get_combo_details": Method(self.combo_details),
            "public/get_block_rfq_trades": Method(
                lambda _c: {"block_rfqs": [], "continuation": None}
            ),
            "public/get_apr_history": Method(lambda _c: {"data": [], "continuation": None}),
            "public/get_trade_volumes": Method(self.trade_volumes),
        }

    def currencies(self, _call: Context) -> list[dict[str, Any]]:
        return [
            {
                "currency": currency,
                "currency_long": LONG_NAMES.get(currency, currency),
                "coin_type": COIN_TYPES.get(currency, currency),
                "network_currency": currency,
                "decimals": 8,
                "fee_precision": 4,
                "min_confirmations": 1,
                "min_withdrawal_fee": 0.0001,
                "withdrawal_fee": 0.0001,
                "network_fee": 0.0001,
                "withdrawal_priorities": [],
                "in_cross_collateral_pool": False,
            }
            for currency in self._floor.exchange.currencies
        ]

    def instruments(self, call: Context) -> list[dict[str, Any]]:
        currency = self._floor.currency(call.params, "any", any_=True)
        kind = call.params.choice("kind", KINDS, "any")
        is_expired = call.params.boolean("expired")
        return [
            self._wire(index) for index in self._floor.select(currency, kind, is_expired=is_expired)
        ]

    def instrument(self, call: Context) -> dict[str, Any]:
        return self._wire(self._floor.index(call.params.text("instrument_name")))

    def expirations(self, call: Context) -> dict[str, Any]:
        params = call.params
        currency = self._floor.currency(params, any_=True)
        kind = params.choice("kind", ("option", "future", "any"), "any")
        kinds = ("future", "option") if kind == "any" else (kind,)
        if currency == "any" and params.text("currency") != "grouped":
            return {name: self._dates("any", name) for name in kinds}
        names = self._floor.exchange.currencies if currency == "any" else (currency,)
        return {
            name.lower(): {kind_: self._dates(name, kind_) for kind_ in kinds} for name in names
        }

    def ticker(self, call: Context) -> dict[str, Any]:
        index = self._floor.index(call.params.text("instrument_name"))
        return self._floor.views.ticker(index, call.now_ns)

    def order_book(self, call: Context) -> dict[str, Any]:
        index = self._floor.index(call.params.text("instrument_name"))
        depth = call.params.integer("depth", 5, 1, DEPTH_MAX)
        return self._floor.views.order_book(index, depth, call.now_ns)

    def order_book_by_id(self, call: Context) -> dict[str, Any]:
        wanted = call.params.integer("instrument_id")
        depth = call.params.integer("depth", 5, 1, DEPTH_MAX)
        for index, instrument in enumerate(self._floor.exchange.instruments):
            if instrument.instrument_id == wanted:
                return self._floor.views.order_book(index, depth, call.now_ns)
        raise VenueError(13020)

    def book_summaries(self, call: Context) -> list[dict[str, Any]]:
        currency = self._floor.currency(call.params, any_=True)
        kind = call.params.choice("kind", KINDS, "any")
        return [
            self._floor.views.book_summary(index, call.now_ns)
            for index in self._floor.select(currency, kind)
        ]

    def book_summary(self, call: Context) -> list[dict[str, Any]]:
        index = self._floor.index(call.params.text("instrument_name"))
        return [self._floor.views.book_summary(index, call.now_ns)]

    def index_price(self, call: Context) -> dict[str, float]:
        currency = self.index_currency(call)
        price = self._floor.exchange.marks.index_usd(currency)
        return {"index_price": price, "estimated_delivery_price": price}

    def index(self, call: Context) -> dict[str, float]:
        currency = self._floor.currency(call.params)
        if currency not in self._floor.exchange.currencies:
            raise VenueError(13020)
        price = self._floor.exchange.marks.index_usd(currency)
        return {currency: price, "edp": price}

    def index_currency(self, call: Context) -> str:
        """Returns the currency of a wanted `index_name`."""
        name = call.params.text("index_name")
        for currency in self._floor.exchange.currencies:
            if name == f"{currency.lower()}_usd":
                return currency
        raise invalid("index_name", "unknown index")

    def index_names(self, call: Context) -> list[Any]:
        names = [f"{currency.lower()}_usd" for currency in self._floor.exchange.currencies]
        if not call.params.boolean("extended"):
            return list(names)
        return [
            {"name": name, "future_combo_creation_enabled": False,
             "option_combo_creation_enabled": False}
            for name in names
        ]  # fmt: skip

    def contract_size(self, call: Context) -> dict[str, float]:
        index = self._floor.index(call.params.text("instrument_name"))
        return {"contract_size": self._wire(index)["contract_size"]}

    def funding_value(self, call: Context) -> float:
        """Returns the funding of a perpetual: none is paid here, its price follows the index."""
        self._perpetual(call)
        return 0.0

    def funding_history(self, call: Context) -> list[dict[str, Any]]:
        """Returns each full hour that the venue has seen, with no interest."""
        currency = self._floor.exchange.instruments[self._perpetual(call)].underlying
        start_ms = call.params.integer("start_timestamp")
        end_ms = call.params.integer("end_timestamp")
        hours = self._floor.settlement.index_hours(currency, start_ms, end_ms)
        return [
            {"timestamp": at_ms, "index_price": usd, "prev_index_price": hours[max(0, n - 1)][1],
             "interest_8h": 0.0, "interest_1h": 0.0}
            for n, (at_ms, usd) in enumerate(hours)
        ]  # fmt: skip

    def funding_chart(self, call: Context) -> dict[str, Any]:
        currency = self._floor.exchange.instruments[self._perpetual(call)].underlying
        length_h = {"8h": 8, "24h": 24, "1m": 720}[
            call.params.choice("length", ("8h", "24h", "1m"), "8h")
        ]
        start_ms = (call.now_ns - length_h * 3600 * NS_PER_S) // NS_PER_MS
        points = self._floor.settlement.index_history(currency)[::-10][::-1]  # one a minute
        return {
            "current_interest": 0.0,
            "interest_8h": 0.0,
            "data": [
                {"timestamp": at_ms, "index_price": usd, "interest_8h": 0.0}
                for at_ms, usd in points
                if at_ms >= start_ms
            ],
        }

    def combo_details(self, call: Context) -> dict[str, Any]:
        """Refuses: no combos are listed here."""
        raise VenueError(
            13020, data={"reason": "no such combo", "id": call.params.text("combo_id")}
        )

    def trade_volumes(self, call: Context) -> list[dict[str, Any]]:
        exchange = self._floor.exchange
        rows = {
            currency: {"currency": currency, "calls_volume": 0.0, "puts_volume": 0.0,
                       "futures_volume": 0.0, "spot_volume": 0.0}
            for currency in exchange.currencies
        }  # fmt: skip
        for instrument, tape in zip(exchange.instruments, exchange.history.tapes, strict=True):
            name = "futures_volume"
            if instrument.kind == "option":
                name = "calls_volume" if instrument.is_call else "puts_volume"
            volume = tape.stats(call.now_ns, 0.0)["volume"]
            row: dict[str, Any] = rows[instrument.underlying]
            row[name] = round(row[name] + volume, 8)
        return list(rows.values())

    def _perpetual(self, call: Context) -> int:
        index = self._floor.index(call.params.text("instrument_name"))
        if self._floor.exchange.instruments[index].kind != "perpetual":
            raise VenueError(10020)
        return index

    def _wire(self, index: int) -> dict[str, Any]:
        instrument = self._floor.exchange.instruments[index]
        state = self._floor.exchange.states[index]
        return public_instrument(instrument, self._floor.exchange.created_ns[index], state)

    def _dates(self, currency: str, kind: str) -> list[str]:
        """Returns the expiries of a kind, nearest first; futures end with the perpetual."""
        exchange = self._floor.exchange
        chosen = [exchange.instruments[i] for i in self._floor.select(currency, kind)]
        expiries = sorted({item.expiry_ns for item in chosen if item.expiry_ns})
        dates = [date_name(expiry_ns) for expiry_ns in expiries]
        return [*dates, "PERPETUAL"] if kind == "future" else dates
