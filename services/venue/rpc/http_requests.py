"""The venue over HTTP: GET with everything in the query, POST with a JSON-RPC body."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import msgspec

from services.venue.errors import VenueError
from services.venue.rpc import envelope
from services.venue.rpc.parameters import Params

PREFIX = "/api/v2"
FIELDS_MAX = 256


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `uri` is as sent, path and query; `peer` is who to limit."""

    method: str
    uri: str
    body: bytes = b""
    authorization: str = ""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    body: bytes


def read_request(request: HttpRequest) -> envelope.Call:
    """Returns the call in a request. Raises VenueError."""
    try:
        parts = urlsplit(request.uri)
    except ValueError as error:
        raise VenueError(11050) from error
    if not parts.path.startswith(PREFIX):
        raise VenueError(13020)
    name = parts.path.removeprefix(PREFIX).strip("/")
    if request.method == "POST" and not name:
        return envelope.parse(request.body)
    try:
        fields = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise VenueError(11050) from error
    values: dict[str, object] = dict(fields)
    if request.method == "POST" and request.body:
        return _posted(name, request.body)
    return envelope.Call(method=name, params=Params(values), call_id=None, has_id=False)


def response(error: VenueError, body: bytes, is_post: bool, now_ns: int) -> HttpResponse:
    """Returns a refusal with its status: 429 for limits, 401 for logins, else 400."""
    us = now_ns // 1000
    body = body or envelope.refusal(None, is_post, error, us, us)
    status = {10028: 429, 13004: 401, 13009: 401, 10000: 401, -32601: 404}.get(error.code, 400)
    return HttpResponse(status, body)


def _posted(name: str, body: bytes) -> envelope.Call:
    """Returns a call whose method is in the path: the body is a request or its parameters."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise VenueError(-32700) from error
    if not isinstance(parsed, dict):
        raise VenueError(11050)
    if "method" in parsed or "jsonrpc" in parsed:
        call = envelope.parse(body)
        return envelope.Call(name, call.params, call.call_id, call.has_id)
    return envelope.Call(method=name, params=Params(parsed), call_id=None, has_id=False)
