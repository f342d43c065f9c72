"""Records as the core reads them: what was replaced is left out, and nothing is missed by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from native import path_records as records
from services.market_making.path_mirror import Mirror
from services.market_making.path_words import PathRecords, Record
from services.market_making.path_writer import QUOTES_FEW, read

SLOTS = 3
UNDERLYINGS = 2
OTHERS = (records.FILL, records.SIDE, records.CLEAR, records.ANSWER, records.FEED)
kinds = st.sampled_from([records.QUOTE] * 25 + [*OTHERS])


def batch_of(told: list[tuple[int, int, int, tuple[int, int], bool]]) -> np.ndarray:
    """Returns records of (kind, underlying, slot, sides moved, whether a tick caused it), each of
    its own price and lots; two in a row are of one request."""
    batch = np.zeros(len(told), dtype=records.RECORD_DTYPE)
    for place, (kind, underlying, slot, moved, is_tick) in enumerate(told):
        row = batch[place]
        row["kind"], row["underlying"], row["slot"] = kind, underlying, slot
        row["is_moved"] = moved
        row["ticks"], row["lots"] = (100 + place, 200 + place), (1 + place, 2 + place)
        row["theo_coin"], row["request"] = place / 1e4, 1 + place // 2
        row["received_ns"] = 1_000 + place if is_tick else 0
        row["sent_ns"] = 2_000 + place
    return batch


def mirrored(taken: list[Record]) -> dict[tuple[int, int], object]:
    """What rests where after a core has read so many."""
    mirrors = [Mirror() for _ in range(UNDERLYINGS)]
    for record in taken:
        mirror = mirrors[record.number]
        if record.kind == records.QUOTE:
            mirror.on_quote(record)
        elif record.kind == records.FILL:
            mirror.on_fill(record)
        elif record.kind == records.SIDE:
            mirror.on_side_gone(record)
        elif record.kind == records.CLEAR:
            mirror.clear()
    return {
        (number, slot): (mirror.quote(slot), slot in mirror.changed)
        for number, mirror in enumerate(mirrors)
        for slot in range(SLOTS)
    }


def one_by_one(batch: np.ndarray) -> list[PathRecords]:
    """The same in batches too short for anything to be left out."""
    return [read(1, batch[place : place + 1], {}) for place in range(len(batch))]


told = st.tuples(
    kinds,
    st.integers(0, UNDERLYINGS - 1),
    st.integers(0, SLOTS - 1),
    st.sampled_from([(1, 0), (0, 1), (1, 1), (2, 1), (0, 0)]),
    st.booleans(),
)


@given(st.lists(told, min_size=3 * QUOTES_FEW, max_size=120))
def test_what_rests_is_the_same_without_what_was_replaced(rows):
    batch = batch_of(rows)
    every = [record for one in one_by_one(batch) for record in one.records]
    taken = read(1, batch, {}).records
    assert mirrored(taken) == mirrored(every)
    assert set(taken) <= set(every)
    others = [record for record in every if record.kind != records.QUOTE]
    assert [record for record in taken if record.kind != records.QUOTE] == others


@given(st.lists(told, max_size=120))
def test_each_request_of_a_tick_may_be_drawn_once(rows):
    batch = batch_of(rows)
    is_ours = (batch["kind"] == records.QUOTE) & (batch["received_ns"] > 0)
    requests = list(dict.fromkeys(batch["request"][is_ours].tolist()))
    draws = list(read(1, batch, {}).journeys(lambda: True))
    drawn = [one.attributes["request"] for one in draws if one.name == "tick_to_quote"]
    of_fills = sum(one.name == "quote_filled" for one in draws)
    assert drawn[: len(requests)] == requests
    assert len(drawn) - len(requests) <= of_fills
    undrawn = read(1, batch, {}).journeys(lambda: False)
    assert all(one.is_rare for one in undrawn)


@pytest.mark.parametrize("moved", [(1, 1), (0, 1), (2, 0)])
def test_of_many_quotes_of_one_option_the_last_is_read(moved):
    [last] = read(1, batch_of([(records.QUOTE, 0, 1, moved, True)] * 200), {}).records
    assert last.bid_ticks == 100 + 199


def test_a_side_that_the_next_quote_leaves_alone_is_not_lost():
    rows = [(records.QUOTE, 0, 1, ((1, 0), (0, 1))[place % 2], True) for place in range(40)]
    taken = read(1, batch_of(rows), {}).records
    assert len(taken) == len(rows)


def test_a_fill_tells_of_the_quote_before_it_and_not_of_a_later_one():
    quote = (records.QUOTE, 0, 1, (1, 1), False)
    batch = batch_of([quote] * 20 + [(records.FILL, 0, 1, (0, 0), False)] + [quote] * 20)
    batch["text"][20] = b"BTC-7"
    quoted: dict[tuple[int, int], Record] = {}
    journeys = list(read(1, batch, quoted).journeys(lambda: False))
    assert [one.name for one in journeys] == ["quote_filled", "pass_to_quote"]
    assert journeys[1].attributes["request"] == batch["request"][19]
    assert quoted[0, 1].request == batch["request"][40]
