"""The C core's FIX on the venue's door: what it writes is carried out, what comes back it reads."""

from decimal import Decimal

import pytest

from native import fix
from shared.fix.codec import pack
from shared.fix.credentials import VENUE_NAME, logon_body
from shared.units import price_from_ticks
from tests.unit.venue.client import GROUP, House
from tests.unit.venue.fix_client import FIRST_CONNECTION

DESK = 2
FORM = fix.QuoteForm(GROUP, "set", fix.POST_ONLY)


class LaneClient:
    """One connection of the C lane; Python only logs it on."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.lane = fix.Lane("MAKER", VENUE_NAME)
        self.stream = fix.Stream()
        self.connection_id = FIRST_CONNECTION + len(house.clients)
        self.inbox: list[fix.Message] = []
        self.closed = ""
        house.clients[self.connection_id] = self
        house.venue.on_open(self.connection_id, house.now_ns, "fix")
        fields = logon_body("desk-id", "desk-secret", b"n" * 32, 30, house.now_ns)
        (logon,) = self.say(self.lane.body("A", pack([*fields, (141, True)]), house.now_ns))
        assert logon.msg_type == "A"
        protection = [(20114, "m"), (15, "BTC"), (20116, 5), (20112, 10), (20119, 10)]
        self.say(self.lane.body("MM", pack([*protection, (9019, GROUP)]), house.now_ns))

    def say(self, raw: bytes) -> list[fix.Message]:
        start = len(self.inbox)
        house = self.house
        house.deliver(house.venue.on_bytes(self.connection_id, raw, house.now_ns))
        return self.inbox[start:]

    def arrive(self, data: bytes) -> None:
        for message in self.stream.feed(data):
            assert self.lane.accept(message) == fix.ACCEPTED
            self.inbox.append(message)

    def quote(self, *quotes: fix.Quote) -> list[fix.Message]:
        return self.say(self.lane.mass_quote(FORM, 7, list(quotes), self.house.now_ns))


@pytest.fixture
def house():
    house = House()
    house.venue.open_fix(house.now_ns)
    return house


@pytest.fixture
def maker(house):
    return LaneClient(house)


def option(name, entry_id=5):
    return fix.Instrument(name, entry_id, "0.0001", "0.1")


def test_a_hundred_quotes_are_taken_as_they_were_meant(house, maker):
    names = house.options()[:100]
    instruments = [option(name, at) for at, name in enumerate(names)]
    quotes = [
        fix.Quote(each, (40 + at % 5, 900 + 5 * at), (1 + at, 2)) for at, each in
        enumerate(instruments)
    ]  # fmt: skip
    ack = fix.quote_ack(maker.quote(*quotes)[-1])
    resting = house.venue.exchange.orders.quotes(DESK)
    refused = {entry.symbol for entry in ack.entries if entry.type == fix.ENTRY_ERROR}
    assert ack.status == 0
    assert len(ack.entries) == 200
    assert len(resting) == sum(entry.type == fix.ENTRY_ORDER for entry in ack.entries) > 150
    by_side = {(order.index, order.side): order for order in resting}
    index_of = house.venue.exchange.index_of
    for quote in quotes:
        if quote.instrument.name in refused:
            continue
        for side in (fix.BID, fix.ASK):
            order = by_side[index_of[quote.instrument.name], side]
            assert (order.price_ticks, order.lots) == (quote.ticks[side], quote.lots[side])
    for entry in ack.entries:
        at = int(entry.id)
        assert entry.symbol == names[at]
        if entry.type == fix.ENTRY_ORDER:
            quote = quotes[at]
            assert entry.prices[entry.side] == quote.ticks[entry.side] * Decimal("0.0001")
            assert entry.sizes[entry.side] == quote.lots[entry.side] * Decimal("0.1")
        else:
            assert entry.error_code in (10005, 10007, 10043)


def test_a_side_left_out_stays_and_a_side_of_nought_goes(house, maker):
    each = option(house.options()[0])
    maker.quote(fix.Quote(each, (40, 900), (5, 5)))
    ack = fix.quote_ack(maker.quote(fix.Quote(each, (0, 0), (0, fix.LEFT_OUT)))[-1])
    assert [(entry.side, entry.status) for entry in ack.entries] == [(fix.BID, 17)]
    assert [order.price_ticks for order in house.venue.exchange.orders.quotes(DESK)] == [900]


def test_a_fill_reads_back_with_its_trade(house, maker):
    name = house.options()[0]
    maker.quote(fix.Quote(option(name), (100, 900), (20, 20)))
    start = len(maker.inbox)
    house.client("other").order("sell", name, 0.5, 0.01)
    (message,) = maker.inbox[start:]
    report = fix.execution(message)
    trade = house.venue.exchange.history.by_account[DESK][-1][0]
    (fill,) = report.fills
    assert (fill.trade_id, fill.price, fill.quantity) == (
        trade.trade_id, Decimal("0.01"), Decimal("0.5"),
    )  # fmt: skip
    assert report.fields["symbol"] == name
    assert (report.fields["quote_id"], report.fields["quote_entry_id"]) == ("7", "5")
    assert report.fields["side"] == fix.BID
    assert report.fields["leaves"] == Decimal("1.5")


def test_a_refusal_of_all_quotes_carries_the_venues_code(house, maker):
    house.venue.exchange.quotes_frozen_until_ns[DESK] = house.now_ns + 1
    ack = fix.quote_ack(maker.quote(fix.Quote(option(house.options()[0]), (40, 900), (5, 5)))[-1])
    assert (ack.status, ack.reject_reason, ack.text) == (5, 13043, "quotes_frozen")


def test_quotes_are_cancelled_by_what_c_says(house, maker):
    for kind, scope in ((4, ""), (5, "BTC"), (6, "set")):
        names = house.options()[:3]
        maker.quote(*[fix.Quote(option(name), (40, 900), (5, 5)) for name in names])
        raw = maker.lane.quote_cancel(kind, 11, house.now_ns, scope=scope)
        report = fix.cancel_report(maker.say(raw)[-1])
        assert (report["client_id"], report["affected_count"]) == ("11", 6)
        assert report["response"] > 0
        assert house.venue.exchange.orders.quotes(DESK) == []


def test_an_order_lives_and_ends_as_c_says(house, maker):
    future = fix.Instrument("BTC-PERPETUAL", 1, "0.5", "1")
    terms = {"price_ticks": 100_000, "lots": 3, "side": fix.BID}
    new = fix.execution(
        maker.say(maker.lane.order(future, house.now_ns, client_id="me", **terms))[-1]
    )
    order = house.venue.exchange.orders.live(DESK)[0]
    assert (order.price_ticks, order.lots) == (100_000, 3)
    assert price_from_ticks(house.venue.exchange.instruments[order.index], 100_000) == 50_000
    assert (new.fields["client_id"], new.fields["order_id"]) == ("me", order.order_id)
    changed = {**terms, "lots": 5, "order_id": order.order_id}
    maker.say(maker.lane.replace(future, house.now_ns, **changed))
    assert order.lots == 5
    maker.say(maker.lane.cancel(future, house.now_ns, order_id=order.order_id, **terms))
    assert order.state == "cancelled"
    again = maker.say(maker.lane.cancel(future, house.now_ns, order_id=order.order_id, **terms))
    assert fix.refusal(again[-1])["order_id"] == order.order_id


def test_a_refusal_names_what_it_refuses(maker):
    (rejected,) = maker.say(maker.lane.body("AE", pack([(117, "9")]), maker.house.now_ns))
    refusal = fix.refusal(rejected)
    assert (refusal["reference_id"], refusal["reason"]) == ("9", 3)
