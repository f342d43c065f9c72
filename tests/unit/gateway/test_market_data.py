"""Market data: listing, quotes, books, marks, batches."""

import pytest

from shared.clock import NS_PER_MS
from shared.messages.desk import TimerV1
from shared.messages.market import FeedV1, InstrumentsV1, Tick, TicksV1
from shared.messages.risk import AlertV1
from tests.unit.gateway.scripted import (
    CALL,
    CALL_ROW,
    EXPIRY_MS,
    PERPETUAL,
    Scripted,
)

QUOTE = f"quote.{CALL}"
BOOK = f"book.{PERPETUAL}.100ms"


@pytest.fixture
def gateway() -> Scripted:
    scripted = Scripted()
    scripted.ready()
    return scripted


def quote(gateway: Scripted, **fields: object) -> None:
    data = {
        "timestamp": gateway.ms,
        "instrument_name": CALL,
        "best_bid_price": 0.0365,
        "best_bid_amount": 15.4,
        "best_ask_price": 0.04,
        "best_ask_amount": 4.8,
        **fields,
    }
    gateway.notice(QUOTE, data)


def book(
    gateway: Scripted, kind: str, change_id: int, previous: int | None, **sides: object
) -> None:
    data = {"type": kind, "timestamp": gateway.ms, "change_id": change_id, "bids": [], "asks": []}
    if previous is not None:
        data["prev_change_id"] = previous
    gateway.notice(BOOK, {**data, **sides})


def last_tick(gateway: Scripted, name: str) -> Tick:
    gateway.tick()
    ticks = [tick for batch in gateway.said(TicksV1) for tick in batch.ticks]
    return [tick for tick in ticks if tick.instrument == name][-1]


def test_listing_is_published_per_expiry_with_ticks_and_lots() -> None:
    gateway = Scripted()
    gateway.up()
    gateway.answer_all()
    option, perpetual = (message.instruments[0] for message in gateway.said(InstrumentsV1))
    assert (perpetual.kind, perpetual.expiry_ns, perpetual.lot_e8) == ("perpetual", 0, 10**9)
    assert (option.tick_e8, option.lot_e8, option.is_call) == (10_000, 10_000_000, True)
    assert [(step.above_ticks, step.step_ticks) for step in option.tick_steps] == [(50, 5)]
    assert option.expiry_ns == EXPIRY_MS * NS_PER_MS
    assert gateway.core.not_ready() == ""


def test_quote_becomes_a_tick_in_the_next_batch(gateway: Scripted) -> None:
    quote(gateway)
    tick = last_tick(gateway, CALL)
    assert (tick.bid_ticks, tick.bid_lots, tick.ask_ticks, tick.ask_lots) == (365, 154, 400, 48)
    assert tick.is_live
    assert gateway.said(TicksV1)[-1].index_usd == 90010.0


def test_many_quotes_are_one_tick(gateway: Scripted) -> None:
    for amount in (1.0, 2.0, 3.0):
        quote(gateway, best_bid_amount=amount)
    gateway.tick()
    ticks = [tick for tick in gateway.said(TicksV1)[-1].ticks if tick.instrument == CALL]
    assert [tick.bid_lots for tick in ticks] == [30]


def test_empty_sides_are_zero_lots(gateway: Scripted) -> None:
    quote(
        gateway, best_bid_price=0.0, best_bid_amount=0.0, best_ask_price=None, best_ask_amount=None
    )
    tick = last_tick(gateway, CALL)
    assert (tick.bid_ticks, tick.bid_lots, tick.ask_ticks, tick.ask_lots) == (0, 0, 0, 0)
    assert tick.is_live


