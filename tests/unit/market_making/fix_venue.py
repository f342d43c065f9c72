"""A toy venue's FIX end: sessions by the house's own machine, quotes in a plain dictionary."""

from typing import Any

from services.market_making.fix_line import SENDER, TARGET
from shared.fix.admin import Application, Role, Verdict
from shared.fix.codec import Message, pack
from shared.fix.session import Names, Session

SIDES = (("bid", 132, 134, 1), ("ask", 133, 135, 2))
MASS_QUOTE, QUOTE_CANCEL = "i", "Z"


class FixVenue:
    """Holds what it was sent until `answer`, in order. `rests` is (name, side): (price, amount)."""

    def __init__(self, rests: dict[tuple[str, str], tuple[float, float]]) -> None:
        self.rests = rests
        self.waiting: list[Message] = []
        self.asked: list[Message] = []
        self.refuse: set[tuple[str, str]] = set()
        self.is_refusing_whole = False
        self.refusal: list[tuple[int, Any]] = [(300, 99)]
        self.is_refusing_cancels = False
        self._entries: dict[tuple[str, str], tuple[str, str]] = {}  # QuoteID, QuoteEntryID
        self.session = self._new()

    def connect(self, now_ns: int) -> None:
        self.session = self._new()
        self.session.on_connected(now_ns)
        self.waiting.clear()

    def take(self, data: bytes, now_ns: int) -> bytes:
        """Takes the desk's bytes; returns what is said at once."""
        for event in self.session.on_bytes(data, now_ns):
            if isinstance(event, Application):
                self.waiting.append(event.message)
                self.asked.append(event.message)
        return self.session.take()

    def answer(self, now_ns: int) -> bytes:
        waiting, self.waiting = self.waiting, []
        for message in waiting:
            if message.msg_type == MASS_QUOTE:
                self._say("b", self._quote(message), now_ns)
            elif message.msg_type == QUOTE_CANCEL:
                self._say("r", self._cancel(message), now_ns)
        return self.session.take()

    def trade(
        self, name: str, side: str, amount: float, trade_id: str, now_ns: int, *, is_quote: bool
    ) -> bytes:
        price, resting = self.rests.get((name, side), (0.01, amount))
        if resting > amount + 1e-9:
            self.rests[name, side] = (price, resting - amount)
        else:
            self.rests.pop((name, side), None)
        quote_id, entry_id = self._entries[name, side] if is_quote else (None, None)
        body = [
            (37, "1"), (150, "F"), (39, "1"), (55, name), (54, "1" if side == "bid" else "2"),
            (38, amount), (151, 0), (14, amount), (44, price), (117, quote_id), (299, entry_id),
            (1362, 1), (1363, trade_id), (1364, price), (1365, amount), (1443, 1),
        ]  # fmt: skip
        self._say("8", body, now_ns)
        return self.session.take()

    def _quote(self, message: Message) -> list[tuple[int, Any]]:
        quote_id = message.text(117)
        if self.is_refusing_whole:
            return [(117, quote_id), (297, 5), *self.refusal]
        entries: list[dict[int, str]] = []
        for tag, value in message.fields:
            if tag == 299:
                entries.append({})
            if entries:
                entries[-1][tag] = value
        answers: list[list[tuple[int, Any]]] = []
        for entry in entries:
            name = entry[55]
            for side, price_tag, size_tag, number in SIDES:
                if size_tag in entry:
                    answers.append(
                        [(299, entry[299]), *self._side(entry, quote_id, name, side), (54, number)]
                    )
                    self._rest(entry, quote_id, (name, side), price_tag, size_tag)
        fields = [(117, quote_id), (297, 0), (295, len(answers))]
        return [*fields, *(field for answer in answers for field in answer)]

    def _side(
        self, entry: dict[int, str], quote_id: str, name: str, side: str
    ) -> list[tuple[int, Any]]:
        del entry, quote_id
        if (name, side) in self.refuse:
            return [(9020, 2), (302, "s"), (1167, 5), (55, name), (368, 11054)]
        return [(9020, 0), (302, "s"), (1167, 0), (55, name), (37, "1")]

    def _rest(
        self, entry: dict[int, str], quote_id: str, key: tuple[str, str], price: int, size: int
    ) -> None:
        self._entries[key] = (quote_id, entry[299])
        if key in self.refuse or float(entry[size]) == 0.0:
            self.rests.pop(key, None)
        else:
            self.rests[key] = (float(entry[price]), float(entry[size]))

    def _cancel(self, message: Message) -> list[tuple[int, Any]]:
        head = [(11, message.get(1166) or message.get(117)), (530, message.text(298))]
        if self.is_refusing_cancels:
            return [*head, (531, 0), (532, 99)]
        count = len(self.rests)
        self.rests.clear()
        return [*head, (531, 5), (533, count)]

    def _say(self, msg_type: str, body: list[tuple[int, Any]], now_ns: int) -> None:
        self.session.send_application(msg_type, pack(body), now_ns)

    def _new(self) -> Session:
        names = Names(TARGET, SENDER)
        return Session(Role.ACCEPTOR, names, judge=lambda _message, _now_ns: Verdict())
