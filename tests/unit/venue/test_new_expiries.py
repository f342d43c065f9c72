"""As one expiry is delivered at 08:00 UTC, the next of the calendar is listed, and trades."""

import numpy as np
import pytest

from services.venue.market.expiries import listed_expiries, tenor_of
from services.venue.market.listing import public_instrument
from services.venue.matching import exchange as exchange_module
from shared.clock import NS_PER_S
from tests.unit.venue.broadcasting import Broadcasting
from tests.unit.venue.client import NOW_NS, House
from tests.unit.venue.fix_client import FixClient, two_sided
from tests.unit.venue.test_memory import Mortal, money
from tests.unit.venue.udp_receiver import STATES

DAY_NS = 86_400 * NS_PER_S
EIGHT_NS = NOW_NS - NOW_NS % DAY_NS + DAY_NS + 8 * 3600 * NS_PER_S  # a Saturday
FRIDAY_NS = EIGHT_NS + 6 * DAY_NS  # the last one of its month


def over_eight(house, seconds=4.0, step_s=1.0):
    """Goes over 08:00 UTC; returns the options and futures that are new."""
    count = len(house.venue.exchange.instruments)
    house.pass_time(seconds + 1.0, step_s)
    return house.venue.exchange.instruments[count:]


def room(house):
    (told,) = (one for one in house.venue.readings(0) if one.name == "listing_room_count")
    return told.value


def expiries(house, currency="BTC", kind="option"):
    rows = house.client().call("public/get_instruments", currency=currency, kind=kind)
    return {row["expiration_timestamp"] * 1_000_000 for row in rows}


def test_what_is_listed_is_the_calendars_on_every_day():
    house = House(EIGHT_NS - NS_PER_S)
    house.pass_time(5, 1.0)
    for _ in range(10):
        for currency in ("BTC", "ETH"):
            calendar = listed_expiries(house.now_ns)
            assert expiries(house, currency) == {one.expiry_ns for one in calendar}
            dated = {one.expiry_ns for one in calendar if one.tenor in ("month", "quarter")}
            assert expiries(house, currency, "future") - dated == {32_503_708_800_000 * 1_000_000}
            assert dated < expiries(house, currency, "future")
        house.pass_time(86_400, 3600)
    assert house.now_ns > FRIDAY_NS
    house.assert_sound()


def test_a_new_expiry_is_announced_and_can_be_traded():
    house = House(EIGHT_NS - NS_PER_S)
    client, other = house.client(), house.client("other")
    client.subscribe("instrument.state.option.BTC", "markprice.options.btc_usd")
    new = [i for i in over_eight(house) if i.underlying == "BTC"]
    names = {instrument.name for instrument in new}
    told = client.notices("instrument.state.option.BTC")
    assert {m["instrument_name"] for m in told if m["state"] == "created"} == names
    assert [m["state"] for m in told if m["instrument_name"] in names] == (
        ["created"] * len(names) + ["started"] * len(names)
    )
    assert told[0]["state"] == "closed"
    assert {i.expiry_ns for i in new} == {EIGHT_NS + 4 * DAY_NS}
    index_usd = house.chain.index_usd["BTC"]
    option = min(new, key=lambda one: abs(one.strike_usd - index_usd))
    assert abs(option.strike_usd / index_usd - 1) < 0.01
    shown = client.call("public/get_instrument", instrument_name=option.name)
    assert shown == public_instrument(option, EIGHT_NS)
    assert shown["state"] == "open"
    mark = client.call("public/ticker", instrument_name=option.name)["mark_price"]
    marks = client.notices("markprice.options.btc_usd")[-1]
    assert names <= {row["instrument_name"] for row in marks}
    price = round(mark, 3)
    other.order("sell", option.name, 1.0, price)
    assert client.order("buy", option.name, 1.0, price)["order_state"] == "filled"
    history = client.call(
        "public/get_mark_price_history", instrument_name=option.name,
        start_timestamp=0, end_timestamp=house.now_ns // 1_000_000,
    )  # fmt: skip
    assert history
    assert all(at_ms * 1_000_000 >= EIGHT_NS for at_ms, _ in history)
    house.assert_sound()


