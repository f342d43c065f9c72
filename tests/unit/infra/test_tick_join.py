"""Ticks and the quotes that answer them, where some were conflated."""

import numpy as np
import pytest

from infra.bench import tick_join
from infra.bench.native import BenchError
from infra.bench.wire import SLOT, check_prices, stages_of
from native.path_records import RECORD_DTYPE

TICKS = np.array([(1, 0), (2, 100_000), (3, 200_000), (4, 300_000)], dtype=tick_join.TICK)
# The first quote answers version 1; the second was decided when 2 and 3 had come; then 4.
QUOTES = np.array([(11, 20_000, 595), (12, 250_000, 595), (14, 330_000, 605)], tick_join.QUOTE)
ROWS = [(11, SLOT, 1), (12, SLOT, 3), (13, 7, 9), (14, SLOT, 4)]


def records() -> np.ndarray:
    found = np.zeros(len(ROWS), dtype=RECORD_DTYPE)
    for row, (request, slot, version) in zip(found, ROWS, strict=True):
        row["request"], row["slot"], row["feed_change_id"] = request, slot, version
        row["received_ns"], row["sent_ns"] = 1_000, 6_000
        for stage in ("decoded", "decided"):
            row[f"{stage}_ns"] = 2_000
    return found


def test_a_conflated_tick_counts_from_its_own_due_time_to_the_quote_that_reflects_it():
    versions = tick_join.versions_of(QUOTES, records(), SLOT)
    assert versions.tolist() == [1, 3, 4]
    found = tick_join.latencies(TICKS, versions, QUOTES["at_ns"])
    assert found.tolist() == [20.0, 150.0, 50.0, 30.0]
    check_prices(QUOTES, versions)


def test_a_tick_without_a_later_quote_is_an_error_and_no_sample():
    with pytest.raises(tick_join.UnansweredError, match="1 of 4"):
        tick_join.latencies(TICKS, np.array([1, 3]), QUOTES["at_ns"][:2])


def test_a_quote_whose_price_is_not_its_ticks_is_noticed():
    with pytest.raises(BenchError, match="1 of 3"):
        check_prices(QUOTES, np.array([1, 2, 4]))
    with pytest.raises(BenchError, match="1 of 3"):
        check_prices(QUOTES, np.array([1, -1, 4]))


def test_stages_are_of_the_quote_that_answers():
    versions = tick_join.versions_of(QUOTES, records(), SLOT)
    took = tick_join.latencies(TICKS, versions, QUOTES["at_ns"])
    stages = stages_of(TICKS, QUOTES, versions, records(), took)
    assert stages["stages.received_to_sent"].tolist() == [5.0] * 4
    assert stages["stages.wire"].tolist() == [15.0, 145.0, 45.0, 25.0]
    assert stages["stages.decoded"].tolist() == [1.0] * 4
    assert stages["stages.sent"].tolist() == [4.0] * 4
