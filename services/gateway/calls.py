"""Requests to the venue, each with what is to be done with its reply."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.venue_link import VenueReply, VenueRequest

Output = Iterable[object]
ReplyHandler = Callable[[VenueReply], Output]


class Calls:
    """Numbers the core's requests and finds the handler of a reply."""

    def __init__(self) -> None:
        self._next_id = 1
        self._handlers: dict[int, ReplyHandler] = {}

    def __len__(self) -> int:
        return len(self._handlers)

    def request(self, method: str, params: dict[str, Any], handler: ReplyHandler) -> VenueRequest:
        request_id = self._next_id
        self._next_id += 1
        self._handlers[request_id] = handler
        return VenueRequest(request_id, method, params)

    def on_reply(self, reply: VenueReply) -> Output:
        handler = self._handlers.pop(reply.request_id, None)
        return () if handler is None else handler(reply)


def rows_of(value: Any) -> list[dict[str, Any]]:
    """Returns the objects in a list the venue sent; anything else in it is left out."""
    if not isinstance(value, list):
        return []
    return [row for row in value if isinstance(row, dict)]
