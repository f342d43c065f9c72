"""The venue core as the shell drives it: messages of the edge in, messages for it out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.venue.core import Close, Output, Send, Venue
from services.venue.rpc.http_requests import HttpRequest, HttpResponse
from shared.messages.desk import TimerV1
from shared.messages.market import VenueAuditV1

Keep = Callable[[int], None]  # writes what must be remembered, before any output is sent


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection was opened."""

    connection_id: int
    now_ns: int
    transport: str = "ws"  # or "fix"


@dataclass(frozen=True, slots=True)
class Received:
    """One frame, or bytes of FIX; `real_ns` is UTC, not venue time in a recorded market."""

    connection_id: int
    data: bytes
    now_ns: int
    real_ns: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A connection is closed."""

    connection_id: int
    now_ns: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request."""

    request_id: int
    request: HttpRequest
    now_ns: int
    real_ns: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one HTTP request."""

    request_id: int
    response: HttpResponse


class Front:
    """Handlers for the service's wiring."""

    def __init__(self, venue: Venue, keep: Keep | None = None) -> None:
        self.venue = venue
        self._keep = keep or (lambda _now_ns: None)

    def on_opened(self, event: Opened) -> list[Output]:
        self.venue.on_open(event.connection_id, event.now_ns, event.transport)
        return []

    def on_received(self, event: Received) -> list[Output]:
        outputs = self.venue.on_bytes(event.connection_id, event.data, event.now_ns, event.real_ns)
        self._keep(event.now_ns)
        return outputs

    def on_gone(self, event: Gone) -> list[Output]:
        outputs = self.venue.on_close(event.connection_id, event.now_ns)
        self._keep(event.now_ns)
        return outputs

    def on_asked(self, event: Asked) -> Iterator[Answered]:
        response = self.venue.on_http(event.request, event.now_ns, event.real_ns)
        self._keep(event.now_ns)
        yield Answered(event.request_id, response)

    def on_timer(self, timer: TimerV1) -> list[Output]:
        outputs = self.venue.on_timer(timer.created_ns)
        self._keep(timer.created_ns)
        return outputs

    def on_second(self, timer: TimerV1) -> Iterator[VenueAuditV1]:
        return self.venue.audits(timer.created_ns)


EDGE_OUTPUTS = frozenset({Send, Close, Answered})
