"""A venue that stands still, and clients that talk to it in bytes."""

import json
from typing import Any

from services.venue.core import Close, Config, Output, UserAccount, Venue
from services.venue.market.chain import generate_chain
from services.venue.market.opening import build_venue
from services.venue.market.still_market import StillMarket
from services.venue.outputs import FixClose, FixSend
from shared.clock import NS_PER_S

NOW_NS = 1_769_160_600 * NS_PER_S  # a Friday, 09:30 UTC
USERS = tuple(UserAccount(name, f"{name}-id", f"{name}-secret") for name in ("desk", "other"))
PERPETUAL = "BTC-PERPETUAL"
GROUP = "g"


class RefusedError(AssertionError):
    def __init__(self, error: dict[str, Any]) -> None:
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data")
        super().__init__(str(error))


class House:
    """One venue and its time."""

    def __init__(self, now_ns: int = NOW_NS, seed: int = 3, **config: Any) -> None:
        self.now_ns = now_ns
        self.chain = generate_chain(now_ns, seed)
        settings = {"has_crowd": False, **config}
        self.venue: Venue = build_venue(Config(**settings), self.chain, seed, USERS, now_ns)
        self.clients: dict[int, Any] = {}

    @property
    def market(self) -> StillMarket:
        market = self.venue.market
        assert isinstance(market, StillMarket)
        return market

    def client(self, name: str = "desk", *, login: bool = True, cod: bool = False) -> "Client":
        client = Client(self, len(self.clients) + 1)
        self.clients[client.connection_id] = client
        self.venue.on_open(client.connection_id, self.now_ns)
        if login:
            keys = {"client_id": f"{name}-id", "client_secret": f"{name}-secret"}
            client.call("public/auth", grant_type="client_credentials", **keys)
        if cod:
            client.call("private/enable_cancel_on_disconnect")
        return client

    def pass_time(self, seconds: float, step_s: float = 0.1) -> None:
        end_ns = self.now_ns + round(seconds * NS_PER_S)
        while self.now_ns < end_ns:
            self.now_ns = min(self.now_ns + round(step_s * NS_PER_S), end_ns)
            self.deliver(self.venue.on_timer(self.now_ns))

    def deliver(self, outputs: list[Output]) -> None:
        for output in outputs:
            client = self.clients[output.connection_id]
            if isinstance(output, (Close, FixClose)):
                client.closed = output.reason
            elif isinstance(output, FixSend):
                client.arrive(output.data)
            else:
                client.inbox.append(json.loads(output.data))

    def options(self, currency: str = "BTC") -> list[str]:
        """Returns options near the money, in the middle of the chain, nearest first."""
        index_usd = self.chain.index_usd[currency]
        far = [
            (abs(i.strike_usd / index_usd - 1), i.name)
            for i in self.chain.instruments
            if i.kind == "option" and i.underlying == currency
            and 20 * 86_400 * NS_PER_S < i.expiry_ns - self.now_ns < 100 * 86_400 * NS_PER_S
        ]  # fmt: skip
        return [name for _, name in sorted(far)]

    def assert_sound(self) -> None:
        """All money and all positions sum to zero, exactly."""
        for audit in self.venue.audits(self.now_ns):
            assert audit.accounts_sum_coin_e12 == 0
            assert audit.positions_sum_lots == 0


class Client:
    """One WebSocket client."""

    def __init__(self, house: House, connection_id: int) -> None:
        self.house = house
        self.connection_id = connection_id
        self.inbox: list[dict[str, Any]] = []
        self.closed = ""
        self._counter = 0

    def send(self, data: bytes) -> dict[str, Any]:
        """Sends bytes; returns the answer, which comes first."""
        house = self.house
        start = len(self.inbox)
        house.deliver(house.venue.on_bytes(self.connection_id, data, house.now_ns))
        answer = self.inbox.pop(start)
        assert "result" in answer or "error" in answer
        return answer

    def call(self, method: str, **params: Any) -> Any:
        self._counter += 1
        body = {"jsonrpc": "2.0", "id": self._counter, "method": method, "params": params}
        answer = self.send(json.dumps(body).encode())
        assert answer["id"] == self._counter
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer["result"]

    def subscribe(self, *channels: str) -> list[str]:
        return self.call("private/subscribe", channels=list(channels))

    def notices(self, channel: str) -> list[Any]:
        """Takes what has come on a channel."""
        mine = [m for m in self.inbox if m.get("params", {}).get("channel") == channel]
        self.inbox = [m for m in self.inbox if m not in mine]
        return [message["params"]["data"] for message in mine]

    def order(self, side: str, instrument: str, amount: float, price: float, **more: Any) -> Any:
        return self.call(
            f"private/{side}", instrument_name=instrument, amount=amount, price=price, **more
        )["order"]

    def protect(self, **more: Any) -> Any:
        settings = {"index_name": "btc_usd", "interval": 5, "frozen_time": 10,
                    "max_quote_quantity": 10.0, "mmp_group": GROUP, **more}  # fmt: skip
        return self.call("private/set_mmp_config", **settings)

    def quote(self, *quotes: dict[str, Any], detailed: bool = True) -> Any:
        return self.call(
            "private/mass_quote",
            quote_id="7",
            mmp_group=GROUP,
            detailed=detailed,
            quotes=list(quotes),
        )


def two_sided(name: str, bid: float, ask: float, amount: float = 1.0, **side: Any) -> dict:
    return {
        "instrument_name": name,
        "quote_set_id": "s",
        "bid": {"price": bid, "amount": amount, **side},
        "ask": {"price": ask, "amount": amount, **side},
    }
