"""Daily settlement, expiry and delivery at 08:00 UTC."""

import pytest

from services.venue.accounts.accounts import FIRST_USER
from shared.clock import NS_PER_S
from shared.settlement import delivery_fee_coin_e12
from shared.units import E12
from tests.unit.venue.client import NOW_NS, PERPETUAL, House, RefusedError

SETTLEMENT_NS = NOW_NS - NOW_NS % (86_400 * NS_PER_S) + (86_400 + 8 * 3600) * NS_PER_S
START_NS = SETTLEMENT_NS - 40 * 60 * NS_PER_S


@pytest.fixture
def house():
    return House(START_NS)


def expiring(house, *, is_call=True):
    """Returns an option that expires next, a little in the money."""
    index_usd = house.chain.index_usd["BTC"]
    sign = 1 if is_call else -1
    found = [
        (abs(i.strike_usd - index_usd), i)
        for i in house.chain.instruments
        if i.kind == "option" and i.underlying == "BTC" and i.expiry_ns == SETTLEMENT_NS
        and i.is_call == is_call and sign * (index_usd - i.strike_usd) > 0
    ]  # fmt: skip
    return min(found, key=lambda pair: pair[0])[1]


def trade(house, name, amount, price):
    house.client("other").order("sell", name, amount, price)
    house.client("desk").order("buy", name, amount, price)


def until_settled(house):
    house.pass_time((SETTLEMENT_NS - house.now_ns) / NS_PER_S, step_s=6)
    house.pass_time(5, step_s=1)


@pytest.mark.parametrize("is_call", [True, False])
def test_options_are_paid_at_the_average_of_the_last_half_hour(house, is_call):
    option = expiring(house, is_call=is_call)
    index_usd = house.chain.index_usd["BTC"]
    trade(house, option.name, 2.0, 0.02)
    balance = house.venue.exchange.accounts.get(FIRST_USER).wallets["BTC"].balance_e12
    house.pass_time(25 * 60, step_s=6)  # ten minutes to the half hour, and fifteen into it
    house.market.move_index("BTC", index_usd * 1.004)
    until_settled(house)
    average = index_usd * 1.002
    sign = 1 if is_call else -1
    payoff = max(sign * (average - option.strike_usd), 0.0) / average
    wallet = house.venue.exchange.accounts.get(FIRST_USER).wallets["BTC"]
    fee = 0.0 if (SETTLEMENT_NS // (86_400 * NS_PER_S) + 4) % 7 != 5 else min(0.00015, payoff / 8)
    assert (wallet.balance_e12 - balance) / E12 == pytest.approx(2 * (payoff - fee), abs=2e-5)
    assert payoff > 0.0
    assert house.client().call("private/get_positions", currency="BTC", kind="option") == []
    row = house.client().call("public/get_delivery_prices", index_name="btc_usd")["data"][0]
    assert row["delivery_price"] == pytest.approx(average, rel=1e-5)
    house.assert_sound()


def test_an_expired_book_is_closed_and_shown_so(house):
    option = expiring(house)
    client = house.client()
    client.subscribe("instrument.state.option.BTC", "user.orders.any.any.raw")
    resting = client.order("buy", option.name, 1.0, 0.001)
    until_settled(house)
    states = client.notices("instrument.state.option.BTC")
    assert option.name in {m["instrument_name"] for m in states if m["state"] == "closed"}
    ended = client.notices("user.orders.any.any.raw")[-1]
    assert (ended["order_id"], ended["order_state"]) == (resting["order_id"], "cancelled")
    with pytest.raises(RefusedError) as refused:
        client.order("buy", option.name, 1.0, 0.001)
    assert refused.value.code == 10012
    ticker = client.call("public/ticker", instrument_name=option.name)
    assert (ticker["state"], ticker["estimated_delivery_price"]) == ("closed", "expired")
    listed = client.call("public/get_instruments", currency="BTC", kind="option")
    assert option.name not in {row["instrument_name"] for row in listed}
    gone = client.call("public/get_instruments", currency="BTC", kind="option", expired=True)
    assert option.name in {row["instrument_name"] for row in gone}


def test_settlement_moves_session_profit_to_the_balance(house):
    price = float(round(house.chain.index_usd["BTC"]))
    trade(house, PERPETUAL, 10_000, price)
    wallet = house.venue.exchange.accounts.get(FIRST_USER).wallets["BTC"]
    before = wallet.balance_e12
    house.market.move_index("BTC", price * 1.01)
    until_settled(house)
    mark = house.client().call("public/ticker", instrument_name=PERPETUAL)["settlement_price"]
    gained = 10_000 / price - 10_000 / mark
    assert (wallet.balance_e12 - before) / E12 == pytest.approx(gained, abs=1e-10)
    position = house.client().call("private/get_position", instrument_name=PERPETUAL)
    assert (position["size"], position["settlement_price"]) == (10_000.0, mark)
    log = house.client().call("private/get_settlement_history_by_currency", currency="BTC")
    assert log["settlements"][0]["instrument_name"] == PERPETUAL
    house.assert_sound()


def test_while_it_settles_the_currency_is_closed(house):
    client = house.client()
    house.pass_time((SETTLEMENT_NS - house.now_ns) / NS_PER_S, step_s=6)
    house.pass_time(1)
    price = float(round(house.chain.index_usd["BTC"]))
    with pytest.raises(RefusedError) as refused:
        client.order("buy", PERPETUAL, 10, price)
    assert refused.value.code == 10041
    house.pass_time(3, step_s=1)
    assert client.order("buy", PERPETUAL, 10, price)["order_state"] == "open"


def test_a_day_with_the_crowd_ends_with_all_money_in_place():
    house = House(SETTLEMENT_NS - 20 * NS_PER_S, has_crowd=True)
    client = house.client()
    house.pass_time(5)
    client.call("private/buy", instrument_name=PERPETUAL, amount=50_000, type="market")
    for name in house.options()[:3]:
        client.call("private/buy", instrument_name=name, amount=1, type="market")
        client.call("private/sell", instrument_name=name, amount=0.4, type="market")
    house.pass_time(25)
    assert house.venue.exchange.history.trade_count > 10
    assert any(state == "closed" for state in house.venue.exchange.states)
    house.assert_sound()


def test_the_desk_books_what_the_venue_charges_for_a_delivery():
    """On a Friday, that is; the fees of what expires on other days are nothing."""
    for days in (0, 6):
        eight_ns = SETTLEMENT_NS + days * 86_400 * NS_PER_S
        house = House(eight_ns - 5 * NS_PER_S)
        index_usd = house.chain.index_usd["BTC"]
        expiring = [
            i for i in house.chain.instruments
            if i.underlying == "BTC" and i.expiry_ns == eight_ns
            and (i.kind == "future" or 0.97 < i.strike_usd / index_usd < 1.03)
        ]  # fmt: skip
        for instrument in expiring:
            is_option = instrument.kind == "option"
            price = 0.02 if is_option else float(round(index_usd))
            trade(house, instrument.name, 1.7 if is_option else 12_340, price)
        house.pass_time(8, step_s=1)
        events = house.venue.floor.settlement.account_events[FIRST_USER]
        rows = [row for row in events if row["type"] == "delivery"]
        charged = {row["instrument_name"]: round(row["commission"] * E12) for row in rows}
        price_usd = rows[0]["index_price"]
        assert charged == {
            one.name: delivery_fee_coin_e12(one, 17 if one.kind == "option" else 1234, price_usd)
            for one in expiring
        }
        assert len(charged) > 3
        assert any(charged.values()) == (days == 6)
        house.assert_sound()
