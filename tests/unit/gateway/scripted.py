"""A gateway core with a scripted venue: requests are answered by the test, in its words."""

from collections.abc import Iterable
from typing import Any, TypeVar

from services.gateway.core import Config, Gateway
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.message import Message, decode, encode
from shared.messages.orders import CancelOrderV1, PlaceOrderV1, QueryOrderV1
from shared.venue_link import VenueDown, VenueNotice, VenueReply, VenueRequest, VenueUp

T0 = 1_767_000_000 * NS_PER_S
EXPIRY_MS = 1_768_000_000_000
PERPETUAL = "BTC-PERPETUAL"
CALL = "BTC-9JAN26-90000-C"
M = TypeVar("M", bound=Message)

PERPETUAL_ROW: dict[str, Any] = {
    "instrument_name": PERPETUAL,
    "instrument_id": 1,
    "kind": "future",
    "settlement_period": "perpetual",
    "instrument_type": "reversed",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "settlement_currency": "BTC",
    "expiration_timestamp": 32503708800000,
    "tick_size": 0.5,
    "tick_size_steps": [],
    "min_trade_amount": 10.0,
    "maker_commission": 0.0,
    "taker_commission": 0.0005,
    "is_active": True,
    "state": "open",
}
CALL_ROW: dict[str, Any] = {
    **PERPETUAL_ROW,
    "instrument_name": CALL,
    "instrument_id": 2,
    "kind": "option",
    "settlement_period": "week",
    "quote_currency": "BTC",
    "expiration_timestamp": EXPIRY_MS,
    "strike": 90000.0,
    "option_type": "call",
    "tick_size": 0.0001,
    "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}],
    "min_trade_amount": 0.1,
    "maker_commission": 0.0003,
    "taker_commission": 0.0003,
}


def trade_row(trade_id: str = "t1", **fields: Any) -> dict[str, Any]:
    return {
        "trade_id": trade_id,
        "order_id": "v1",
        "label": "i1-0",
        "instrument_name": PERPETUAL,
        "direction": "buy",
        "amount": 20.0,
        "price": 90000.5,
        "liquidity": "T",
        "fee": 0.0000011,
        "fee_currency": "BTC",
        "index_price": 90010.0,
        "mark_price": 90005.0,
        "timestamp": T0 // NS_PER_MS,
        **fields,
    }


def order_row(state: str = "open", **fields: Any) -> dict[str, Any]:
    return {
        "order_id": "v1",
        "label": "i1-0",
        "instrument_name": PERPETUAL,
        "direction": "buy",
        "amount": 100.0,
        "filled_amount": 0.0,
        "price": 90000.5,
        "order_state": state,
        "last_update_timestamp": T0 // NS_PER_MS,
        **fields,
    }


def place(order_id: str = "i1-0", **fields: Any) -> PlaceOrderV1:
    values: dict[str, Any] = {
        "created_ns": T0,
        "order_id": order_id,
        "intent_id": "i1",
        "instrument": PERPETUAL,
        "side": "buy",
        "amount_lots": 10,
        "price_ticks": 180_001,
        "is_post_only": True,
        "is_immediate": False,
        "is_reduce_only": False,
        "expires_ns": T0 + 60 * NS_PER_S,
        **fields,
    }
    return PlaceOrderV1(**values)


class Scripted:
    """Runs the core; keeps what it published and what it asked the venue."""

    def __init__(self, config: Config | None = None, started_ns: int = T0 - NS_PER_S) -> None:
        self.core = Gateway(config or Config(), ("BTC",))
        self.now_ns = started_ns
        self.published: list[Message] = []
        self.open: list[VenueRequest] = []
        self.take(self.core.start(TimerV1(created_ns=started_ns)))
        self.now_ns = T0

    def take(self, outputs: Iterable[object]) -> None:
        for output in outputs:
            if isinstance(output, VenueRequest):
                self.open.append(output)
            else:
                assert isinstance(output, Message)
                assert decode(type(output), encode(output)) == output
                self.published.append(output)

    def up(self) -> None:
        self.take(self.core.on_up(VenueUp(self.now_ns, 1)))

    def ready(self) -> None:
        """Connected, listed, subscribed and reconciled, with an index price."""
        self.up()
        self.answer_all()
        self.notice("deribit_price_index.btc_usd", {"price": 90010.0, "timestamp": self.ms})
        self.tick(1)
        self.answer_all()
        self.published.clear()

    def down(self, reason: str = "reset") -> None:
        """The session answers all that is open, then says down."""
        for request in self.open:
            reply = VenueReply(self.now_ns, request.request_id, None, -1, "connection lost")
            self.take(self.core.on_reply(reply))
        self.open.clear()
        self.take(self.core.on_down(VenueDown(self.now_ns, reason)))
        self.open.clear()

    def request(self, method: str) -> VenueRequest:
        found = [request for request in self.open if request.method == method]
        assert found, f"no {method} among {[request.method for request in self.open]}"
        return found[0]

    def methods(self) -> list[str]:
        return [request.method for request in self.open]

    def answer(
        self,
        method: str,
        result: Any = None,
        error: tuple[int, str] = (0, ""),
        venue_ns: tuple[int, int] = (0, 0),
    ) -> None:
        request = self.request(method)
        self.open.remove(request)
        code, text = error
        reply = VenueReply(self.now_ns, request.request_id, result, code, text, None, *venue_ns)
        self.take(self.core.on_reply(reply))

    def answer_all(self) -> None:
        """Answers everything as a venue would on which nothing has happened."""
        while self.open:
            request = self.open[0]
            self.answer(request.method, self.plain_answer(request))

    def plain_answer(self, request: VenueRequest) -> Any:
        if request.method == "public/get_instruments":
            return [CALL_ROW] if request.params["kind"] == "option" else [PERPETUAL_ROW]
        if request.method.endswith("subscribe"):
            return request.params["channels"]
        if request.method == "public/get_time":
            return self.ms
        if request.method == "private/get_user_trades_by_currency_and_time":
            return {"trades": [], "has_more": False}
        if request.method == "private/get_account_summary":
            return {"balance": 9.75, "futures_session_rpl": 0.25, "equity": 10.5}
        return []

    def notice(self, channel: str, data: Any) -> None:
        self.take(self.core.on_notice(VenueNotice(self.now_ns, channel, data)))

    def tick(self, count: int = 1, step_ms: int = 100) -> None:
        for _ in range(count):
            self.now_ns += step_ms * NS_PER_MS
            self.take(self.core.on_timer(TimerV1(created_ns=self.now_ns)))

    def command(self, command: PlaceOrderV1 | CancelOrderV1 | QueryOrderV1) -> None:
        handlers = {
            PlaceOrderV1: self.core.on_place,
            CancelOrderV1: self.core.on_cancel,
            QueryOrderV1: self.core.on_query,
        }
        self.take(handlers[type(command)](command))  # type: ignore[operator]

    def said(self, kind: type[M]) -> list[M]:
        return [message for message in self.published if isinstance(message, kind)]

    @property
    def ms(self) -> int:
        return self.now_ns // NS_PER_MS
