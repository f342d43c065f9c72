"""Deliveries and settlements: each said once, with the terms of what is listed no more."""

import pytest

from shared.clock import NS_PER_MS
from shared.messages.orders import SettlementV1
from tests.unit.gateway.scripted import CALL, CALL_ROW, T0, Scripted

HISTORY = "private/get_settlement_history_by_currency"
GONE = "BTC-29DEC25-88000-P"


@pytest.fixture
def gateway() -> Scripted:
    scripted = Scripted()
    scripted.up()
    while scripted.methods() and scripted.methods()[0] != HISTORY:
        scripted.answer(scripted.methods()[0], scripted.plain_answer(scripted.open[0]))
    scripted.tick(1)
    return scripted


def row(instrument: str) -> dict[str, object]:
    return {
        "type": "delivery",
        "timestamp": T0 // NS_PER_MS,
        "instrument_name": instrument,
        "index_price": 90_000.0,
        "mark_price": 0.01,
        "position": 1.0,
    }


def ask_again(gateway: Scripted) -> None:
    """A link that is lost and comes back asks for the history anew."""
    gateway.down()
    gateway.up()
    while HISTORY not in gateway.methods():
        if gateway.open:
            gateway.answer(gateway.methods()[0], gateway.plain_answer(gateway.open[0]))
        else:
            gateway.tick(1)


def test_a_delivery_is_said_once_with_its_terms(gateway: Scripted) -> None:
    gateway.answer(HISTORY, {"settlements": [row(CALL)]})
    ask_again(gateway)
    gateway.answer(HISTORY, {"settlements": [row(CALL)]})
    (said,) = gateway.said(SettlementV1)
    assert said.terms == gateway.core.listing.by_name[CALL]


def test_the_terms_of_what_is_listed_no_more_are_asked_for(gateway: Scripted) -> None:
    gateway.answer(HISTORY, {"settlements": [row(GONE)]})
    assert gateway.said(SettlementV1) == []
    ask_again(gateway)  # the question was lost with the link
    gateway.answer(HISTORY, {"settlements": [row(GONE)]})
    assert gateway.request("public/get_instrument").params == {"instrument_name": GONE}
    described = {**CALL_ROW, "instrument_name": GONE, "strike": 88_000.0, "option_type": "put"}
    gateway.answer("public/get_instrument", described)
    (said,) = gateway.said(SettlementV1)
    assert said.terms is not None
    assert (said.terms.name, said.terms.strike_usd, said.terms.is_call) == (GONE, 88_000.0, False)


def test_a_delivery_that_nobody_can_describe_is_said_all_the_same(gateway: Scripted) -> None:
    gateway.answer(HISTORY, {"settlements": [row(GONE)]})
    gateway.answer("public/get_instrument", error=(13020, "not_found"))
    (said,) = gateway.said(SettlementV1)
    assert (said.instrument, said.terms) == (GONE, None)
