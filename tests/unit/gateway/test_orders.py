"""Orders: placed once, asked for when in doubt."""

import pytest

from shared.clock import NS_PER_S
from shared.messages.orders import CancelOrderV1, FillV1, OrderV1, QueryOrderV1
from shared.messages.risk import AlertV1
from shared.venue_link import NOT_SENT, OUTCOME_UNKNOWN
from tests.unit.gateway.scripted import PERPETUAL, T0, Scripted, order_row, place, trade_row

UNKNOWN = (OUTCOME_UNKNOWN, "no reply in time")
LABEL = "private/get_order_state_by_label"
HISTORY = "private/get_order_history_by_currency"


@pytest.fixture
def gateway() -> Scripted:
    scripted = Scripted()
    scripted.ready()
    return scripted


def states(gateway: Scripted) -> list[tuple[str, str]]:
    return [(order.state, order.reason) for order in gateway.said(OrderV1)]


def settle(gateway: Scripted, found: object = None) -> None:
    """Lets time pass; label lookups find `found`, or nothing."""
    for _ in range(60):
        gateway.tick()
        while LABEL in gateway.methods():
            gateway.answer(LABEL, [found] if found else [])
        while HISTORY in gateway.methods():
            gateway.answer(HISTORY, [])


def test_order_goes_out_in_the_venues_units(gateway: Scripted) -> None:
    gateway.command(place())
    params = gateway.request("private/buy").params
    assert params == {
        "instrument_name": PERPETUAL,
        "amount": 100.0,
        "type": "limit",
        "price": 90000.5,
        "label": "i1-0",
        "time_in_force": "good_til_cancelled",
        "post_only": True,
        "reject_post_only": True,
        "reduce_only": False,
    }
    gateway.answer("private/buy", {"order": order_row(), "trades": []})
    [order] = gateway.said(OrderV1)
    assert (order.state, order.amount_lots, order.price_ticks) == ("open", 10, 180_001)


def test_trades_in_the_answer_and_in_the_notice_are_one_fill(gateway: Scripted) -> None:
    gateway.command(place(is_immediate=True, is_post_only=False))
    row = order_row("filled", filled_amount=100.0)
    gateway.answer("private/buy", {"order": row, "trades": [trade_row()]})
    gateway.notice("user.trades.any.any.raw", [trade_row()])
    [fill] = gateway.said(FillV1)
    assert (fill.order_id, fill.amount_lots, fill.fee_coin_e12) == ("i1-0", 2, 1_100_000)
    assert states(gateway) == [("filled", "")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ((11054, "post_only_reject"), "11054 post_only_reject"),
        ((10009, "not_enough_funds"), "10009 not_enough_funds"),
        ((NOT_SENT, "no credit"), "not sent: no credit"),
    ],
)
def test_refused_order_is_rejected(gateway: Scripted, error: tuple[int, str], reason: str) -> None:
    gateway.command(place())
    gateway.answer("private/buy", error=error)
    assert states(gateway) == [("rejected", reason)]


def test_expired_command_is_refused(gateway: Scripted) -> None:
    gateway.tick(20)
    gateway.command(place(expires_ns=T0 + NS_PER_S))
    assert "private/buy" not in gateway.methods()
    assert states(gateway) == [("rejected", "expired")]


def test_command_while_down_is_refused() -> None:
    gateway = Scripted()
    gateway.command(place())
    assert states(gateway) == [("rejected", "not connected")]


