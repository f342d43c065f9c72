"""Orders: types, time in force, prices, sizes, states, and who may do what."""

import pytest

from tests.unit.venue.client import PERPETUAL, House, RefusedError


@pytest.fixture
def house():
    return House()


@pytest.fixture
def desk(house):
    return house.client("desk")


@pytest.fixture
def other(house):
    return house.client("other")


@pytest.fixture
def price(house):
    """A whole USD price near the perpetual's mark."""
    return float(round(house.chain.index_usd["BTC"]))


def refusal(call) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        call()
    return refused.value


def test_an_order_rests_trades_in_parts_and_fills(house, desk, other, price):
    order = desk.order("buy", PERPETUAL, 1000, price, label="mine")
    assert (order["order_state"], order["filled_amount"]) == ("open", 0.0)
    other.order("sell", PERPETUAL, 300, price)
    order = desk.call("private/get_order_state", order_id=order["order_id"])
    assert (order["order_state"], order["filled_amount"]) == ("open", 300.0)
    other.order("sell", PERPETUAL, 700, price - 1)
    order = desk.call("private/get_order_state", order_id=order["order_id"])
    assert (order["order_state"], order["average_price"]) == ("filled", price)
    trades = desk.call("private/get_user_trades_by_order", order_id=order["order_id"])
    assert [(t["amount"], t["liquidity"], t["label"]) for t in trades] == [
        (700.0, "M", "mine"), (300.0, "M", "mine"),
    ]  # fmt: skip
    house.assert_sound()


def test_a_market_order_takes_and_never_rests(desk, other, price):
    other.order("sell", PERPETUAL, 500, price)
    result = desk.call("private/buy", instrument_name=PERPETUAL, amount=800, type="market")
    assert result["order"]["order_state"] == "cancelled"
    assert result["order"]["filled_amount"] == 500.0
    limit = desk.call("public/ticker", instrument_name=PERPETUAL)["max_price"]
    assert result["order"]["price"] == limit
    trade = result["trades"][0]
    assert (trade["price"], trade["liquidity"], trade["direction"]) == (price, "T", "buy")
    assert trade["fee"] == pytest.approx(0.0005 * 500 / price, abs=1e-12)


def test_market_limit_rests_where_it_began(desk, other, price):
    other.order("sell", PERPETUAL, 500, price)
    result = desk.call("private/buy", instrument_name=PERPETUAL, amount=800, type="market_limit")
    assert (result["order"]["order_state"], result["order"]["price"]) == ("open", price)


def test_immediate_or_cancel_leaves_nothing(desk, other, price):
    other.order("sell", PERPETUAL, 500, price)
    order = desk.order("buy", PERPETUAL, 800, price, time_in_force="immediate_or_cancel")
    assert (order["order_state"], order["filled_amount"]) == ("cancelled", 500.0)
    assert desk.call("private/get_open_orders") == []


def test_fill_or_kill_is_all_or_nothing(desk, other, price):
    other.order("sell", PERPETUAL, 500, price)
    order = desk.order("buy", PERPETUAL, 800, price, time_in_force="fill_or_kill")
    assert (order["order_state"], order["filled_amount"]) == ("cancelled", 0.0)
    order = desk.order("buy", PERPETUAL, 500, price, time_in_force="fill_or_kill")
    assert order["order_state"] == "filled"


def test_post_only_steps_back_or_is_refused(desk, other, price):
    other.order("sell", PERPETUAL, 500, price)
    assert desk.order("buy", PERPETUAL, 100, price, post_only=True)["price"] == price - 0.5
    wanted = {"post_only": True, "reject_post_only": True}
    assert refusal(lambda: desk.order("buy", PERPETUAL, 100, price, **wanted)).code == 11054


def test_a_good_til_day_order_ends_at_the_settlement(house, desk, price):
    order = desk.order("buy", PERPETUAL, 100, price - 500, time_in_force="good_til_day")
    house.now_ns += 86_400 * 10**9
    house.pass_time(2)
    order = desk.call("private/get_order_state", order_id=order["order_id"])
    assert order["order_state"] == "cancelled"


