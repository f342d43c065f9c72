"""The FIX dialect of the venue: orders, quotes, protection and questions (venue.md 3)."""

import json

import pytest

from tests.unit.venue.client import House
from tests.unit.venue.fix_client import FixClient, entries_of, fills_of, two_sided


@pytest.fixture
def house():
    house = House()
    house.venue.open_fix(house.now_ns)
    return house


@pytest.fixture
def maker(house):
    client = FixClient(house).connect()
    client.protect()
    return client


def only(messages):
    assert len(messages) == 1, messages
    return messages[0]


def test_a_logon_with_the_hash_opens_a_session(house):
    client = FixClient(house).connect()
    assert client.session.is_up
    assert house.venue.connection_count() == 1


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"secret": "wrong"}, "invalid_credentials"),
        ({"t553": "nobody"}, "invalid_credentials"),
        ({"drop": (95, 96)}, "invalid_credentials"),
    ],
)
def test_bad_credentials_are_answered_with_logout(house, more, reason):
    client = FixClient(house).connect(**more)
    assert not client.session.is_up
    assert client.was_refused() == reason
    assert client.closed


def test_the_time_in_raw_data_must_grow(house):
    client = FixClient(house).connect()
    body = client.bytes_in
    assert body
    client.disconnect()
    house.now_ns -= 1_000_000  # connect() adds it again: the same ms
    client.connect()
    assert client.was_refused() == "RawData: timestamp must grow"


def test_one_name_logs_on_once_at_a_time(house):
    FixClient(house).connect()
    second = FixClient(house).connect()
    assert second.was_refused() == "already logged on"
    assert FixClient(house, comp_id="OTHER").connect().session.is_up


def test_quotes_rest_and_the_next_ones_replace_them(house, maker):
    name = house.options()[0]
    ack = only(maker.quote(two_sided(name, 0.01, 0.09)))
    assert (ack.msg_type, ack.get(117), ack.get(297)) == ("b", "1", "0")
    bid, ask = entries_of(ack)
    assert (bid[299], bid[9020], bid[1167], bid[54], bid[132], bid[134]) == (
        "1", "0", "21", "1", "0.01", "1",
    )  # fmt: skip
    assert (ask[54], ask[133], ask[135], ask[302]) == ("2", "0.09", "1", "s")
    again = entries_of(only(maker.quote(two_sided(name, 0.011, 0.08, 2))))
    assert [entry[37] for entry in again] == [bid[37], ask[37]]
    assert [entry[1167] for entry in again] == ["19", "19"]
    assert house.venue.exchange.orders.quote_count(2) == 2


def test_a_size_of_nought_takes_a_side_away(house, maker):
    name = house.options()[0]
    maker.quote(two_sided(name, 0.01, 0.09))
    entry = entries_of(only(maker.quote({55: name, 134: 0})))
    assert [(e[1167], e[54]) for e in entry] == [("17", "1")]
    assert house.venue.exchange.orders.quote_count(2) == 1


def test_a_side_that_is_refused_is_an_entry_with_the_code(house, maker):
    name = house.options()[0]
    entries = entries_of(only(maker.quote({55: name, 132: 0.01003, 134: 1, 133: 0.09, 135: 1})))
    assert [(e[9020], e[54], e.get(368), e.get(58)) for e in entries] == [
        ("0", "2", None, None),
        ("2", "1", "10043", "price_wrong_tick"),
    ]


def test_a_mass_quote_for_no_group_is_refused_whole(house):
    client = FixClient(house).connect()
    ack = only(client.quote(two_sided(house.options()[0], 0.01, 0.09)))
    assert (ack.get(297), ack.get(300), ack.get(368)) == ("5", "13040", "13040")


def test_a_mass_quote_needs_cancel_on_disconnect(house):
    client = FixClient(house).connect(t9001="N")
    client.protect()
    ack = only(client.quote(two_sided(house.options()[0], 0.01, 0.09)))
    assert (ack.get(297), ack.get(368)) == ("5", "13042")


