"""QuickFIX in both roles, as the tests use it: what it sends and sees, by session."""

import base64
import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import quickfix

DICTIONARY = Path(__file__).with_name("dialect.xml")
COMMON = """[DEFAULT]
BeginString=FIX.4.4
UseDataDictionary=Y
DataDictionary={dictionary}
ValidateUserDefinedFields=N
AllowUnknownMsgFields=N
StartTime=00:00:00
EndTime=00:00:00
HeartBtInt=2
LogonTimeout=3
ReconnectInterval=1
CheckLatency=Y
TimestampPrecision=3
"""


def settings_file(directory: Path, sessions: str) -> quickfix.SessionSettings:
    path = directory / "quickfix.cfg"
    path.write_text(COMMON.format(dictionary=DICTIONARY) + sessions, encoding="utf-8")
    return quickfix.SessionSettings(str(path))


def message(msg_type: str, *fields: tuple[int, Any]) -> quickfix.Message:
    made = quickfix.Message()
    made.getHeader().setField(quickfix.MsgType(msg_type))
    for tag, value in fields:
        made.setField(quickfix.StringField(tag, str(value)))
    return made


def fields_of(made: quickfix.Message) -> list[tuple[int, str]]:
    """Returns a message's fields in order; the dictionary has kept its groups together."""
    parts = made.toString().split("\x01")[:-1]
    return [(int(tag), value) for tag, _, value in (part.partition("=") for part in parts)]


class Engine(quickfix.Application):
    """Records by session; its callbacks run in QuickFIX's threads."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        super().__init__()
        self._client_id, self._secret = client_id, client_secret
        self._lock = threading.Lock()
        self._stamp_ms = 0
        self.sessions: dict[str, quickfix.SessionID] = {}
        self.logons: dict[str, int] = {}
        self.seen: dict[str, list[list[tuple[int, str]]]] = {}
        self.rejects: list[str] = []

    def onCreate(self, session: quickfix.SessionID) -> None:  # noqa: N802 - QuickFIX's names
        name = self._name(session)
        self.sessions[name] = session
        self.seen[name] = []

    def onLogon(self, session: quickfix.SessionID) -> None:  # noqa: N802
        name = self._name(session)
        self.logons[name] = self.logons.get(name, 0) + 1

    def onLogout(self, session: quickfix.SessionID) -> None:  # noqa: N802
        pass

    def toAdmin(self, made: quickfix.Message, _session: quickfix.SessionID) -> None:  # noqa: N802
        msg_type = made.getHeader().getField(35)
        if msg_type == "A" and self._client_id:
            self._sign(made)
        elif msg_type == "3":
            self.rejects.append(made.toString().replace("\x01", "|"))

    def fromAdmin(self, made: quickfix.Message, _session: quickfix.SessionID) -> None:  # noqa: N802
        if made.getHeader().getField(35) == "3":
            self.rejects.append(made.toString().replace("\x01", "|"))

    def toApp(self, _made: quickfix.Message, _session: quickfix.SessionID) -> None:  # noqa: N802
        pass

    def fromApp(self, made: quickfix.Message, session: quickfix.SessionID) -> None:  # noqa: N802
        self.on_application(self._name(session), fields_of(made))

    def on_application(self, name: str, fields: list[tuple[int, str]]) -> None:
        with self._lock:
            self.seen[name].append(fields)

    def send(self, name: str, made: quickfix.Message) -> None:
        """Sends now, or after the next logon."""
        quickfix.Session.sendToTarget(made, self.sessions[name])

    def values(self, name: str, tag: int) -> list[str]:
        """Returns all values of a tag in what a session has seen."""
        with self._lock:
            return [value for fields in self.seen[name] for at, value in fields if at == tag]

    def _sign(self, made: quickfix.Message) -> None:
        with self._lock:
            self._stamp_ms = max(self._stamp_ms + 1, time.time_ns() // 1_000_000)
            raw_data = f"{self._stamp_ms}.{base64.b64encode(os.urandom(32)).decode()}"
        digest = hashlib.sha256((raw_data + self._secret).encode()).digest()
        for tag, value in (
            (95, len(raw_data)), (96, raw_data), (553, self._client_id),
            (554, base64.b64encode(digest).decode()), (9001, "N"), (9010, "Y"), (9015, "Y"),
        ):  # fmt: skip
            made.setField(quickfix.StringField(tag, str(value)))

    def _name(self, session: quickfix.SessionID) -> str:
        """Returns the desk's CompID, whichever side this is."""
        ours, theirs = session.getSenderCompID().getValue(), session.getTargetCompID().getValue()
        return str(theirs if ours == "DERIBITSERVER" else ours)


