"""Fills, positions and cash after reconnects, restarts and lost notifications."""

import pytest

from services.gateway.core import Config
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.orders import AccountV1, FillV1
from shared.messages.risk import AlertV1
from tests.unit.gateway.scripted import CALL, PERPETUAL, T0, Scripted, trade_row

TRADES = "private/get_user_trades_by_currency_and_time"


@pytest.fixture
def gateway() -> Scripted:
    scripted = Scripted()
    scripted.ready()
    return scripted


def test_trade_becomes_one_fill_however_often_it_comes(gateway: Scripted) -> None:
    for _ in range(3):
        gateway.notice("user.trades.any.any.raw", [trade_row("a"), trade_row("b")])
    assert [fill.trade_id for fill in gateway.said(FillV1)] == ["a", "b"]


def test_quote_trade_is_marked_and_has_no_order(gateway: Scripted) -> None:
    quote = trade_row(
        "q",
        instrument_name=CALL,
        price=0.0365,
        amount=0.3,
        mmp=True,
        label="",
        quote_id="7",
        liquidity="M",
        fee=-0.00001,
        direction="sell",
    )
    gateway.notice("user.trades.any.any.raw", [quote])
    [fill] = gateway.said(FillV1)
    assert (fill.is_quote, fill.order_id, fill.is_maker, fill.side) == (True, "", True, "sell")
    assert (fill.price_ticks, fill.amount_lots, fill.fee_coin_e12) == (365, 3, -10_000_000)


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": -1.0},
        {"price": None},
        {"fee": "x"},
        {"fee_currency": "USDC"},
        {"direction": "up"},
        {"index_price": 0.0},
        {"timestamp": -1},
        {"order_id": 5},
        {"liquidity": "X"},
    ],
)
def test_unreadable_trade_pages_a_person(gateway: Scripted, fields: dict[str, object]) -> None:
    gateway.notice("user.trades.any.any.raw", [trade_row("a", **fields), trade_row("b")])
    assert [fill.trade_id for fill in gateway.said(FillV1)] == ["b"]
    assert [alert.name for alert in gateway.said(AlertV1)] == ["unreadable-trade"]


def test_trades_of_the_record_are_not_published_again() -> None:
    first = Scripted()
    first.ready()
    first.notice("user.trades.any.any.raw", [trade_row("a")])
    gateway = Scripted()
    assert list(gateway.core.on_fill(first.said(FillV1)[0])) == []
    gateway.up()
    while gateway.open:
        request = gateway.open[0]
        result = gateway.plain_answer(request)
        if request.method == TRADES:
            assert request.params["start_timestamp"] == T0 // NS_PER_MS - 60_000
            result = {"trades": [trade_row("a"), trade_row("b")], "has_more": False}
        gateway.answer(request.method, result)
    assert [fill.trade_id for fill in gateway.said(FillV1)] == ["b"]


def test_missed_trades_are_read_page_by_page_after_a_reconnect(gateway: Scripted) -> None:
    gateway.down()
    gateway.up()
    stamp = gateway.ms
    page = [trade_row(f"p{n}", timestamp=stamp + n) for n in range(3)]
    gateway.answer(TRADES, {"trades": page, "has_more": True})
    assert gateway.core.not_ready() == "trades not reconciled yet"
    assert gateway.request(TRADES).params["start_timestamp"] == stamp + 2
    gateway.answer(TRADES, {"trades": [page[2], trade_row("last")], "has_more": False})
    assert [fill.trade_id for fill in gateway.said(FillV1)] == ["p0", "p1", "p2", "last"]
    assert gateway.core.not_ready() == ""


def test_page_within_one_millisecond_does_not_loop(gateway: Scripted) -> None:
    gateway.down()
    gateway.up()
    start = gateway.request(TRADES).params["start_timestamp"]
    for n in range(3):
        gateway.answer(TRADES, {"trades": [trade_row(f"p{n}", timestamp=start)], "has_more": True})
        start += 1
        assert gateway.request(TRADES).params["start_timestamp"] == start


def test_refused_reading_of_trades_is_tried_again(gateway: Scripted) -> None:
    gateway.down()
    gateway.up()
    gateway.answer(TRADES, error=(13028, "temporarily_unavailable"))
    gateway.answer_all()
    gateway.tick(11)
    assert gateway.request(TRADES)


def test_lost_notification_is_made_good_by_asking(gateway: Scripted) -> None:
    gateway.tick(150)
    gateway.answer(TRADES, {"trades": [trade_row("a")], "has_more": False})
    assert [fill.trade_id for fill in gateway.said(FillV1)] == ["a"]


