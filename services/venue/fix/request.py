"""One application message on its way to the venue's methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.venue.errors import VenueError
from services.venue.fix.lines import Client, Line
from services.venue.fix.reports import Reports
from services.venue.floor import Floor, Method
from services.venue.rpc.envelope import Call
from services.venue.rpc.parameters import Params
from services.venue.rpc.switchboard import Switchboard
from shared.fix.codec import Message

Answer = list[tuple[str, bytes]]  # types and packed bodies


@dataclass(frozen=True, slots=True)
class Request:
    line: Line
    client: Client
    message: Message
    now_ns: int
    real_ns: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers of messages work on. `publish` tells everybody what has just happened:
    reports go out before the answer to the request that caused them."""

    floor: Floor
    switchboard: Switchboard
    reports: Reports
    publish: Callable[[int], None]

    def call(self, request: Request, name: str, values: dict[str, Any]) -> Any:
        """Returns the result of a JSON-RPC method: its rules and credits are the same."""
        call = Call(name, Params(values), None, has_id=False)
        connection = request.line.connection
        return self.switchboard.run(connection, call, request.now_ns, request.real_ns)

    def run(self, request: Request, method: Method, values: dict[str, Any]) -> Any:
        connection = request.line.connection
        return self.switchboard.run_method(
            connection, method, Params(values), request.now_ns, request.real_ns
        )


def refusal_text(error: VenueError) -> str:
    """Returns a refusal with its reason, as one line."""
    if not isinstance(error.data, dict):
        return error.message
    parts = [str(error.data[name]) for name in ("param", "reason") if name in error.data]
    return f"{error.message}: {' '.join(parts)}"