@pytest.mark.parametrize(
    "fields",
    [
        {"best_bid_price": 0.03651},
        {"best_bid_price": -0.01},
        {"best_bid_price": "0.0365"},
        {"best_bid_price": 1e300},
        {"best_bid_amount": -1.0},
        {"best_bid_amount": ["x"]},
        {"best_bid_price": 0.05},
        {"timestamp": None},
    ],
)
def test_nonsense_in_a_quote_is_dropped_counted_and_said_once(
    gateway: Scripted, fields: dict[str, object]
) -> None:
    quote(gateway)
    quote(gateway, **fields)
    quote(gateway, **fields)
    assert [alert.name for alert in gateway.said(AlertV1)] == ["unreadable-data"]
    assert last_tick(gateway, CALL).bid_ticks == 365


@pytest.mark.parametrize("data", [None, 3, "x", [], [[]], {"timestamp": 1}])
def test_no_shape_of_data_stops_the_gateway(gateway: Scripted, data: object) -> None:
    for channel in list(gateway.core._routes):
        gateway.notice(channel, data)
    gateway.tick(3)


def test_overtaken_quote_is_left(gateway: Scripted) -> None:
    quote(gateway)
    quote(gateway, timestamp=gateway.ms - 5, best_bid_amount=99.0)
    assert last_tick(gateway, CALL).bid_lots == 154


def test_book_follows_changes(gateway: Scripted) -> None:
    book(
        gateway,
        "snapshot",
        7,
        None,
        bids=[["new", 90000.0, 1000.0], ["new", 89999.5, 500.0]],
        asks=[["new", 90001.0, 800.0]],
    )
    book(gateway, "change", 9, 7, bids=[["delete", 90000.0, 0.0]], asks=[["change", 90001.0, 20.0]])
    tick = last_tick(gateway, PERPETUAL)
    assert (tick.bid_ticks, tick.bid_lots) == (179_999, 50)
    assert (tick.ask_ticks, tick.ask_lots) == (180_002, 2)
    assert tick.is_live


def test_gap_renews_that_channel_only_and_the_instrument_is_not_live(gateway: Scripted) -> None:
    book(gateway, "snapshot", 7, None, bids=[["new", 90000.0, 10.0]], asks=[["new", 90001.0, 10.0]])
    gateway.tick()
    book(gateway, "change", 12, 11, bids=[["new", 90000.5, 10.0]])
    assert gateway.request("private/unsubscribe").params == {"channels": [BOOK]}
    assert gateway.request("private/subscribe").params == {"channels": [BOOK]}
    assert not last_tick(gateway, PERPETUAL).is_live
    assert gateway.said(FeedV1)[-1].gap_count == 1
    book(gateway, "change", 13, 12, bids=[["new", 90000.5, 10.0]])
    assert not last_tick(gateway, PERPETUAL).is_live
    gateway.answer_all()
    book(gateway, "snapshot", 20, None, bids=[["new", 90000.0, 10.0]], asks=[])
    assert last_tick(gateway, PERPETUAL).is_live
    gateway.tick(30)
    assert "private/unsubscribe" not in gateway.methods()


def test_snapshot_that_does_not_come_is_asked_for_again(gateway: Scripted) -> None:
    book(gateway, "snapshot", 7, None, bids=[["new", 90000.0, 10.0]])
    book(gateway, "change", 12, 11)
    gateway.answer_all()
    gateway.tick(12)
    assert gateway.request("private/subscribe").params == {"channels": [BOOK]}


def test_crossed_book_is_a_gap(gateway: Scripted) -> None:
    book(gateway, "snapshot", 7, None, bids=[["new", 90000.0, 10.0]], asks=[])
    assert last_tick(gateway, PERPETUAL).is_live
    book(gateway, "change", 8, 7, asks=[["new", 89999.0, 10.0]])
    assert not last_tick(gateway, PERPETUAL).is_live