def test_a_new_expiry_lies_between_its_neighbours():
    """Forwards and total variances at each strike rise with time, so that nobody can buy time for
    less than nothing."""
    house = House(FRIDAY_NS - NS_PER_S)
    new = {i.name for i in over_eight(house) if i.kind == "option"}
    exchange = house.venue.exchange
    known = {}
    for index, instrument in enumerate(exchange.instruments):
        if instrument.kind == "option" and exchange.states[index] == "open":
            row = (
                instrument.strike_usd,
                exchange.marks.forwards[index],
                exchange.marks.vols[index],
            )
            known.setdefault((instrument.underlying, instrument.expiry_ns), []).append(row)
    assert len({key for key in known if key[0] == "BTC"}) == len(expiries(house))
    assert {tenor_of(exchange.instruments[exchange.index_of[n]].expiry_ns) for n in new} == {
        "day", "month",
    }  # fmt: skip
    for currency in ("BTC", "ETH"):
        smiles = [
            (np.array(sorted(set(rows))), (expiry_ns - house.now_ns) / NS_PER_S)
            for (name, expiry_ns), rows in sorted(known.items())
            if name == currency
        ]
        forwards = [rows[0, 1] for rows, _ in smiles]
        assert forwards == sorted(forwards)
        at = np.linspace(-0.05, 0.05, 21)
        total = [
            np.interp(at, np.log(rows[:, 0] / rows[:, 1]), rows[:, 2]) ** 2 * seconds
            for rows, seconds in smiles
        ]
        assert (np.diff(total, axis=0) > 0.0).all()


def test_the_crowd_quotes_and_trades_what_is_new():
    house = House(FRIDAY_NS - 10 * NS_PER_S, has_crowd=True)
    new = over_eight(house, 35.0, 0.1)
    exchange = house.venue.exchange
    best = exchange.book.best(len(exchange.instruments))
    first = len(exchange.instruments) - len(new)
    is_two_sided = (best.bid_lots[first:] > 0) & (best.ask_lots[first:] > 0)
    assert len({i.expiry_ns for i in new}) == 2
    assert {i.kind for i in new} == {"option", "future"}
    assert is_two_sided.mean() > 0.9
    assert sum(tape.sequence for tape in exchange.history.tapes[first:]) > 0
    closed = np.array([state == "closed" for state in exchange.states])
    assert closed.any()
    assert not best.bid_lots[closed].any()
    assert not best.ask_lots[closed].any()
    house.assert_sound()


def test_what_happens_before_does_not_hang_on_what_will_be_listed(monkeypatch):
    """The market of a seed is to the bit the one of a venue that lists nothing, up to 08:00."""
    listing, barren = (House(EIGHT_NS - 5 * NS_PER_S, has_crowd=True) for _ in range(2))
    monkeypatch.setattr(barren.venue.market, "next_listing", lambda *_: None)
    for house in (listing, barren):
        house.pass_time(4.9)
    tapes = [house.venue.exchange.history.tapes for house in (listing, barren)]
    assert tapes[0] == tapes[1]
    for house in (listing, barren):
        house.pass_time(5)
    count = len(barren.venue.exchange.instruments)
    assert len(listing.venue.exchange.instruments) > count
    usd = [[h.venue.market.index_usd(c) for c in ("BTC", "ETH")] for h in (listing, barren)]
    assert usd[0] == usd[1]


def test_where_no_room_is_left_the_venue_goes_on_without(monkeypatch):
    monkeypatch.setattr(exchange_module, "LISTED_MAX", 20)
    house = House(EIGHT_NS - NS_PER_S)
    assert room(house) == 20
    assert over_eight(house) == []
    assert EIGHT_NS not in expiries(house)
    assert room(house) == 20
    house.assert_sound()


def test_the_venue_tells_how_much_room_is_left():
    house = House(EIGHT_NS - NS_PER_S)
    room_before = room(house)
    new = over_eight(house)
    assert len(new) > 0
    assert room(house) == room_before - len(new)