@pytest.mark.parametrize(
    ("instrument", "amount", "offset", "code"),
    [
        (PERPETUAL, 100, 0.3, 10043),
        (PERPETUAL, 5, 0, 10002),
        (PERPETUAL, 105, 0, -32602),
        (PERPETUAL, -10, 0, 10021),
        (PERPETUAL, 0, 0, 10002),
        (PERPETUAL, 100, 5_000, 10007),
        (PERPETUAL, 100, -1e9, 10023),
        (PERPETUAL, 1e10, 0, 10009),
        ("BTC-NOSUCH", 100, 0, 13020),
        (PERPETUAL, "a lot", 0, -32602),
        (PERPETUAL, [], 0, -32602),
        (PERPETUAL, True, 0, -32602),
    ],
)
def test_wrong_orders_are_refused_by_code(desk, price, instrument, amount, offset, code):
    error = refusal(lambda: desk.order("buy", instrument, amount, price + offset))
    assert error.code == code
    assert desk.call("private/get_open_orders") == []


def test_option_prices_have_a_wider_step_above_fifty_ticks(house, desk):
    name = house.options()[0]
    assert desk.order("buy", name, 0.1, 0.0051 - 0.0001)["price"] == 0.005
    assert refusal(lambda: desk.order("buy", name, 0.1, 0.0051)).code == 10043
    assert desk.order("buy", name, 0.1, 0.0055)["price"] == 0.0055
    assert refusal(lambda: desk.order("buy", name, 0.15, 0.005)).code == -32602


def test_a_sale_below_the_band_names_the_limit(desk, price):
    error = refusal(lambda: desk.order("sell", PERPETUAL, 100, price - 5_000))
    assert error.code == 10005
    assert float(error.message.removeprefix("price_too_low ")) == pytest.approx(price * 0.985, 1e-3)


def test_what_is_not_offered_is_refused_clearly(house, desk, price):
    name = house.options()[0]
    for more in (
        {"type": "trailing_stop"},
        {"linked_order_type": "one_cancels_other"},
        {"display_amount": 10},
    ):
        assert refusal(lambda m=more: desk.order("buy", PERPETUAL, 100, price, **m)).code == 10033
    assert refusal(lambda: desk.order("buy", name, 1, 0.01, advanced="usd")).code == 10033
    assert refusal(lambda: desk.order("buy", PERPETUAL, 100, price, advanced="usd")).code == 11038


def test_an_edit_keeps_the_place_for_less_and_loses_it_for_more(house, desk, other, price):
    mine = desk.order("buy", PERPETUAL, 500, price)
    rival = house.client("desk").order("buy", PERPETUAL, 500, price)
    desk.call("private/edit", order_id=mine["order_id"], amount=400, price=price)
    other.order("sell", PERPETUAL, 100, price)
    state = desk.call("private/get_order_state", order_id=mine["order_id"])
    assert (state["filled_amount"], state["replaced"]) == (100.0, True)
    desk.call("private/edit", order_id=mine["order_id"], amount=600, price=price)
    other.order("sell", PERPETUAL, 100, price)
    state = desk.call("private/get_order_state", order_id=rival["order_id"])
    assert state["filled_amount"] == 100.0


def test_an_edit_by_label_finds_the_one_order(desk, price):
    desk.order("buy", PERPETUAL, 500, price, label="a")
    edited = desk.call(
        "private/edit_by_label", label="a", instrument_name=PERPETUAL, amount=700, price=price - 1
    )
    assert (edited["order"]["amount"], edited["order"]["price"]) == (700.0, price - 1)
    desk.order("buy", PERPETUAL, 500, price, label="a")
    wanted = {"label": "a", "instrument_name": PERPETUAL, "amount": 10}
    assert refusal(lambda: desk.call("private/edit_by_label", **wanted)).code == 13032


