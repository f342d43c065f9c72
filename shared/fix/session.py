"""One FIX 4.4 session over the connections it lives through: bytes in, bytes and events out.

For both roles. Numbers, framing and the store are here, the admin conversation is in
shared/fix/admin.py. An acceptor sends application messages again when asked, with PossDupFlag;
an initiator never does: an order that is late is an order about another market, so GapFill stands
for all it sent. No clock, no socket: time is handed in, and whoever owns the connection takes the
bytes with `take` and closes it when `close_reason` is not empty.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.fix import tags
from shared.fix.admin import Admin, Body, Event, GapSeen, Phase, Role, Verdict
from shared.fix.codec import (
    BEGIN,
    FixError,
    Framer,
    Garbled,
    Malformed,
    Message,
    encode,
    format_time,
    pack,
    parse_time,
)
from shared.fix.store import STORED_MAX, Sent, Store

NS_PER_S = 1_000_000_000
SENDING_TIME_SLACK_NS = 120 * NS_PER_S
GARBLED_IN_A_ROW_MAX = 100


@dataclass(frozen=True, slots=True)
class Names:
    """CompIDs, from this side. An acceptor with an empty `target` takes that of the first Logon."""

    sender: str
    target: str


Judge = Callable[[Message, int], Verdict]


class Session:
    """State of one session. `judge` looks at a Logon's credentials, for an acceptor."""

    def __init__(
        self,
        role: Role,
        names: Names,
        *,
        heartbeat_s: int = 30,
        judge: Judge | None = None,
        store: Store | None = None,
    ) -> None:
        assert (judge is not None) == (role is Role.ACCEPTOR)
        self.names = names
        self.close_reason = ""
        self.other_clock_ns = 0  # added to now: a second time of day that SendingTime may show
        self.garbled_count = 0
        self.store = store or Store(STORED_MAX if role is Role.ACCEPTOR else 0)
        self.admin = Admin(role, self, heartbeat_s)
        self._role = role
        self._judge = judge
        self._framer = Framer()
        self._garbled_in_a_row = 0
        self._now_ns = 0
        self._out = bytearray()
        self._is_reset_asked = False

    @property
    def is_up(self) -> bool:
        return self.admin.is_up

    def take(self) -> bytes:
        """Returns what is to be sent, in order, and forgets it."""
        data = bytes(self._out)
        self._out.clear()
        return data

    # Connections

    def rest(self) -> bytes:
        """Returns bytes of a message that is not whole yet, for who reads on from here."""
        return self._framer.rest()

    def on_connected(self, now_ns: int, logon: Body | None = None, *, reset: bool = False) -> None:
        """An initiator logs on at once with the fields of `logon`; `reset` starts both numbers at
        1 (and puts ResetSeqNumFlag into the Logon)."""
        assert (logon is not None) == (self._role is Role.INITIATOR)
        self._now_ns = now_ns
        self._out.clear()
        self._framer.clear()
        self._garbled_in_a_row = 0
        self.close_reason = ""
        self._is_reset_asked = reset
        self.admin.on_connected(now_ns)
        if logon is not None:
            if reset:
                self.store.reset()
            self.admin.log_on([*logon, (tags.RESET_SEQ_NUM_FLAG, reset or None)], now_ns)

    def on_disconnected(self, reason: str, now_ns: int) -> list[Event]:
        """The connection is gone, whoever ended it."""
        self._now_ns = now_ns
        self._out.clear()
        return self.admin.on_disconnected(reason, now_ns)

    def on_bytes(self, data: bytes, now_ns: int) -> list[Event]:
        """Bytes of the connection, in any pieces. Whatever they hold is answered or skipped."""
        self._now_ns = now_ns
        events: list[Event] = []
        for found in self._framer.feed(data):
            if self.admin.phase is Phase.DOWN:
                break
            if isinstance(found, Garbled):
                events += self._on_garbled(found)
                continue
            self._garbled_in_a_row = 0
            self.admin.heard_ns = now_ns
            if isinstance(found, Malformed):
                events += self._on_malformed(found)
            else:
                events += self.on_message(found)
        return events

    def on_timer(self, now_ns: int) -> list[Event]:
        self._now_ns = now_ns
        return self.admin.on_timer(now_ns, self.store.next_in)

    def log_out(self, text: str, now_ns: int, more: Body = ()) -> list[Event]:
        self._now_ns = now_ns
        return self.admin.log_out(text, now_ns, more)

    def end(self, reason: str, now_ns: int) -> list[Event]:
        """Ends the session because of the other side: Logout, then the connection closes."""
        self._now_ns = now_ns
        return self.admin.fail(reason, now_ns)

    def send_application(self, msg_type: str, body: bytes, now_ns: int) -> int:
        """Sends one message and returns its number. While the session is down an acceptor's is
        kept, and goes out when it is asked for after the next Logon."""
        assert msg_type not in tags.ADMIN_TYPES
        seq = self.store.next_out
        self.store.add(Sent(seq, msg_type, body, now_ns))
        self.store.next_out = seq + 1
        if self.admin.phase in (Phase.UP, Phase.LOGOUT_SENT):
            self._emit(seq, msg_type, body, now_ns)
            self.admin.sent_ns = now_ns
        return seq

    # Messages in

    def on_message(self, message: Message) -> list[Event]:
        """One well-framed message: checked, put in order, dispatched."""
        try:
            return self._check(message) or self._order(message)
        except FixError as error:
            if self.admin.phase is Phase.CONNECTED:
                return self.admin.fail(error.text, self._now_ns)
            seq = _seq_of(message)
            if seq == self.store.next_in:
                self._advance(seq + 1)
            self.admin.reject(seq, message.msg_type, error, self._now_ns)
            return []

    def _check(self, message: Message) -> list[Event]:
        """Returns the end of the session where a message cannot be of it."""
        phase = self.admin.phase
        if phase is Phase.CONNECTED and message.msg_type != tags.LOGON:
            return self.admin.fail("the first message must be Logon", self._now_ns)
        if phase is Phase.LOGON_SENT and message.msg_type not in (tags.LOGON, tags.LOGOUT):
            # The other side is up already; what it sent before its Logon comes again.
            return self.admin.fail("the first answer must be Logon", self._now_ns)
        if message.get(tags.BEGIN_STRING) is not None:
            return self.admin.fail(f"BeginString must be {BEGIN}", self._now_ns)
        if message.get(tags.MSG_SEQ_NUM) is None:
            return self.admin.fail("MsgSeqNum is missing", self._now_ns)
        if not self.names.target:
            self.names = Names(self.names.sender, message.text(tags.SENDER_COMP_ID))
        is_ours = (
            message.text(tags.SENDER_COMP_ID) == self.names.target
            and message.text(tags.TARGET_COMP_ID) == self.names.sender
        )
        if not is_ours:
            error = FixError(tags.REASON_COMP_ID, "CompID problem", tags.SENDER_COMP_ID)
            return self._refuse_and_end(message, error)
        sent_ns = parse_time(message.text(tags.SENDING_TIME))
        clocks = (self._now_ns, self._now_ns + self.other_clock_ns)
        if all(abs(sent_ns - clock) > SENDING_TIME_SLACK_NS for clock in clocks):
            error = FixError(
                tags.REASON_SENDING_TIME, "SendingTime accuracy problem", tags.SENDING_TIME
            )
            return self._refuse_and_end(message, error)
        return []

    def _order(self, message: Message) -> list[Event]:
        """Lets through what is next; asks for what is missing; drops what was seen."""
        seq = message.integer(tags.MSG_SEQ_NUM)
        if message.msg_type == tags.LOGON:
            return self._on_logon(message, seq)
        if message.msg_type == tags.SEQUENCE_RESET and not message.boolean(tags.GAP_FILL_FLAG):
            return self._on_reset(message, seq)
        expected = self.store.next_in
        if seq < expected:
            return self._on_low(message, seq, expected)
        if seq > expected:
            return self._on_high(message, seq, expected)
        events = self.admin.on_message(message, self._now_ns)
        is_reset = message.msg_type == tags.SEQUENCE_RESET
        self._advance(message.integer(tags.NEW_SEQ_NO) if is_reset else seq + 1)
        return events

    def _on_logon(self, message: Message, seq: int) -> list[Event]:
        phase = self.admin.phase
        if phase not in (Phase.CONNECTED, Phase.LOGON_SENT):
            if seq < self.store.next_in and message.is_poss_dup:
                return []
            return self.admin.on_logon(message, self._now_ns)
        verdict = None
        if self._judge is not None:
            verdict = self._judge(message, self._now_ns)
            if verdict.refusal:
                return self.admin.on_logon(message, self._now_ns, verdict)
            self.store = verdict.store or self.store
        if message.boolean(tags.RESET_SEQ_NUM_FLAG):
            if seq != 1:
                return self.admin.fail("ResetSeqNumFlag needs MsgSeqNum 1", self._now_ns)
            if phase is Phase.LOGON_SENT:
                if not self._is_reset_asked:
                    return self.admin.fail("ResetSeqNumFlag was not asked for", self._now_ns)
            else:
                self.store.reset()
        expected = self.store.next_in
        if seq < expected and not message.is_poss_dup:
            return self._too_low(seq, expected)
        events = self.admin.on_logon(message, self._now_ns, verdict)
        if seq > expected and self.admin.is_up:
            return [*events, *self.admin.on_gap(expected, seq, self._now_ns)]
        if seq == expected:
            self._advance(seq + 1)
        return events

    def _on_reset(self, message: Message, seq: int) -> list[Event]:
        """SequenceReset in its hard mode: its own number does not matter."""
        new_next = message.integer(tags.NEW_SEQ_NO)
        if new_next < self.store.next_in:
            error = FixError(tags.REASON_INCORRECT_VALUE, "must not fall", tags.NEW_SEQ_NO)
            self.admin.reject(seq, message.msg_type, error, self._now_ns)
            return []
        self._advance(new_next)
        return []

    def _on_low(self, message: Message, seq: int, expected: int) -> list[Event]:
        if message.msg_type == tags.LOGOUT and self.admin.phase is Phase.LOGON_SENT:
            return self.admin.on_logout(message, self._now_ns)  # it refuses, and knows no numbers
        if not message.is_poss_dup:
            return self._too_low(seq, expected)
        if message.msg_type == tags.SEQUENCE_RESET:
            return []
        first_sent = message.get(tags.ORIG_SENDING_TIME)
        if first_sent is None:
            raise FixError(
                tags.REASON_REQUIRED_TAG_MISSING, "required tag missing", tags.ORIG_SENDING_TIME
            )
        if parse_time(first_sent, tags.ORIG_SENDING_TIME) > parse_time(
            message.text(tags.SENDING_TIME)
        ):
            error = FixError(
                tags.REASON_SENDING_TIME, "SendingTime accuracy problem", tags.ORIG_SENDING_TIME
            )
            return self._refuse_and_end(message, error)
        return []

    def _on_high(self, message: Message, seq: int, expected: int) -> list[Event]:
        """A resend is answered before one is asked for, or both sides would wait; a Logout is
        honoured, for nothing will follow it."""
        if message.msg_type == tags.LOGOUT:
            events: list[Event] = [GapSeen(expected, seq)]
            return [*events, *self.admin.on_logout(message, self._now_ns)]
        if message.msg_type == tags.RESEND_REQUEST:
            self.admin.on_resend_request(message)
        return self.admin.on_gap(expected, seq, self._now_ns)

    def _too_low(self, seq: int, expected: int) -> list[Event]:
        return self.admin.fail(
            f"MsgSeqNum too low, expecting {expected} but received {seq}", self._now_ns
        )

    def _refuse_and_end(self, message: Message, error: FixError) -> list[Event]:
        if self.admin.phase is Phase.CONNECTED:
            return self.admin.fail(error.text, self._now_ns)
        seq = _seq_of(message)
        if seq == self.store.next_in:
            self._advance(seq + 1)
        self.admin.reject(seq, message.msg_type, error, self._now_ns)
        return self.admin.fail(error.text, self._now_ns)

    def _on_malformed(self, found: Malformed) -> list[Event]:
        if self.admin.phase in (Phase.CONNECTED, Phase.LOGON_SENT):
            return self.admin.fail("the first message cannot be read", self._now_ns)
        if not found.seq:
            return self.admin.fail("MsgSeqNum is missing", self._now_ns)
        if found.seq == self.store.next_in:
            self._advance(found.seq + 1)
            self.admin.reject(found.seq, found.msg_type, found.error, self._now_ns)
        elif found.seq > self.store.next_in:
            return self.admin.on_gap(self.store.next_in, found.seq, self._now_ns)
        return []

    def _on_garbled(self, found: Garbled) -> list[Event]:
        self.garbled_count += 1
        self._garbled_in_a_row += 1
        if (
            self._garbled_in_a_row < GARBLED_IN_A_ROW_MAX
            and self.admin.phase is not Phase.CONNECTED
        ):
            return []
        return self.admin.fail(f"garbled: {found.reason}", self._now_ns)

    def _advance(self, next_in: int) -> None:
        self.store.next_in = next_in
        self.admin.on_progress(next_in - 1)

    # The lane of shared/fix/admin.py

    def send(self, msg_type: str, body: Body) -> None:
        seq = self.store.next_out
        self.store.next_out = seq + 1
        self._emit(seq, msg_type, pack(body), self._now_ns)

    def answer_resend(self, begin: int, end: int) -> None:
        last = self.store.next_out - 1
        end = min(end, last) if end else last
        at = begin
        for sent in self.store.between(begin, end):
            if sent.seq > at:
                self._fill(at, sent.seq)
            self._emit(sent.seq, sent.msg_type, sent.body, self._now_ns, sent.sent_ns)
            at = sent.seq + 1
        if at <= end:
            self._fill(at, end + 1)

    def close(self, reason: str) -> None:
        self.close_reason = reason or "closed"

    def _fill(self, seq: int, new_next: int) -> None:
        body = pack(((tags.GAP_FILL_FLAG, True), (tags.NEW_SEQ_NO, new_next)))
        self._emit(seq, tags.SEQUENCE_RESET, body, self._now_ns, self._now_ns)

    def _emit(
        self, seq: int, msg_type: str, body: bytes, now_ns: int, first_sent_ns: int = 0
    ) -> None:
        """Puts one message on the wire; `first_sent_ns` marks it as sent again."""
        header = (
            (tags.MSG_TYPE, msg_type),
            (tags.SENDER_COMP_ID, self.names.sender),
            (tags.TARGET_COMP_ID, self.names.target),
            (tags.MSG_SEQ_NUM, seq),
            (tags.POSS_DUP_FLAG, bool(first_sent_ns) or None),
            (tags.SENDING_TIME, format_time(now_ns)),
            (tags.ORIG_SENDING_TIME, format_time(first_sent_ns) if first_sent_ns else None),
        )
        self._out += encode(header, body)


def _seq_of(message: Message) -> int:
    try:
        return message.integer(tags.MSG_SEQ_NUM, 0)
    except FixError:
        return 0