def test_command_delivered_twice_is_sent_once(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.command(place())
    assert gateway.methods().count("private/buy") == 1
    gateway.answer("private/buy", {"order": order_row(), "trades": []})
    gateway.command(place())
    assert "private/buy" not in gateway.methods()


def test_command_from_before_a_restart_is_asked_for_and_never_sent() -> None:
    gateway = Scripted(started_ns=T0 + NS_PER_S)
    gateway.now_ns = T0 + 2 * NS_PER_S
    gateway.ready()
    gateway.command(place(created_ns=T0))
    assert gateway.methods() == [LABEL]
    settle(gateway)
    assert states(gateway)[0][0] == "unknown"
    assert states(gateway)[-1] == ("rejected", "not_found")
    assert "private/buy" not in gateway.methods()


@pytest.mark.parametrize("error", [UNKNOWN, (13888, "timed_out"), (11094, "internal")])
def test_unknown_outcome_is_asked_for_and_never_resent(
    gateway: Scripted, error: tuple[int, str]
) -> None:
    gateway.command(place())
    gateway.answer("private/buy", error=error)
    assert gateway.methods() == [LABEL]
    gateway.answer(LABEL, [order_row("filled", filled_amount=100.0)])
    assert [state for state, _ in states(gateway)] == ["unknown", "filled"]


def test_not_found_only_after_history_and_settling(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", error=UNKNOWN)
    gateway.answer(LABEL, [])
    gateway.answer(HISTORY, [order_row("cancelled", label="another")])
    assert [state for state, _ in states(gateway)] == ["unknown"]
    settle(gateway)
    assert states(gateway)[-1] == ("rejected", "not_found")
    assert gateway.now_ns - T0 >= 2 * NS_PER_S


def test_unknown_outcome_is_found_in_the_history(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", error=UNKNOWN)
    gateway.answer(LABEL, error=(10004, "order_not_found"))
    gateway.answer(HISTORY, [order_row("cancelled", cancel_reason="cancel_on_disconnect")])
    assert states(gateway)[-1] == ("cancelled", "cancel_on_disconnect")


def test_lost_link_makes_the_outcome_unknown_until_it_is_back(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.down()
    assert [state for state, _ in states(gateway)] == ["unknown"]
    gateway.up()
    gateway.tick()
    assert LABEL in gateway.methods()
    gateway.answer(LABEL, [order_row("cancelled", filled_amount=30.0)])
    [_, order] = gateway.said(OrderV1)
    assert (order.state, order.filled_lots) == ("cancelled", 3)


def test_order_given_up_that_comes_back_is_cancelled(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", error=UNKNOWN)
    settle(gateway)
    gateway.answer_all()
    gateway.notice("user.orders.future.BTC.raw", order_row())
    assert gateway.request("private/cancel").params == {"order_id": "v1"}
    assert [alert.name for alert in gateway.said(AlertV1)] == ["order-came-back"]


def test_cancel_goes_by_the_venues_id(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", {"order": order_row(), "trades": []})
    gateway.command(CancelOrderV1(created_ns=T0, order_id="i1-0", attempt=1))
    assert gateway.request("private/cancel").params == {"order_id": "v1"}
    gateway.answer("private/cancel", order_row("cancelled", cancel_reason="user_request"))
    assert states(gateway)[-1] == ("cancelled", "user_request")


def test_cancel_of_an_unanswered_order_goes_by_label_and_again_once_open(
    gateway: Scripted,
) -> None:
    gateway.command(place())
    gateway.command(CancelOrderV1(created_ns=T0, order_id="i1-0", attempt=1))
    gateway.answer("private/cancel_by_label", 0)
    gateway.answer("private/buy", {"order": order_row(), "trades": []})
    assert gateway.request("private/cancel").params == {"order_id": "v1"}


def test_cancel_that_finds_no_order_asks_what_became_of_it(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", {"order": order_row(), "trades": []})
    gateway.command(CancelOrderV1(created_ns=T0, order_id="i1-0", attempt=1))
    gateway.answer("private/cancel", error=(10004, "order_not_found"))
    gateway.answer("private/get_order_state", order_row("filled", filled_amount=100.0))
    assert states(gateway)[-1][0] == "filled"


def test_cancel_while_down_is_done_when_the_link_is_back(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", {"order": order_row(), "trades": []})
    gateway.down()
    gateway.command(CancelOrderV1(created_ns=T0, order_id="i1-0", attempt=1))
    assert gateway.methods() == []
    gateway.up()
    gateway.tick()
    assert gateway.request("private/cancel").params == {"order_id": "v1"}


def test_query_by_a_gateway_that_knows_nothing(gateway: Scripted) -> None:
    query = QueryOrderV1(created_ns=T0, order_id="i9-0", attempt=1, instrument=PERPETUAL)
    gateway.command(query)
    gateway.answer(LABEL, [order_row(label="i9-0")])
    [order] = gateway.said(OrderV1)
    assert (order.order_id, order.state, order.venue_order_id) == ("i9-0", "open", "v1")


def test_query_for_what_never_was_ends_as_not_found(gateway: Scripted) -> None:
    gateway.command(QueryOrderV1(created_ns=T0, order_id="i9-0", attempt=1))
    settle(gateway)
    assert states(gateway)[-1] == ("rejected", "not_found")


def test_ended_order_is_not_reopened_by_an_old_word(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", {"order": order_row("filled", filled_amount=100.0)})
    gateway.notice("user.orders.future.BTC.raw", [order_row()])
    assert [state for state, _ in states(gateway)] == ["filled"]


def test_open_order_is_asked_for_now_and_then(gateway: Scripted) -> None:
    gateway.command(place())
    gateway.answer("private/buy", {"order": order_row(), "trades": []})
    gateway.tick(51)
    gateway.answer("private/get_order_state", order_row("cancelled"))
    assert states(gateway)[-1][0] == "cancelled"


def test_open_orders_of_an_earlier_process_join_after_a_reconnect() -> None:
    gateway = Scripted()
    gateway.up()
    for _ in range(2):
        gateway.answer(
            "public/get_instruments",
            gateway.plain_answer(gateway.request("public/get_instruments")),
        )
    rows = [order_row(label="old-0"), order_row(label=""), order_row(label="bad label!")]
    gateway.answer("private/get_open_orders_by_currency", rows)
    assert [order.order_id for order in gateway.said(OrderV1)] == ["old-0"]


@pytest.mark.parametrize(
    "fields",
    [
        {"filled_amount": -10.0},
        {"filled_amount": 1e300},
        {"order_state": "asleep"},
        {"price": None},
        {"order_id": "x y"},
        {"last_update_timestamp": "now"},
        {"amount": 10.0, "filled_amount": 20.0},
    ],
)
def test_nonsense_about_an_order_is_an_alert_and_a_question(
    gateway: Scripted, fields: dict[str, object]
) -> None:
    gateway.command(place())
    gateway.answer("private/buy", {"order": {**order_row(), **fields}, "trades": []})
    assert [alert.name for alert in gateway.said(AlertV1)] == ["unreadable-order"]
    gateway.tick(6)
    assert LABEL in gateway.methods()