def test_ticker_gives_the_mark_and_whether_it_trades(gateway: Scripted) -> None:
    book(gateway, "snapshot", 7, None, bids=[["new", 90000.0, 10.0]])
    gateway.notice(f"ticker.{PERPETUAL}.100ms", {"mark_price": 90005.25, "state": "open"})
    tick = last_tick(gateway, PERPETUAL)
    assert (tick.mark_price, tick.is_live) == (90005.25, True)
    gateway.notice(f"ticker.{PERPETUAL}.100ms", {"mark_price": 90005.25, "state": "closed"})
    assert not last_tick(gateway, PERPETUAL).is_live


def test_option_marks_are_read_past_bad_rows(gateway: Scripted) -> None:
    rows = [
        {"instrument_name": CALL, "mark_price": "x", "iv": 1},
        {"instrument_name": CALL, "mark_price": 0.0384, "iv": 0.63},
        {"instrument_name": "BTC-ELSEWHERE", "mark_price": 1, "iv": 1},
    ]
    gateway.notice("markprice.options.btc_usd", rows)
    tick = last_tick(gateway, CALL)
    assert (tick.mark_price, tick.mark_vol) == (0.0384, 0.63)


def test_all_ticks_come_again_within_the_refresh_time(gateway: Scripted) -> None:
    quote(gateway)
    gateway.tick()
    gateway.published.clear()
    gateway.tick(30)
    names = {tick.instrument for batch in gateway.said(TicksV1) for tick in batch.ticks}
    assert names == {CALL, PERPETUAL}


def test_lost_link_makes_every_tick_not_live_until_its_next_quote(gateway: Scripted) -> None:
    quote(gateway)
    gateway.tick()
    gateway.down("cable cut")
    assert not last_tick(gateway, CALL).is_live
    feed = gateway.said(FeedV1)[-1]
    assert (feed.is_connected, feed.reason) == (False, "cable cut")
    gateway.up()
    gateway.answer_all()
    quote(gateway)
    assert last_tick(gateway, CALL).is_live


def test_expiry_ends_a_market_by_time(gateway: Scripted) -> None:
    quote(gateway)
    assert last_tick(gateway, CALL).is_live
    gateway.now_ns = EXPIRY_MS * NS_PER_MS
    assert not last_tick(gateway, CALL).is_live


def test_settled_instrument_leaves_the_listing(gateway: Scripted) -> None:
    quote(gateway)
    state = {"instrument_name": CALL, "state": "settled", "timestamp": gateway.ms}
    gateway.notice("instrument.state.option.BTC", state)
    assert not last_tick(gateway, CALL).is_live
    gateway.tick(10)
    other = {
        **CALL_ROW,
        "instrument_name": "BTC-16JAN26-90000-C",
        "expiration_timestamp": EXPIRY_MS + 10,
    }
    gateway.answer("public/get_instruments", [other])
    listed = {message.expiry_ns: message.instruments for message in gateway.said(InstrumentsV1)}
    assert listed[EXPIRY_MS * NS_PER_MS] == ()
    assert [one.name for one in listed[(EXPIRY_MS + 10) * NS_PER_MS]] == ["BTC-16JAN26-90000-C"]
    assert gateway.request("private/unsubscribe").params == {"channels": [QUOTE]}
    assert gateway.request("private/subscribe").params == {
        "channels": ["quote.BTC-16JAN26-90000-C"]
    }


def test_refused_channel_is_asked_for_again() -> None:
    gateway = Scripted()
    gateway.up()
    while gateway.open:
        request = gateway.open[0]
        if "book." in str(request.params):
            gateway.answer(request.method, [])
        else:
            gateway.answer(request.method, gateway.plain_answer(request))
    gateway.tick(31)
    assert BOOK in gateway.request("private/subscribe").params["channels"]


