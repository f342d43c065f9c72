"""The desk's C lane on the venue's FIX door: what it sends is taken, what it gets it reads."""

import json

import pytest

from native import fix
from shared.fix.credentials import VENUE_NAME
from tests.unit.venue.client import GROUP, House
from tests.unit.venue.fix_client import FixClient


class NativeClient(FixClient):
    """Logs on with the Python session, then lives on the C lane."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.stream = fix.Stream()
        self.lane: fix.Lane | None = None
        self.messages: list[fix.Message] = []

    def take_over(self) -> fix.Lane:
        self.lane = lane = fix.Lane("MAKER", VENUE_NAME)
        lane.handle.next_out = self.session.store.next_out
        lane.handle.next_in = self.session.store.next_in
        return lane

    def arrive(self, data: bytes) -> None:
        if self.lane is None:
            super().arrive(data)
            return
        for message in self.stream.feed(data):
            assert self.lane.accept(message) == fix.ACCEPTED
            self.messages.append(message)

    def say(self, raw: bytes) -> list[fix.Message]:
        start = len(self.messages)
        self.house.deliver(self.house.venue.on_bytes(self.connection_id, raw, self.house.now_ns))
        return self.messages[start:]


@pytest.fixture
def house():
    house = House()
    house.venue.open_fix(house.now_ns)
    return house


@pytest.fixture
def maker(house):
    client = NativeClient(house).connect(t9015="Y")
    client.protect()
    client.take_over()
    return client


def instruments(house, count):
    return [
        fix.Instrument(name, 100 + at, "0.0001", "0.1")
        for at, name in enumerate(house.options()[:count])
    ]


FORM = fix.QuoteForm(GROUP, "btc", fix.POST_OR_FAIL)


def two_sided(instrument, bid, ask, lots=10):
    return fix.Quote(instrument, (bid, ask), (lots, lots))


def test_quotes_rest_are_replaced_and_are_cancelled(house, maker):
    (option,) = instruments(house, 1)
    raw = maker.lane.mass_quote(FORM, 1, [two_sided(option, 100, 900)], house.now_ns)
    ack = fix.quote_ack(next(m for m in maker.say(raw) if m.msg_type == "b"))
    assert (ack.quote_id, ack.status) == ("1", 0)
    assert [(one.id, one.side, one.status) for one in ack.entries] == [
        ("100", 0, 21),
        ("100", 1, 21),
    ]
    assert option.ticks(str(ack.entries[0].prices[0])) == 100
    assert option.lots(str(ack.entries[1].sizes[1])) == 10
    one_side = fix.Quote(option, (100, 900), (0, fix.LEFT_OUT))
    raw = maker.lane.mass_quote(FORM, 2, [one_side], house.now_ns)
    ack = fix.quote_ack(next(m for m in maker.say(raw) if m.msg_type == "b"))
    assert [(one.side, one.status) for one in ack.entries] == [(0, 17)]
    raw = maker.lane.quote_cancel(5, 77, house.now_ns, scope="BTC")
    answer = fix.cancel_report(next(m for m in maker.say(raw) if m.msg_type == "r"))
    assert (answer["client_id"], answer["affected_count"]) == ("77", 1)
    assert house.venue.exchange.orders.quote_count(2) == 0


@pytest.mark.parametrize(("kind", "scope"), [(1, None), (4, ""), (5, "BTC"), (6, "btc")])
def test_every_cancel_type_takes_the_quotes_away(house, maker, kind, scope):
    options = instruments(house, 3)
    quotes = [two_sided(option, 100, 900) for option in options]
    maker.say(maker.lane.mass_quote(FORM, 1, quotes, house.now_ns))
    assert house.venue.exchange.orders.quote_count(2) == 6
    scope = options[0].name if scope is None else scope
    maker.say(maker.lane.quote_cancel(kind, 3, house.now_ns, scope=scope))
    assert house.venue.exchange.orders.quote_count(2) == (4 if kind == 1 else 0)


def test_a_fill_is_read_with_its_trade(house, maker):
    (option,) = instruments(house, 1)
    maker.say(maker.lane.mass_quote(FORM, 9, [two_sided(option, 100, 900)], house.now_ns))
    other = house.client("other")
    params = {"instrument_name": option.name, "amount": 0.3, "price": 0.01}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "private/sell", "params": params})
    start = len(maker.messages)
    house.deliver(house.venue.on_bytes(other.connection_id, body.encode(), house.now_ns))
    report = fix.execution(next(m for m in maker.messages[start:] if m.msg_type == "8"))
    (fill,) = report.fills
    assert fill.trade_id
    assert (option.ticks(str(fill.price)), option.lots(str(fill.quantity))) == (100, 3)
    assert (report.fields["quote_id"], report.fields["quote_entry_id"]) == ("9", "100")
    assert report.fields["side"] == fix.BID
    assert report.fields["is_mmp"] == 1
    assert option.lots(str(report.fields["leaves"])) == 7


def test_refusals_carry_the_venues_code(house, maker):
    (option,) = instruments(house, 1)
    wrong = fix.Instrument(option.name, 1, "0.00001", "0.1")  # finer than the venue's grid
    raw = maker.lane.mass_quote(FORM, 1, [fix.Quote(wrong, (1003, 1), (10, -1))], house.now_ns)
    ack = fix.quote_ack(next(m for m in maker.say(raw) if m.msg_type == "b"))
    assert [(e.type, e.side, e.error_code) for e in ack.entries] == [(2, 0, 10043)]
    foreign = fix.QuoteForm("nobody", "btc", fix.MAY_TAKE)
    raw = maker.lane.mass_quote(foreign, 2, [two_sided(option, 100, 900)], house.now_ns)
    ack = fix.quote_ack(next(m for m in maker.say(raw) if m.msg_type == "b"))
    assert (ack.status, ack.error_code) == (5, 13040)


def test_an_order_is_placed_replaced_and_cancelled(house, maker):
    perpetual = fix.Instrument("BTC-PERPETUAL", 1, "0.5", "1")  # a contract is 10 USD
    terms = {"side": fix.BID, "execution": fix.POST_ONLY}
    raw = maker.lane.order(
        perpetual, house.now_ns, client_id="h-1", price_ticks=100_000, lots=4, **terms
    )
    placed = fix.execution(next(m for m in maker.say(raw) if m.msg_type == "8"))
    assert (placed.fields["client_id"], placed.fields["order_status"]) == ("h-1", ord("0"))
    order_id = placed.fields["order_id"]
    raw = maker.lane.replace(
        perpetual, house.now_ns, order_id=order_id, price_ticks=100_010, lots=3, **terms
    )
    moved = fix.execution(next(m for m in maker.say(raw) if m.msg_type == "8"))
    assert perpetual.ticks(str(moved.fields["price"])) == 100_010
    assert perpetual.lots(str(moved.fields["leaves"])) == 3
    raw = maker.lane.cancel(perpetual, house.now_ns, order_id=order_id)
    gone = fix.execution(next(m for m in maker.say(raw) if m.msg_type == "8"))
    assert gone.fields["order_status"] == ord("4")
    raw = maker.lane.cancel(perpetual, house.now_ns, order_id=order_id)
    refused = [m for m in maker.say(raw) if m.msg_type == "9"]
    assert fix.refusal(refused[0])["order_id"] == order_id


def test_an_answer_to_a_hundred_quotes_fits_a_message(house, maker):
    quotes = [two_sided(option, 100, 900) for option in instruments(house, 100)]
    sent = maker.lane.mass_quote(FORM, 1, quotes, house.now_ns)
    answers = [m for m in maker.say(sent) if m.msg_type == "b"]
    assert len(answers) == 1
    assert len(answers[0].raw) < 65_536 * 3 // 4
    assert len(fix.quote_ack(answers[0]).entries) == 2 * len(quotes)
