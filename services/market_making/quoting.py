"""What the core asks of one underlying's quotes, whoever holds the engine.

Two implement it: `Quoter` (the engine in Python's hands, quotes over the venue session) and
`PathQuoter` (the engine in the C loop's hands, quotes over FIX).
"""

import enum
from collections.abc import Iterator, Sequence
from typing import Protocol

from services.market_making.contracts import Contracts
from services.market_making.report import Report
from shared.messages.pricing import SurfaceV1
from shared.messages.risk import LimitsV1
from shared.venue_link import VenueReply

Outputs = Iterator[object]


class Phase(enum.Enum):
    DOWN = "no venue session"
    CLEARING = "pulling quotes"  # the cancel is on its way, or must be sent again
    CLEAR = "nothing rests"
    PREPARING = "setting protection"
    QUOTING = "quoting"


class Quoting(Protocol):
    contracts: Contracts
    report: Report
    limits: LimitsV1 | None
    phase: Phase
    is_started: bool  # positions have been replayed
    is_draining: bool
    held: str  # why nothing may be quoted, whatever the gate says; or the empty string

    @property
    def is_clear(self) -> bool:
        """Nothing of ours can rest at the venue."""

    def blocked(self, now_ns: int) -> int:
        """Returns the gate's reason why nothing may be quoted, or GATE_OK."""

    def set_limits(self, limits: LimitsV1) -> None: ...

    def set_rates(self, rates: tuple[float, float, float, float], share: float) -> None:
        """Takes this account's limits: requests per s, burst, quotes per s, burst."""

    def set_surface(self, surface: SurfaceV1) -> None: ...

    def set_lease(self, state: str, expires_ns: int) -> None: ...

    def set_wider(self, *, is_wider: bool) -> None:
        """Quotes by the policy, or with its half-spread for a surface that is not trusted."""

    def hold(self, now_ns: int, reason: str) -> Outputs:
        """Keeps every quote away while there is a reason."""

    def set_halted(self, *, is_halted: bool) -> None: ...

    def rearm(self) -> None:
        """Opens the latches of executions: a person's word."""

    def latch(self, slot: int, side: int) -> None:
        """Closes one that closed in a former life; slot LATCH_ALL: of executed beyond sent."""

    def set_hedge(self, hedge_usd: float) -> None: ...

    def on_books(self, books: Sequence[tuple[int, int, int, int, int]]) -> None: ...

    def on_index(self, index_usd: float, tick_ns: int) -> None: ...

    def on_fill(
        self, slot: int, lots: int, price_ticks: int, now_ns: int, trade_id: str, *, is_old: bool
    ) -> Outputs:
        """Takes signed lots. Old news move the position and say nothing of the flow."""

    def on_up(self, now_ns: int) -> Outputs:
        """The venue session is there."""

    def on_down(self, now_ns: int) -> Outputs: ...

    def on_trip(self, now_ns: int) -> Outputs:
        """The venue's protection has cancelled our quotes; it stays so until we reset it."""

    def on_reply(self, reply: VenueReply) -> Outputs: ...

    def on_timer(self, now_ns: int) -> Outputs: ...

    def decide(self, now_ns: int) -> Outputs: ...

    def pull(self, now_ns: int, reason: str) -> Outputs: ...