def test_orders_of_others_are_out_of_reach(desk, other, price):
    order_id = desk.order("buy", PERPETUAL, 500, price)["order_id"]
    for method in ("cancel", "get_order_state"):
        error = refusal(lambda m=method: other.call(f"private/{m}", order_id=order_id))
        assert error.code == 10029
    assert refusal(lambda: other.call("private/cancel", order_id="nope")).code == 10004


def test_ended_orders_cannot_be_cancelled_or_edited(desk, other, price):
    order_id = desk.order("buy", PERPETUAL, 500, price)["order_id"]
    assert desk.call("private/cancel", order_id=order_id)["cancel_reason"] == "user_request"
    assert refusal(lambda: desk.call("private/cancel", order_id=order_id)).code == 11044
    order_id = desk.order("buy", PERPETUAL, 500, price)["order_id"]
    other.order("sell", PERPETUAL, 500, price)
    assert refusal(lambda: desk.call("private/cancel", order_id=order_id)).code == 11008
    assert refusal(lambda: desk.call("private/edit", order_id=order_id, amount=10)).code == 11008


def test_own_orders_never_trade_with_each_other(house, desk, price):
    resting = desk.order("sell", PERPETUAL, 500, price)
    taking = desk.order("buy", PERPETUAL, 500, price)
    assert taking["order_state"] == "open"
    state = desk.call("private/get_order_state", order_id=resting["order_id"])
    assert state["order_state"] == "cancelled"
    assert house.venue.exchange.history.trade_count == 0


def test_reduce_only_reduces_and_shrinks_with_the_position(house, desk, other, price):
    assert refusal(
        lambda: desk.order("sell", PERPETUAL, 500, price, reduce_only=True)
    ).code == -32602  # fmt: skip
    other.order("sell", PERPETUAL, 500, price)
    desk.order("buy", PERPETUAL, 500, price)
    exit_order = desk.order("sell", PERPETUAL, 9000, price + 50, reduce_only=True)
    assert exit_order["amount"] == 500.0
    other.order("buy", PERPETUAL, 200, price)
    desk.order("sell", PERPETUAL, 200, price)
    state = desk.call("private/get_order_state", order_id=exit_order["order_id"])
    assert state["amount"] == 300.0
    other.order("buy", PERPETUAL, 300, price)
    desk.order("sell", PERPETUAL, 300, price)
    state = desk.call("private/get_order_state", order_id=exit_order["order_id"])
    assert state["order_state"] == "cancelled"
    house.assert_sound()


def test_close_position_sends_the_opposite(desk, other, price):
    assert refusal(
        lambda: desk.call("private/close_position", instrument_name=PERPETUAL, type="market")
    ).code == 10010  # fmt: skip
    other.order("sell", PERPETUAL, 500, price)
    desk.order("buy", PERPETUAL, 500, price)
    other.order("buy", PERPETUAL, 500, price)
    result = desk.call("private/close_position", instrument_name=PERPETUAL, type="market")
    assert (result["order"]["direction"], result["order"]["order_state"]) == ("sell", "filled")
    assert desk.call("private/get_positions", currency="any") == []


def test_a_stop_waits_for_its_trigger(house, desk, other, price):
    stop = desk.call(
        "private/sell", instrument_name=PERPETUAL, amount=100, type="stop_market",
        trigger="index_price", trigger_price=price - 1000, reduce_only=False,
    )["order"]  # fmt: skip
    assert (stop["order_state"], stop["trigger_price"]) == ("untriggered", price - 1000)
    house.pass_time(1)
    assert desk.call("private/get_order_state", order_id=stop["order_id"])["triggered"] is False
    house.market.move_index("BTC", price - 1001)
    house.venue.exchange.marks.refresh(house.now_ns)
    other.order("buy", PERPETUAL, 100, price - 1100)
    house.pass_time(1)
    state = desk.call("private/get_order_state", order_id=stop["order_id"])
    assert (state["order_state"], state["average_price"]) == ("filled", price - 1100)


