import base64

import pytest

from infra.golden import sample
from shared.messages.market import FeedV1, TicksV1
from shared.messages.message import SIZE_BYTES_MAX, BadMessageError, Message, encode, subject_of
from shared.messages.orders import CancelOrderV1, FillV1
from shared.reading import SUBJECTS_MAX, Reading, dead_letter
from shared.service import Service, on

SERVICE = Service(
    name="reader",
    consumes=(
        on(TicksV1, lambda _: ()),
        on(FeedV1, lambda _: ()),
        on(FillV1, lambda _: (), replay=True),
        on(CancelOrderV1, lambda _: (), command=True),
        on(str, lambda _: ()),
    ),
)
READING = Reading(SERVICE)


def test_subjects_are_all_versions_under_a_stem():
    assert READING.subjects(None) == ["market.ticks.>"]
    assert READING.subjects("STATE") == ["market.feed.>"]
    assert READING.subjects("RECORD", command=False) == ["orders.fill.>"]
    assert READING.subjects("RECORD", replay=True) == ["orders.fill.>"]
    assert READING.subjects("RECORD", command=True) == ["orders.cancel.>"]
    assert READING.subjects("LEDGER") == []


def test_a_good_message_comes_with_who_takes_it():
    fill = sample(FillV1)
    message, readers = READING.read(subject_of(fill), encode(fill))
    assert message == fill
    assert [consume.replay for consume in readers.consumes] == [True]
    assert len(readers.handlers) == 1
    assert readers.replay_handlers == readers.handlers
    assert readers.late_handlers == ()


def test_who_wants_a_kind_replayed_or_late_is_told_apart():
    def at_once(_):
        return ()

    def late(_):
        return ()

    def replayed(_):
        return ()

    consumes = (on(TicksV1, at_once), on(TicksV1, late, late=True), on(FillV1, replayed))
    reading = Reading(Service(name="risk", consumes=consumes))
    ticks, fill = sample(TicksV1), sample(FillV1)
    _, readers = reading.read(subject_of(ticks), encode(ticks))
    assert (readers.handlers, readers.late_handlers) == ((at_once, late), (late,))
    _, readers = reading.read(subject_of(fill), encode(fill))
    assert (readers.handlers, readers.replay_handlers) == ((replayed,), ())


def test_a_subject_alone_tells_the_kind():
    assert READING.kind_of("market.ticks.v1.BTC") is TicksV1
    assert READING.kind_of("market.ticks.v9.BTC") is Message


def test_a_flood_of_subjects_is_not_remembered_and_the_next_is_known_all_the_same():
    reading = Reading(Service(name="risk", consumes=(on(TicksV1, lambda _: ()),)))
    subjects = [f"market.ticks.v1.{number}" for number in range(SUBJECTS_MAX + 10)]
    assert {reading.kind_of(subject) for subject in subjects} == {TicksV1}
    assert len(reading._by_subject) == SUBJECTS_MAX
    assert reading.kind_of(subjects[-1]) is TicksV1


def test_a_version_that_others_take_is_skipped():
    lease = "risk.lease.v1.BTC"
    assert READING.read(lease, b"anything") is None


@pytest.mark.parametrize(
    ("subject", "data", "reason"),
    [
        ("orders.fill.v9.BTC", b"{}", "no message has the version"),
        ("orders.fill", b"{}", "no message has the version"),
        ("orders.fill.v1.ETH", encode(sample(FillV1)), "belongs on `orders.fill.v1.BTC`"),
        ("orders.fill.v1.BTC", b"", "truncated"),
        ("orders.fill.v1.BTC", b"\xff\xfe{}", "malformed"),
        ("orders.fill.v1.BTC", b'{"type":"\xff"}', "utf-8"),
        (
            "orders.fill.v1.BTC",
            b'{"type":"orders.fill.v1","x":' + b"[" * 100_000,
            "nested too deeply",
        ),
        ("orders.fill.v1.BTC", b" " * (SIZE_BYTES_MAX + 1), "at most"),
        ("market.ticks.v1.BTC", b'{"type":"market.ticks.v1","created_ns":NaN}', "malformed"),
        ("market.feed.v1", encode(sample(TicksV1)), "Invalid value"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(subject, data, reason):
    with pytest.raises(BadMessageError, match=reason) as caught:
        READING.read(subject, data)
    assert str(caught.value)


def test_infinities_and_nan_are_refused_wherever_a_float_stands():
    for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"null"):
        data = encode(sample(TicksV1)).replace(b'"index_usd":0.625', b'"index_usd":' + word)
        with pytest.raises(BadMessageError):
            READING.read("market.ticks.v1.BTC", data)


def test_a_dead_letter_is_a_message_whatever_died():
    for data in (b"", b"\xff" * 5_000, b"x" * (SIZE_BYTES_MAX + 9)):
        letter = dead_letter("reader", "id-1", "s\udcff" * 300, data, "r" * 5_000, 1)
        assert encode(letter)
        assert letter.size_bytes == len(data)
        assert base64.b64decode(letter.head_base64) == data[:1_024]
