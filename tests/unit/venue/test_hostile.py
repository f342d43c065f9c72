"""Whatever bytes come, the venue answers with an error and stays sound."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.venue.rpc.http_requests import HttpRequest
from tests.unit.venue.client import PERPETUAL, House

HOUSE = House(
    trading_burst=10_000, trading_rate=10_000, mass_quote_burst=10_000, mass_quote_rate=10_000,
    quotes_burst=100_000, quotes_rate=100_000,
)  # fmt: skip
METHODS = sorted(HOUSE.venue._switchboard._methods)
PARAMS = (
    "instrument_name", "currency", "kind", "amount", "price", "type", "label", "order_id", "count",
    "time_in_force", "post_only", "reduce_only", "channels", "quotes", "mmp_group", "index_name",
    "interval", "frozen_time", "max_quote_quantity", "cancel_type", "depth", "resolution", "scope",
    "start_timestamp", "end_timestamp", "grant_type", "client_id", "client_secret", "timestamp",
    "quote_id", "trigger", "trigger_price", "expired", "sorting", "access_token", "contracts",
    "ids", "detailed", "currency_pair", "instrument_id", "range", "offset", "start_id", "end_seq",
)  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [PERPETUAL, HOUSE.options()[0], "BTC", "any", "option", "btc_usd", "g", "all", "limit",
         "market", "buy", "0.01", "1e400", "-1", "true", "1", "1D", "user.orders.any.any.raw",
         f"book.{PERPETUAL}.raw", "client_credentials", "desk-id", "asc", "instrument", "\x00"]
    ),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["instrument_name", "bid", "ask", "price", "amount", "post_only"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


def open_client():
    HOUSE.now_ns += 10**9
    return HOUSE.client(cod=True)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(METHODS),
    st.dictionaries(st.sampled_from(PARAMS), values, max_size=7),
)
def test_any_method_with_any_parameters_is_answered(method, params):
    client = open_client()
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = client.send(json.dumps(body).encode())
    assert ("result" in answer) != ("error" in answer)
    HOUSE.assert_sound()
    uri = f"/api/v2/{method}"
    response = HOUSE.venue.on_http(
        HttpRequest("POST", uri, json.dumps(params).encode(), peer=str(HOUSE.now_ns)),
        HOUSE.now_ns,
    )
    json.loads(response.body)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data):
    client = open_client()
    answer = client.send(data)
    assert answer["error"]["code"] in (-32700, 11050, -32601)
    for request in (
        HttpRequest("POST", "/api/v2", data, peer=str(HOUSE.now_ns)),
        HttpRequest("GET", "/api/v2/" + data.decode("latin-1"), peer=str(HOUSE.now_ns)),
        HttpRequest("GET", data.decode("latin-1"), peer=str(HOUSE.now_ns)),
    ):
        assert HOUSE.venue.on_http(request, HOUSE.now_ns).status >= 400


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b'{"id":1,"method":"public/test","params":{"a":NaN}}', -32700),
        (b'{"id":1,"method":"public/test","params":{"a":Infinity}}', -32700),
        (b"\xff\xfe{}", -32700),
        (b'{"id":1,"method":"\xff"}', -32700),
        (b"[" * 100_000, -32700),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, -32700),
        (b"[]", 11050),
        (b"3", 11050),
        (b"{}", 11050),
        (b'{"id":{},"method":"public/test"}', 11050),
        (b'{"id":1,"method":5}', 11050),
        (b'{"id":1,"method":"public/test","params":[]}', 11050),
        (b'{"id":1,"method":"public/nope"}', -32601),
        (b" " * (1 << 20) + b"{}", 11050),
    ],
)
def test_malformed_frames_have_their_code(data, code):
    assert open_client().send(data)["error"]["code"] == code


def test_an_error_for_a_wrong_parameter_names_it():
    client = open_client()
    body = {"jsonrpc": "2.0", "id": 1, "method": "public/get_instruments",
            "params": {"currency": "DOGE!"}}  # fmt: skip
    answer = client.send(json.dumps(body).encode())
    assert answer["error"] == {
        "code": -32602,
        "message": "Invalid params",
        "data": {"reason": "invalid currency", "param": "currency"},
    }
