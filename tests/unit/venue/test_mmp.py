"""Market-maker protection counts in fixed windows, and freezes."""

import pytest

from services.venue.errors import VenueError
from services.venue.matching.mmp import Group, Groups
from services.venue.rpc.parameters import Params
from shared.clock import NS_PER_S
from tests.unit.venue.client import GROUP, House, RefusedError, two_sided


def group(**more) -> Group:
    return Group("btc_usd", "g", interval_s=5, frozen_s=10, max_quote_quantity=5.0, **more)


def test_quantity_counts_both_directions_and_delta_nets():
    mine = group(quantity_limit=4.0, delta_limit=1.0)
    assert not mine.on_trade(1.5, 0.9, 10.0, NS_PER_S)
    assert not mine.on_trade(1.5, -0.9, 10.0, NS_PER_S)
    assert mine.on_trade(1.0, 0.0, 10.0, NS_PER_S)
    assert mine.is_frozen(NS_PER_S + 9 * NS_PER_S)
    assert not mine.is_frozen(NS_PER_S + 10 * NS_PER_S)


def test_the_window_opens_at_its_first_trade_and_does_not_roll():
    mine = group(quantity_limit=3.0)
    mine.on_trade(1.0, 0, 0, 100 * NS_PER_S)
    mine.on_trade(1.0, 0, 0, 104 * NS_PER_S)
    assert not mine.on_trade(1.0, 0, 0, 105 * NS_PER_S), "a new window began"
    assert not mine.on_trade(1.0, 0, 0, 109 * NS_PER_S)
    assert mine.on_trade(1.0, 0, 0, 109 * NS_PER_S)


def test_vega_is_limited_in_absolute_terms():
    assert group(vega_limit=100.0).on_trade(0.1, 0, -101.0, NS_PER_S)


def test_frozen_time_zero_freezes_until_reset():
    mine = group(quantity_limit=1.0)
    mine.frozen_s = 0
    assert mine.on_trade(1.0, 0, 0, NS_PER_S)
    assert mine.is_frozen(10**18)
    assert mine.frozen_until_ms() == 0
    mine.reset()
    assert not mine.is_frozen(NS_PER_S)


@pytest.mark.parametrize(
    "wrong",
    [
        {"index_name": "xrp_usd"},
        {"max_quote_quantity": 501},
        {"max_quote_quantity": 0},
        {"delta_limit": 3, "quantity_limit": 3},
        {"quantity_limit": 501},
        {"interval": -1},
    ],
)
def test_a_wrong_configuration_is_refused(wrong):
    good = {"index_name": "btc_usd", "interval": 5, "frozen_time": 0, "max_quote_quantity": 2}
    with pytest.raises(VenueError) as refused:
        Groups().configure(Params({**good, **wrong}), ("btc_usd",))
    assert refused.value.code == -32602


def test_a_breach_pulls_the_group_tells_its_owner_and_refuses_quotes():
    house = House()
    maker = house.client("desk", cod=True)
    maker.protect(quantity_limit=1.0, frozen_time=10)
    first, second = house.options()[:2]
    maker.subscribe("user.mmp_trigger.btc_usd", "user.trades.any.any.raw")
    maker.quote(two_sided(first, 0.001, 0.06), two_sided(second, 0.001, 0.06))
    taker = house.client("other")
    taker.order("buy", first, 1.0, 0.06)
    assert maker.notices("user.mmp_trigger.btc_usd") == [
        {"frozen_until": house.now_ns // 10**6 + 10_000, "mmp_group": GROUP}
    ]
    assert house.venue.exchange.orders.quote_count(2) == 0
    assert len(maker.notices("user.trades.any.any.raw")) == 1
    with pytest.raises(RefusedError) as refused:
        maker.quote(two_sided(first, 0.001, 0.06))
    assert refused.value.code == 13030
    assert [row["mmp_group"] for row in maker.call("private/get_mmp_status")] == [GROUP]
    maker.call("private/reset_mmp", index_name="btc_usd", mmp_group=GROUP)
    assert maker.call("private/get_mmp_status") == []
    assert maker.quote(two_sided(first, 0.001, 0.06))["errors"] == []
