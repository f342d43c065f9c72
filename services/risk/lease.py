"""Leave to quote: given for a moment at a time, and only while everything is as it should be."""

from dataclasses import dataclass
from typing import Literal

from shared.clock import NS_PER_MS
from shared.messages.risk import LeaseV1

LEASE_MS = 800


@dataclass(frozen=True)
class Condition:
    """What the lease of one underlying rests on, now."""

    is_halted: bool
    is_connected: bool
    is_broken: bool  # reconciliation
    tick_age_ns: int
    surface_age_ns: int
    tick_age_ns_max: int
    surface_age_ns_max: int
    is_soft: bool  # a greek is beyond its soft limit


def refusal(condition: Condition) -> str:
    """Returns why there is no lease, or the empty string."""
    if condition.is_halted:
        return "halted"
    if not condition.is_connected:
        return "venue_down"
    if condition.is_broken:
        return "reconciliation_break"
    if condition.tick_age_ns > condition.tick_age_ns_max:
        return "ticks_stale"
    if condition.surface_age_ns > condition.surface_age_ns_max:
        return "surface_stale"
    return ""


def lease(underlying: str, now_ns: int, *, is_soft: bool) -> LeaseV1:
    """Returns a lease; its sequence is the desk's milliseconds, so it grows over restarts."""
    state: Literal["active", "reducing"] = "reducing" if is_soft else "active"
    return LeaseV1(
        created_ns=now_ns,
        underlying=underlying,
        sequence=now_ns // NS_PER_MS,
        state=state,
        expires_ns=now_ns + LEASE_MS * NS_PER_MS,
    )
