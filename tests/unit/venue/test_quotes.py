"""Mass quotes by the venue's rules (reference: venue.md 1.8)."""

import pytest

from tests.unit.venue.client import GROUP, House, RefusedError, two_sided


@pytest.fixture
def house():
    return House()


@pytest.fixture
def maker(house):
    client = house.client("desk", cod=True)
    client.protect()
    return client


def best(house, name):
    ticker = house.client("other").call("public/ticker", instrument_name=name)
    return ticker["best_bid_price"], ticker["best_ask_price"]


def test_cancel_on_disconnect_must_be_on(house):
    client = house.client("desk")
    client.protect()
    with pytest.raises(RefusedError) as refused:
        client.quote(two_sided(house.options()[0], 0.01, 0.02))
    assert refused.value.code == 13042


def test_the_group_must_be_configured(house):
    client = house.client("desk", cod=True)
    with pytest.raises(RefusedError) as refused:
        client.quote(two_sided(house.options()[0], 0.01, 0.02))
    assert refused.value.code == 13040


def test_quotes_rest_and_the_next_ones_replace_them(house, maker):
    name = house.options()[0]
    first = maker.quote(two_sided(name, 0.01, 0.09))
    assert [order["order_state"] for order in first["orders"]] == ["open", "open"]
    assert first["orders"][0]["quote"] is True
    second = maker.quote(two_sided(name, 0.011, 0.08, amount=2.0))
    assert {order["order_id"] for order in second["orders"]} == {
        order["order_id"] for order in first["orders"]
    }
    assert best(house, name) == (0.011, 0.08)
    assert house.venue.exchange.orders.quote_count(2) == 2


def test_a_quote_may_move_through_its_own_other_side(house, maker):
    name = house.options()[0]
    passive = {"post_only": True, "reject_post_only": True}
    maker.quote(two_sided(name, 0.010, 0.011, **passive))
    assert maker.quote(two_sided(name, 0.012, 0.013, **passive))["errors"] == []
    assert best(house, name) == (0.012, 0.013)
    assert maker.quote(two_sided(name, 0.008, 0.009, **passive))["errors"] == []
    assert best(house, name) == (0.008, 0.009)


def test_amount_alone_and_price_alone_may_change(house, maker):
    name = house.options()[0]
    maker.quote(two_sided(name, 0.01, 0.09))
    maker.quote({"instrument_name": name, "bid": {"price": 0.012}})
    maker.quote({"instrument_name": name, "ask": {"amount": 3}})
    orders = {o["direction"]: o for o in maker.call("private/get_open_orders")}
    assert (orders["buy"]["price"], orders["buy"]["amount"]) == (0.012, 1.0)
    assert (orders["sell"]["price"], orders["sell"]["amount"]) == (0.09, 3.0)


def test_amount_zero_cancels_a_side(house, maker):
    name = house.options()[0]
    maker.quote(two_sided(name, 0.01, 0.09))
    result = maker.quote({"instrument_name": name, "bid": {"amount": 0}})
    assert result["errors"] == []
    assert best(house, name) == (0.0, 0.09)


def test_each_side_has_its_own_error_and_a_refused_one_takes_its_quote_away(house, maker):
    name = house.options()[0]
    maker.quote(two_sided(name, 0.01, 0.09))
    result = maker.quote(
        {
            "instrument_name": name,
            "bid": {"price": 0.0102, "amount": 1},
            "ask": {"price": 0.08, "amount": 1},
        }
    )
    assert [(e["side"], e["error"]["code"]) for e in result["errors"]] == [("bid", 10043)]
    assert best(house, name) == (0.0, 0.08)


def test_errors_name_instrument_side_and_limit(house, maker):
    name = house.options()[0]
    result = maker.quote(
        two_sided(name, 0.9, 0.95), two_sided("BTC-1JAN20-1-C", 1, 2), two_sided(name, 0.1, 0.2)
    )
    found = [(e["instrument_name"], e["side"], e["error"]["code"]) for e in result["errors"]]
    assert (name, "bid", 10007) in found
    assert ("BTC-1JAN20-1-C", "bid", 10020) in found
    assert (name, "ask", 11029) in found, "one quote an instrument"
    limit = next(e["error"]["message"] for e in result["errors"] if e["error"]["code"] == 10007)
    assert float(limit.removeprefix("price_too_high ")) < 0.9


def test_a_crossed_quote_is_refused_on_both_sides(house, maker):
    result = maker.quote(two_sided(house.options()[0], 0.02, 0.01))
    assert [e["error"]["code"] for e in result["errors"]] == [10003, 10003]
    assert house.venue.exchange.orders.quote_count(2) == 0


def test_a_passive_quote_that_would_take_is_refused_or_steps_back(house, maker):
    name = house.options()[0]
    house.client("other").order("sell", name, 1.0, 0.012)
    strict = maker.quote(
        {"instrument_name": name,
         "bid": {"price": 0.012, "amount": 1, "post_only": True, "reject_post_only": True}}
    )  # fmt: skip
    assert [e["error"]["code"] for e in strict["errors"]] == [11054]
    loose = maker.quote(
        {"instrument_name": name, "bid": {"price": 0.012, "amount": 1, "post_only": True}}
    )
    assert loose["errors"] == []
    assert best(house, name) == (0.0115, 0.012)


