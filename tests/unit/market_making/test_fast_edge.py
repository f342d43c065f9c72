"""The edge of the fast path: what it takes out of the ring, and when it stops."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from native import path_records as records
from native.fast_path import BATCH, FastPath
from services.market_making.fast_edge import LOOK_S, QUOTES_S, FastEdge
from services.market_making.path_words import PathRecords
from shared.clock import NS_PER_S, SimulatedClock
from shared.journal import Journal

START_NS = 1_768_294_800 * NS_PER_S


class Ring:
    """A path whose loop records on while Python reads: `waiting` before each take, then no more."""

    def __init__(self, waiting: list[int]) -> None:
        self._waiting = waiting
        self.takes = 0
        self.urgent_count = 0

    def records(self) -> np.ndarray:
        self.takes += 1
        count = min(self._waiting.pop(0) if self._waiting else 0, BATCH)
        batch = np.zeros(count, dtype=records.RECORD_DTYPE)
        batch["kind"] = records.QUOTE
        batch["slot"] = np.arange(count)
        return batch


@pytest.mark.parametrize(
    ("waiting", "taken"),
    [
        ([3, 2, 1], [3]),  # what came meanwhile waits for the next look
        ([BATCH, 5, 4], [BATCH, 5]),
        ([0, 9], []),
        ([BATCH, 0, 7], [BATCH]),
    ],
)
def test_a_look_takes_what_was_there_and_no_more(
    tmp_path: Path, waiting: list[int], taken: list[int]
) -> None:
    ring = Ring(waiting)
    keys = ("key", "secret")
    path = cast("FastPath", ring)
    edge = FastEdge(path, ("127.0.0.1", 1), keys, tmp_path / "journal", SimulatedClock(1))
    edge._journal = Journal(tmp_path / "journal")
    told: list[PathRecords] = []
    edge._deliver = told.append  # type: ignore[assignment]
    edge._take_records()
    edge._journal.close()
    assert [len(one.records) for one in told] == taken


def test_quotes_wait_and_what_is_urgent_does_not(tmp_path: Path) -> None:
    ring = Ring([])
    keys = ("key", "secret")
    path = cast("FastPath", ring)
    edge = FastEdge(path, ("127.0.0.1", 1), keys, tmp_path / "journal", SimulatedClock(1))
    look_ns, quotes_ns = int(LOOK_S * NS_PER_S), int(QUOTES_S * NS_PER_S)
    now_ns = START_NS
    assert edge._is_due(now_ns)
    for _ in range(quotes_ns // look_ns - 1):
        now_ns += look_ns
        assert not edge._is_due(now_ns)
    assert edge._is_due(START_NS + quotes_ns)
    ring.urgent_count += 3
    assert edge._is_due(now_ns + 2 * look_ns)
    assert not edge._is_due(now_ns + 3 * look_ns)
    assert edge._is_due(START_NS - look_ns), "a clock that was set back is no reason to wait"