def test_counts_that_differ_from_the_entries_are_rejected(house, maker):
    name = house.options()[0]
    maker.send("i", (117, 1), (9019, "g"), (296, 1), (302, "s"), (304, 2), (295, 2), (299, 1),
               (55, name), (132, 0.01), (134, 1))  # fmt: skip
    assert b"35=3\x01" in maker.bytes_in
    assert b"373=16\x01" in maker.bytes_in
    assert maker.session.is_up


def test_sizes_of_futures_are_contracts(house, maker):
    ack = only(maker.quote(two_sided("BTC-PERPETUAL", 90_000, 100_000, 5)))
    assert [entry.get(134) or entry.get(135) for entry in entries_of(ack)] == ["5", "5"]
    quotes = house.venue.exchange.orders.quotes(2)
    assert [order.lots for order in quotes] == [5, 5]


@pytest.mark.parametrize("as_reports", [True, False])
def test_a_fill_of_a_quote_is_told_at_once_before_all_else(house, as_reports):
    name = house.options()[0]
    maker = FixClient(house).connect(t9015="Y" if as_reports else "N")
    maker.protect()
    watcher = house.client("desk")
    watcher.subscribe("user.trades.any.any.raw", "user.orders.any.any.raw")
    maker.quote(two_sided(name, 0.01, 0.09, 2))
    other = house.client("other")
    params = {"instrument_name": name, "amount": 1, "price": 0.01}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "private/sell", "params": params})
    outputs = house.venue.on_bytes(other.connection_id, body.encode(), house.now_ns)
    order_of_arrival = [output.connection_id for output in outputs]
    start = len(maker.inbox)
    house.deliver(outputs)
    report = only(maker.inbox[start:])
    assert order_of_arrival.index(maker.connection_id) < order_of_arrival.index(
        watcher.connection_id
    )
    trade_id = house.venue.exchange.history.by_account[2][-1][0].trade_id
    if as_reports:
        assert (report.msg_type, report.get(150), report.get(39)) == ("8", "F", "1")
        assert (report.get(55), report.get(54), report.get(117), report.get(299)) == (
            name, "1", "1", "1",
        )  # fmt: skip
        assert (report.get(31), report.get(32), report.get(14), report.get(151)) == (
            "0.01", "1", "1", "1",
        )  # fmt: skip
        assert fills_of(report) == [{1363: trade_id, 1364: "0.01", 1365: "1", 1443: "1"}]
    else:
        assert report.msg_type == "b"
        entry = only(entries_of(report))
        assert (entry[299], entry[9020], entry[132], entry[134]) == (trade_id, "1", "0.01", "1")


def test_a_quote_that_trades_is_told_before_its_own_answer(house, maker):
    name = house.options()[0]
    house.client("other").order("sell", name, 1.0, 0.02)
    report, ack = maker.quote({55: name, 132: 0.03, 134: 2, 133: 0.09, 135: 1})
    assert (report.msg_type, report.get(39), report.get(14)) == ("8", "1", "1")
    assert fills_of(report)[0][1443] == "2"
    assert ack.msg_type == "b"


def test_post_only_moves_a_quote_or_refuses_it(house, maker):
    name = house.options()[0]
    house.client("other").order("sell", name, 1.0, 0.02)
    entry = only(entries_of(only(maker.quote({55: name, 132: 0.03, 134: 1, 18: "6"}))))
    assert (entry[1167], entry[132]) == ("21", "0.0195")
    entries = entries_of(only(maker.quote({55: name, 132: 0.03, 134: 1, 18: "6A"})))
    assert [entry.get(368) for entry in entries if entry[9020] == "2"] == ["11054"]


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ([(298, 1), (55, "first")], 2),
        ([(298, 2), (167, "OPT")], 0),
        ([(298, 2), (167, "FUT"), (15, "BTC")], 4),
        ([(298, 4)], 0),
        ([(298, 5), (15, "BTC")], 0),
        ([(298, 5), (15, "ETH")], 4),
        ([(298, 6), (302, "s")], 0),
        ([(298, 7), (9032, 0.9), (9033, 1)], 4),
    ],
)
def test_quotes_are_cancelled_by_what_is_said(house, maker, fields, left):
    names = house.options()[:2]
    maker.quote(*[two_sided(name, 0.01, 0.09) for name in names])
    fields = [(tag, names[0] if value == "first" else value) for tag, value in fields]
    report = only(maker.send("Z", (1166, "z9"), *fields))
    assert (report.msg_type, report.get(11), report.get(298)) == ("r", "z9", str(fields[0][1]))
    assert int(report.get(533)) == 4 - left
    assert house.venue.exchange.orders.quote_count(2) == left


