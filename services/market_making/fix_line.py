"""The desk's FIX session on the C path's connection: Python speaks, the path numbers and frames.

shared/fix/admin.py holds the conversation; here is the lane it speaks through. Application messages
are the path's alone, and none is ever sent again: a resend request is answered with a gap fill.
"""

from collections.abc import Callable
from typing import Protocol

from shared.clock import NS_PER_MS
from shared.fix import tags
from shared.fix.admin import Admin, Body, Event, Phase, Role
from shared.fix.codec import FixError, Malformed, Message, decode, pack
from shared.fix.credentials import logon_body

SENDER = "hedgerow"
TARGET = "DERIBITSERVER"
HEARTBEAT_S = 1  # the venue takes the quotes of who is silent for so long
BEAT_NS = 150 * NS_PER_MS  # ours come more often: a beat may be late


class Words(Protocol):
    """What of the path a session needs."""

    def send_fix(self, msg_type: str, body: bytes, repeat_as: int) -> None:
        """Sends one message; `repeat_as` above 0: as that number, with PossDupFlag; a body that
        ends in NewSeqNo's tag is ended by the path's next number."""

    def close_fix(self) -> None: ...


class FixLine:
    """One session over the connections it lives through. `nonce` gives fresh bytes."""

    def __init__(
        self, words: Words, client_id: str, client_secret: str, nonce: Callable[[], bytes]
    ) -> None:
        self.close_reason = ""
        self._words = words
        self._client_id = client_id
        self._client_secret = client_secret
        self._nonce = nonce
        self._admin = Admin(Role.INITIATOR, self, HEARTBEAT_S)

    @property
    def is_up(self) -> bool:
        return self._admin.is_up

    def on_connected(self, now_ns: int) -> None:
        self.close_reason = ""
        self._admin.on_connected(now_ns)
        body = logon_body(self._client_id, self._client_secret, self._nonce(), HEARTBEAT_S, now_ns)
        self._admin.log_on([*body, (tags.RESET_SEQ_NUM_FLAG, True)], now_ns)

    def on_lost(self, reason: str, now_ns: int) -> list[Event]:
        return self._admin.on_disconnected(reason, now_ns)

    def on_message(self, frame: bytes, now_ns: int) -> list[Event]:
        """A session message, in order; what cannot be read is refused."""
        if self._admin.phase is Phase.DOWN:
            return []
        message = decode(frame)
        if isinstance(message, Malformed):
            self._admin.reject(message.seq, message.msg_type, message.error, now_ns)
            return []
        if not isinstance(message, Message):
            return []
        try:
            if message.msg_type == tags.LOGON:
                return self._admin.on_logon(message, now_ns)
            if message.msg_type == tags.LOGOUT:
                return self._admin.on_logout(message, now_ns)
            return self._admin.on_message(message, now_ns)
        except FixError as error:
            seq = message.integer(tags.MSG_SEQ_NUM, 0)
            self._admin.reject(seq, message.msg_type, error, now_ns)
            return []

    def on_gap(self, expected: int, seen: int, now_ns: int) -> list[Event]:
        return self._admin.on_gap(expected, seen, now_ns)

    def on_gap_filled(self, expected: int) -> None:
        self._admin.on_progress(expected - 1)

    def on_broken(self, reason: str, now_ns: int) -> list[Event]:
        """The path can make nothing of what the venue sent."""
        return self._admin.fail(reason, now_ns)

    def on_timer(self, now_ns: int, expected: int, heard_ns: int, sent_ns: int) -> list[Event]:
        """`heard_ns` and `sent_ns`: when bytes last came and went, as the path counts them."""
        self._admin.heard_ns = max(self._admin.heard_ns, heard_ns)
        self._admin.sent_ns = max(self._admin.sent_ns, sent_ns)
        if self._admin.is_up and now_ns - self._admin.sent_ns >= BEAT_NS:
            self._admin.sent_ns = now_ns
            self.send(tags.HEARTBEAT, ())
        return self._admin.on_timer(now_ns, expected)

    def log_out(self, now_ns: int) -> list[Event]:
        return self._admin.log_out("the desk is done", now_ns)

    # The lane

    def send(self, msg_type: str, body: Body) -> None:
        self._words.send_fix(msg_type, pack(body), 0)

    def answer_resend(self, begin: int, end: int) -> None:
        del end  # nothing of what the path said is said again
        body = pack([(tags.GAP_FILL_FLAG, True)]) + b"%d=" % tags.NEW_SEQ_NO  # it knows the number
        self._words.send_fix(tags.SEQUENCE_RESET, body, begin)

    def close(self, reason: str) -> None:
        self.close_reason = reason
        self._words.close_fix()
