"""Goal: ticks count as a core's own only amid looks that found it whole."""

import re

import numpy as np

from infra.bench.core import LOOK_EVERY, LOOKS_AROUND, WIDTH_LEAST, alone_of
from infra.bench.native import ROOT

SHARED = WIDTH_LEAST - 1.0
WHOLE = WIDTH_LEAST + 0.5


def test_a_tick_is_taken_whose_looks_before_and_after_found_a_whole_core() -> None:
    looks = 4 * LOOKS_AROUND + 5
    ticks = np.arange(float(looks * LOOK_EVERY))
    widths = np.full(looks, WHOLE)
    widths[2 * LOOKS_AROUND + 2] = SHARED
    first = LOOKS_AROUND * LOOK_EVERY + 1.0  # a look comes after the tick that it is numbered by
    second = (3 * LOOKS_AROUND + 3) * LOOK_EVERY + 1.0
    expected = [*np.arange(first, first + LOOK_EVERY), *np.arange(second, second + LOOK_EVERY)]
    assert alone_of(ticks, widths).tolist() == expected


def test_of_a_shared_core_no_tick_is_taken() -> None:
    looks = 2 * LOOKS_AROUND + 2
    ticks = np.arange(float(looks * LOOK_EVERY))
    assert len(alone_of(ticks, np.full(looks, WHOLE))) == LOOK_EVERY
    for at in range(looks):
        widths = np.full(looks, WHOLE)
        widths[at] = SHARED
        assert not len(alone_of(ticks, widths))
    assert not len(alone_of(ticks, np.full(looks - 1, WHOLE)))
    assert not len(alone_of(ticks, np.array([])))


def test_the_c_program_looks_as_often_as_is_thought_here() -> None:
    source = (ROOT / "native" / "bench" / "bench_core.c").read_text("utf-8")
    found = re.search(r"LOOK_EVERY = (\d+)", source)
    assert found is not None
    assert int(found[1]) == LOOK_EVERY
