"""Single values as the venue sends them, checked: nothing else of the gateway trusts a type."""

import re
from typing import Any

from shared.clock import NS_PER_MS
from shared.units import coin_e12_nearest

# What reading nonsense raises, here and in plain arithmetic on what was read.
NONSENSE = (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError)
NAME = re.compile(r"[A-Za-z0-9_\-:]{1,64}")  # as messages.message.Name
STAMP_MS_MAX = 9_000_000_000_000
COIN_MAX = 4_000_000.0  # as the messages hold


def number(value: Any) -> float:
    """Returns a number; a text times an integer would be a long text, not an error."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{str(value)[:40]!r} is not a number")
    return value


def stamp_ns(value: Any) -> int:
    """Returns the venue's milliseconds as nanoseconds."""
    if type(value) is not int or not 0 < value < STAMP_MS_MAX:
        raise ValueError(f"{str(value)[:40]!r} is not a time")
    return value * NS_PER_MS


def coin_e12(value: Any) -> int:
    """Returns money in 1e-12 coin."""
    if not abs(number(value)) <= COIN_MAX:
        raise ValueError(f"money was {value}")
    return coin_e12_nearest(value)


def name(value: Any) -> str:
    """Returns a name that may stand in a message."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"{str(value)[:40]!r} is not a name")
    return value
