"""Channels: what is sent when, and the book's change-id rules."""

import pytest

from services.venue.rpc.envelope import notice
from tests.unit.venue.client import PERPETUAL, House, RefusedError, two_sided


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
    return float(round(house.chain.index_usd["BTC"]))


def test_unknown_channels_are_left_out_silently(desk):
    wanted = [f"quote.{PERPETUAL}", "quote.NOPE", "nonsense", "book.BTC-PERPETUAL.7.10.100ms",
              "ticker.BTC-PERPETUAL.1s", "user.portfolio.xrp", "a.b.c.d.e.f.g"]  # fmt: skip
    assert desk.call("public/subscribe", channels=wanted) == [f"quote.{PERPETUAL}"]


def test_raw_channels_need_a_login(house):
    stranger = house.client(login=False)
    with pytest.raises(RefusedError) as refused:
        stranger.call("public/subscribe", channels=[f"book.{PERPETUAL}.raw"])
    assert refused.value.code == 13778
    taken = stranger.call("public/subscribe", channels=[f"book.{PERPETUAL}.100ms", "user.lock"])
    assert taken == [f"book.{PERPETUAL}.100ms", "user.lock"][:1]


def test_channels_of_block_trades_and_combos_are_taken_and_stay_silent(house, desk):
    names = [
        "block_rfq.maker.btc", "block_rfq.maker.quotes.eth", "block_rfq.trades.any",
        "block_trade_confirmations.any", "user.combo_trades.option.BTC.raw",
        f"user.combo_trades.{PERPETUAL}.100ms",
    ]  # fmt: skip
    wrong = ["block_rfq.any", "block_rfq.maker.xyz", "user.combo_trades.NOPE.raw"]
    assert desk.subscribe(*names, *wrong) == names
    assert house.client(login=False).call("public/subscribe", channels=names) == []
    house.pass_time(1)
    assert desk.inbox == []
    assert sorted(desk.call("private/unsubscribe", channels=names)) == sorted(names)


def rebuilt(messages):
    """Returns the book that a careful client would have, checking every rule on the way."""
    sides = {"bids": {}, "asks": {}}
    change_id = None
    for message in messages:
        if message["type"] == "snapshot":
            assert "prev_change_id" not in message
            sides = {"bids": {}, "asks": {}}
        else:
            assert message["prev_change_id"] == change_id
            assert message["change_id"] > change_id
        change_id = message["change_id"]
        for name, levels in sides.items():
            for action, level, amount in message[name]:
                if action == "delete":
                    assert amount == 0
                    del levels[level]
                elif action == "change":
                    assert level in levels
                    levels[level] = amount
                else:
                    assert level not in levels
                    levels[level] = amount
    return {name: dict(sorted(levels.items())) for name, levels in sides.items()}


@pytest.mark.parametrize("interval", ["raw", "100ms", "agg2"])
def test_books_follow_from_a_snapshot_by_change_ids(house, desk, other, price, interval):
    channel = f"book.{PERPETUAL}.{interval}"
    other.order("buy", PERPETUAL, 100, price - 5)
    desk.subscribe(channel)
    messages = desk.notices(channel)
    assert messages[0]["type"] == "snapshot"
    late = house.client("desk")
    late_messages = []
    for step in range(12):
        other.order("buy", PERPETUAL, 10, price - 1 - step % 3)
        other.order("sell", PERPETUAL, 20, price + 1 + step % 4)
        if step == 5:
            late.subscribe(channel)
            desk.order("buy", PERPETUAL, 40, price + 2, time_in_force="immediate_or_cancel")
        if step == 8:
            other.call("private/cancel_all")
        house.pass_time(0.3)
        messages += desk.notices(channel)
        late_messages += late.notices(channel)
    house.pass_time(1)
    messages += desk.notices(channel)
    late_messages += late.notices(channel)
    book = house.client("other").call("public/get_order_book", instrument_name=PERPETUAL, depth=20)
    truth = {name: dict(sorted(map(tuple, book[name]))) for name in ("bids", "asks")}
    assert rebuilt(messages) == truth
    assert rebuilt(late_messages) == truth
    assert messages[-1]["change_id"] == late_messages[-1]["change_id"]


