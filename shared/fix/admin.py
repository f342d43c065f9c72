"""The admin side of one FIX session: logon, heartbeats, test requests, resends, logout.

It sees messages that are framed, in sequence and for this session, and says what to answer through
a `Lane`, which numbers, stamps and frames. Two lanes exist: shared/fix/session.py in Python, and
the C loop of market_making, which owns the numbers of its connection. No clock, no socket.
"""

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.fix import tags
from shared.fix.codec import FixError, Message, Value
from shared.fix.store import Store

NS_PER_S = 1_000_000_000
LOGON_NS_MAX = 10 * NS_PER_S  # from the connection to both Logons
LOGOUT_NS_MAX = 5 * NS_PER_S
RESEND_NS_MAX = 5 * NS_PER_S  # without progress: asked for once more
HEARTBEAT_S_MIN = 1
HEARTBEAT_S_MAX = 3_600

Body = Iterable[tuple[int, Value]]


class Patience(NamedTuple):
    """How long the other side may be silent, in heartbeat intervals."""

    test_ratio: float  # until it is asked for a word
    end_ratio: float  # and until the session ends for want of one
    away_ratio: float  # when we look so late, it was we who were away: that is no silence


USUAL = Patience(1.2, 2.4, math.inf)
# Of who has asked that silence take its quotes: well within one interval. Whoever is there answers
# the TestRequest at once.
STRICT = Patience(0.35, 0.65, 0.3)


class Role(enum.Enum):
    ACCEPTOR = "acceptor"
    INITIATOR = "initiator"


class Phase(enum.Enum):
    DOWN = "down"  # no connection
    CONNECTED = "connected"  # no Logon yet
    LOGON_SENT = "logon_sent"  # the initiator's
    UP = "up"
    LOGOUT_SENT = "logout_sent"


class LoggedOn(NamedTuple):
    """Both have logged on; `message` is the other side's Logon."""

    message: Message


class LoggedOut(NamedTuple):
    """The session is down, or never came up. `is_orderly`: by Logout from both sides."""

    reason: str
    is_orderly: bool
    message: Message | None = None  # the other side's Logout


class Application(NamedTuple):
    """An application message, in order, each number once."""

    message: Message


class Rejected(NamedTuple):
    """The other side refused one of our messages with Reject (3)."""

    message: Message


class GapSeen(NamedTuple):
    """Messages are missing: `expected` is the first, `seen` came instead."""

    expected: int
    seen: int


Event = LoggedOn | LoggedOut | Application | Rejected | GapSeen


class Lane(Protocol):
    """Carries admin messages out; their numbers, CompIDs, time and framing are its own."""

    def send(self, msg_type: str, body: Body) -> None:
        """Sends one message with the next number."""

    def answer_resend(self, begin: int, end: int) -> None:
        """Answers a ResendRequest for numbers begin..end (0: all): messages with PossDupFlag, or
        SequenceReset-GapFill in their place."""

    def close(self, reason: str) -> None:
        """Closes the connection once everything that was sent is out."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an acceptor says to a Logon: `refusal` not empty: Logout with that text."""

    refusal: str = ""
    body: tuple[tuple[int, Value], ...] = ()  # more fields for its own Logon
    store: Store | None = None  # of who logged on, from earlier connections


