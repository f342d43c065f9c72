"""The JSON-RPC 2.0 of a venue session, in msgspec structs; what else the venue says is left out."""

from typing import Any

import msgspec

from shared.clock import NS_PER_US

STAMP_US_MAX = 2**62 // NS_PER_US


class Request(msgspec.Struct):
    id: int
    method: str
    params: dict[str, Any]
    jsonrpc: str = "2.0"


class Params(msgspec.Struct):
    channel: str = ""
    data: Any = None
    type: str = ""


class Error(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Any = None


class Envelope(msgspec.Struct):
    """A reply, or a notification. `in_us`, `out_us`: when the venue took the request and answered,
    in us by its clock, if it is to be believed."""

    id: int | str | None = None
    method: str = ""
    params: Params | None = None
    result: Any = None
    error: Error | None = None
    in_us: Any = msgspec.field(name="usIn", default=0)
    out_us: Any = msgspec.field(name="usOut", default=0)


def read(data: bytes | str) -> Envelope:
    """Raises msgspec.DecodeError for what is no envelope."""
    return _decoder.decode(data)


def request(call_id: int, method: str, params: dict[str, Any]) -> bytes:
    return _encoder.encode(Request(call_id, method, params))


def stamp_ns(us: object) -> int:
    """Returns a time that the venue told in us; 0 for what cannot be one."""
    return us * NS_PER_US if type(us) is int and 0 < us < STAMP_US_MAX else 0


_decoder = msgspec.json.Decoder(Envelope)
_encoder = msgspec.json.Encoder()
