"""The C core's FIX against the plain Python codec, which shares no code with it."""

import random
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from native import fix
from native.library import NativeError
from shared.fix import tags
from shared.fix.codec import Framer, Garbled, Malformed, Value, encode, format_time, pack

NOW_NS = 1_795_344_392_306_789_012
SOH = b"\x01"
MEMBERS = frozenset((299, 55, 132, 133, 134, 135, 18))
many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=64)
counts = st.one_of(st.integers(1, 2_000), st.integers(1, 10**12))
sides = st.one_of(st.just(fix.LEFT_OUT), st.just(0), counts)
units = st.sampled_from(["0.0001", "0.0005", "0.1", "1", "5", "0.05", "10", "0.000000000001"])


def heard(raw: bytes) -> list[tuple[int, str]]:
    """Returns the fields of one message as the Python codec reads them."""
    (message,) = Framer().feed(raw)
    assert not isinstance(message, Garbled | Malformed)
    return message.fields


def said(msg_type: str, sequence: int, *fields: tuple[int, object]) -> bytes:
    """Returns a message from the venue as the Python codec writes it."""
    header: list[tuple[int, Value]] = [
        (35, msg_type),
        (49, "VENUE"),
        (56, "DESK"),
        (34, sequence),
        (52, format_time(NOW_NS)),
    ]
    return encode(header, pack([(tag, str(value)) for tag, value in fields]))


def taken(raw: bytes) -> fix.Message:
    (message,) = fix.Stream().feed(raw)
    return message


def side_fields(quote: fix.Quote, tick: str, lot: str) -> list[tuple[int, Decimal]]:
    rows = []
    for side in (fix.BID, fix.ASK):
        if quote.lots[side] > 0:
            rows.append((132 + side, quote.ticks[side] * Decimal(tick)))
        if quote.lots[side] >= 0:
            rows.append((134 + side, quote.lots[side] * Decimal(lot)))
    return sorted(rows)


@many
@given(
    st.lists(st.tuples(names, st.tuples(counts, counts), st.tuples(sides, sides)), max_size=100)
    .filter(lambda rows: all(lots != (-1, -1) for _, _, lots in rows))
    .filter(bool),
    units, units, names, names, st.integers(0, 2), st.integers(0, 2**63 - 1),
    st.integers(0, 7_258_118_399 * 10**9),
)  # fmt: skip
def test_mass_quotes_read_back_as_they_were_meant(
    rows: list[tuple[str, tuple[int, int], tuple[int, int]]],
    tick: str,
    lot: str,
    group: str,
    set_id: str,
    execution: int,
    quote_id: int,
    now_ns: int,
) -> None:
    lane = fix.Lane("DESK", "VENUE")
    quotes = [
        fix.Quote(fix.Instrument(name, at, tick, lot), ticks, lots)
        for at, (name, ticks, lots) in enumerate(rows)
    ]
    raw = lane.mass_quote(fix.QuoteForm(group, set_id, execution), quote_id, quotes, now_ns)
    fields = heard(raw)
    assert fields[:5] == [
        (35, "i"),
        (49, "DESK"),
        (56, "VENUE"),
        (34, "1"),
        (52, format_time(now_ns)),
    ]
    assert fields[5:11] == [
        (117, str(quote_id)), (9019, group), (296, "1"), (302, set_id),
        (304, str(len(rows))), (295, str(len(rows))),
    ]  # fmt: skip
    (message,) = Framer().feed(raw)
    assert not isinstance(message, Garbled | Malformed)
    entries = message.groups(295, MEMBERS)
    for quote, entry in zip(quotes, entries, strict=True):
        assert entry[0] == (299, str(quote.instrument.entry_id))
        assert entry[1] == (55, quote.instrument.name)
        numbers = sorted((tag, Decimal(value)) for tag, value in entry if 132 <= tag <= 135)
        assert numbers == side_fields(quote, tick, lot)
        assert [v for t, v in entry if t == 18] == [[], ["6"], ["6A"]][execution]
    assert taken(raw).raw == raw