def test_grouped_books_are_whole_every_time(house, desk, other, price):
    channel = f"book.{PERPETUAL}.none.10.100ms"
    desk.subscribe(channel)
    other.order("buy", PERPETUAL, 100, price - 5)
    house.pass_time(0.2)
    message = desk.notices(channel)[-1]
    assert message["bids"] == [[price - 5, 100.0]]
    assert "type" not in message
    assert "prev_change_id" not in message


def test_a_quote_comes_only_when_the_best_price_or_amount_changed(desk, other, price):
    channel = f"quote.{PERPETUAL}"
    desk.subscribe(channel)
    empty = desk.notices(channel)[0]
    assert (empty["best_bid_price"], empty["best_bid_amount"]) == (0.0, 0.0)
    other.order("buy", PERPETUAL, 100, price - 5)
    other.order("buy", PERPETUAL, 100, price - 6)
    assert [m["best_bid_price"] for m in desk.notices(channel)] == [price - 5]


def test_trades_are_joined_by_interval(house, desk, other, price):
    raw, joined, kind = (
        f"trades.{PERPETUAL}.raw",
        f"trades.{PERPETUAL}.100ms",
        "trades.future.BTC.raw",
    )
    desk.subscribe(raw, joined, kind, "trades.option.BTC.raw")
    for _ in range(2):
        other.order("sell", PERPETUAL, 10, price)
        desk.order("buy", PERPETUAL, 10, price)
    assert [len(batch) for batch in desk.notices(raw)] == [1, 1]
    assert len(desk.notices(kind)) == 2
    assert desk.notices(joined) == []
    house.pass_time(0.2)
    batch = desk.notices(joined)[0]
    assert [trade["trade_seq"] for trade in batch] == [1, 2]
    assert [trade["tick_direction"] for trade in batch] == [0, 1]
    assert desk.notices("trades.option.BTC.raw") == []


def test_own_orders_come_alone_when_raw_and_together_by_interval(house, desk, price):
    raw, joined = "user.orders.any.any.raw", "user.orders.future.BTC.100ms"
    desk.subscribe(raw, joined)
    order = desk.order("buy", PERPETUAL, 10, price - 5)
    desk.call("private/cancel", order_id=order["order_id"])
    assert [m["order_state"] for m in desk.notices(raw)] == ["open", "cancelled"]
    house.pass_time(0.2)
    assert [[o["order_state"] for o in batch] for batch in desk.notices(joined)] == [["cancelled"]]


def test_changes_bring_trades_positions_and_orders(desk, other, price):
    channel = "user.changes.any.any.raw"
    desk.subscribe(channel)
    other.order("sell", PERPETUAL, 10, price)
    desk.order("buy", PERPETUAL, 10, price)
    change = desk.notices(channel)[-1]
    assert change["instrument_name"] == PERPETUAL
    assert change["trades"][0]["amount"] == 10.0
    assert change["positions"][0]["size"] == 10.0
    assert change["orders"][0]["order_state"] == "filled"


def test_nobody_hears_of_others(house, desk, other, price):
    other.subscribe("user.orders.any.any.raw", "user.trades.any.any.raw", "user.portfolio.any")
    other.inbox.clear()
    third = house.client("desk")
    third.order("buy", PERPETUAL, 10, price - 5)
    assert other.inbox == []


def test_portfolios_come_for_each_currency_and_after_trades(house, desk, other, price):
    desk.subscribe("user.portfolio.any")
    assert {m["currency"] for m in desk.notices("user.portfolio.any")} == {"BTC", "ETH"}
    other.order("sell", PERPETUAL, 10_000, price)
    desk.order("buy", PERPETUAL, 10_000, price)
    house.pass_time(0.2)
    shown = desk.notices("user.portfolio.any")
    assert any(m["currency"] == "BTC" and m["delta_total"] > 0.1 for m in shown)


def test_marks_come_once_a_second_in_one_array(house, desk):
    channel = "markprice.options.btc_usd"
    desk.subscribe(channel)
    desk.notices(channel)
    house.pass_time(3)
    arrays = desk.notices(channel)
    assert len(arrays) == 3
    options = [i for i in house.chain.instruments if i.kind == "option" and i.underlying == "BTC"]
    assert len(arrays[0]) == len(options)
    assert 0.05 < arrays[0][0]["iv"] < 5.0


