"""JSON-RPC 2.0 as the venue speaks it: bytes in, a call out; results and notices back to bytes.

Whatever arrives is either a call or an error answer; nothing raises but `VenueError`.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from services.venue.errors import VenueError
from services.venue.rpc.parameters import Params

FRAME_BYTES_MAX = 1 << 20

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `call_id` is echoed with its own type; `has_id` is false for GET requests."""

    method: str
    params: Params
    call_id: Any
    has_id: bool


def parse(data: bytes) -> Call:
    """Returns the call in a frame. Raises VenueError: -32700 for no JSON, 11050 for no request."""
    if len(data) > FRAME_BYTES_MAX:
        raise VenueError(11050, data={"reason": "frame too large"})
    try:
        body = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise VenueError(-32700) from error
    if not isinstance(body, dict):
        raise VenueError(11050, data={"reason": "request must be an object"})
    method = body.get("method")
    params = body.get("params")
    if params is None:
        params = {}
    has_id = "id" in body
    call_id = body.get("id")
    if isinstance(call_id, (dict, list, bool)):
        raise VenueError(11050, data={"reason": "id must be a number or a string"})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise BadCallError(call_id, has_id)
    name = method.removeprefix("/")  # some clients write the method as a path
    return Call(method=name, params=Params(params), call_id=call_id, has_id=has_id)


class BadCallError(VenueError):
    """JSON, but no request; carries the id for the answer."""

    def __init__(self, call_id: Any, has_id: bool) -> None:
        self.call_id = call_id
        self.has_id = has_id
        super().__init__(11050, data={"reason": "method or params of a wrong type"})


def answer(call_id: Any, has_id: bool, result: Any, in_us: int, out_us: int) -> bytes:
    """Returns the bytes of a result."""
    body: dict[str, Any] = {"jsonrpc": "2.0"}
    if has_id:
        body["id"] = call_id
    body["result"] = result
    _stamp(body, in_us, out_us)
    return _encoder.encode(body)


def refusal(call_id: Any, has_id: bool, error: VenueError, in_us: int, out_us: int) -> bytes:
    """Returns the bytes of an error answer."""
    body: dict[str, Any] = {"jsonrpc": "2.0"}
    if has_id:
        body["id"] = call_id
    body["error"] = error.wire()
    _stamp(body, in_us, out_us)
    return _encoder.encode(body)


def notice(channel: str, data: Any) -> bytes:
    """Returns the bytes of a subscription message."""
    return _encoder.encode(
        {
            "jsonrpc": "2.0",
            "method": "subscription",
            "params": {"channel": channel, "data": data},
        }
    )


def heartbeat(kind: str) -> bytes:
    return _encoder.encode({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}})


def _stamp(body: dict[str, Any], in_us: int, out_us: int) -> None:
    body["usIn"] = in_us
    body["usOut"] = out_us
    body["usDiff"] = out_us - in_us
    body["testnet"] = True