def test_trade_of_an_unlisted_instrument_waits_for_its_description(gateway: Scripted) -> None:
    row = trade_row("x", instrument_name="BTC-2JAN26", price=90001.0)
    gateway.notice("user.trades.any.any.raw", [row])
    assert gateway.said(FillV1) == []
    request = gateway.request("public/get_instrument")
    described = {
        **gateway_row(),
        "instrument_name": "BTC-2JAN26",
        "settlement_period": "week",
        "expiration_timestamp": T0 // NS_PER_MS,
    }
    gateway.answer(request.method, described)
    assert [fill.instrument for fill in gateway.said(FillV1)] == ["BTC-2JAN26"]


def gateway_row() -> dict[str, object]:
    from tests.unit.gateway.scripted import PERPETUAL_ROW

    return PERPETUAL_ROW


def test_trade_in_what_the_desk_does_not_know_pages(gateway: Scripted) -> None:
    gateway.notice("user.trades.any.any.raw", [trade_row("x", instrument_name="SOL_USDC")])
    gateway.answer("public/get_instrument", error=(13020, "not_found"))
    assert [alert.name for alert in gateway.said(AlertV1)] == ["trade-elsewhere"]


def test_account_is_read_every_two_seconds(gateway: Scripted) -> None:
    for _ in range(45):
        gateway.tick()
        while "private/get_positions" in gateway.methods():
            gateway.answer(
                "private/get_positions",
                [
                    {"instrument_name": PERPETUAL, "size": -50.0},
                    {"instrument_name": CALL, "size": 0.0},
                ],
            )
        gateway.answer_all()
    accounts = gateway.said(AccountV1)
    assert 2 <= len(accounts) <= 3
    assert [(one.instrument, one.position_lots) for one in accounts[-1].positions] == [
        (PERPETUAL, -5)
    ]
    assert accounts[-1].balance_coin_e12 == 10 * 10**12
    assert accounts[-1].equity_coin_e12 == 105 * 10**11


def test_account_reading_that_a_trade_crossed_is_read_again(gateway: Scripted) -> None:
    gateway.tick(25)
    gateway.answer("private/get_positions", [])
    gateway.notice("user.trades.any.any.raw", [trade_row("a")])
    gateway.answer("private/get_account_summary", {"balance": 1.0, "equity": 1.0})
    gateway.published.clear()
    gateway.tick(1)
    assert gateway.said(AccountV1) == []
    gateway.answer_all()
    gateway.tick(3)
    assert [one.last_trade_id for one in gateway.said(AccountV1)] == ["a"]


@pytest.mark.parametrize(
    ("made_ms", "known"),
    [
        (990, "a"),  # both halves have it
        (996, None),
        (1_000, None),
        (1_007, None),
        (1_020, ""),  # neither has it
    ],
)
def test_whether_a_trade_spoils_a_reading_the_venues_clock_says(
    gateway: Scripted, made_ms: int, known: str | None
) -> None:
    gateway.tick(25)
    begin = gateway.ms
    taken, answered = [(begin + ms) * NS_PER_MS for ms in (1_000, 1_004)]
    gateway.answer("private/get_positions", [], venue_ns=(taken, taken))
    gateway.notice("user.trades.any.any.raw", [trade_row("a", timestamp=begin + made_ms)])
    summary = {"balance": 1.0, "equity": 1.0}
    gateway.answer("private/get_account_summary", summary, venue_ns=(answered, answered))
    gateway.published.clear()
    gateway.tick(3)
    words = gateway.said(AccountV1)
    assert [one.last_trade_id for one in words] == ([] if known is None else [known])
    assert all(one.venue_ns == taken for one in words)


def test_trades_in_a_row_do_not_use_up_the_credits(gateway: Scripted) -> None:
    asked = 0
    for number in range(100):  # ten seconds
        gateway.notice("user.trades.any.any.raw", [trade_row(f"a{number}")])
        gateway.tick(1)
        asked += gateway.methods().count("private/get_positions")
        gateway.answer_all()
    assert 15 <= asked <= 21


def test_fill_brings_the_account_soon() -> None:
    gateway = Scripted(Config(account_ms=60_000))
    gateway.ready()
    gateway.tick(10)
    gateway.answer_all()
    gateway.tick(5)
    gateway.published.clear()
    gateway.notice("user.trades.any.any.raw", [trade_row("a")])
    gateway.tick(5)
    gateway.answer_all()
    gateway.tick(3)
    assert len(gateway.said(AccountV1)) == 1


@pytest.mark.parametrize("rows", [[{"instrument_name": "BTC-NONE", "size": 1.0}], [{"size": 1.0}]])
def test_unreadable_account_is_an_alert(gateway: Scripted, rows: list[dict[str, object]]) -> None:
    gateway.tick(25)
    gateway.answer("private/get_positions", rows)
    gateway.answer_all()
    gateway.tick(4)
    assert [alert.name for alert in gateway.said(AlertV1)] == ["unreadable-account"]
    assert gateway.now_ns > T0 + NS_PER_S