class FillingEngine(Engine):
    """An acceptor that fills every order at once, and tells of fills nobody asked for."""

    def __init__(self) -> None:
        super().__init__("", "")
        self.made: dict[str, list[str]] = {}  # fills, by session
        self.carried_out: list[str] = []

    def on_application(self, name: str, fields: list[tuple[int, str]]) -> None:
        super().on_application(name, fields)
        row = dict(fields)
        if row[35] == "D":
            self.carried_out.append(row[11])
            self.fill(name, row[11], row[55])

    def fill(self, name: str, order_id: str, symbol: str) -> None:
        made = self.made.setdefault(name, [])
        fill_id = f"{name}-{len(made) + 1}"
        made.append(fill_id)
        report = message("8", (37, order_id), (11, order_id), (41, order_id), (17, fill_id),
                         (150, "F"), (39, 2), (55, symbol), (54, 1), (14, 1), (151, 0),
                         (6, 1))  # fmt: skip
        group = quickfix.Group(1362, 1363)
        for tag, value in ((1363, fill_id), (1364, "0.01"), (1365, 1)):
            group.setField(quickfix.StringField(tag, str(value)))
        report.addGroup(group)
        self.send(name, report)


class QuotingEngine(Engine):
    """An acceptor that takes mass quotes, holds them while the connection lasts, and trades with
    them when told to."""

    def __init__(self) -> None:
        super().__init__("", "")
        self.is_on = False
        self.rests: dict[tuple[str, str], tuple[str, str, str]] = {}  # name, side: price, ids
        self.quote_ids: list[str] = []  # as they came
        self.made: list[tuple[str, str, str]] = []  # trade id, name, side

    def onLogout(self, session: quickfix.SessionID) -> None:  # noqa: N802
        self.rests.clear()  # cancel-on-disconnect
        self.is_on = False

    def onLogon(self, session: quickfix.SessionID) -> None:  # noqa: N802
        self.is_on = True
        super().onLogon(session)

    def on_application(self, name: str, fields: list[tuple[int, str]]) -> None:
        msg_type = dict(fields)[35]
        if msg_type == "i":
            self.send(name, self._quote(fields))
        elif msg_type == "Z":
            row = dict(fields)
            count, self.rests = len(self.rests), {}
            self.send(name, message("r", (11, row[1166]), (530, row[298]), (531, row[298]),
                                    (533, count)))  # fmt: skip

    def _quote(self, fields: list[tuple[int, str]]) -> quickfix.Message:
        quote_id = dict(fields)[117]
        self.quote_ids.append(quote_id)
        entries: list[dict[int, str]] = []
        for tag, value in fields:
            if tag == 299:
                entries.append({})
            if entries:
                entries[-1][tag] = value
        answer = message("b", (117, quote_id), (297, 0))
        for entry in entries:
            for side, price_tag, size_tag in (("1", 132, 134), ("2", 133, 135)):
                if size_tag in entry:
                    self._take(answer, quote_id, entry, side, price_tag, size_tag)
        return answer

    def _take(
        self, answer: quickfix.Message, quote_id: str, entry: dict[int, str], side: str,
        price_tag: int, size_tag: int,
    ) -> None:  # fmt: skip
        is_gone = float(entry[size_tag]) == 0.0
        if is_gone:
            self.rests.pop((entry[55], side), None)
        else:
            self.rests[entry[55], side] = (entry[price_tag], quote_id, entry[299])
        group = quickfix.Group(295, 299)
        for tag, value in (
            (299, entry[299]), (9020, 0), (302, "s"), (1167, 17 if is_gone else 21),
            (55, entry[55]), (54, side), (37, "1"),
        ):  # fmt: skip
            group.setField(quickfix.StringField(tag, str(value)))
        answer.addGroup(group)

    def trade(self, name: str) -> None:
        """Fills a tenth of one quote."""
        (symbol, side), (price, quote_id, entry_id) = next(iter(dict(self.rests).items()))
        trade_id = f"T{len(self.made) + 1}"
        self.made.append((trade_id, symbol, side))
        report = message("8", (37, "1"), (11, "1"), (17, trade_id), (150, "F"), (39, 1),
                         (55, symbol), (54, side), (14, 1), (151, 1), (6, price), (117, quote_id),
                         (299, entry_id))  # fmt: skip
        group = quickfix.Group(1362, 1363)
        for tag, value in ((1363, trade_id), (1364, price), (1365, "0.1"), (1443, 1)):
            group.setField(quickfix.StringField(tag, str(value)))
        report.addGroup(group)
        self.send(name, report)