def test_the_index_comes_when_it_moved_and_once_a_second(house, desk):
    channel = "deribit_price_index.btc_usd"
    desk.subscribe(channel)
    [still] = desk.notices(channel)
    house.pass_time(3)
    assert [m["price"] for m in desk.notices(channel)] == [still["price"]] * 3
    house.market.move_index("BTC", 91_234.56)
    house.pass_time(0.2)
    assert [m["price"] for m in desk.notices(channel)] == [91_234.56]


def test_incremental_tickers_send_what_changed(house, desk, other, price):
    channel = f"incremental_ticker.{PERPETUAL}"
    desk.subscribe(channel)
    snapshot = desk.notices(channel)[0]
    assert (snapshot["type"], snapshot["best_bid_price"]) == ("snapshot", 0.0)
    other.order("buy", PERPETUAL, 100, price - 5)
    house.pass_time(0.2)
    change = desk.notices(channel)[-1]
    assert change["type"] == "change"
    assert change["best_bid_price"] == price - 5
    assert "mark_price" not in change


def test_candles_come_with_trades_and_are_kept(house, desk, other, price):
    channel = f"chart.trades.{PERPETUAL}.1"
    desk.subscribe(channel)
    for step in (0, 3, -2):
        other.order("sell", PERPETUAL, 10, price + step)
        desk.order("buy", PERPETUAL, 10, price + step)
    bar = desk.notices(channel)[-1]
    assert [bar[name] - price for name in ("open", "high", "low", "close")] == [0, 3, -2, -2]
    house.pass_time(130, step_s=10)
    data = desk.call(
        "public/get_tradingview_chart_data", instrument_name=PERPETUAL, resolution="1",
        start_timestamp=0, end_timestamp=house.now_ns // 10**6,
    )  # fmt: skip
    assert data["status"] == "ok"
    assert data["close"] == [price - 2] * len(data["ticks"])
    assert len(data["ticks"]) == 3
    assert data["volume"][1:] == [0.0, 0.0]


def test_quotes_are_shown_when_they_trade_and_not_when_they_move(house, other):
    maker = house.client("desk", cod=True)
    maker.protect()
    maker.subscribe("user.orders.any.any.raw", "user.trades.any.any.raw")
    name = house.options()[0]
    for bid in (0.01, 0.0105):
        maker.quote(two_sided(name, bid, 0.06))
    assert maker.notices("user.orders.any.any.raw") == []
    other.order("buy", name, 1.0, 0.06)
    assert [m["order_state"] for m in maker.notices("user.orders.any.any.raw")] == ["filled"]
    trade = maker.notices("user.trades.any.any.raw")[0][0]
    assert (trade["quote_set_id"], trade["direction"], trade["liquidity"]) == ("s", "sell", "M")


def test_unsubscribing_stops_a_channel(desk, other, price):
    channel = f"quote.{PERPETUAL}"
    desk.subscribe(channel, f"trades.{PERPETUAL}.raw")
    desk.inbox.clear()
    assert desk.call("private/unsubscribe", channels=[channel, "quote.X"]) == [channel]
    other.order("buy", PERPETUAL, 100, price - 5)
    assert desk.inbox == []
    assert desk.call("public/unsubscribe_all") == "ok"


def test_the_volatility_index_is_near_the_money_at_thirty_days(house, desk):
    channel = "deribit_volatility_index.btc_usd"
    desk.subscribe(channel)
    house.pass_time(2)
    shown = desk.notices(channel)
    assert len(shown) == 3
    name = house.options()[0]
    at_the_money = desk.call("public/ticker", instrument_name=name)["mark_iv"]
    assert shown[0]["volatility"] == pytest.approx(at_the_money, rel=0.15)
    bars = desk.call(
        "public/get_volatility_index_data", currency="BTC", resolution="60", start_timestamp=0,
        end_timestamp=house.now_ns // 10**6,
    )["data"]  # fmt: skip
    assert bars[0][4] == shown[0]["volatility"]


def test_a_quote_written_out_is_the_one_that_is_encoded(house, other):
    for name, price in ((PERPETUAL, 90_000.5), (house.options()[0], 0.0005)):
        other.order("buy", name, 10, price)
        exchange, views = house.venue.exchange, house.venue.floor.views
        index = exchange.index_of[name]
        best = views.best(index)
        written = house.venue.floor.market_feeds._quote_notice(index, best, house.now_ns)
        assert written == notice(f"quote.{name}", views.quote(index, house.now_ns))
