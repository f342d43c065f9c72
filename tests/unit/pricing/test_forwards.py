import math

import numpy as np
import pytest

from services.pricing.forwards import bounded, future_ratio, interpolated, parity_bounds
from shared.messages.market import Tick


def tick(bid, ask, mark=101.0, is_live=True, bid_lots=1, ask_lots=1):
    return Tick("F", bid, bid_lots, ask, ask_lots, mark, 0.0, 0, is_live)


@pytest.mark.parametrize(
    ("given", "ratio"),
    [
        (tick(100, 102), 1.01),
        (tick(100, 102, bid_lots=0), 1.01),  # one-sided: the mark
        (tick(100, 140, mark=105.0), 1.05),  # too wide: the mark
        (tick(102, 100, mark=105.0), 1.05),  # crossed: the mark
        (tick(90, 91, mark=105.0, is_live=False), 1.05),
        (tick(0, 0, mark=0.0, bid_lots=0, ask_lots=0), None),
        (tick(100, 102, mark=1e6, bid_lots=0), None),
    ],
)
def test_a_future_gives_its_mid_or_its_mark(given, ratio):
    found = future_ratio(given, 1.0, 100.0)
    assert found == (ratio if ratio is None else pytest.approx(ratio))


def test_other_expiries_lie_between_their_neighbours():
    known = [(0.1, 1.01), (0.5, 1.03)]
    assert interpolated(0.05, known) == pytest.approx(1.005)
    assert interpolated(0.3, known) == pytest.approx(1.02)
    assert interpolated(1.0, known) == pytest.approx(1.03**2)
    assert interpolated(1.0, []) == 1.0


def test_parity_bounds_hold_the_forward_of_any_fair_quotes():
    forward = 100.0
    strikes = np.array([80.0, 100.0, 130.0])
    calls = np.array([0.25, 0.08, 0.02])
    puts = calls - 1.0 + strikes / forward
    half = 0.002
    lows, highs = parity_bounds(strikes, (calls - half, calls + half), (puts - half, puts + half))
    assert np.all(lows < forward)
    assert np.all(highs > forward)
    assert highs.min() - lows.max() < 2 * 2 * half * forward / 0.8
    nothing = np.zeros(3)
    lows, highs = parity_bounds(strikes, (nothing, nothing), (puts, puts))
    assert lows.tolist() == [0.0, 0.0, 0.0]
    assert highs.tolist() == [math.inf] * 3
    deep = np.full(3, 1.2)  # a coin price above one says nothing
    lows, _ = parity_bounds(strikes, (deep, deep), (puts * 0 + 0.1, puts * 0 + 0.1))
    assert lows.tolist() == [0.0, 0.0, 0.0]


def test_bounds_move_what_they_contradict_and_no_more():
    assert bounded(1.0, 0.99, 1.01, is_known=True) == 1.0
    assert bounded(1.0, 1.005, 1.01, is_known=True) == 1.005
    assert bounded(1.0, 0.9, 0.99, is_known=True) == 0.99
    assert bounded(1.0, 1.005, 1.015, is_known=False) == pytest.approx(1.01)
    assert bounded(1.0, 0.0, math.inf, is_known=False) == 1.0
    assert bounded(1.0, 1.02, 1.01, is_known=True) == 1.0  # crossed
