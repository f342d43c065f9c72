"""What clients other than ccxt say first, word for word as they were seen to say it.

Recorded habits: ids that are strings, scopes inside subscribe, `any` for every currency, posts of
JSON-RPC bodies, and a reconciliation of currencies that are not listed here.
"""

import hashlib
import hmac
import json

import pytest

from services.venue.rpc.http_requests import HttpRequest
from tests.unit.venue.client import PERPETUAL, House


@pytest.fixture
def house():
    return House()


def send(client, call_id, method, **params):
    body = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
    answer = client.send(json.dumps(body).encode())
    assert answer["id"] == call_id
    assert "error" not in answer, answer["error"]
    return answer["result"]


def post(house, method, token="", **params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    bearer = f"Bearer {token}" if token else ""
    response = house.venue.on_http(
        HttpRequest("POST", "/api/v2", body, bearer, "peer"), house.now_ns
    )
    return json.loads(response.body)["result"]


def login(house, client, call_id, scope):
    stamp, nonce = house.now_ns // 10**6, "50385978-1"
    text = f"{stamp}\n{nonce}\n".encode()
    return send(
        client, call_id, "public/auth", grant_type="client_signature", client_id="desk-id",
        timestamp=stamp, nonce=nonce, data="", scope=scope,
        signature=hmac.new(b"desk-secret", text, hashlib.sha256).hexdigest(),
    )  # fmt: skip


def test_a_client_with_named_ids_that_subscribes_privately_with_a_scope(house):
    """cryptofeed 2.4.1: auth first, then raw channels with its scope repeated."""
    client = house.client(login=False)
    scope = "session:cryptofeed"
    assert login(house, client, "auth_DERIBIT.ws.1", scope)["token_type"] == "bearer"
    channels = [f"book.{PERPETUAL}.raw", f"trades.{PERPETUAL}.raw", f"ticker.{PERPETUAL}.raw"]
    taken = send(client, "102", "private/subscribe", scope=scope, channels=channels)
    assert taken == channels
    book = client.notices(channels[0])[0]
    assert "prev_change_id" not in book
    ticker = client.notices(channels[2])[0]
    assert (ticker["best_bid_price"], ticker["best_ask_amount"]) == (0.0, 0.0)


def test_a_client_on_two_connections_that_reconciles_every_currency(house):
    """NautilusTrader 1.231: heartbeat first, two sessions, then a sweep over HTTP."""
    data, execution = house.client(login=False), house.client(login=False)
    for client, name in ((data, "nautilus-data"), (execution, "nautilus-execution")):
        assert send(client, 1, "public/set_heartbeat", interval=30) == "ok"
        token = login(house, client, 2, f"session:{name}")["access_token"]
    for kind in ("option", "future"):
        assert post(house, "public/get_instruments", currency="any", kind=kind)
    for channel in ("user.orders.any.any.raw", "user.trades.any.any.raw", "user.portfolio.any"):
        assert send(execution, 3, "private/subscribe", channels=[channel]) == [channel]
    assert len(post(house, "private/get_account_summaries", token)["summaries"]) == 2
    assert post(house, "private/get_open_orders", token) == []
    assert post(house, "private/get_positions", token, currency="any") == []
    for currency in ("BTC", "ETH", "USDC", "USDT", "EURR"):
        assert post(house, "private/get_order_history_by_currency", token, currency=currency) == []
        trades = post(
            house, "private/get_user_trades_by_currency_and_time", token, currency=currency,
            start_timestamp=0, end_timestamp=house.now_ns // 10**6,
        )  # fmt: skip
        assert trades == {"trades": [], "has_more": False}
    price = float(round(house.chain.index_usd["BTC"])) - 20
    result = send(
        execution, 7, "private/buy", instrument_name=PERPETUAL, amount=10.0, type="limit",
        label="O-20261122-104634-001-000-1", price=price, time_in_force="good_til_cancelled",
        post_only=True, reject_post_only=True,
    )  # fmt: skip
    assert result["order"]["order_state"] == "open"
    order_id = result["order"]["order_id"]
    edited = send(execution, 8, "private/edit", order_id=order_id, amount=20.0, price=price - 1)
    assert edited["order"]["replaced"] is True
    assert send(execution, 9, "private/cancel", order_id=order_id)["order_state"] == "cancelled"
    assert [m["order_state"] for m in execution.notices("user.orders.any.any.raw")] == [
        "open", "open", "cancelled",
    ]  # fmt: skip


def test_a_small_script_that_knows_only_http_and_credentials(house):
    uri = (
        "/api/v2/public/auth?grant_type=client_credentials"
        "&client_id=desk-id&client_secret=desk-secret"
    )
    response = house.venue.on_http(HttpRequest("GET", uri, peer="p"), house.now_ns)
    token = json.loads(response.body)["result"]["access_token"]
    uri = f"/api/v2/private/get_account_summary?currency=ETH&access_token={token}"
    response = house.venue.on_http(HttpRequest("GET", uri, peer="p"), house.now_ns)
    assert json.loads(response.body)["result"]["equity"] == 20_000.0


def test_the_same_seed_and_calls_give_the_same_bytes():
    runs = []
    for _ in range(2):
        house = House(has_crowd=True)
        client = house.client(cod=True)
        client.protect()
        client.subscribe(
            "user.orders.any.any.raw", "trades.any.any.100ms", f"book.{PERPETUAL}.100ms",
            "markprice.options.btc_usd", "user.portfolio.any",
        )  # fmt: skip
        client.order("buy", PERPETUAL, 1000, float(round(house.chain.index_usd["BTC"])))
        house.pass_time(4)
        house.deliver(house.venue.on_close(client.connection_id, house.now_ns))
        runs.append(json.dumps(client.inbox))
        house.assert_sound()
    assert runs[0] == runs[1]
    assert len(runs[0]) > 10_000


def test_a_client_that_writes_the_method_as_a_path(house):
    """deribit-wrapper 0.6.4: posts JSON-RPC whose method begins with a slash."""
    [currency, *_] = post(house, "/public/get_currencies")
    assert currency["currency"] == "BTC"
    keys = {"client_id": "desk-id", "client_secret": "desk-secret"}
    token = post(house, "/public/auth", grant_type="client_credentials", **keys)["access_token"]
    assert post(house, "/private/get_positions", token, currency="BTC", kind="any") == []


def test_a_client_that_reads_every_price_as_a_number(house):
    """A market order shows the band's edge, as in the vendor's examples; `market_price` is only
    for one that waits for its trigger."""
    client = house.client()
    price = float(round(house.chain.index_usd["BTC"]))
    house.client("other").order("sell", PERPETUAL, 500, price)
    client.call("private/buy", instrument_name=PERPETUAL, amount=500, type="market")
    [order] = client.call("private/get_order_history_by_currency", currency="BTC")
    assert (order["order_type"], order["order_state"]) == ("market", "filled")
    assert order["price"] >= order["average_price"] == price


def test_funding_is_nothing_and_says_so_hour_by_hour(house):
    house.pass_time(3_700, step_s=30)
    span = {"start_timestamp": 0, "end_timestamp": house.now_ns // 10**6}
    rows = post(house, "public/get_funding_rate_history", instrument_name=PERPETUAL, **span)
    assert [row["timestamp"] % 3_600_000 for row in rows] == [0]
    assert (rows[0]["interest_1h"], rows[0]["interest_8h"]) == (0.0, 0.0)
    chart = post(house, "public/get_funding_chart_data", instrument_name=PERPETUAL, length="8h")
    assert chart["current_interest"] == 0.0
    assert chart["data"][-1]["index_price"] == house.chain.index_usd["BTC"]
    assert len(chart["data"]) > 10
