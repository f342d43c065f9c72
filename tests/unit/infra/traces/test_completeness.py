"""A fill's trace is whole, or the judge says what it lacks."""

import dataclasses

import pytest

from infra.traces.completeness import AFTER, BEFORE_A_HEDGE, EDGES, FILL, judge
from infra.traces.span import Place, Span, Traces, edges_of


def span(number, service, name, parent=0, *, trace="a", links=(), message_id=""):
    return Span(
        place=Place(trace, str(number)),
        parent_id=str(parent) if parent else "",
        links=tuple(Place(*link) for link in links),
        service=service,
        name=name,
        began_us=number,
        took_us=1,
        tags={"messaging.message.id": message_id},
    )


def fill(trade_id, number=1, parent=0, trace="a"):
    return span(number, "gateway", FILL, parent, trace=trace, message_id=f"fill-{trade_id}")


def whole_quote():
    """A fill with all that follows: what risk says is its own, what hedging hears is risk's."""
    return [
        fill("T"),
        span(2, "risk", "process orders.fill.v1.{key}", 1),
        span(3, "ledger", "process orders.fill.v1.{key}", 1),
        span(4, "market_making", "process orders.fill.v1.{key}", 1),
        span(5, "risk", "publish risk.portfolio.v1.{key}", 2),
        span(6, "hedging", "process risk.portfolio.v1.{key}", 5),
        span(7, "market_making", "tick_to_quote", 1),
    ]


def verdict(spans, order_of):
    return judge(Traces(spans), EDGES, order_of)


def test_a_whole_trace_lacks_nothing():
    found = verdict(whole_quote(), {"T": ""})
    assert found.complete_ratio == 1.0
    assert found.lacking == ()
    assert found.quotes_told == 1


def test_a_fill_may_not_tell_of_its_quote_and_is_counted():
    found = verdict(whole_quote()[:-1], {"T": ""})
    assert found.lacking == ()
    assert found.quotes_told == 0


@pytest.mark.parametrize("left_out", range(6))
def test_whatever_is_left_out_is_missed(left_out):
    spans = whole_quote()
    del spans[left_out]
    found = verdict(spans, {"T": ""})
    assert found.complete_ratio == 0.0
    assert found.lacking[0].missing


def test_a_later_word_that_links_to_the_fill_will_do():
    spans = [one for one in whole_quote() if one.name != "publish risk.portfolio.v1.{key}"]
    spans = [
        dataclasses.replace(one, place=Place("b", "6"), parent_id="5")
        if one.service == "hedging"
        else one
        for one in spans
    ]
    linked = span(5, "risk", "publish risk.portfolio.v1.{key}", trace="b", links=(("a", "2"),))
    assert verdict([*spans, linked], {"T": ""}).lacking == ()
    unlinked = dataclasses.replace(linked, links=())
    assert verdict([*spans, unlinked], {"T": ""}).lacking


def test_a_hedge_needs_what_ordered_it():
    before = [
        span(number, *step, number - 1 if number > 10 else 0)
        for number, step in enumerate(
            [
                ("hedging", "publish hedging.intent.v1.{key}"),
                ("execution", "process hedging.intent.v1.{key}"),
                ("execution", "publish orders.place.v1"),
                ("gateway", "process orders.place.v1"),
            ],
            start=10,
        )
    ]
    after = [
        dataclasses.replace(one, parent_id="13") if one.name == FILL else one
        for one in whole_quote()
    ]
    heard = span(20, "execution", "process orders.fill.v1.{key}", 1)
    assert verdict([*before, *after, heard], {"T": "order"}).lacking == ()
    for step in range(4):
        cut = [one for one in before if one.place.span_id != str(10 + step)]
        assert verdict([*cut, *after, heard], {"T": "order"}).lacking
    assert verdict([*before, *after], {"T": "order"}).lacking


def test_fills_without_any_span_and_edges_without_any_call_are_named():
    found = judge(Traces([]), [], {"T": ""})
    assert found.lacking[0].missing == (f"gateway {FILL}",)
    assert len(found.missing_edges) == len(EDGES)


def test_no_fills_are_no_success():
    assert verdict([], {}).complete_ratio == 0.0


def test_the_service_graph_counts_calls_between_services():
    assert edges_of(whole_quote()) == {
        ("gateway", "risk"): 1,
        ("gateway", "ledger"): 1,
        ("gateway", "market_making"): 2,
        ("risk", "hedging"): 1,
    }


def test_what_is_wanted_is_not_empty():
    assert len(AFTER) == 5
    assert len(BEFORE_A_HEDGE) == 4
