"""A FIX client of the house: the initiator's machine on one connection after the other."""

from typing import Any

from shared.clock import NS_PER_S
from shared.fix.admin import Application, Event, LoggedOn, LoggedOut, Role
from shared.fix.codec import Message, pack
from shared.fix.credentials import VENUE_NAME, logon_body
from shared.fix.session import Names, Session
from tests.unit.venue.client import GROUP, House

FIRST_CONNECTION = 1 << 40


class FixClient:
    """One session; `inbox` holds application messages as they come."""

    def __init__(self, house: House, name: str = "desk", comp_id: str = "MAKER") -> None:
        self.house = house
        self.name = name
        self.session = Session(Role.INITIATOR, Names(comp_id, VENUE_NAME))
        self.connection_id = 0
        self.inbox: list[Message] = []
        self.events: list[Event] = []
        self.closed = ""
        self.bytes_in = b""
        self._number = 0

    def connect(self, *, reset: bool = True, secret: str = "", drop: tuple[int, ...] = (),
                **more: Any) -> "FixClient":  # fmt: skip
        """Opens a connection and logs on; `more` are fields by tag, as `t9001="N"`."""
        house = self.house
        house.now_ns += NS_PER_S // 1000  # RawData's time must grow
        self.connection_id = FIRST_CONNECTION + len(house.clients)
        house.clients[self.connection_id] = self
        self.closed = ""
        house.venue.on_open(self.connection_id, house.now_ns, "fix")
        fields = {int(name[1:]): value for name, value in more.items()}
        body = logon_body(
            f"{self.name}-id", secret or f"{self.name}-secret", b"n" * 32, 30, house.now_ns
        )
        kept = [(tag, value) for tag, value in body if tag not in fields and tag not in drop]
        self.session.on_connected(house.now_ns, [*kept, *fields.items()], reset=reset)
        self.pump()
        return self

    def pump(self) -> None:
        """Lets bytes go both ways until there are none."""
        house = self.house
        while data := self.session.take():
            house.deliver(house.venue.on_bytes(self.connection_id, data, house.now_ns))

    def arrive(self, data: bytes) -> None:
        self.bytes_in += data
        events = self.session.on_bytes(data, self.house.now_ns)
        self.events += events
        self.inbox += [event.message for event in events if isinstance(event, Application)]

    def disconnect(self) -> None:
        house = self.house
        house.deliver(house.venue.on_close(self.connection_id, house.now_ns))
        self.events += self.session.on_disconnected("gone", house.now_ns)

    def send(self, msg_type: str, *fields: tuple[int, Any]) -> list[Message]:
        """Sends one message; returns what came at once."""
        start = len(self.inbox)
        self.session.send_application(msg_type, pack(fields), self.house.now_ns)
        self.pump()
        return self.inbox[start:]

    def protect(self, **more: Any) -> list[Message]:
        values = {20114: "m", 15: "BTC", 20116: 5, 20112: 10, 20119: 10, 9019: GROUP}
        values |= {int(name[1:]): value for name, value in more.items()}
        return self.send("MM", *values.items())

    def quote(self, *quotes: dict[int, Any], group: str = GROUP) -> list[Message]:
        """Sends a MassQuote of one set; each quote gives its entry's fields."""
        self._number += 1
        fields: list[tuple[int, Any]] = [(117, self._number), (9019, group), (296, 1), (302, "s"),
                                         (304, len(quotes)), (295, len(quotes))]  # fmt: skip
        for number, entry in enumerate(quotes, 1):
            fields += [(299, number), *entry.items()]
        return self.send("i", *fields)

    def order(self, side: str, name: str, quantity: Any, price: Any, client_id: str = "c1",
              **more: Any) -> list[Message]:  # fmt: skip
        values = {11: client_id, 55: name, 54: side, 38: quantity, 44: price, 40: 2, 59: 1}
        values |= {int(tag[1:]): value for tag, value in more.items()}
        return self.send("D", *values.items())

    def was_refused(self) -> str:
        """Returns why the last session ended."""
        ends = [event for event in self.events if isinstance(event, LoggedOut)]
        return ends[-1].reason if ends else ""

    def logons(self) -> int:
        return sum(isinstance(event, LoggedOn) for event in self.events)


def two_sided(name: str, bid: float, ask: float, size: float = 1) -> dict[int, Any]:
    return {55: name, 132: bid, 133: ask, 134: size, 135: size}


def fills_of(message: Message) -> list[dict[int, str]]:
    """Returns the fills of an ExecutionReport."""
    return [dict(entry) for entry in message.groups(1362, frozenset((1363, 1364, 1365, 1443)))]


ENTRY_TAGS = frozenset((299, 9020, 302, 1167, 55, 54, 37, 60, 132, 133, 134, 135, 368, 58))


def entries_of(message: Message) -> list[dict[int, str]]:
    """Returns the entries of a MassQuoteAck."""
    return [dict(entry) for entry in message.groups(295, ENTRY_TAGS)]
