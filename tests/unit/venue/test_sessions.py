"""Login, limits, heartbeats, disconnects: what a connection may do and when it ends."""

import hashlib
import hmac
import json

import pytest

from services.venue.rpc.http_requests import HttpRequest
from tests.unit.venue.client import PERPETUAL, House, RefusedError


@pytest.fixture
def house():
    return House()


def refusal(call) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        call()
    return refused.value


def signed(house: House, key: str = "desk-secret", skew_ms: int = 0, **more):
    stamp = house.now_ns // 10**6 + skew_ms
    text = f"{stamp}\nnonce\n".encode()
    return {
        "grant_type": "client_signature", "client_id": "desk-id", "timestamp": stamp,
        "nonce": "nonce", "data": "",
        "signature": hmac.new(key.encode(), text, hashlib.sha256).hexdigest(), **more,
    }  # fmt: skip


def http(house: House, method: str, uri: str, body: bytes = b"", **headers):
    request = HttpRequest(method, uri, body, headers.get("authorization", ""), "peer")
    response = house.venue.on_http(request, house.now_ns)
    return response.status, json.loads(response.body)


def test_credentials_signatures_and_tokens_log_in(house):
    client = house.client(login=False)
    assert refusal(lambda: client.call("private/get_positions")).code == 10000
    token = client.call("public/auth", **signed(house, scope="session:a"))
    assert (token["expires_in"], token["token_type"]) == (900, "bearer")
    assert "session:a" in token["scope"]
    assert client.call("private/get_positions", currency="BTC") == []
    again = client.call(
        "public/auth", grant_type="refresh_token", refresh_token=token["refresh_token"]
    )
    assert again["access_token"] != token["access_token"]
    assert refusal(
        lambda: client.call(
            "public/auth", grant_type="refresh_token", refresh_token=token["refresh_token"]
        )
    ).code == 13009  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"signature": "00"},
        {"client_id": "nobody"},
        {"timestamp": 5},
        {"timestamp": "soon"},
        {"grant_type": "client_credentials", "client_secret": "guess"},
    ],
)
def test_wrong_credentials_are_13004(house, wrong):
    client = house.client(login=False)
    error = refusal(lambda: client.call("public/auth", **{**signed(house), **wrong}))
    assert error.code == 13004


def test_a_signature_may_carry_real_time_in_a_recorded_market(house):
    client = house.client(login=False)
    real_ns = house.now_ns + 10**18
    params = signed(house, skew_ms=10**12)
    body = {"jsonrpc": "2.0", "id": 1, "method": "public/auth", "params": params}
    outputs = house.venue.on_bytes(
        client.connection_id, json.dumps(body).encode(), house.now_ns, real_ns
    )
    assert "access_token" in json.loads(outputs[0].data)["result"]


def test_a_session_s_login_ends_with_its_token_and_a_connection_s_does_not(house):
    named, plain = house.client(login=False), house.client()
    token = named.call("public/auth", **signed(house, scope="session:a"))["access_token"]
    house.now_ns += 901 * 10**9
    assert refusal(lambda: named.call("private/get_positions")).code == 13009
    assert refusal(lambda: named.call("private/get_positions", access_token=token)).code == 13009
    assert plain.call("private/get_positions") == []


def test_a_scope_that_only_reads_may_not_trade(house):
    client = house.client(login=False)
    client.call("public/auth", **signed(house, scope="trade:read account:read"))
    assert client.call("private/get_open_orders") == []
    assert refusal(lambda: client.order("buy", PERPETUAL, 10, 90_000)).code == 13021


def test_http_takes_signatures_bearers_and_bodies(house):
    uri = "/api/v2/private/get_account_summary?currency=BTC&extended=true"
    stamp = house.now_ns // 10**6
    text = f"{stamp}\nabc\nGET\n{uri}\n\n".encode()
    signature = hmac.new(b"desk-secret", text, hashlib.sha256).hexdigest()
    header = f"deri-hmac-sha256 id=desk-id,ts={stamp},sig={signature},nonce=abc"
    status, body = http(house, "GET", uri, authorization=header)
    assert (status, body["result"]["system_name"]) == (200, "desk")
    assert http(house, "GET", uri + "&x=1", authorization=header)[0] == 401
    login = {"grant_type": "client_credentials", "client_id": "desk-id",
             "client_secret": "desk-secret"}  # fmt: skip
    body = {"jsonrpc": "2.0", "id": "a", "method": "public/auth", "params": login}
    status, answer = http(house, "POST", "/api/v2", json.dumps(body).encode())
    assert (status, answer["id"]) == (200, "a")
    bearer = f"Bearer {answer['result']['access_token']}"
    assert http(house, "GET", uri, authorization=bearer)[0] == 200
    assert http(house, "GET", uri)[1]["error"]["code"] == 10000