@pytest.mark.parametrize(
    "fields",
    [
        {"tick_size": 0.0},
        {"min_trade_amount": -1},
        {"strike": "high"},
        {"option_type": "?"},
        {"instrument_id": 1.5},
        {"tick_size_steps": 3},
        {"maker_commission": 5},
    ],
)
def test_unreadable_instrument_is_left_out_with_an_alert(fields: dict[str, object]) -> None:
    gateway = Scripted()
    gateway.up()
    while gateway.open:
        request = gateway.open[0]
        result = gateway.plain_answer(request)
        if result == [CALL_ROW]:
            result = [CALL_ROW, {**CALL_ROW, "instrument_name": "BTC-BAD", **fields}]
        gateway.answer(request.method, result)
    assert [alert.name for alert in gateway.said(AlertV1)] == ["unreadable-instrument"]
    assert "BTC-BAD" not in gateway.core.listing.by_name


def test_subscriptions_are_split_into_calls() -> None:
    gateway = Scripted()
    gateway.up()
    rows = [{**CALL_ROW, "instrument_name": f"BTC-9JAN26-{n}-C"} for n in range(1000, 1900)]
    while gateway.open:
        request = gateway.open[0]
        if request.method == "private/subscribe":
            assert len(request.params["channels"]) <= 500
        result = gateway.plain_answer(request)
        gateway.answer(request.method, rows if result == [CALL_ROW] else result)
    assert gateway.core.subscriptions.missing_count() == 0


def test_venue_clock_is_compared(gateway: Scripted) -> None:
    while "public/get_time" not in gateway.methods():
        gateway.tick()
    request = gateway.request("public/get_time")
    gateway.answer(request.method, gateway.ms + 40)
    gateway.tick(11)
    assert gateway.said(FeedV1)[-1].venue_clock_offset_ns == 40 * NS_PER_MS


def test_instrument_that_the_venue_opens_again_is_live_again(gateway: Scripted) -> None:
    quote(gateway)
    state = {"instrument_name": CALL, "state": "halted", "timestamp": gateway.ms}
    gateway.notice("instrument.state.option.BTC", state)
    assert not last_tick(gateway, CALL).is_live
    gateway.tick(10)
    gateway.answer("public/get_instruments", [CALL_ROW])
    assert last_tick(gateway, CALL).is_live


def test_listed_but_locked_instrument_is_not_live(gateway: Scripted) -> None:
    quote(gateway)
    gateway.tick(3000)
    gateway.answer("public/get_instruments", [{**CALL_ROW, "state": "locked"}])
    assert not last_tick(gateway, CALL).is_live


def test_small_move_of_a_mark_waits_for_the_refresh(gateway: Scripted) -> None:
    mark = {"instrument_name": CALL, "mark_price": 0.0384, "iv": 0.63}
    gateway.notice("markprice.options.btc_usd", [mark])
    assert last_tick(gateway, CALL).mark_price == 0.0384
    gateway.published.clear()
    gateway.notice("markprice.options.btc_usd", [{**mark, "mark_price": 0.03841}])
    gateway.tick()
    assert CALL not in [tick.instrument for batch in gateway.said(TicksV1) for tick in batch.ticks]
    gateway.tick(32)
    assert last_tick(gateway, CALL).mark_price == 0.03841


def test_tick_just_sent_is_not_refreshed_at_once(gateway: Scripted) -> None:
    for _ in range(60):
        quote(gateway, best_bid_amount=0.1 + gateway.ms % 7)
        gateway.tick()
    sent = [tick for batch in gateway.said(TicksV1) for tick in batch.ticks]
    assert len([tick for tick in sent if tick.instrument == CALL]) <= 60
    assert 2 <= len([tick for tick in sent if tick.instrument == PERPETUAL]) <= 4


def test_drained_gateway_says_only_that_the_link_is_gone(gateway: Scripted) -> None:
    quote(gateway)
    gateway.tick()
    gateway.published.clear()
    gateway.take(gateway.core.drain(TimerV1(created_ns=gateway.now_ns)))
    gateway.down()
    gateway.tick(3)
    assert gateway.said(TicksV1) == []
    assert not gateway.said(FeedV1)[-1].is_connected
