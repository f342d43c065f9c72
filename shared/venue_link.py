"""What a core and its venue session say to each other. Not for the bus.

A core yields `VenueRequest` and gets `VenueReply`, `VenueNotice`, `VenueUp` and `VenueDown` like any
other input. The session (shared/venue_session.py) does authentication, heartbeats, token refresh,
cancel-on-disconnect and correlation; a socket (or the simulation) carries its bytes.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LinkSettings:
    """How a service's venue session logs in. URL and keys come from the run's environment."""

    session_name: str
    cancel_on_disconnect: bool
    heartbeat_interval_s: int = 10


@dataclass(frozen=True, slots=True)
class VenueRequest:
    """One JSON-RPC call. `request_id` is the core's, positive and never reused."""

    request_id: int
    method: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class VenueReply:
    """The answer: `result`, or `error_code` (not 0) with its text and data."""

    created_ns: int
    request_id: int
    result: Any
    error_code: int = 0
    error_message: str = ""
    error_data: Any = None


@dataclass(frozen=True, slots=True)
class VenueNotice:
    """A subscription message."""

    created_ns: int
    channel: str
    data: Any


@dataclass(frozen=True, slots=True)
class VenueUp:
    """Connected, authenticated, heartbeats and cancel-on-disconnect set: subscribe and reconcile."""

    created_ns: int
    connection_count: int


@dataclass(frozen=True, slots=True)
class VenueDown:
    """The session is gone: the outcome of every request without a reply is unknown."""

    created_ns: int
    reason: str