def test_get_parameters_are_strings_and_are_coerced(house):
    login = house.client().call("public/auth", **signed(house))["access_token"]
    price = round(house.chain.index_usd["BTC"]) - 100
    uri = (
        f"/api/v2/private/buy?instrument_name={PERPETUAL}&amount=10&price={price}"
        "&post_only=true&label=abc"
    )
    status, body = http(house, "GET", uri, authorization=f"Bearer {login}")
    assert status == 200
    assert body["result"]["order"]["post_only"] is True
    status, body = http(house, "GET", "/api/v2/private/mass_quote", authorization=f"Bearer {login}")
    assert (status, body["error"]["code"]) == (400, 10030)


def test_the_id_comes_back_with_its_type(house):
    client = house.client(login=False)
    for given in (1, "101", "auth.ws.1", None, 1.5):
        body = {"jsonrpc": "2.0", "id": given, "method": "public/test", "params": {}}
        answer = client.send(json.dumps(body).encode())
        assert answer["id"] == given
        assert type(answer["id"]) is type(given)
        assert {"usIn", "usOut", "usDiff", "testnet"} <= answer.keys()


def test_an_exhausted_bucket_ends_the_session(house):
    client = house.client(cod=True)
    client.order("buy", PERPETUAL, 10, round(house.chain.index_usd["BTC"]) - 100)
    code = 0
    for _ in range(200):
        try:
            client.call("public/test")
        except RefusedError as error:
            code = error.code
            break
    assert code == 10028
    assert client.closed == "too_many_requests"
    assert house.venue.exchange.orders.live(2) == [], "its orders went with it"
    assert house.venue.on_bytes(client.connection_id, b"{}", house.now_ns) == []


def test_credits_come_back_with_time(house):
    client = house.client()
    for _ in range(150):
        client.call("public/get_time")
        house.now_ns += 60_000_000
    assert not client.closed


def test_mass_quotes_are_limited_by_requests_and_by_instruments():
    house = House(mass_quote_burst=3, mass_quote_rate=1, quotes_burst=150, quotes_rate=1)
    name = house.options()[0]
    quotes = [{"instrument_name": name, "bid": {"amount": 0}}]
    for sizes, allowed in (([1, 1, 1], 3), ([100, 50, 1], 2)):
        house.now_ns += 1000 * 10**9
        client = house.client(cod=True)
        client.protect()
        for size in sizes[:allowed]:
            client.quote(*(quotes * size))
        error = refusal(lambda c=client, q=quotes * sizes[-1]: c.quote(*q))
        assert error.code == 10028
        assert client.closed == "too_many_requests"


def test_an_unanswered_test_request_ends_the_connection(house):
    client, careful = house.client(cod=True), house.client()
    assert refusal(lambda: client.call("public/set_heartbeat", interval=9)).code == -32602
    client.order("buy", PERPETUAL, 10, round(house.chain.index_usd["BTC"]) - 100)
    for each in (client, careful):
        assert each.call("public/set_heartbeat", interval=10) == "ok"
    house.pass_time(11, step_s=1)
    types = [m["params"]["type"] for m in client.inbox if m.get("method") == "heartbeat"]
    assert types == ["heartbeat", "test_request"]
    careful.call("public/test")
    house.pass_time(10, step_s=1)
    assert client.closed == "heartbeat was not answered"
    assert not careful.closed
    assert house.venue.exchange.orders.live(2) == []


def test_orders_outlive_a_connection_that_did_not_ask_otherwise(house):
    client = house.client()
    client.order("buy", PERPETUAL, 10, round(house.chain.index_usd["BTC"]) - 100)
    house.deliver(house.venue.on_close(client.connection_id, house.now_ns))
    assert len(house.venue.exchange.orders.live(2)) == 1


def test_logout_ends_the_login_and_cancels_nothing(house):
    client = house.client(cod=True)
    client.order("buy", PERPETUAL, 10, round(house.chain.index_usd["BTC"]) - 100)
    assert client.call("private/logout") == "ok"
    assert client.closed == "logged out"
    assert len(house.venue.exchange.orders.live(2)) == 1


def test_account_scope_covers_later_connections(house):
    house.client().call("private/enable_cancel_on_disconnect", scope="account")
    later = house.client()
    assert later.call("private/get_cancel_on_disconnect") == {
        "scope": "connection",
        "enabled": True,
    }
    later.call("private/disable_cancel_on_disconnect", scope="account")
    assert later.call("private/get_cancel_on_disconnect", scope="account")["enabled"] is False