def test_a_quote_that_may_take_does(house, maker):
    name = house.options()[0]
    house.client("other").order("sell", name, 0.4, 0.012)
    result = maker.quote({"instrument_name": name, "bid": {"price": 0.012, "amount": 1}})
    trade = result["trades"][0]
    assert (trade["amount"], trade["price"], trade["liquidity"]) == (0.4, 0.012, "T")
    assert (trade["quote_id"], trade["mmp"]) == ("7", True)
    assert best(house, name) == (0.012, 0.0)


def test_identical_quotes_lose_their_place_but_a_new_set_id_or_less_size_keeps_it(house, maker):
    name = house.options()[0]
    other = house.client("other")

    def first_in_queue(quote) -> bool:
        maker.call("private/cancel_quotes", cancel_type="all")
        other.call("private/cancel_all")
        maker.quote(two_sided(name, 0.01, 0.09))
        rival = other.order("buy", name, 1.0, 0.01)
        maker.quote(quote)
        return _head(house, name) != rival["order_id"]

    assert not first_in_queue(two_sided(name, 0.01, 0.09))
    assert first_in_queue({**two_sided(name, 0.01, 0.09), "quote_set_id": "new"})
    assert first_in_queue(two_sided(name, 0.01, 0.09, amount=0.5))


def _head(house, name):
    """Returns the order that the next seller at market would meet: an outsider sells a lot."""
    exchange = house.venue.exchange
    index = exchange.index_of[name]
    if 50 not in {account.account_id for account in exchange.accounts.all()}:
        exchange.accounts.open(50, "outsider")
    exchange.book.submit(index, 50, 1, 1, 1, 1)
    trade = exchange.settle_events(house.now_ns)[0]
    return trade.parties[0].order_id


def test_more_than_a_hundred_quotes_or_another_index_are_refused(house, maker):
    names = house.options()
    with pytest.raises(RefusedError) as refused:
        maker.quote(*[two_sided(names[0], 0.01, 0.02)] * 101)
    assert refused.value.code == -32602
    result = maker.quote(two_sided(house.options("ETH")[0], 0.01, 0.02))
    assert {e["error"]["code"] for e in result["errors"]} == {10020}


def test_size_is_capped_by_the_group(house, maker):
    result = maker.quote(two_sided(house.options()[0], 0.01, 0.09, amount=10.1))
    assert {e["error"]["code"] for e in result["errors"]} == {10022}
    maker.quote(two_sided(house.options()[0], 0.01, 0.09, amount=10.0))
    maker.protect(max_quote_quantity=5.0)
    assert house.venue.exchange.orders.quote_count(2) == 0, "curtailed"


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({"cancel_type": "all"}, 0),
        ({"cancel_type": "currency", "currency": "BTC"}, 0),
        ({"cancel_type": "currency", "currency": "ETH"}, 6),
        ({"cancel_type": "currency_pair", "currency_pair": "btc_usd"}, 0),
        ({"cancel_type": "instrument_kind", "kind": "future", "currency": "BTC"}, 4),
        ({"cancel_type": "quote_set_id", "quote_set_id": "s"}, 2),
        ({"cancel_type": "delta", "min_delta": 0.0, "max_delta": 1.0}, 2),
        ({"cancel_type": "delta", "min_delta": 0.99, "max_delta": 1.0}, 6),
    ],
)
def test_cancel_quotes_takes_what_it_names(house, maker, params, left):
    first, second = house.options()[:2]
    mark = house.venue.exchange.marks.mark_price(house.venue.exchange.index_of["BTC-PERPETUAL"])
    price = round(mark) - 100
    future = {**two_sided("BTC-PERPETUAL", price, price + 200, amount=100), "quote_set_id": "f"}
    result = maker.quote(two_sided(first, 0.01, 0.09), two_sided(second, 0.01, 0.09), future)
    assert result["errors"] == []
    count = maker.call("private/cancel_quotes", **params)
    assert count == 6 - left
    assert house.venue.exchange.orders.quote_count(2) == left


def test_frozen_quotes_are_refused_for_a_second(house, maker):
    maker.call("private/cancel_quotes", cancel_type="all", freeze_quotes=True)
    with pytest.raises(RefusedError) as refused:
        maker.quote(two_sided(house.options()[0], 0.01, 0.02))
    assert refused.value.code == 13043
    house.pass_time(1.0)
    assert maker.quote(two_sided(house.options()[0], 0.01, 0.02))["errors"] == []


def test_without_detail_only_errors_come_back(house, maker):
    assert maker.quote(two_sided(house.options()[0], 0.01, 0.02), detailed=False) == {"errors": []}


def test_a_lost_connection_takes_its_quotes_and_no_other_s(house, maker):
    name = house.options()[0]
    maker.quote(two_sided(name, 0.01, 0.09))
    twin = house.client("desk")
    order = twin.order("buy", name, 1.0, 0.005)
    house.deliver(house.venue.on_close(maker.connection_id, house.now_ns))
    assert house.venue.exchange.orders.quote_count(2) == 0
    assert twin.call("private/get_order_state", order_id=order["order_id"])["order_state"] == "open"
    assert house.venue.exchange.groups_of(2).find("btc_usd", GROUP) is not None