@many
@given(names, counts, counts, st.sampled_from([0, 1]), st.sampled_from([0, 1, 2, 4, 5, 6]), names)
def test_orders_read_back_as_they_were_meant(
    name: str, ticks: int, lots: int, side: int, execution: int, client_id: str
) -> None:
    lane = fix.Lane("DESK", "VENUE")
    instrument = fix.Instrument(name, 1, "0.5", "10")
    terms = {"price_ticks": ticks, "lots": lots, "side": side, "execution": execution}
    new = dict(heard(lane.order(instrument, NOW_NS, client_id=client_id, label="l", **terms)))
    changed = dict(heard(lane.replace(instrument, NOW_NS, order_id="v-1", **terms)))
    for fields in (new, changed):
        assert (fields[55], fields[54], fields[40], fields[59]) == (name, "12"[side], "2", "1")
        assert Decimal(fields[44]) == ticks * Decimal("0.5")
        assert Decimal(fields[38]) == lots * 10
        flags = {0: None, 1: "6", 2: "6A", 4: "E", 5: "6E", 6: "6AE"}
        assert fields.get(18) == flags[execution]
    assert (new[35], new[11], new[100010], new[34]) == ("D", client_id, "l", "1")
    assert (changed[35], changed[41], changed[34]) == ("G", "v-1", "2")
    gone = dict(heard(lane.cancel(instrument, NOW_NS, order_id="v-1")))
    assert (gone[35], gone[41], gone[55], gone[34]) == ("F", "v-1", name, "3")
    all_gone = heard(lane.quote_cancel(5, 9, NOW_NS, scope="BTC", freeze=True))
    assert all_gone[5:] == [(1166, "9"), (298, "5"), (15, "BTC"), (9031, "Y")]


def test_admin_bodies_are_carried_and_gap_fills_keep_the_numbers() -> None:
    lane = fix.Lane("DESK", "VENUE")
    for sequence in (1, 2, 3):
        fields = heard(lane.body("0", b"112=x\x01", NOW_NS))
        assert fields[-1] == (112, "x")
        assert (tags.MSG_SEQ_NUM, str(sequence)) in fields
    fill = heard(lane.body("4", b"123=Y\x0136=4\x01", NOW_NS, sequence=2))
    assert fill[5:] == [(43, "Y"), (122, format_time(NOW_NS)), (123, "Y"), (36, "4")]
    assert dict(fill)[34] == "2"
    assert lane.next_out == 4
    with pytest.raises(NativeError, match="HR_ERR_ARGUMENT"):
        lane.body("0", b"112=x", NOW_NS)
    with pytest.raises(NativeError, match="HR_ERR_ARGUMENT"):
        lane.body("4", b"123=Y\x01", NOW_NS, sequence=4)


texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
amounts = st.decimals(0, 10**9, places=6)


@many
@given(
    st.lists(
        st.tuples(
            texts, st.integers(0, 2), st.integers(0, 25), texts, st.integers(0, 1), amounts, amounts
        ),
        max_size=200,
    ),
    texts,
)  # fmt: skip
def test_answers_to_mass_quotes_are_read_entry_by_entry(
    rows: list[tuple[str, int, int, str, int, Decimal, Decimal]], quote_id: str
) -> None:
    fields: list[tuple[int, object]] = [(117, quote_id), (297, 0), (295, len(rows))]
    for entry_id, kind, status, symbol, side, price, size in rows:
        fields += [
            (299, entry_id), (9020, kind), (302, "set"), (1167, status), (55, symbol),
            (54, side + 1), (37, "v-1"), (60, format_time(NOW_NS)),
            (132 + side, f"{price:f}"), (134 + side, f"{size:f}"),
        ]  # fmt: skip
    ack = fix.quote_ack(taken(said("b", 7, *fields)))
    assert (ack.quote_id, ack.status) == (quote_id, 0)
    for one, row in zip(ack.entries, rows, strict=True):
        numbers = (one.prices[one.side], one.sizes[one.side])
        assert (one.id, one.type, one.status, one.symbol, one.side, *numbers) == row
    assert all(one.prices[1 - one.side] is None for one in ack.entries)


@many
@given(st.lists(st.tuples(texts, amounts, amounts), max_size=30), texts, st.sampled_from("0124"))
def test_executions_are_read_with_their_fills(
    fills: list[tuple[str, Decimal, Decimal]], client_id: str, status: str
) -> None:
    fields: list[tuple[int, object]] = [
        (527, 1), (37, "v-1"), (11, "server"), (41, client_id), (39, status), (54, 2),
        (151, "0.9"), (14, "0.10"), (38, 1), (44, "0.0505"), (55, "BTC-1"), (9008, "Y"),
    ]  # fmt: skip
    if fills:
        fields.append((1362, len(fills)))
    for trade_id, price, quantity in fills:
        fields += [(1363, trade_id), (1364, f"{price:f}"), (1365, f"{quantity:f}"), (1443, 1)]
    report = fix.execution(taken(said("8", 3, *fields)))
    assert [fill[:3] for fill in report.fills] == fills
    assert report.fields["client_id"] == client_id
    assert report.fields["order_status"] == ord(status)
    assert report.fields["side"] == fix.ASK
    assert report.fields["leaves"] == Decimal("0.9")
    assert report.fields["cumulative"] == Decimal("0.1")


