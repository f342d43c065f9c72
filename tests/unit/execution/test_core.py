"""Execution: intents in, orders out, one at a time, and an outcome at the end."""

import itertools

import pytest

from services.execution.core import Config
from shared.clock import NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeOutcomeV1
from shared.messages.message import Message
from shared.messages.orders import CancelOrderV1, FillV1, PlaceOrderV1, QueryOrderV1
from shared.messages.risk import AlertV1
from tests.unit.execution.desk import T0, Desk, fill, halt, intent, order


@pytest.fixture
def desk() -> Desk:
    return Desk()


def outcome(desk: Desk) -> tuple[str, int]:
    [message] = desk.said(HedgeOutcomeV1)
    return message.result, message.filled_lots


def test_passive_intent_rests_one_step_inside_the_touch(desk: Desk) -> None:
    desk.intent()
    [place] = desk.said(PlaceOrderV1)
    assert (place.order_id, place.price_ticks, place.amount_lots) == ("i1-0", 180_001, 100)
    assert (place.is_post_only, place.is_immediate, place.side) == (True, False, "buy")


def test_sell_rests_inside_the_ask(desk: Desk) -> None:
    desk.intent(side="sell")
    assert desk.said(PlaceOrderV1)[0].price_ticks == 180_009


def test_tight_market_is_joined(desk: Desk) -> None:
    desk.market(bid=180_000, ask=180_001)
    desk.intent()
    assert desk.said(PlaceOrderV1)[0].price_ticks == 180_000


