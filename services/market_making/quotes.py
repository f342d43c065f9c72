"""Requests on their way to the venue: which sides each one moves, and what an answer undoes."""

from native.engine import ASK, BID, Decision
from services.market_making.mass_quote import SIDE_NAMES

SIDES_PER_SLOT = len(SIDE_NAMES)


class InFlight:
    """Mass quotes without an answer yet. The venue takes them in the order they were sent, so an
    answer tells of what rests only where no later request has moved the same side."""

    def __init__(self) -> None:
        self._slots: dict[int, list[int]] = {}  # by request id, oldest first
        self._newest: dict[int, int] = {}  # side of a slot -> request that last moved it

    def __len__(self) -> int:
        return len(self._slots)

    def sent(self, request_id: int, decisions: list[Decision]) -> None:
        self._slots[request_id] = [decision.slot for decision in decisions]
        for decision in decisions:
            if decision.is_bid_moved:
                self._newest[decision.slot * SIDES_PER_SLOT + BID] = request_id
            if decision.is_ask_moved:
                self._newest[decision.slot * SIDES_PER_SLOT + ASK] = request_id

    def has(self, request_id: int) -> bool:
        return request_id in self._slots

    def answered(self, request_id: int) -> list[int]:
        """Returns the slots of a request that has its answer now."""
        return self._slots.pop(request_id)

    def is_newest(self, request_id: int, slot: int, side: int) -> bool:
        """Returns whether no later request has moved that side."""
        return self._newest.get(slot * SIDES_PER_SLOT + side) == request_id

    def forget(self) -> None:
        """The session is gone, and with it every request and every quote."""
        self._slots.clear()
        self._newest.clear()
