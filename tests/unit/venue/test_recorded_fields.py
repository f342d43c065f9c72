"""Field by field: what the venue sends has what the real one was recorded to send."""

import json

import pytest

from tests.recorded import recorded
from tests.unit.venue.client import PERPETUAL, House

pytestmark = pytest.mark.recorded
FOLDER = "deribit_ws_fixtures"
OPTION, INSTRUMENT = "{option}", {"instrument_name": PERPETUAL}

# What a simulated venue does without, and why:
ABSENT = {
    "max_non_default_leverage",  # of a leverage choice that accounts here do not have
    "future_type",  # an old name of instrument_type
    "max_leverage",  # of options; futures have it
    "max_liquidation_commission",
    "combo_trade_id",  # combos are not listed
    "fees",  # of an account with fees of its own
    "amount_step",
}


@pytest.fixture(scope="module")
def house():
    house = House()
    other, desk = house.client("other"), house.client("desk")
    name, price = house.options()[0], float(round(house.chain.index_usd["BTC"]))
    for side in ("sell", "buy"):
        client = other if side == "sell" else desk
        client.order(side, name, 1.0, 0.03)
        client.order(side, PERPETUAL, 100, price)
    other.order("sell", PERPETUAL, 100, price + 1)
    desk.order("buy", PERPETUAL, 100, price - 1)
    return house


def fixture(name: str):
    return json.loads(recorded(f"{FOLDER}/{name}").read_text(encoding="utf-8"))


def assert_covers(mine, real, path="") -> None:
    """Asserts that `mine` has every field of `real`, with a value of the same JSON kind."""
    if isinstance(real, dict):
        assert isinstance(mine, dict), path
        missing = real.keys() - mine.keys() - ABSENT
        assert not missing, f"{path}: no {sorted(missing)}"
        for key in real.keys() & mine.keys():
            assert_covers(mine[key], real[key], f"{path}.{key}")
    elif isinstance(real, list):
        assert isinstance(mine, list), path
        if real and mine:
            assert_covers(mine[0], real[0], f"{path}[0]")
    elif real is not None and mine is not None:
        assert kind(mine) == kind(real), f"{path}: {mine!r} for {real!r}"


def kind(value) -> str:
    return (
        "number"
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else str(type(value))
    )


@pytest.mark.parametrize(
    ("name", "method", "params"),
    [
        ("http_get_instrument.json", "public/get_instrument", INSTRUMENT),
        ("http_get_instrument_option.json", "public/get_instrument", {"instrument_name": OPTION}),
        ("http_get_instruments.json", "public/get_instruments", {"currency": "BTC"}),
        ("http_get_order_book.json", "public/get_order_book", INSTRUMENT),
        ("http_get_last_trades.json", "public/get_last_trades_by_instrument", INSTRUMENT),
        ("http_get_expirations_any.json", "public/get_expirations",
         {"currency": "any", "kind": "any"}),
        ("http_get_expirations_btc_option.json", "public/get_expirations",
         {"currency": "BTC", "kind": "option"}),
        ("http_get_tradingview_chart_data.json", "public/get_tradingview_chart_data",
         {**INSTRUMENT, "start_timestamp": 0, "end_timestamp": 2**50, "resolution": "1"}),
        ("http_get_account_summaries.json", "private/get_account_summaries", {}),
        ("http_test.json", "public/test", {}),
    ],
)  # fmt: skip
def test_answers_have_the_recorded_fields(house, name, method, params):
    real = fixture(name)
    params = {
        key: house.options()[0] if value == OPTION else value for key, value in params.items()
    }
    client = house.client()
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    mine = client.send(json.dumps(body).encode())
    real.pop("id", None)
    matching = real["result"]["summaries"] if "summaries" in str(real["result"])[:2000] else None
    if matching is not None:
        limits = matching[0].pop("limits")
        assert mine["result"]["summaries"][0]["limits"].keys() == limits.keys()
    assert_covers(mine, real)


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("ws_ticker.json", f"ticker.{PERPETUAL}.100ms"),
        ("ws_quote.json", f"quote.{PERPETUAL}"),
        ("ws_book_grouped_snapshot.json", f"book.{PERPETUAL}.none.10.100ms"),
        ("ws_portfolio.json", "user.portfolio.any"),
    ],
)
def test_first_messages_of_channels_have_the_recorded_fields(house, name, channel):
    client = house.client()
    client.subscribe(channel)
    assert_covers(client.notices(channel)[0], fixture(name)["params"]["data"])


def test_later_messages_of_channels_have_the_recorded_fields(house):
    client, other = house.client("desk"), house.client("other")
    channels = {
        "ws_trades.json": f"trades.{PERPETUAL}.100ms",
        "ws_book_delta.json": f"book.{PERPETUAL}.100ms",
        "ws_chart.json": f"chart.trades.{PERPETUAL}.1",
    }
    client.subscribe(*channels.values())
    client.inbox.clear()
    price = float(round(house.chain.index_usd["BTC"]))
    other.order("sell", PERPETUAL, 50, price)
    client.order("buy", PERPETUAL, 50, price)
    other.order("sell", PERPETUAL, 50, price + 7)
    house.pass_time(0.2)
    for name, channel in channels.items():
        assert_covers(client.notices(channel)[-1], fixture(name)["params"]["data"])


def test_orders_have_the_recorded_fields(house):
    client = house.client()
    price = float(round(house.chain.index_usd["BTC"])) - 50
    params = {"instrument_name": PERPETUAL, "amount": 10, "price": price, "label": "x"}
    placed = client.call("private/buy", **params)
    assert_covers(placed, fixture("ws_order_buy_response.json")["result"])
    order_id = placed["order"]["order_id"]
    edited = client.call("private/edit", order_id=order_id, amount=20, price=price)
    assert_covers(edited, fixture("ws_order_edit_response.json")["result"])
    cancelled = client.call("private/cancel", order_id=order_id)
    assert_covers(cancelled, fixture("ws_order_cancel_response.json")["result"])
    stop = client.call(
        "private/sell", instrument_name=PERPETUAL, amount=10, type="stop_market",
        trigger="mark_price", trigger_price=price - 1000,
    )  # fmt: skip
    assert_covers(stop, fixture("ws_order_stop_market_response.json")["result"])
    client.call("private/cancel_all")


def test_option_tickers_have_the_recorded_fields(house):
    name = house.options()[0]
    ticker = house.client().call("public/ticker", instrument_name=name)
    messages = fixture("tardis_node_deribit_raw_messages.json")
    real = [
        message["params"]["data"]
        for message in messages
        if message["params"]["channel"].startswith("ticker.BTC-5JUN20")
    ]
    assert real
    assert_covers(ticker, real[0])
