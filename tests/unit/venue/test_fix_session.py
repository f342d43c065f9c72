"""The venue's side of a FIX session: what outlives a connection, what hostile bytes cannot do."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.fix.codec import encode, format_time, pack
from shared.fix.credentials import VENUE_NAME
from tests.unit.venue.client import GROUP, House
from tests.unit.venue.fix_client import FIRST_CONNECTION, FixClient, fills_of, two_sided

DESK = 2


@pytest.fixture
def house():
    house = House()
    house.venue.open_fix(house.now_ns)
    return house


def quotes_of(house):
    return house.venue.exchange.orders.quote_count(DESK)


def quoting(house, **more):
    client = FixClient(house).connect(**more)
    client.protect()
    client.quote(*[two_sided(name, 0.01, 0.09) for name in house.options()[:3]])
    assert quotes_of(house) == 6
    return client


def test_quotes_go_with_the_connection(house):
    client = quoting(house)
    client.disconnect()
    assert quotes_of(house) == 0


def test_orders_stay_where_that_was_asked_for(house):
    client = FixClient(house).connect(t9001="N")
    client.order("1", house.options()[0], 1, 0.01)
    client.disconnect()
    assert len(house.venue.exchange.orders.live(DESK)) == 1


@pytest.mark.parametrize(("more", "left"), [((), 0), (((9003, "Y"),), 6)])
def test_a_logout_takes_quotes_unless_it_says_no(house, more, left):
    client = quoting(house)
    client.session.log_out("done", house.now_ns, more)
    client.pump()
    assert client.closed
    assert quotes_of(house) == left


def test_silence_takes_quotes(house):
    client = quoting(house, t108=1)
    seconds = 0.0
    while not client.closed:
        seconds += 0.1
        assert seconds < 1.0
        client.session.take()  # whatever the client would answer never arrives
        house.pass_time(0.1)
    assert quotes_of(house) == 0


def test_quotes_of_another_connection_stay(house):
    quoting(house)
    other = FixClient(house, comp_id="OTHER").connect()
    other.disconnect()
    assert quotes_of(house) == 6


def test_a_fill_while_the_client_was_away_is_told_when_it_is_back(house):
    name = house.options()[0]
    client = FixClient(house).connect(reset=False, t9001="N")
    client.order("1", name, 2, 0.01)
    client.disconnect()
    house.client("other").order("sell", name, 1.0, 0.01)
    start = len(client.inbox)
    client.connect(reset=False, t9001="N")
    (report,) = client.inbox[start:]
    assert (report.get(43), report.get(150), len(fills_of(report))) == ("Y", "F", 1)


def test_a_reset_forgets_what_was_kept(house):
    name = house.options()[0]
    client = FixClient(house).connect(t9001="N")
    client.order("1", name, 2, 0.01)
    client.disconnect()
    house.client("other").order("sell", name, 1.0, 0.01)
    start = len(client.inbox)
    client.connect(t9001="N")
    assert client.inbox[start:] == []


def test_an_order_of_an_earlier_run_of_the_venue_is_not_carried_out(house):
    """The client comes back with its numbers; the venue that knew them is gone."""
    client = FixClient(house).connect(reset=False)
    header = [(35, "D"), (49, "MAKER"), (56, VENUE_NAME), (34, 2), (43, True),
              (52, format_time(house.now_ns)),
              (122, format_time(house.now_ns - 10_000_000_000))]  # fmt: skip
    order = [(11, "old"), (55, house.options()[0]), (54, 1), (38, 1), (40, 2), (44, 0.01)]
    house.deliver(
        house.venue.on_bytes(client.connection_id, encode(header, pack(order)), house.now_ns)
    )
    assert client.inbox[-1].msg_type == "j"
    assert house.venue.exchange.orders.live(DESK) == []


def test_an_order_marked_as_maybe_sent_before_is_taken_once(house):
    client = FixClient(house).connect()
    client.order("1", house.options()[0], 1, 0.01, "same")
    (report,) = client.order("1", house.options()[0], 1, 0.01, "same", t97="Y")
    assert (report.get(39), report.get(368)) == ("8", "11050")
    assert len(house.venue.exchange.orders.live(DESK)) == 1


@pytest.mark.parametrize(("more", "seen"), [({}, 1), ({"t9009": "Y"}, 0), ({"t9010": "Y"}, 0)])
def test_reports_of_other_connections_come_where_they_are_wanted(house, more, seen):
    client = FixClient(house).connect(**more)
    house.client("desk").order("buy", house.options()[0], 1.0, 0.01)
    client.pump()
    assert len(client.inbox) == seen
    assert len(client.order("1", house.options()[1], 1, 0.01)) == 1


def test_too_many_requests_end_the_session(house):
    client = FixClient(house).connect()
    for number in range(101):
        client.order("1", house.options()[0], 1, 0.01, f"c{number}")
        if client.closed:
            break
    assert client.inbox[-1].get(368) == "10028"
    assert client.was_refused() == "too_many_requests"


def test_no_venue_without_a_door_takes_fix():
    house = House()
    assert house.venue.on_bytes(FIRST_CONNECTION, b"8=FIX.4.4", house.now_ns) == []


TYPES = st.sampled_from([*"0123456789ADFGVixqrZ", "AF", "AN", "BE", "MM", "MZ", "ZZ", "é"])
TAGS = st.sampled_from([7, 11, 16, 18, 36, 38, 40, 41, 43, 44, 45, 54, 55, 59, 62, 97, 108, 112,
                        117, 122, 123, 132, 133, 134, 135, 141, 262, 295, 296, 298, 299, 302, 304,
                        320, 530, 584, 585, 710, 854, 923, 1166, 9019, 9031, 9032, 20112, 20116,
                        20119, 100010, 15, 167])  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(["Y", "N", "0", "1", "2", "7", "-1", "0.01", "1e5", "nan", "BTC",
                     "BTC-PERPETUAL",
                     GROUP, "9" * 30, "6A", "20260123-09:30:00"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), min_size=1, max_size=12),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.tuples(TYPES, st.lists(st.tuples(TAGS, TEXTS), max_size=12), st.integers(-1, 3)),
        ),
        max_size=12,
    )
)
def test_hostile_bytes_harm_nobody_else(attack):
    house = House()
    house.venue.open_fix(house.now_ns)
    victim = FixClient(house, name="other", comp_id="VICTIM").connect()
    client = FixClient(house).connect()
    client.protect()
    name = house.options()[0]
    victim.order("2", name, 1, 0.09)
    seq = 3
    for part in attack:
        if isinstance(part, tuple):
            msg_type, fields, jump = part
            header = [(35, msg_type), (49, "MAKER"), (56, VENUE_NAME), (34, seq + jump),
                      (52, format_time(house.now_ns))]  # fmt: skip
            seq += 1
            data = encode(header, pack([(tag, str(value)) for tag, value in fields]))
        else:
            data = part
        house.deliver(house.venue.on_bytes(client.connection_id, data, house.now_ns))
    house.pass_time(0.2)
    house.assert_sound()
    assert victim.session.is_up
    assert victim.order("1", name, 1, 0.01, "after")[-1].get(39) == "0"
