"""Calls on their way to methods: who calls, may they, and have they credits left."""

from typing import Any

from services.venue.errors import VenueError
from services.venue.floor import Context, Floor, Method, Table
from services.venue.rpc import envelope
from services.venue.rpc.channels import NOBODY
from services.venue.rpc.http_requests import HttpRequest, HttpResponse, read_request, response
from services.venue.rpc.parameters import Params
from services.venue.rpc.rate_limits import Allowance, Tier
from services.venue.rpc.sessions import Connection, may_write
from shared.clock import NS_PER_S

PEERS_MAX = 512


class Switchboard:
    """Answers every call, whatever it holds."""

    def __init__(self, floor: Floor, methods: Table, tier: Tier) -> None:
        self._floor = floor
        self._methods = methods
        self._tier = tier
        self._allowances: dict[int, Allowance] = {}  # account -> what is left of it
        self._peers: dict[str, Allowance] = {}  # HTTP callers that are not logged in

    def add_account(self, account_id: int, now_ns: int) -> None:
        """Limits an account over all its connections."""
        self._allowances[account_id] = Allowance(self._tier, now_ns)

    def answer(self, connection: Connection, data: bytes, now_ns: int, real_ns: int) -> bytes:
        us = now_ns // 1000
        try:
            call = envelope.parse(data)
        except VenueError as error:
            call_id = getattr(error, "call_id", None)
            return envelope.refusal(call_id, getattr(error, "has_id", True), error, us, us)
        try:
            result = self.run(connection, call, now_ns, real_ns)
        except VenueError as error:
            return envelope.refusal(call.call_id, call.has_id, error, us, us)
        return envelope.answer(call.call_id, call.has_id, result, us, us)

    def run(self, connection: Connection, call: envelope.Call, now_ns: int, real_ns: int) -> Any:
        """Returns the result of a call, or raises the refusal."""
        method = self._methods.get(call.method)
        if method is None:
            raise VenueError(-32601)
        return self.run_method(connection, method, call.params, now_ns, real_ns)

    def run_method(
        self,
        connection: Connection,
        method: Method,
        params: Params,
        now_ns: int,
        real_ns: int,
    ) -> Any:
        """The same for a method that has no name in JSON-RPC: FIX has its own way in."""
        account_id, scope = self._caller(connection, params, now_ns)
        self._charge(connection, account_id, method, params, now_ns)
        if method.is_websocket_only and connection.transport == "http":
            raise VenueError(10030)
        if method.is_private:
            if account_id == NOBODY:
                raise VenueError(13009 if connection.scope else 10000)
            if method.needs and not may_write(scope, method.needs):
                raise VenueError(13021, data={"reason": f"scope lacks {method.needs}:read_write"})
        context = Context(connection, account_id, scope, params, now_ns, real_ns)
        return method.handler(context)

    def _caller(self, connection: Connection, params: Params, now_ns: int) -> tuple[int, str]:
        """Returns who calls: the token in the request, else the connection's login."""
        token = params.values.get("access_token")
        if isinstance(token, str) and token:
            return self._floor.sessions.account_of_token(token, now_ns)
        if connection.account_id != NOBODY and now_ns >= connection.expires_ns:
            return NOBODY, ""
        return connection.account_id, connection.scope

    def _charge(
        self,
        connection: Connection,
        account_id: int,
        method: Method,
        params: Params,
        now_ns: int,
    ) -> None:
        """Takes credits; without them the session is terminated."""
        allowance = self._allowances.get(account_id, connection.allowance)
        is_allowed = allowance.take(method.cost, now_ns)
        if is_allowed and method.cost == "mass_quote":
            quotes = params.values.get("quotes")
            count = len(quotes) if isinstance(quotes, list) else 1
            is_allowed = allowance.take("quotes", now_ns, count)
        if not is_allowed:
            connection.close_reason = "too_many_requests"
            raise VenueError(10028)

    def _peer(self, peer: str, now_ns: int) -> Allowance:
        allowance = self._peers.get(peer)
        if allowance is None:
            while len(self._peers) >= PEERS_MAX:
                del self._peers[next(iter(self._peers))]
            allowance = self._peers[peer] = Allowance(self._tier, now_ns)
        return allowance

    def on_http(self, request: HttpRequest, now_ns: int, real_ns: int) -> HttpResponse:
        """Answers one HTTP request."""
        connection = Connection(0, "http", now_ns, self._peer(request.peer, now_ns))
        is_post = request.method == "POST"
        try:
            call = read_request(request)
        except VenueError as error:
            return response(error, b"", is_post, now_ns)
        try:
            if request.authorization:
                account_id, scope = self._floor.sessions.account_of_header(
                    request.authorization, request.method, request.uri, request.body,
                    now_ns, real_ns,
                )  # fmt: skip
                connection.account_id, connection.scope = account_id, scope
                connection.expires_ns = now_ns + NS_PER_S
            result = self.run(connection, call, now_ns, real_ns)
        except VenueError as error:
            body = envelope.refusal(
                call.call_id, call.has_id, error, now_ns // 1000, now_ns // 1000
            )
            return response(error, body, is_post, now_ns)
        us = now_ns // 1000
        return HttpResponse(200, envelope.answer(call.call_id, call.has_id, result, us, us))
