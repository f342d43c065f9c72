"""One session with the venue, as a state machine: bytes in, bytes and events out.

It logs in (heartbeat, signature, cancel-on-disconnect), answers test requests, refreshes its token,
keeps within the venue's rate limits, and pairs replies with requests. No clock, no socket, no
randomness: time is handed in, a socket or the simulation carries the bytes, nonces come from a
source handed in. It trusts nothing it reads: bad bytes are counted, and many of them in a row end
the session.
"""

import enum
import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from shared import venue_wire
from shared.clock import NS_PER_MS, NS_PER_S
from shared.venue_budget import CANCEL_METHODS, TRADING_METHODS, CreditBudget
from shared.venue_link import (
    NOT_SENT,
    OUTCOME_UNKNOWN,
    LinkSettings,
    VenueDown,
    VenueEvent,
    VenueNotice,
    VenueReply,
    VenueRequest,
    VenueUp,
)
from shared.venue_wire import Envelope

TIMER_INTERVAL_MS = 50  # how often `on_timer` wants to be called
LOGIN_NS_MAX = 10 * NS_PER_S
REPLY_NS_MAX = 5 * NS_PER_S
SILENCE_HEARTBEATS_MAX = 2.5
REFRESH_AT_RATIO = 0.8  # of the token's life
IN_FLIGHT_MAX = 2048
QUEUED_MAX = 2048
QUEUED_ORDER_NS_MAX = NS_PER_S  # an order or quote that waited longer is about an old market
QUEUED_NS_MAX = 30 * NS_PER_S
MALFORMED_IN_A_ROW_MAX = 20
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
TOO_MANY_REQUESTS = 10028
MARKET_METHODS = TRADING_METHODS | {"private/mass_quote"}


class SessionOutput(msgspec.Struct):
    """What one input led to; `close_reason` not empty: close the connection."""

    sends: list[bytes] = []
    events: list[VenueEvent] = []
    close_reason: str = ""