def test_cancel_answers_and_refusals_are_read() -> None:
    answer = said("r", 3, (11, 9), (530, 11), (531, 11), (298, 5), (58, "success"), (533, 4))
    report = fix.cancel_report(taken(answer))
    assert (report["client_id"], report["affected_count"], report["response"]) == ("9", 4, 11)
    no = fix.refusal(taken(said("j", 4, (45, 12), (372, "i"), (380, 3), (58, "what?"))))
    assert (no["reference_sequence"], no["reason"], no["text"]) == (12, 3, "what?")
    with pytest.raises(NativeError, match="HR_ERR_MALFORMED"):
        fix.cancel_report(taken(said("r", 3, (11, 9))))


@st.composite
def noisy_streams(draw: st.DrawFn) -> bytes:
    """Whole messages, torn ones, flipped ones and rubbish."""
    seed = random.Random(draw(st.integers(0, 2**32)))
    out = b""
    for number in range(draw(st.integers(1, 12))):
        raw = said("8", number + 1, (37, "x" * seed.randrange(200)), (39, 0)) if number else b""
        kind = seed.randrange(5)
        if kind == 0:
            raw = raw[: seed.randrange(len(raw) + 1)]
        elif kind == 1 and raw:
            at = seed.randrange(len(raw))
            raw = raw[:at] + bytes((raw[at] ^ 1 << seed.randrange(8),)) + raw[at + 1 :]
        elif kind == 2:
            raw += seed.randbytes(seed.randrange(40)) + b"8=FIX.4.4"[: seed.randrange(9)]
        out += raw
    return out + said("0", 99)


@many
@given(noisy_streams(), st.integers(1, 500))
def test_both_parsers_find_the_same_messages_in_noise(data: bytes, piece: int) -> None:
    stream = fix.Stream()
    framer = Framer()
    ours: list[int] = []
    theirs: list[int] = []
    for at in range(0, len(data), piece):
        ours += [message.sequence for message in stream.feed(data[at : at + piece])]
        for found in framer.feed(data[at : at + piece]):
            if isinstance(found, Malformed):
                theirs.append(found.seq)
            elif not isinstance(found, Garbled) and found.get(tags.BEGIN_STRING) is None:
                theirs.append(found.integer(34, 0))
    assert ours == theirs


@many
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_lossy_way_with_resends_gives_each_message_once_and_in_order(
    seed: int, last: int
) -> None:
    rng = random.Random(seed)
    lane = fix.Lane("DESK", "VENUE")
    got: list[int] = []
    waiting = list(range(1, last + 1))
    is_again = False
    while len(got) < last:
        for number in waiting:
            if rng.random() < 0.2:
                continue
            marks = ((43, "Y"),) if is_again else ()
            header = [(35, "8"), (49, "VENUE"), (56, "DESK"), (34, number), *marks]
            verdict = lane.accept(taken(encode(header, b"39=0\x01")))
            if verdict == fix.ACCEPTED:
                got.append(number)
            else:
                assert verdict in (fix.GAP, fix.REPEATED)
                assert (verdict == fix.GAP) == (number > lane.next_in)
            assert lane.is_behind == (verdict == fix.GAP or lane.is_behind)
        waiting = list(range(max(1, lane.next_in - rng.randrange(3)), last + 1))
        is_again = True
    assert got == list(range(1, last + 1))
    assert not lane.is_behind


@pytest.mark.parametrize("text", ["0.05055", "0.00001", "-1"])
def test_prices_between_two_ticks_are_refused(text: str) -> None:
    instrument = fix.Instrument("C", 1, "0.0001", "0.1")
    assert instrument.ticks("0.0505") == 505
    assert instrument.lots("3") == 30
    with pytest.raises(NativeError, match="HR_ERR_DOMAIN"):
        instrument.ticks(text)
