"""The transaction log: every row says what moved, and all rows together say what is there."""

import pytest

from services.venue.accounts.accounts import FIRST_USER
from shared.clock import NS_PER_MS, NS_PER_S
from shared.units import E12
from tests.unit.venue.client import NOW_NS, PERPETUAL, House

DAY_NS = 86_400 * NS_PER_S
SETTLEMENT_NS = NOW_NS - NOW_NS % DAY_NS + DAY_NS + 8 * 3600 * NS_PER_S
FAR_MS = SETTLEMENT_NS // NS_PER_MS + 10**9


@pytest.fixture
def house():
    return House(SETTLEMENT_NS - 20 * NS_PER_S)


def logs(client, **more):
    span = {"currency": "BTC", "start_timestamp": 0, "end_timestamp": FAR_MS}
    return client.call("private/get_transaction_log", **span, **more)


def deal(house, name, amount, price, side="buy"):
    house.client("other").order("sell" if side == "buy" else "buy", name, amount, price)
    house.client().order(side, name, amount, price)


def expiring(house):
    """Returns an in-the-money call that ends at the coming settlement."""
    index_usd = house.chain.index_usd["BTC"]
    return min(
        (i.expiry_ns, -i.strike_usd, i.name)
        for i in house.chain.instruments
        if i.kind == "option" and i.underlying == "BTC" and i.is_call and i.strike_usd < index_usd
    )[2]


def test_balances_and_positions_follow_from_row_to_row(house):
    price = float(round(house.chain.index_usd["BTC"]))
    name = expiring(house)
    deposit = house.venue.exchange.accounts.get(FIRST_USER).wallets["BTC"].balance_e12 / E12
    deal(house, PERPETUAL, 10_000, price)
    deal(house, PERPETUAL, 4_000, price, side="sell")
    mark = house.client().call("public/ticker", instrument_name=name)["mark_price"]
    deal(house, name, 1, round(mark, 3))
    house.market.move_index("BTC", price * 1.001)
    house.pass_time(25, step_s=1)
    rows = logs(house.client())["logs"]
    assert [row["id"] for row in rows] == list(range(len(rows), 0, -1))
    rows.reverse()
    assert [(row["type"], row["side"], row["position"]) for row in rows[:3]] == [
        ("trade", "open buy", 10_000.0),
        ("trade", "close sell", 6_000.0),
        ("trade", "open buy", 1.0),
    ]
    ends = {row["instrument_name"]: row for row in rows[3:]}
    assert (ends[PERPETUAL]["type"], ends[PERPETUAL]["amount"]) == ("settlement", 6_000.0)
    assert (ends[name]["type"], ends[name]["side"]) == ("delivery", "long")
    assert (ends[name]["amount"], ends[name]["position"]) == (1.0, 0.0)
    balance = deposit
    for row in rows:
        assert row["change"] == pytest.approx(row["cashflow"] - row["commission"], abs=1e-12)
        balance += row["change"]
        assert row["balance"] == pytest.approx(balance, abs=1e-10)
    summary = house.client().call("private/get_account_summary", currency="BTC")
    assert balance == pytest.approx(summary["balance"], abs=1e-10)


def test_pages_join_without_a_gap(house):
    price = float(round(house.chain.index_usd["BTC"]))
    for _ in range(5):
        deal(house, PERPETUAL, 10, price)
    client = house.client()
    first = logs(client, count=2)
    second = logs(client, count=2, continuation=first["continuation"])
    last = logs(client, count=2, continuation=second["continuation"])
    ids = [row["id"] for page in (first, second, last) for row in page["logs"]]
    assert ids == [5, 4, 3, 2, 1]
    assert last["continuation"] is None


def test_a_currency_that_is_not_traded_has_no_rows(house):
    span = {"currency": "USDC", "start_timestamp": 0, "end_timestamp": FAR_MS}
    assert house.client().call("private/get_transaction_log", **span)["logs"] == []
