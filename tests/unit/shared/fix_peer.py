"""The other side of a FIX session, by hand: it says what the test wants, in any state."""

from typing import Any

from shared.fix.admin import Application, Event, LoggedOut, Role, Verdict
from shared.fix.codec import Framer, Message, encode, format_time, pack
from shared.fix.session import Names, Session

NOW_NS = 1_769_160_600_000_000_000
S = 1_000_000_000
LOGON = ((98, 0), (108, 30))


class Peer:
    """A session under test, and what it has said."""

    def __init__(self, role: Role, **options: Any) -> None:
        judge = options.pop("judge", lambda _message, _now_ns: Verdict())
        if role is Role.ACCEPTOR:
            self.session = Session(role, Names("US", ""), judge=judge, **options)
        else:
            self.session = Session(role, Names("US", "THEM"), **options)
        self.role = role
        self.now_ns = NOW_NS
        self.seq = 1  # of our next message
        self.said: list[Message] = []
        self.events: list[Event] = []
        self._framer = Framer()

    def connect(self, **more: Any) -> "Peer":
        logon = LOGON if self.role is Role.INITIATOR else None
        self.session.on_connected(self.now_ns, logon, **more)
        self.collect()
        return self

    def up(self) -> "Peer":
        self.connect()
        self.say("A", *LOGON)
        assert self.session.is_up
        return self.forget()

    def forget(self) -> "Peer":
        self.said.clear()
        self.events.clear()
        return self

    def say(self, msg_type: str, *fields: tuple[int, Any], seq: int = 0, dup: bool = False,
            header: dict[int, Any] | None = None) -> list[Message]:  # fmt: skip
        """Says one message (`seq` 0: the next in order); returns the answers."""
        number = seq or self.seq
        if not seq:
            self.seq += 1
        values: dict[int, Any] = {35: msg_type, 49: "THEM", 56: "US", 34: number,
                                  52: format_time(self.now_ns)}  # fmt: skip
        if dup:
            values |= {43: True, 122: format_time(self.now_ns - S)}
        values |= header or {}
        return self.hear(encode(values.items(), pack(fields)))

    def hear(self, data: bytes) -> list[Message]:
        start = len(self.said)
        self.events += self.session.on_bytes(data, self.now_ns)
        self.collect()
        return self.said[start:]

    def wait(self, seconds: float) -> list[Message]:
        start = len(self.said)
        self.now_ns += round(seconds * S)
        self.events += self.session.on_timer(self.now_ns)
        self.collect()
        return self.said[start:]

    def collect(self) -> None:
        for found in self._framer.feed(self.session.take()):
            assert isinstance(found, Message)
            self.said.append(found)

    @property
    def kinds(self) -> str:
        return "".join(message.msg_type for message in self.said)

    @property
    def applications(self) -> list[str]:
        return [e.message.get(11) or "" for e in self.events if isinstance(e, Application)]

    @property
    def end(self) -> str:
        ends = [event.reason for event in self.events if isinstance(event, LoggedOut)]
        return ends[-1] if ends else ""