class Admin:
    """State of one session. Methods return events; what is sent goes through the lane."""

    def __init__(self, role: Role, lane: Lane, heartbeat_s: int = 30) -> None:
        self.role = role
        self.phase = Phase.DOWN
        self.heartbeat_ns = heartbeat_s * NS_PER_S
        self.sent_ns = 0  # when the last message went out, and came in: the lane's owner keeps them
        self.heard_ns = 0
        self.patience = USUAL
        self.lane = lane  # may be changed while the session is up: the C loop takes over
        self._since_ns = 0  # of the phase
        self._test_number = 0
        self._looked_ns = 0  # the last on_timer
        self._tested_ns = 0  # when the unanswered TestRequest went out; 0: none
        self._resend_until = 0  # numbers below and including it were asked for again
        self._resend_begin = 0
        self._resend_ns = 0

    @property
    def is_up(self) -> bool:
        return self.phase is Phase.UP

    @property
    def is_catching_up(self) -> bool:
        """Whether missing messages were asked for and are not all there yet."""
        return self._resend_until > 0

    def on_connected(self, now_ns: int) -> None:
        assert self.phase is Phase.DOWN
        self._enter(Phase.CONNECTED, now_ns)
        self.sent_ns = self.heard_ns = now_ns
        self._tested_ns = self._resend_until = 0

    def on_disconnected(self, reason: str, now_ns: int) -> list[Event]:
        if self.phase is Phase.DOWN:
            return []
        self._enter(Phase.DOWN, now_ns)
        return [LoggedOut(reason, is_orderly=False)]

    def log_on(self, body: Body, now_ns: int) -> None:
        """Sends the initiator's Logon; `body` holds all its fields."""
        assert self.role is Role.INITIATOR
        assert self.phase is Phase.CONNECTED
        self._send(tags.LOGON, body, now_ns)
        self._enter(Phase.LOGON_SENT, now_ns)

    def log_out(self, text: str, now_ns: int, more: Body = ()) -> list[Event]:
        """Begins an orderly end; without a session up the connection is closed at once."""
        if self.phase is not Phase.UP:
            return self._end(text, now_ns, is_orderly=False)
        self._send(tags.LOGOUT, [(tags.TEXT, text), *more], now_ns)
        self._enter(Phase.LOGOUT_SENT, now_ns)
        return []

    def on_logon(
        self, message: Message, now_ns: int, verdict: Verdict | None = None
    ) -> list[Event]:
        """The other side's Logon; an acceptor hands its verdict on it."""
        if self.phase is Phase.CONNECTED and self.role is Role.ACCEPTOR:
            assert verdict is not None
            return self._accept(message, verdict, now_ns)
        if self.phase is Phase.LOGON_SENT:
            interval_s = message.integer(tags.HEART_BT_INT, self.heartbeat_ns // NS_PER_S)
            self.heartbeat_ns = interval_s * NS_PER_S
            self._enter(Phase.UP, now_ns)
            return [LoggedOn(message)]
        return self.fail("Logon is not expected", now_ns)

    def on_message(self, message: Message, now_ns: int) -> list[Event]:
        """One message in sequence, other than Logon."""
        if message.msg_type not in tags.ADMIN_TYPES:
            # After our Logout, what was on its way still counts: fills among it.
            return [Application(message)]
        match message.msg_type:
            case tags.TEST_REQUEST:
                self._send(
                    tags.HEARTBEAT, [(tags.TEST_REQ_ID, message.text(tags.TEST_REQ_ID))], now_ns
                )
            case tags.RESEND_REQUEST:
                self.on_resend_request(message)
            case tags.REJECT:
                return [Rejected(message)]
            case tags.LOGOUT:
                return self.on_logout(message, now_ns)
            case tags.HEARTBEAT:
                pass
            case tags.SEQUENCE_RESET:
                self._check_reset(message)
            case _:
                raise FixError(tags.REASON_INVALID_MSG_TYPE, "not expected here", tags.MSG_TYPE)
        return []

    def _check_reset(self, message: Message) -> None:
        """The lane has obeyed a reset already, unless it would have gone back."""
        seq, new_next = message.integer(tags.MSG_SEQ_NUM), message.integer(tags.NEW_SEQ_NO)
        if message.boolean(tags.GAP_FILL_FLAG) and new_next <= seq:
            raise FixError(tags.REASON_INCORRECT_VALUE, "must grow", tags.NEW_SEQ_NO)

    def on_resend_request(self, message: Message) -> None:
        begin, end = message.integer(tags.BEGIN_SEQ_NO), message.integer(tags.END_SEQ_NO)
        if begin < 1 or end < 0 or (end and end < begin):
            raise FixError(tags.REASON_INCORRECT_VALUE, "no such range", tags.BEGIN_SEQ_NO)
        self.lane.answer_resend(begin, end)

    def on_logout(self, message: Message, now_ns: int) -> list[Event]:
        """The other side's Logout; it is honoured whatever its number."""
        reason = message.get(tags.TEXT) or "logged out"
        if self.phase is Phase.UP:
            self._send(tags.LOGOUT, (), now_ns)
        is_orderly = self.phase in (Phase.UP, Phase.LOGOUT_SENT)
        return self._end(reason, now_ns, is_orderly=is_orderly, message=message)

    def on_gap(self, expected: int, seen: int, now_ns: int) -> list[Event]:
        """A number came too early: asks once for everything from `expected` on. What comes too
        early meanwhile is dropped by the lane, for it comes again."""
        self.on_progress(expected - 1)
        if self.is_catching_up and now_ns - self._resend_ns < RESEND_NS_MAX:
            self._resend_until = max(self._resend_until, seen)
            return []
        self._resend_until = max(self._resend_until, seen)
        self._ask_again(expected, now_ns)
        return [GapSeen(expected, seen)]

    def on_progress(self, accepted: int) -> None:
        """Numbers up to `accepted` are there."""
        if accepted >= self._resend_until:
            self._resend_until = 0

    def on_timer(self, now_ns: int, expected: int) -> list[Event]:
        """Heartbeats and everything that can last too long; a few times a second. `expected` is the
        next number from the other side."""
        away_ns = now_ns - self._looked_ns
        self._looked_ns = now_ns
        if away_ns > self.heartbeat_ns * self.patience.away_ratio:
            self.heard_ns += min(away_ns, now_ns - self.heard_ns)
        match self.phase:
            case Phase.CONNECTED | Phase.LOGON_SENT if now_ns - self._since_ns >= LOGON_NS_MAX:
                return self._end("no Logon in time", now_ns, is_orderly=False)
            case Phase.LOGOUT_SENT if now_ns - self._since_ns >= LOGOUT_NS_MAX:
                return self._end("Logout was not answered", now_ns, is_orderly=False)
            case Phase.UP:
                return self._check_alive(now_ns, expected)
        return []

    def reject(self, seq: int, msg_type: str, error: FixError, now_ns: int) -> None:
        """Refuses a message of the other side's."""
        body = [
            (tags.REF_SEQ_NUM, seq),
            (tags.REF_TAG_ID, error.tag or None),
            (tags.REF_MSG_TYPE, msg_type),
            (tags.SESSION_REJECT_REASON, error.reason),
            (tags.TEXT, error.text),
        ]
        self._send(tags.REJECT, body, now_ns)

    def fail(self, reason: str, now_ns: int) -> list[Event]:
        """Ends the session because of what the other side did: Logout with the reason, then the
        connection closes. Before a Logon nothing is said: nobody is known to be there."""
        if self.phase not in (Phase.DOWN, Phase.CONNECTED):
            self._send(tags.LOGOUT, [(tags.TEXT, reason)], now_ns)
        return self._end(reason, now_ns, is_orderly=False)

    def _accept(self, message: Message, verdict: Verdict, now_ns: int) -> list[Event]:
        interval_s = message.integer(tags.HEART_BT_INT)
        refusal = verdict.refusal
        if not refusal and not HEARTBEAT_S_MIN <= interval_s <= HEARTBEAT_S_MAX:
            refusal = f"HeartBtInt must be {HEARTBEAT_S_MIN} to {HEARTBEAT_S_MAX}"
        if refusal:
            self._send(tags.LOGOUT, [(tags.TEXT, refusal)], now_ns)
            return self._end(refusal, now_ns, is_orderly=False)
        self.heartbeat_ns = interval_s * NS_PER_S
        is_reset = message.boolean(tags.RESET_SEQ_NUM_FLAG)
        body = [
            (tags.ENCRYPT_METHOD, 0),
            (tags.HEART_BT_INT, interval_s),
            (tags.RESET_SEQ_NUM_FLAG, is_reset or None),
            *verdict.body,
        ]
        self._send(tags.LOGON, body, now_ns)
        self._enter(Phase.UP, now_ns)
        return [LoggedOn(message)]

    def _check_alive(self, now_ns: int, expected: int) -> list[Event]:
        if self.is_catching_up and now_ns - self._resend_ns >= RESEND_NS_MAX:
            self._ask_again(expected, now_ns)
        silent_ns = now_ns - self.heard_ns
        if self._tested_ns and self.heard_ns > self._tested_ns:
            self._tested_ns = 0
        if self._tested_ns:
            if silent_ns >= self.heartbeat_ns * self.patience.end_ratio:
                return self.fail("TestRequest was not answered", now_ns)
        elif silent_ns >= self.heartbeat_ns * self.patience.test_ratio:
            self._test_number += 1
            self._send(tags.TEST_REQUEST, [(tags.TEST_REQ_ID, f"T{self._test_number}")], now_ns)
            self._tested_ns = now_ns
        if now_ns - self.sent_ns >= self.heartbeat_ns:
            self._send(tags.HEARTBEAT, (), now_ns)
        return []

    def _ask_again(self, expected: int, now_ns: int) -> None:
        self._resend_begin, self._resend_ns = expected, now_ns
        self._send(
            tags.RESEND_REQUEST, [(tags.BEGIN_SEQ_NO, expected), (tags.END_SEQ_NO, 0)], now_ns
        )

    def _send(self, msg_type: str, body: Body, now_ns: int) -> None:
        self.sent_ns = now_ns
        self.lane.send(msg_type, body)

    def _end(
        self, reason: str, now_ns: int, *, is_orderly: bool, message: Message | None = None
    ) -> list[Event]:
        if self.phase is Phase.DOWN:
            return []
        self._enter(Phase.DOWN, now_ns)
        self.lane.close(reason)
        return [LoggedOut(reason, is_orderly, message)]

    def _enter(self, phase: Phase, now_ns: int) -> None:
        self.phase, self._since_ns = phase, now_ns
