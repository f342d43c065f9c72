"""Goal: ticks count as a core's own only between two looks that found it whole."""

import re

import numpy as np

from infra.bench.core import LOOK_EVERY, WIDTH_LEAST, alone_of
from infra.bench.native import ROOT

SHARED = WIDTH_LEAST - 1.0
WHOLE = WIDTH_LEAST + 0.5


def test_only_what_lies_between_two_looks_at_a_whole_core_is_taken() -> None:
    ticks = np.arange(5.0 * LOOK_EVERY)
    alone = alone_of(ticks, np.array([WHOLE, WHOLE, SHARED, WHOLE, WHOLE]))
    first = np.arange(1.0, LOOK_EVERY + 1.0)  # a look comes after the tick that it is numbered by
    assert alone.tolist() == [*first, *(first + 3.0 * LOOK_EVERY)]


def test_of_a_shared_core_no_tick_is_taken() -> None:
    ticks = np.arange(3.0 * LOOK_EVERY)
    assert not len(alone_of(ticks, np.full(3, SHARED)))
    assert not len(alone_of(ticks, np.array([SHARED, WHOLE, SHARED])))
    assert not len(alone_of(ticks, np.array([])))


def test_the_c_program_looks_as_often_as_is_thought_here() -> None:
    source = (ROOT / "native" / "bench" / "bench_core.c").read_text("utf-8")
    found = re.search(r"LOOK_EVERY = (\d+)", source)
    assert found is not None
    assert int(found[1]) == LOOK_EVERY
