import pytest

from shared.causes import Cause, cause_in, cause_of
from shared.venue_causes import VenueCauses
from shared.venue_link import VenueNotice, VenueReply, VenueRequest

CAUSE = Cause(trace_id=0xABC, span_id=0xDEF, is_order=True)
SENT = Cause(5, 6, is_order=True)


@pytest.mark.parametrize("is_order", [True, False])
def test_a_cause_survives_its_headers(is_order):
    cause = Cause(1, 2, is_order)
    assert cause_in(cause.headers()) == cause


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        f"00-{0:032x}-{1:016x}-01",
        f"00-{1:032x}-{0:016x}-01",
        f"00-{1:032x}-{1:016x}-00",
        f"01-{1:032x}-{1:016x}-01",
        f"00-{1:032x}-{1:016x}-01-",
        f"00-{1:031x}G-{1:016x}-01",
    ],
)
def test_a_context_that_is_broken_or_not_sampled_is_no_cause(text):
    assert cause_of(text, is_order=False) is None
    assert cause_in({"traceparent": text}) is None
    assert cause_in(None) is None


def test_a_reply_belongs_to_its_request_once():
    causes = VenueCauses()
    causes.outgoing(VenueRequest(7, "private/buy", {"label": "o1"}), SENT, CAUSE)
    reply = VenueReply(created_ns=1, request_id=7, result={})
    assert causes.incoming(reply) == SENT
    assert causes.incoming(reply) is None


def test_a_trade_of_an_order_is_known_by_its_label():
    causes = VenueCauses()
    causes.outgoing(VenueRequest(7, "private/buy", {"label": "o1"}), SENT, CAUSE)
    trade = VenueNotice(1, "user.trades.any.any.raw", [{"label": "o1"}])
    assert causes.incoming(trade) == CAUSE
    assert causes.incoming(VenueNotice(1, "user.trades.any.any.raw", [{"label": "o2"}])) is None
    assert causes.incoming(VenueNotice(1, "book.BTC.raw", {"label": "o1"})) is None


def test_trades_of_several_causes_in_one_notice_have_none_in_common():
    causes = VenueCauses()
    causes.outgoing(VenueRequest(7, "private/buy", {"label": "o1"}), SENT, CAUSE)
    rows = [{"label": "o1"}, {"quote_set_id": "1"}]
    assert causes.incoming(VenueNotice(1, "user.trades.any.any.raw", rows)) is None
    assert causes.of_label("o1") == CAUSE


def test_a_quotes_trade_carries_its_cause_to_another_process():
    params = {"quote_id": "42", "quotes": []}
    request = VenueRequest(7, "private/mass_quote", params)
    marked = VenueCauses().outgoing(request, SENT, CAUSE)
    assert params["quote_id"] == "42"
    assert len(marked.params["quote_id"]) <= 64
    row = {"quote_id": marked.params["quote_id"]}
    assert VenueCauses().incoming(VenueNotice(1, "user.trades.any.any.raw", [row])) == CAUSE


def test_a_quote_id_that_has_no_room_is_left_alone():
    request = VenueRequest(7, "private/mass_quote", {"quote_id": "4" * 60})
    assert VenueCauses().outgoing(request, SENT, CAUSE) is request
