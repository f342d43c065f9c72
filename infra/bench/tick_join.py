"""Which quote answers which tick: the first that was decided with the tick, or with a later one.

A tick that was conflated into a later one counts from its own due time to the quote that reflects
it, and so do all that a stall delays: nothing is left out.
"""

import numpy as np
from numpy.typing import NDArray

TICK = np.dtype([("number", "i8"), ("due_ns", "i8")])
QUOTE = np.dtype([("number", "i8"), ("at_ns", "i8"), ("bid_ticks", "i8")])
NS_PER_US = 1_000.0

Integers = NDArray[np.int64]


class UnansweredError(RuntimeError):
    """A tick was reflected by no quote."""


def reflected(ticks: Integers, quotes: Integers) -> Integers:
    """Returns the index of the quote that answers each tick; both are ascending versions of one
    book, those of quotes what they were decided with. Raises UnansweredError."""
    places = np.searchsorted(quotes, ticks, side="left")
    missing = int((places == len(quotes)).sum())
    if missing:
        raise UnansweredError(f"{missing} of {len(ticks)} ticks were reflected by no quote")
    return places


def latencies(ticks: NDArray[np.void], versions: Integers, at_ns: Integers) -> NDArray[np.float64]:
    """Returns microseconds from when each tick was due to when its quote was received."""
    places = reflected(ticks["number"], versions)
    found: NDArray[np.float64] = (at_ns[places] - ticks["due_ns"]) / NS_PER_US
    return found


def versions_of(quotes: NDArray[np.void], records: NDArray[np.void], slot: int) -> Integers:
    """Returns the version of the book that each quote was decided with, by the loop's own record
    of it; -1: a quote of another instrument."""
    wanted = records[(records["slot"] == slot) & (records["request"] > 0)]
    order = np.argsort(wanted["request"], kind="stable")
    requests, changes = wanted["request"][order], wanted["feed_change_id"][order]
    places = np.minimum(np.searchsorted(requests, quotes["number"]), max(len(requests) - 1, 0))
    found: Integers = np.where(requests[places] == quotes["number"], changes[places], -1)
    return found