def test_frozen_quotes_are_refused_for_a_second(house, maker):
    maker.send("Z", (1166, "1"), (298, 4), (9031, "Y"))
    assert only(maker.quote(two_sided(house.options()[0], 0.01, 0.09))).get(368) == "13043"
    house.pass_time(1.1)
    assert only(maker.quote(two_sided(house.options()[0], 0.01, 0.09))).get(297) == "0"


def test_protection_pulls_quotes_and_says_so(house, maker):
    applied = only(maker.protect(t20110=1))
    assert (applied.msg_type, applied.get(20114), applied.get(20117)) == ("MR", "m", "Y")
    names = house.options()[:2]
    maker.quote(*[two_sided(name, 0.01, 0.09) for name in names])
    start = len(maker.inbox)
    house.client("other").order("sell", names[0], 1.0, 0.01)
    fill, *pulled = maker.inbox[start:]
    assert fill.get(150) == "F"
    assert {(m.get(150), m.get(39), m.get(58)) for m in pulled} == {("4", "4", "mmp_trigger")}
    assert len(pulled) == 3
    assert only(maker.quote(two_sided(names[0], 0.01, 0.09))).get(368) == "13030"
    assert only(maker.send("MZ", (20114, "r"), (15, "BTC"), (9019, "g"))).get(20117) == "Y"
    assert only(maker.quote(two_sided(names[0], 0.01, 0.09))).get(297) == "0"


def test_a_protection_that_cannot_be_is_refused_with_a_reason(maker):
    refused = only(maker.protect(t20119=10_000))
    assert refused.get(20117) == "N"
    assert "max_quote_quantity" in refused.get(58)


def test_an_order_is_reported_with_both_ids(house, maker):
    name = house.options()[0]
    report = only(maker.order("1", name, 1, 0.01, t100010="hedge"))
    order_id = report.get(37)
    assert (report.get(11), report.get(41), report.get(100010)) == (order_id, "c1", "hedge")
    assert (report.get(150), report.get(39), report.get(151)) == ("0", "0", "1")
    replaced = only(maker.send("G", (41, order_id), (55, name), (38, 2), (44, 0.0105)))
    assert (replaced.get(150), replaced.get(38), replaced.get(44)) == ("5", "2", "0.0105")
    ended = only(maker.send("F", (11, "c1"), (55, name)))
    assert (ended.get(150), ended.get(39), ended.get(37)) == ("4", "4", order_id)


def test_an_order_that_trades_is_reported_once_with_all_its_fills(house, maker):
    name = house.options()[0]
    seller = house.client("other")
    seller.order("sell", name, 1.0, 0.02)
    seller.order("sell", name, 1.0, 0.021)
    report = only(maker.order("1", name, 3, 0.025, t59=3))
    assert (report.get(150), report.get(39), report.get(14), report.get(151)) == (
        "F", "4", "2", "0",
    )  # fmt: skip
    assert [(fill[1364], fill[1365], fill[1443]) for fill in fills_of(report)] == [
        ("0.02", "1", "2"), ("0.021", "1", "2"),
    ]  # fmt: skip
    assert report.get(6) == "0.0205"


