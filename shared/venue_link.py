"""What a core and its venue session say to each other. Not for the bus.

A core yields `VenueRequest` and gets `VenueReply`, `VenueNotice`, `VenueUp` and `VenueDown` like
any other input. The session (shared/venue_session.py) does authentication, heartbeats, token
refresh, cancel-on-disconnect, rate limits and correlation; a socket (or the simulation) carries
its bytes.

Every request gets exactly one reply, also when the link goes down: the replies come before the
`VenueDown`. These are msgspec structs only because thousands a second are made.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

# Error codes of our own, beside the venue's (which are above 9999, or JSON-RPC's below -31999).
OUTCOME_UNKNOWN = -1  # sent, and no answer came: the venue may or may not have done it
NOT_SENT = -2  # never put on the wire: not connected, no credit, or too many waiting


@dataclass(frozen=True)
class LinkSettings:
    """How a service's venue session logs in. URL and keys come from the run's environment."""

    session_name: str
    cancel_on_disconnect: bool
    heartbeat_interval_s: int = 10


class VenueRequest(msgspec.Struct, frozen=True):
    """One JSON-RPC call. `request_id` is the core's, positive and never reused."""

    request_id: int
    method: str
    params: dict[str, Any]


class VenueReply(msgspec.Struct, frozen=True):
    """The answer: `result`, or `error_code` (not 0) with its text and data. When the venue took the
    request and answered is told by its clock, 0 where it does not say."""

    created_ns: int
    request_id: int
    result: Any
    error_code: int = 0
    error_message: str = ""
    error_data: Any = None
    venue_in_ns: int = 0
    venue_out_ns: int = 0


class VenueNotice(msgspec.Struct, frozen=True):
    """A subscription message."""

    created_ns: int
    channel: str
    data: Any


class VenueUp(msgspec.Struct, frozen=True):
    """Logged in, heartbeats and cancel-on-disconnect set: subscribe and reconcile."""

    created_ns: int
    connection_count: int


class VenueDown(msgspec.Struct, frozen=True):
    """The session is gone, or could not be opened: `reason` says why."""

    created_ns: int
    reason: str


VenueEvent = VenueReply | VenueNotice | VenueUp | VenueDown


def is_quote_trade(row: dict[str, Any]) -> bool:
    """Returns whether a trade of the account, as the venue tells it, was a market maker's quote."""
    return bool(row.get("mmp")) or "quote_id" in row or "quote_set_id" in row
