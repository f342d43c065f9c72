"""Trades of the account that are none of our quotes move the position, and latch nothing."""

import pytest

from tests.unit.market_making.toy_desk import quoting_desk

NAME = "BTC-44D-95000-C"
LOTS = 40  # more than ever rests on a side


@pytest.mark.parametrize("is_quote", [False, True])
def test_only_more_of_a_quote_than_can_rest_latches_by_the_bus(kind, is_quote):
    desk = quoting_desk(kind)
    desk.fill(NAME, "buy", LOTS, "t1", is_quote=is_quote)
    desk.run(1000)
    assert (len(desk.two_sided()) > 80) != is_quote


@pytest.mark.parametrize("is_quote", [False, True])
def test_only_more_of_a_quote_than_can_rest_latches_by_the_session(kind, is_quote):
    desk = quoting_desk(kind)
    desk.trade(NAME, "bid", LOTS / 10, "t1", is_quote=is_quote)
    desk.run(1000)
    assert (len(desk.two_sided()) > 80) != is_quote
