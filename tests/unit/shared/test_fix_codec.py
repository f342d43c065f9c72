"""FIX bytes: what is framed well is read, what is not is skipped, and nothing is lost between."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.fix import tags
from shared.fix.codec import (
    FixError,
    Framer,
    Garbled,
    Malformed,
    Message,
    checksum,
    decode,
    encode,
    format_time,
    integer_of,
    pack,
    parse_time,
)

NS = 1_000_000_000
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
BODIES = st.lists(st.tuples(st.integers(1, 99_999).filter(lambda t: t != 95), VALUES), max_size=20)


def message(*fields, msg_type="D"):
    return encode(((35, msg_type), (34, 1)), pack(fields))


def framed(inner):
    """Frames any bytes with the right length and sum."""
    frame = b"8=FIX.4.4\x019=%d\x01%s" % (len(inner), inner)
    return frame + b"10=%03d\x01" % checksum(frame)


def only(data):
    (found,) = Framer().feed(data)
    return found


@given(BODIES)
def test_what_is_written_is_read(body):
    found = only(message(*body))
    assert found.fields == [(35, "D"), (34, "1"), *body]


@settings(max_examples=50)
@given(st.lists(BODIES, min_size=1, max_size=4), st.lists(st.integers(1, 40), min_size=1))
def test_bytes_may_come_in_any_pieces(bodies, sizes):
    data = b"".join(message(*body) for body in bodies)
    framer, found, at = Framer(), [], 0
    while at < len(data):
        size = sizes[len(found) % len(sizes)]
        found += framer.feed(data[at : at + size])
        at += size
    assert [one.fields[2:] for one in found] == bodies


@settings(max_examples=300)
@given(st.binary(max_size=300), st.binary(max_size=40))
def test_rubbish_never_raises_and_never_hides_what_follows(before, after):
    framer = Framer(bytes_max=1000)
    framer.feed(before)
    good = message((11, "x"))
    found = []
    for _ in range(1100 // len(good) + 2):  # a length in the rubbish may swallow the first ones
        found += framer.feed(good)
    found += framer.feed(after)
    assert any(isinstance(one, Message) and one.get(11) == "x" for one in found)


@given(st.integers(0, 200), st.integers(1, 255))
def test_one_wrong_byte_is_noticed(at, change):
    data = bytearray(message((11, "some-id"), (44, "0.0105"), (38, "12"), (55, "BTC-PERPETUAL")))
    at %= len(data)
    data[at] = (data[at] + change) % 256
    assert not [found for found in Framer().feed(bytes(data)) if isinstance(found, Message)]


@pytest.mark.parametrize(
    "data",
    [
        b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01",  # sum
        b"8=FIX.4.4\x019=4\x0135=0\x0110=161\x01",  # length
        b"8=FIX.4.4\x019=x\x01",
        b"8=FIX.4.4\x019=99999999999999\x01",
        b"8=FIX.4.4\x0135=0\x019=5\x01",
        b"8=AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        b"9=5\x01",
        b"\x00" * 50,
        framed(b"34=1\x0135=0\x01"),
    ],
)
def test_garbled_bytes_are_skipped(data):
    framer = Framer()
    found = framer.feed(data + message((11, "next")))
    assert isinstance(found[0], Garbled)
    assert isinstance(found[-1], Message)
    assert found[-1].get(11) == "next"


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (b"35=D\x0134=7\x0111=\x01", tags.REASON_NO_VALUE),
        (b"35=D\x0134=7\x01x=1\x01", tags.REASON_INVALID_TAG),
        (b"35=D\x0134=7\x01011=1\x01", tags.REASON_INVALID_TAG),
        (b"35=D\x0134=7\x01=1\x01", tags.REASON_INVALID_TAG),
        (b"35=D\x0134=7\x01\x01", tags.REASON_INVALID_TAG),
        (b"35=D\x0134=7\x0195=9\x0111=1\x01", tags.REASON_REQUIRED_TAG_MISSING),
        (b"35=D\x0134=7\x0195=9\x0196=1\x01", tags.REASON_INCORRECT_VALUE),
        (b"35=D\x0134=7\x0195=a\x0196=1\x01", tags.REASON_INCORRECT_FORMAT),
    ],
)
def test_a_framed_message_with_a_bad_field_is_malformed_and_numbered(inner, reason):
    found = only(framed(inner))
    assert isinstance(found, Malformed)
    assert (found.seq, found.msg_type, found.error.reason) == (7, "D", reason)


def test_raw_data_may_hold_delimiters():
    data = framed(b"35=A\x0134=1\x0195=5\x0196=a\x01b=c\x01553=me\x01")
    assert only(data).get(96) == "a\x01b=c"
    assert only(data).get(553) == "me"


def test_another_version_is_read_and_marked():
    inner = b"8=FIX.4.2\x019=10\x0135=0\x0134=1\x01"
    found = decode(inner + b"10=%03d\x01" % checksum(inner))
    assert found.get(tags.BEGIN_STRING) == "FIX.4.2"


def test_groups_are_cut_apart_in_order_and_may_nest():
    found = only(message((296, 2), (302, "a"), (295, 1), (299, 1), (55, "X"), (302, "b"), (295, 2),
                         (299, 2), (299, 3), (55, "Y"), (9999, "end")))  # fmt: skip
    sets = found.groups(296, frozenset((302, 295, 299, 55)))
    assert [entry[0] for entry in sets] == [(302, "a"), (302, "b")]
    assert sets[1] == [(302, "b"), (295, "2"), (299, "2"), (299, "3"), (55, "Y")]


@pytest.mark.parametrize("count", ["0", "1", "3", "-1", "x"])
def test_a_count_that_is_wrong_is_refused(count):
    found = only(message((295, count), (299, 1), (55, "X"), (299, 2)))
    with pytest.raises(FixError):
        found.groups(295, frozenset((299, 55)))


def test_an_absent_group_is_empty():
    assert only(message((11, 1))).groups(295, frozenset((299,))) == []


@given(st.integers(0, 4_000_000_000_000))
def test_times_are_read_as_written(ms):
    assert parse_time(format_time(ms * 1_000_000)) == ms * 1_000_000


@pytest.mark.parametrize("text", ["", "20260101", "20260101-25:00:00", "x", "20260101-00:00:00.x",
                                  "20260101-00:00:00.1234567890"])  # fmt: skip
def test_what_is_no_time_is_refused(text):
    with pytest.raises(FixError):
        parse_time(text)


@pytest.mark.parametrize("text", ["", "-", "1.0", "+1", " 1", "1_0", "9" * 19, "٣"])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(FixError):
        integer_of(text, 34)


def test_values_are_typed_and_refused_by_tag():
    found = only(message((43, "Z"), (38, "5")))
    assert found.integer(38) == 5
    assert found.integer(39, 4) == 4
    with pytest.raises(FixError):
        found.boolean(43)
    with pytest.raises(FixError) as missing:
        found.text(58)
    assert (missing.value.reason, missing.value.tag) == (tags.REASON_REQUIRED_TAG_MISSING, 58)


def test_packing_leaves_out_what_is_nothing():
    assert pack(((1, None), (2, ""), (3, True), (4, False), (5, 0), (6, "é€"))) == (
        b"3=Y\x014=N\x015=0\x016=\xe9?\x01"
    )


def test_the_sum_is_the_same_for_short_and_long():
    data = bytes(range(256)) * 10
    assert checksum(data) == sum(data) % 256
    assert checksum(data[:100]) == sum(data[:100]) % 256