def test_a_refused_order_is_reported_rejected_with_the_code(house, maker):
    report = only(maker.order("1", house.options()[0], 1, 0.01003))
    assert (report.get(150), report.get(39), report.get(41), report.get(368)) == (
        "8", "8", "c1", "10043",
    )  # fmt: skip


def test_contracts_and_units_are_told_apart(house, maker):
    only(maker.order("1", "BTC-PERPETUAL", 3, 50_000, "by-contracts"))
    only(maker.order("1", "BTC-PERPETUAL", 30, 50_000, "by-units", t854=0))
    assert [order.lots for order in house.venue.exchange.orders.live(2)] == [3, 3]


def test_cancelling_what_is_not_there_is_refused(maker):
    refusal = only(maker.send("F", (11, "nothing")))
    assert (refusal.msg_type, refusal.get(39), refusal.get(102), refusal.get(368)) == (
        "9", "8", "1", "10004",
    )  # fmt: skip
    assert refusal.get(434) == "1"
    assert only(maker.send("G", (11, "nothing"), (38, 1))).get(434) == "2"


def test_another_accounts_order_is_not_cancelled(house, maker):
    order = house.client("other").order("sell", house.options()[0], 1.0, 0.02)
    refusal = only(maker.send("F", (41, order["order_id"])))
    assert refusal.get(368) == "10029"
    assert len(house.venue.exchange.orders.live(3)) == 1


def test_all_orders_are_cancelled_and_counted(house, maker):
    for number in range(3):
        maker.order("1", house.options()[number], 1, 0.01, f"c{number}")
    *reports, answer = maker.send("q", (11, "all"), (530, 7))
    assert [report.get(150) for report in reports] == ["4"] * 3
    assert (answer.msg_type, answer.get(531), answer.get(533)) == ("r", "7", "3")


def test_live_orders_are_listed(house, maker):
    assert only(maker.send("AF", (584, "1"), (585, 7))).get(911) == "0"
    for number in range(2):
        maker.order("1", house.options()[number], 1, 0.01, f"c{number}")
    reports = maker.send("AF", (584, "2"), (585, 7))
    assert [(r.get(150), r.get(911), r.get(41)) for r in reports] == [
        ("I", "2", "c0"), ("I", "2", "c1"),
    ]  # fmt: skip


def test_positions_and_money_are_told(house, maker):
    name = house.options()[0]
    house.client("other").order("sell", name, 1.0, 0.02)
    maker.order("1", name, 1, 0.02)
    positions = only(maker.send("AN", (710, "p"), (724, 0)))
    assert (positions.msg_type, positions.get(702), positions.get(55), positions.get(704)) == (
        "AP", "1", name, "1",
    )  # fmt: skip
    user = only(maker.send("BE", (923, "u"), (924, 4), (15, "BTC")))
    assert (user.msg_type, user.get(553)) == ("BF", "desk-id")
    assert float(user.get(100001)) == pytest.approx(1_000, abs=0.1)


def test_instruments_are_listed_with_their_ticks(house, maker):
    listing = only(maker.send("x", (320, "s"), (559, 0), (15, "ETH"), (167, "OPT")))
    options = [i for i in house.chain.instruments if i.underlying == "ETH" and i.kind == "option"]
    assert (listing.msg_type, listing.get(146)) == ("y", str(len(options)))
    assert (listing.get(969), listing.get(1206), listing.get(1208)) == ("0.0001", "0.005", "0.0005")


def test_a_books_best_prices_are_told(house, maker):
    name = house.options()[0]
    maker.quote(two_sided(name, 0.01, 0.09))
    book = only(maker.send("V", (262, "v"), (263, 0), (264, 1), (55, name)))
    assert (book.msg_type, book.get(268)) == ("W", "2")
    assert only(maker.send("V", (262, "v"), (263, 1), (264, 1), (55, name))).msg_type == "Y"


def test_what_is_not_spoken_here_gets_a_business_reject(maker):
    refusal = only(maker.send("AE", (571, "1")))
    assert (refusal.msg_type, refusal.get(372), refusal.get(380)) == ("j", "AE", "3")
