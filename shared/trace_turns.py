"""Which causes a timer's words continue, and what a state says again.

A timer speaks of what has come in since it last spoke: the newest cause is the parent, the orders'
causes before it are links, so that no fill is left without what followed from it. A state replaces
the one before: it links to it, and for a while every further one repeats its trace to whoever
comes late.
"""

from collections import deque
from typing import NamedTuple

from shared.causes import Cause
from shared.clock import NS_PER_S

STALE_NS = 1 * NS_PER_S  # a tick that old no longer explains what a timer yields
ORDER_STALE_NS = 10 * NS_PER_S  # a restarted agent may take some seconds to speak
ORDERS_MAX = 256
LINKS_MAX = 64
STATES_MAX = 4_096


class Heard(NamedTuple):
    number: int
    key: str  # of the message that brought it; empty: it concerns all
    cause: Cause
    at_ns: int


class Causes:
    """The causes that came in, and how far each timer has continued them."""

    def __init__(self) -> None:
        self._orders: deque[Heard] = deque(maxlen=ORDERS_MAX)
        self._newest: Heard | None = None  # of a tick
        self._number = 0
        self._spoken: dict[object, int] = {}  # by timer: the number it has continued

    def hear(self, cause: Cause, key: str, now_ns: int) -> None:
        self._number += 1
        heard = Heard(self._number, key, cause, now_ns)
        if cause.is_order:
            self._orders.append(heard)
        else:
            self._newest = heard

    def since(self, timer: object, key: str, now_ns: int) -> list[Cause]:
        """Returns what a timer's word under a key continues, oldest first; the last is its parent.
        Orders come before a tick."""
        spoken = self._spoken.get(timer, 0)
        orders: list[Cause] = []
        for one in reversed(self._orders):
            is_over = one.number <= spoken or now_ns - one.at_ns > ORDER_STALE_NS
            if is_over or len(orders) == LINKS_MAX:
                break
            if not key or not one.key or one.key == key:
                orders.append(one.cause)
        if orders:
            return orders[::-1]
        newest = self._newest
        if newest is None or newest.number <= spoken or now_ns - newest.at_ns > STALE_NS:
            return []
        return [newest.cause]

    def spoke(self, timer: object) -> None:
        self._spoken[timer] = self._number


class States:
    """The trace of the newest state on each subject, said or heard."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[Cause, int]] = {}
        self._heard: set[str] = set()

    def before(self, subject: str, now_ns: int) -> Cause | None:
        """Returns the cause of what was last said there, while it may still be new to somebody."""
        said = self._said.get(subject)
        return said[0] if said is not None and now_ns - said[1] <= ORDER_STALE_NS else None

    def say(self, subject: str, cause: Cause, now_ns: int) -> None:
        if cause.is_order and (subject in self._said or len(self._said) < STATES_MAX):
            self._said[subject] = (cause, now_ns)

    def is_first(self, subject: str) -> bool:
        """Says whether this is the first state heard there; from then on it is not."""
        if subject in self._heard:
            return False
        if len(self._heard) < STATES_MAX:
            self._heard.add(subject)
        return True