@pytest.mark.parametrize("has_crowd", [True, False])
def test_a_venue_that_dies_comes_back_with_what_was_listed(has_crowd):
    house = Mortal(EIGHT_NS - 2 * NS_PER_S, has_crowd=has_crowd)
    new = over_eight(house, 6.0, 0.1)
    if not has_crowd:
        house.client("other").order("sell", new[0].name, 1.0, 0.08)
        house.client("desk").order("buy", new[0].name, 1.0, 0.08)
    exchange = house.venue.exchange
    before, states, tapes = money(house), list(exchange.states), exchange.history.tapes
    house.die()
    back = house.venue.exchange
    assert back is not exchange
    assert back.instruments == exchange.instruments
    assert back.created_ns == exchange.created_ns
    assert back.states == states
    assert back.history.tapes == tapes
    assert money(house) == before
    house.pass_time(3.0)
    first = len(back.instruments) - len(new)
    np.testing.assert_allclose(back.marks.vols[first:], exchange.marks.vols[first:], rtol=0.02)
    if has_crowd:
        assert (back.book.best(len(back.instruments)).bid_lots[first:] > 0).mean() > 0.8
    house.assert_sound()
    if has_crowd:
        return  # a day of it takes minutes
    house.now_ns = EIGHT_NS + DAY_NS - NS_PER_S
    assert over_eight(house)
    assert expiries(house) == {one.expiry_ns for one in listed_expiries(house.now_ns)}


def test_a_venue_that_was_away_for_days_lists_what_each_would_have():
    house = Mortal(EIGHT_NS - 2 * NS_PER_S)
    house.pass_time(1.0)
    house.die(down_s=2 * 86_400 + 3 * 3600)
    new = over_eight(house)
    calendar = {one.expiry_ns for one in listed_expiries(house.now_ns)}
    assert expiries(house) == calendar
    known = {i.expiry_ns for i in house.chain.instruments}
    assert {i.expiry_ns for i in new} == calendar - known
    assert len(calendar - known) == 2
    delivered = house.client().call("public/get_delivery_prices", index_name="btc_usd")
    assert [row["date"] for row in delivered["data"]] == ["2026-01-26", "2026-01-25", "2026-01-24"]
    assert {house.venue.exchange.created_ns[-1]} == {EIGHT_NS + 2 * DAY_NS}
    house.assert_sound()


def test_datagrams_define_what_is_new_and_tell_its_book():
    house = Broadcasting(now_ns=EIGHT_NS - 3 * NS_PER_S, has_crowd=True)
    follower = house.listen()
    house.pass_time(2.5)
    new = over_eight(house, 5.0, 0.1)
    late = house.listen()
    house.pass_time(2.5)
    count = len(house.venue.exchange.instruments)
    assert house.assert_equal(follower, all_fresh=True) == count
    assert house.assert_equal(late, all_fresh=True) == count
    assert follower.hole_count == 0
    for instrument in new:
        told = late.definitions[instrument.instrument_id]
        assert (told.text, STATES[told.fields["state"]]) == (instrument.name, "open")


def test_fix_names_it_and_takes_quotes_of_it():
    house = House(EIGHT_NS - NS_PER_S)
    house.venue.open_fix(house.now_ns)
    maker = FixClient(house).connect()
    new = [i for i in over_eight(house) if i.underlying == "BTC"]
    listing = maker.send("x", (320, "s"), (559, 0), (15, "BTC"), (167, "OPT"))[-1]
    named = {value for tag, value in listing.fields if tag == 55}
    assert {i.name for i in new} <= named
    assert not {i.name for i in house.chain.instruments if i.expiry_ns == EIGHT_NS} & named
    maker.protect()
    maker.quote(two_sided(new[0].name, 0.01, 0.09))
    orders = house.client().call(
        "private/get_open_orders_by_instrument", instrument_name=new[0].name
    )
    assert {order["direction"] for order in orders if order["quote"]} == {"buy", "sell"}