def test_cancels_count_and_choose(house, desk, price):
    name, eth = house.options()[0], "ETH-PERPETUAL"
    eth_price = round(house.chain.index_usd["ETH"]) - 10
    for label in ("a", "a", "b"):
        desk.order("buy", PERPETUAL, 10, price - 10, label=label)
    desk.order("buy", name, 0.1, 0.01)
    desk.order("buy", eth, 10, eth_price)
    assert desk.call("private/cancel_by_label", label="a") == 2
    assert desk.call("private/cancel_all_by_instrument", instrument_name=name) == 1
    assert desk.call("private/cancel_all_by_currency", currency="ETH", kind="option") == 0
    assert desk.call("private/cancel_all_by_currency", currency="ETH") == 1
    detailed = desk.call("private/cancel_all", detailed=True)
    assert [order["label"] for order in detailed] == ["b"]


def test_history_and_labels_remember_ended_orders(desk, other, price):
    order = desk.order("buy", PERPETUAL, 100, price, label="x")
    other.order("sell", PERPETUAL, 100, price)
    unfilled = desk.order("buy", PERPETUAL, 100, price - 1, label="x")
    desk.call("private/cancel", order_id=unfilled["order_id"])
    history = desk.call("private/get_order_history_by_currency", currency="BTC")
    assert [row["order_id"] for row in history] == [order["order_id"]]
    history = desk.call(
        "private/get_order_history_by_instrument", instrument_name=PERPETUAL, include_unfilled=True
    )
    assert len(history) == 2
    labelled = desk.call("private/get_order_state_by_label", currency="BTC", label="x")
    assert {row["order_state"] for row in labelled} == {"filled", "cancelled"}


def test_trades_page_by_time_and_order(house, desk, other, price):
    for step in range(5):
        desk.order("buy", PERPETUAL, 10, price + step)
        other.order("sell", PERPETUAL, 10, price + step)
        house.pass_time(1)
    wanted = {
        "currency": "BTC",
        "start_timestamp": house.now_ns // 10**6 - 4_000,
        "end_timestamp": house.now_ns // 10**6,
        "count": 2,
        "sorting": "asc",
    }
    page = desk.call("private/get_user_trades_by_currency_and_time", **wanted)
    assert [t["price"] for t in page["trades"]] == [price + 1, price + 2]
    assert page["has_more"] is True
    newest = desk.call("private/get_user_trades_by_currency", currency="BTC", count=1)
    assert newest["trades"][0]["price"] == price + 4
    public = desk.call("public/get_last_trades_by_currency", currency="BTC", count=10)
    assert len(public["trades"]) == 5


def test_positions_and_summary_agree_with_the_trades(house, desk, other):
    name = house.options()[0]
    other.order("sell", name, 2, 0.05)
    desk.order("buy", name, 2, 0.05)
    position = desk.call("private/get_position", instrument_name=name)
    assert (position["size"], position["average_price"]) == (2.0, 0.05)
    summary = desk.call("private/get_account_summary", currency="BTC", extended=True)
    assert summary["balance"] == pytest.approx(1000 - 0.1 - 0.0006, abs=1e-12)
    assert summary["equity"] == pytest.approx(summary["balance"] + 2 * position["mark_price"], 1e-8)
    assert summary["options_value"] == pytest.approx(2 * position["mark_price"], abs=1e-7)
    assert summary["limits"]["matching_engine"]["maximum_mass_quotes"]["burst"] == 100
    both = desk.call("private/get_account_summaries")["summaries"]
    assert [row["currency"] for row in both] == ["BTC", "ETH"]
    house.assert_sound()


def test_a_frozen_group_refuses_protected_orders(house, desk):
    desk.protect(quantity_limit=1.0, frozen_time=100)
    name = house.options()[0]
    desk.order("buy", name, 1, 0.01, mmp=True, mmp_group="g")
    house.client("other").order("sell", name, 1, 0.01)
    error = refusal(lambda: desk.order("buy", name, 1, 0.01, mmp=True, mmp_group="g"))
    assert error.code == 13030
    assert desk.order("buy", name, 1, 0.01)["order_state"] == "open"