def test_filled_order_is_a_done_intent(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.told("filled")
    assert outcome(desk) == ("done", 100)
    desk.tick(300)
    assert desk.kinds == ["PlaceOrderV1", "HedgeOutcomeV1"]


def test_outbid_order_is_cancelled_then_replaced_for_what_is_left(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.market(bid=180_004)
    desk.tick(6)
    assert desk.kinds == ["PlaceOrderV1", "CancelOrderV1"]
    desk.told("cancelled", filled_lots=30)
    second = desk.said(PlaceOrderV1)[1]
    assert (second.order_id, second.amount_lots, second.price_ticks) == ("i1-1", 70, 180_005)


def test_order_that_nobody_is_ahead_of_stays(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.market(bid=180_001, lots=10)
    desk.tick(100)
    assert desk.kinds == ["PlaceOrderV1"]


def test_order_is_not_moved_more_often_than_configured(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.market(bid=180_004)
    desk.tick(4)
    assert desk.said(CancelOrderV1) == []


def test_urgent_intent_takes_within_slippage(desk: Desk) -> None:
    desk.intent(urgency="taking")
    [place] = desk.said(PlaceOrderV1)
    assert (place.is_immediate, place.is_post_only) == (True, False)
    assert place.price_ticks == int(180_010 * 1.0005)


def test_partial_take_is_followed_by_another_after_a_pause(desk: Desk) -> None:
    desk.intent(urgency="taking")
    desk.told("cancelled", filled_lots=60)
    assert len(desk.said(PlaceOrderV1)) == 1
    desk.tick(3)
    assert desk.said(PlaceOrderV1)[1].amount_lots == 40


def test_deadline_near_turns_resting_into_taking_where_configured() -> None:
    desk = Desk(Config(escalate_ms=3000))
    desk.intent()
    desk.told("open")
    desk.tick(170)
    assert desk.kinds == ["PlaceOrderV1", "CancelOrderV1"]
    desk.told("cancelled", filled_lots=10)
    last = desk.said(PlaceOrderV1)[-1]
    assert (last.is_immediate, last.amount_lots) == (True, 90)


def test_deadline_ends_the_intent_with_what_was_done(desk: Desk) -> None:
    desk.market(ask=0)
    desk.intent(side="buy", urgency="taking")
    desk.tick(201)
    assert outcome(desk) == ("expired", 0)


def test_no_outcome_while_an_order_may_still_trade(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.tick(250)
    assert desk.said(HedgeOutcomeV1) == []
    desk.told("cancelled", filled_lots=5)
    assert outcome(desk) == ("expired", 5)


def test_newer_intent_waits_for_the_end_of_the_old_one(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.tick()
    desk.intent("i2", amount_lots=40, side="sell")
    assert desk.kinds == ["PlaceOrderV1", "CancelOrderV1"]
    desk.told("cancelled", filled_lots=20)
    assert outcome(desk) == ("replaced", 20)
    assert desk.said(PlaceOrderV1)[-1].order_id == "i2-0"


def test_intent_between_two_is_replaced_without_an_order(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.tick()
    desk.intent("i2")
    desk.tick()
    desk.intent("i3")
    desk.told("cancelled")
    results = [(one.intent_id, one.result) for one in desk.said(HedgeOutcomeV1)]
    assert sorted(results) == [("i1", "replaced"), ("i2", "replaced")]
    assert [place.order_id for place in desk.said(PlaceOrderV1)] == ["i1-0", "i3-0"]


def test_older_intent_that_comes_late_does_not_replace(desk: Desk) -> None:
    desk.tick(10)
    desk.intent("i2")
    desk.take(desk.core.on_intent(intent("i1", created_ns=T0)))
    assert [(one.intent_id, one.result) for one in desk.said(HedgeOutcomeV1)] == [
        ("i1", "replaced")
    ]
    assert [place.order_id for place in desk.said(PlaceOrderV1)] == ["i2-0"]


def test_doubled_intent_is_one(desk: Desk) -> None:
    desk.intent()
    desk.intent()
    desk.told("filled")
    desk.intent()
    assert desk.kinds == ["PlaceOrderV1", "HedgeOutcomeV1"]


def test_silent_order_is_asked_for_with_growing_waits_and_never_resent(desk: Desk) -> None:
    desk.intent(deadline_ns=T0 + 100 * NS_PER_S)
    desk.tick(300)
    queries = desk.said(QueryOrderV1)
    gaps = [later.created_ns - one.created_ns for one, later in itertools.pairwise(queries)]
    assert 3 <= len(queries) <= 7
    assert gaps == sorted(gaps)
    assert len({query.message_id() for query in queries}) == len(queries)
    assert len(desk.said(PlaceOrderV1)) == 1


def test_unknown_outcome_blocks_until_it_is_known(desk: Desk) -> None:
    desk.intent()
    desk.told("unknown")
    desk.tick(100)
    assert len(desk.said(PlaceOrderV1)) == 1
    assert desk.said(QueryOrderV1)
    desk.told("rejected", reason="not_found")
    desk.tick(2)
    assert [place.order_id for place in desk.said(PlaceOrderV1)] == ["i1-0", "i1-1"]


def test_order_given_up_that_comes_back_is_cancelled_and_counted(desk: Desk) -> None:
    desk.intent()
    first = desk.said(PlaceOrderV1)[0]
    desk.told("rejected", reason="not_found")
    desk.told("open", first)
    desk.tick(5)
    assert [cancel.order_id for cancel in desk.said(CancelOrderV1)] == ["i1-0"]
    assert len(desk.said(PlaceOrderV1)) == 1
    desk.told("cancelled", first, filled_lots=60)
    assert desk.said(PlaceOrderV1)[-1].amount_lots == 40


def test_cancel_is_asked_for_again_until_the_order_ends(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.tick()
    desk.intent("i2")
    desk.tick(50)
    assert len(desk.said(CancelOrderV1)) == 3
    assert len({cancel.message_id() for cancel in desk.said(CancelOrderV1)}) == 3


def test_refused_orders_are_tried_again_ever_slower_then_the_intent_is_rejected() -> None:
    desk = Desk(Config(rejects_max=4))
    desk.intent()
    for _ in range(4):
        desk.told("rejected", reason="11054 post_only_reject")
        desk.tick(10)
    assert outcome(desk) == ("rejected", 0)
    assert len(desk.said(PlaceOrderV1)) == 4
    assert [alert.name for alert in desk.said(AlertV1)] == ["intent-rejected"]


def test_fills_before_the_orders_word_count_once(desk: Desk) -> None:
    desk.intent()
    place = desk.said(PlaceOrderV1)[0]
    for _ in range(2):
        desk.take(desk.core.on_fill(fill(place, "t1", 30, desk.now_ns)))
    desk.take(desk.core.on_fill(fill(place, "t2", 20, desk.now_ns)))
    desk.told("cancelled", filled_lots=30)
    assert desk.said(PlaceOrderV1)[-1].amount_lots == 50


@pytest.mark.parametrize("fields", [{"is_live": False}, {"bid": 0, "ask": 0, "mark_price": 0.0}])
def test_nothing_is_placed_without_a_market(desk: Desk, fields: dict[str, object]) -> None:
    desk.market(**fields)  # type: ignore[arg-type]
    desk.intent()
    desk.tick(20)
    assert desk.out == []


def test_stale_market_places_nothing_and_pulls_what_rests(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.tick(60, is_quiet=True)
    assert desk.kinds == ["PlaceOrderV1", "CancelOrderV1"]
    desk.told("cancelled")
    desk.tick(20, is_quiet=True)
    assert len(desk.said(PlaceOrderV1)) == 1


def test_price_is_never_beyond_the_collar() -> None:
    desk = Desk(Config(collar_ratio=0.001, slippage_ratio=0.02))
    desk.intent(urgency="taking")
    assert desk.said(PlaceOrderV1)[0].price_ticks == int(180_005 * 1.001)
    desk.told("cancelled")
    desk.market(bid=180_000, ask=181_000)
    desk.tick(10)
    assert len(desk.said(PlaceOrderV1)) == 1, "the ask is beyond the collar"


def test_big_intent_is_cut_into_orders() -> None:
    desk = Desk(Config(order_usd_max=500.0))
    desk.intent()
    assert desk.said(PlaceOrderV1)[0].amount_lots == 50
    desk.told("filled")
    assert desk.said(PlaceOrderV1)[1].amount_lots == 50


def test_intent_in_an_unlisted_instrument_is_rejected(desk: Desk) -> None:
    desk.intent(instrument="BTC-1JAN30")
    assert outcome(desk) == ("rejected", 0)


def test_halt_of_quoting_does_not_stop_hedging(desk: Desk) -> None:
    desk.take(desk.core.on_halt(halt("halt", "vega limit", desk.now_ns)))
    desk.intent()
    assert desk.kinds == ["PlaceOrderV1"]


def test_halt_of_all_orders_cancels_and_places_none_until_resumed(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.take(desk.core.on_halt(halt("halt", "kill switch: all orders", desk.now_ns)))
    assert desk.kinds == ["PlaceOrderV1", "CancelOrderV1"]
    desk.told("cancelled")
    desk.tick(50)
    assert len(desk.said(PlaceOrderV1)) == 1
    desk.take(desk.core.on_halt(halt("resume", "", desk.now_ns)))
    assert len(desk.said(PlaceOrderV1)) == 2


def test_drain_cancels_and_waits(desk: Desk) -> None:
    desk.intent()
    desk.told("open")
    desk.take(desk.core.drain(TimerV1(created_ns=desk.now_ns)))
    assert desk.kinds == ["PlaceOrderV1", "CancelOrderV1"]
    assert not desk.core.is_drained()
    desk.told("cancelled")
    desk.tick(5)
    assert desk.core.is_drained()
    assert desk.kinds == ["PlaceOrderV1", "CancelOrderV1"]


def replay(record: list[Message]) -> Desk:
    desk = Desk(is_started=False)
    handlers = {
        "HedgeIntentV1": desk.core.on_intent,
        "PlaceOrderV1": desk.core.on_place,
        "OrderV1": desk.core.on_order,
        "FillV1": desk.core.on_fill,
        "HedgeOutcomeV1": desk.core.on_outcome,
    }
    for message in record:
        desk.take(handlers[type(message).__name__](message))  # type: ignore[operator]
    assert desk.out == [], "replay says nothing"
    desk.now_ns = T0 + NS_PER_S
    desk.market()
    desk.take(desk.core.start(TimerV1(created_ns=desk.now_ns)))
    return desk


def test_restart_asks_for_what_was_live_and_goes_on_with_the_next_number(desk: Desk) -> None:
    desk.intent()
    place = desk.said(PlaceOrderV1)[0]
    again = replay([intent(), place, order(place, "open", T0), fill(place, "t1", 25, T0)])
    assert [query.order_id for query in again.said(QueryOrderV1)] == ["i1-0"]
    again.told("cancelled", place, filled_lots=25)
    assert [(one.order_id, one.amount_lots) for one in again.said(PlaceOrderV1)] == [("i1-1", 75)]


def test_restart_with_an_order_nobody_has_told_of_places_nothing(desk: Desk) -> None:
    desk.intent()
    again = replay([intent(), desk.said(PlaceOrderV1)[0]])
    again.tick(50)
    assert again.said(PlaceOrderV1) == []
    assert again.said(QueryOrderV1)


def test_restart_before_any_order_goes_on_with_the_intent() -> None:
    assert [place.order_id for place in replay([intent()]).said(PlaceOrderV1)] == ["i1-0"]


def test_restart_after_the_outcome_says_nothing(desk: Desk) -> None:
    desk.intent()
    desk.told("filled")
    record: list[Message] = [intent(), *desk.out]
    assert replay(record).out == []


def test_own_order_coming_back_changes_nothing(desk: Desk) -> None:
    desk.intent()
    desk.take(desk.core.on_place(desk.said(PlaceOrderV1)[0]))
    desk.told("filled")
    assert outcome(desk) == ("done", 100)


def test_other_agents_orders_and_fills_are_left(desk: Desk) -> None:
    desk.intent()
    place = desk.said(PlaceOrderV1)[0]
    other = [
        order(place, "filled", T0, order_id="manual-1"),
        order(place, "filled", T0, order_id="nodash"),
        order(place, "filled", T0, order_id="i1-77"),
    ]
    for message in other:
        desk.take(desk.core.on_order(message))
    quote = FillV1(**{**_fields(fill(place, "q", 5, T0)), "order_id": "", "is_quote": True})
    desk.take(desk.core.on_fill(quote))
    assert desk.kinds == ["PlaceOrderV1"]


def _fields(message: Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in message.__struct_fields__}