class VenueSession:
    """The state of one login. `nonce` returns a fresh string at each call."""

    def __init__(
        self,
        settings: LinkSettings,
        client_id: str,
        client_secret: str,
        nonce: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.malformed_count = 0
        self.late_reply_count = 0
        self.throttled_count = 0  # 10028 answers
        self.connection_count = 0
        self._client_id = client_id
        self._secret = client_secret.encode()
        self._nonce = nonce
        self._phase = _Phase.DOWN
        self.budget = CreditBudget()
        self._next_wire_id = 1
        self._in_flight: dict[int, _Call] = {}  # by wire id, oldest first
        self._queue: deque[_Call] = deque()
        self._refused: list[VenueEvent] = []  # to be said with the next timer
        self._refresh_token = ""
        self._refresh_at_ns = 0
        self._connected_ns = 0
        self._heard_ns = 0
        self._malformed_in_a_row = 0
        self._last_down_reason = ""

    @property
    def is_up(self) -> bool:
        return self._phase is _Phase.UP

    @property
    def waiting_count(self) -> int:
        """Requests that wait for rate-limit credit."""
        return len(self._queue)

    def on_connected(self, now_ns: int) -> SessionOutput:
        out = SessionOutput()
        assert self._phase is _Phase.DOWN, "connected twice"
        self._phase = _Phase.LOGGING_IN
        self._connected_ns = self._heard_ns = now_ns
        self._malformed_in_a_row = 0
        interval_s = max(10, self.settings.heartbeat_interval_s)  # the venue's least
        self._call(out, now_ns, "public/set_heartbeat", {"interval": interval_s}, _Own.HEARTBEAT)
        self._login(out, now_ns)
        return out

    def on_disconnected(self, reason: str, now_ns: int) -> SessionOutput:
        """Also for a connection that never opened. Every open request gets its reply first."""
        out = SessionOutput(events=self._refused)
        self._refused = []
        for call in self._in_flight.values():
            if call.own is None:
                out.events.append(_refusal(call, now_ns, OUTCOME_UNKNOWN, "connection lost"))
        for call in self._queue:
            out.events.append(_refusal(call, now_ns, NOT_SENT, "connection lost"))
        self._in_flight.clear()
        self._queue.clear()
        self._refresh_token = ""
        self._refresh_at_ns = 0
        if self._phase is not _Phase.DOWN or reason != self._last_down_reason:
            out.events.append(VenueDown(now_ns, reason))
        self._last_down_reason = reason
        self._phase = _Phase.DOWN
        return out

    def on_request(self, request: VenueRequest, now_ns: int) -> SessionOutput:
        """Sends, queues or refuses.

        A refusal comes with the next timer: the core that asks is still in its own handler.
        """
        out = SessionOutput()
        call = _Call(request.request_id, request.method, request.params, now_ns)
        if self._phase is not _Phase.UP:
            self._refuse(call, now_ns, "not connected")
        elif request.method in CANCEL_METHODS:
            self._send(out, now_ns, call)
        elif len(self._in_flight) >= IN_FLIGHT_MAX:
            self._refuse(call, now_ns, "too many requests in flight")
        elif not self._queue and self.budget.admit(call.method, call.params, now_ns):
            self._send(out, now_ns, call, is_paid=True)
        elif len(self._queue) >= QUEUED_MAX:
            self._refuse(call, now_ns, "too many requests waiting")
        else:
            self._queue.append(call)
            self._drain_queue(out, now_ns)
        return out

    def on_bytes(self, data: bytes | str, now_ns: int) -> SessionOutput:
        out = SessionOutput()
        self._heard_ns = now_ns
        try:
            if len(data) > MESSAGE_BYTES_MAX:
                raise ValueError("message too long")  # noqa: TRY301
            message = venue_wire.read(data)
        except Exception:  # noqa: BLE001 - bad bytes are weather: msgspec raises many kinds
            self._malformed(out)
            return out
        if message.params is not None and message.method == "subscription":
            if self._phase is _Phase.UP and message.params.channel:
                out.events.append(VenueNotice(now_ns, message.params.channel, message.params.data))
            self._malformed_in_a_row = 0
        elif message.params is not None and message.method == "heartbeat":
            self._malformed_in_a_row = 0
            if message.params.type == "test_request":
                self._call(out, now_ns, "public/test", {}, _Own.TEST)
        elif type(message.id) is int:
            self._malformed_in_a_row = 0
            self._on_reply(out, message, message.id, now_ns)
        else:
            self._malformed(out)
        return out

    def on_timer(self, now_ns: int) -> SessionOutput:
        out = SessionOutput()
        if self._phase is not _Phase.DOWN:
            self._keep_up(out, now_ns)
        if self._refused:
            out.events.extend(self._refused)
            self._refused.clear()
        return out

    def _keep_up(self, out: SessionOutput, now_ns: int) -> None:
        """Time-outs, the token, and what waits for credit."""
        silence_ns = now_ns - self._heard_ns
        interval_s = max(10, self.settings.heartbeat_interval_s)
        if silence_ns > SILENCE_HEARTBEATS_MAX * interval_s * NS_PER_S:
            out.close_reason = f"nothing heard for {silence_ns // NS_PER_MS} ms"
            return
        if self._phase is _Phase.LOGGING_IN and now_ns - self._connected_ns > LOGIN_NS_MAX:
            out.close_reason = "login took too long"
            return
        self._time_out(out, now_ns)
        if self._refresh_at_ns and now_ns >= self._refresh_at_ns:
            self._refresh_at_ns = 0
            params = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
            self._call(out, now_ns, "public/auth", params, _Own.REFRESH)
        if self._queue:
            self._drain_queue(out, now_ns)

    # Sending

    def _refuse(self, call: "_Call", now_ns: int, text: str) -> None:
        self._refused.append(_refusal(call, now_ns, NOT_SENT, text))

    def _call(
        self, out: SessionOutput, now_ns: int, method: str, params: dict[str, Any], own: "_Own"
    ) -> None:
        self._send(out, now_ns, _Call(0, method, params, now_ns, own))

    def _send(
        self, out: SessionOutput, now_ns: int, call: "_Call", *, is_paid: bool = False
    ) -> None:
        if not is_paid:
            self.budget.admit(call.method, call.params, now_ns)
        wire_id = self._next_wire_id
        self._next_wire_id += 1
        call.sent_ns = now_ns
        self._in_flight[wire_id] = call
        out.sends.append(venue_wire.request(wire_id, call.method, call.params))

    def _drain_queue(self, out: SessionOutput, now_ns: int) -> None:
        """Sends what may go, in order within each method; refuses what has waited too long."""
        blocked: set[str] = set()
        kept: deque[_Call] = deque()
        for call in self._queue:
            waited_ns = now_ns - call.sent_ns
            limit_ns = QUEUED_ORDER_NS_MAX if call.method in MARKET_METHODS else QUEUED_NS_MAX
            if waited_ns > limit_ns:
                self._refuse(call, now_ns, "waited too long for rate-limit credit")
            elif call.method not in blocked and self.budget.admit(call.method, call.params, now_ns):
                self._send(out, now_ns, call, is_paid=True)
            else:
                blocked.add(call.method)
                kept.append(call)
        self._queue = kept

    def _login(self, out: SessionOutput, now_ns: int) -> None:
        timestamp_ms = now_ns // NS_PER_MS
        nonce = self._nonce()
        signed = f"{timestamp_ms}\n{nonce}\n".encode()
        params = {
            "grant_type": "client_signature",
            "client_id": self._client_id,
            "timestamp": timestamp_ms,
            "nonce": nonce,
            "data": "",
            "signature": hmac.new(self._secret, signed, hashlib.sha256).hexdigest(),
            "scope": f"session:{self.settings.session_name}",
        }
        self._call(out, now_ns, "public/auth", params, _Own.AUTH)

    # Receiving

    def _malformed(self, out: SessionOutput) -> None:
        self.malformed_count += 1
        self._malformed_in_a_row += 1
        if self._malformed_in_a_row >= MALFORMED_IN_A_ROW_MAX:
            out.close_reason = f"{self._malformed_in_a_row} messages in a row were malformed"

    def _time_out(self, out: SessionOutput, now_ns: int) -> None:
        late: list[int] = []
        for wire_id, call in self._in_flight.items():
            if now_ns - call.sent_ns <= REPLY_NS_MAX:
                break  # the rest were sent later
            late.append(wire_id)
        for wire_id in late:
            call = self._in_flight.pop(wire_id)
            if call.own is None:
                out.events.append(_refusal(call, now_ns, OUTCOME_UNKNOWN, "no reply in time"))
            elif call.own is not _Own.LIMITS:
                out.close_reason = f"{call.method} was not answered"

    def _on_reply(self, out: SessionOutput, message: Envelope, wire_id: int, now_ns: int) -> None:
        call = self._in_flight.pop(wire_id, None)
        if call is None:
            self.late_reply_count += 1
            return
        error = message.error
        if error is not None and error.code == TOO_MANY_REQUESTS:
            self.throttled_count += 1
            self.budget.overdrawn(call.method)
        if call.own is not None:
            self._on_own_reply(out, call.own, message, now_ns)
            return
        if error is None:
            reply = VenueReply(
                now_ns,
                call.request_id,
                message.result,
                venue_in_ns=venue_wire.stamp_ns(message.in_us),
                venue_out_ns=venue_wire.stamp_ns(message.out_us),
            )
            out.events.append(reply)
            return
        code = error.code or OUTCOME_UNKNOWN  # an error without a code says nothing
        out.events.append(
            VenueReply(now_ns, call.request_id, None, code, error.message, error.data)
        )

    def _on_own_reply(
        self, out: SessionOutput, own: "_Own", message: Envelope, now_ns: int
    ) -> None:
        error = message.error
        if error is not None and own is _Own.REFRESH:
            self._login(out, now_ns)  # the token is gone: sign in anew on the same connection
            return
        if error is not None and own is not _Own.LIMITS:
            out.close_reason = f"{own.value} was refused: {error.code} {error.message}"[:300]
            return
        if own in (_Own.AUTH, _Own.REFRESH):
            self._take_token(out, message.result, now_ns)
        elif own is _Own.CANCEL_ON_DISCONNECT:
            self._go_up(out, now_ns)
        elif own is _Own.LIMITS and error is None:
            self.budget.learn(message.result)

    def _take_token(self, out: SessionOutput, result: Any, now_ns: int) -> None:
        token = result if isinstance(result, dict) else {}
        refresh_token, expires_in_s = token.get("refresh_token"), token.get("expires_in")
        if not isinstance(refresh_token, str) or not isinstance(expires_in_s, int | float):
            out.close_reason = "login was answered without a token"
            return
        self._refresh_token = refresh_token
        life_ns = int(min(max(expires_in_s, 1), 1e7) * NS_PER_S)
        self._refresh_at_ns = now_ns + int(life_ns * REFRESH_AT_RATIO)
        if self._phase is not _Phase.LOGGING_IN:
            return
        self._call(out, now_ns, "private/get_account_summary", {"currency": "BTC"}, _Own.LIMITS)
        if self.settings.cancel_on_disconnect:
            params = {"scope": "connection"}
            method = "private/enable_cancel_on_disconnect"
            self._call(out, now_ns, method, params, _Own.CANCEL_ON_DISCONNECT)
        else:
            self._go_up(out, now_ns)

    def _go_up(self, out: SessionOutput, now_ns: int) -> None:
        if self._phase is not _Phase.LOGGING_IN:
            return
        self._phase = _Phase.UP
        self._last_down_reason = ""
        self.connection_count += 1
        out.events.append(VenueUp(now_ns, self.connection_count))


class _Phase(enum.Enum):
    DOWN = "down"
    LOGGING_IN = "logging in"
    UP = "up"


class _Own(enum.Enum):
    """Calls of the session itself."""

    HEARTBEAT = "public/set_heartbeat"
    AUTH = "login"
    REFRESH = "token refresh"
    CANCEL_ON_DISCONNECT = "cancel on disconnect"
    LIMITS = "account limits"
    TEST = "public/test"


class _Call(msgspec.Struct):
    request_id: int
    method: str
    params: dict[str, Any]
    sent_ns: int  # while it waits: when it was asked for
    own: _Own | None = None


def _refusal(call: _Call, now_ns: int, code: int, text: str) -> VenueReply:
    return VenueReply(now_ns, call.request_id, None, code, text)
