"""The FIX door of the venue: bytes of connections in, bytes and closings out, time handed in.

Sessions are shared/fix; orders, quotes, money and rules are those of the JSON-RPC methods, called
through the same switchboard. Fills go out here before any channel says them.
"""

from collections.abc import Callable

from services.venue.errors import VenueError
from services.venue.fix import dialect as d
from services.venue.fix.lines import CLIENTS_MAX, Client, Line
from services.venue.fix.orders import OrderDesk
from services.venue.fix.queries import QueryDesk
from services.venue.fix.quotes import QuoteDesk, trade_ack
from services.venue.fix.reports import Fill, Reports
from services.venue.fix.request import Answer, Desk, Request
from services.venue.floor import Floor
from services.venue.matching.exchange import News
from services.venue.matching.orders import Order
from services.venue.outputs import FixClose, FixOutput, FixSend
from services.venue.rpc.rate_limits import Allowance, Tier
from services.venue.rpc.sessions import FULL_SCOPE, Connection
from services.venue.rpc.switchboard import Switchboard
from shared.clock import NS_PER_MS
from shared.fix import tags
from shared.fix.admin import (
    STRICT,
    Application,
    Event,
    LoggedOn,
    LoggedOut,
    Role,
    Verdict,
)
from shared.fix.codec import FixError, Message, pack, parse_time
from shared.fix.credentials import TIMESTAMP_SLACK_MS, VENUE_NAME, is_signed, timestamp_ms
from shared.fix.session import Names, Session
from shared.fix.store import Store

EXECUTION_REPORT, MASS_QUOTE_ACK, BUSINESS_REJECT = "8", "b", "j"
# BusinessRejectReason (380).
OTHER, UNSUPPORTED_TYPE = 0, 3
OWN_IDS = (d.QUOTE_ID, d.QUOTE_MSG_ID, d.CL_ORD_ID)  # what a client calls its request
CHANGING = frozenset("DFGqiZ")
NEVER_NS = 2**62


class FixDoor:
    """All FIX connections of one venue. `publish` tells the news of now to everybody, this door
    first; `leave` takes the orders of a connection that is gone, where it asked for that."""

    def __init__(
        self,
        floor: Floor,
        switchboard: Switchboard,
        tier: Tier,
        publish: Callable[[int], None],
        leave: Callable[[Connection, int], None],
        now_ns: int,
    ) -> None:
        self._floor = floor
        self._tier = tier
        self._publish = publish
        self._leave = leave
        self._now_ns = self._real_ns = now_ns
        self._lines: dict[int, Line] = {}
        self._dirty: dict[int, None] = {}  # connections that may have something to send
        self._outputs: list[FixOutput] = []
        self._clients: dict[tuple[str, str], Client] = {}
        self._accounts: frozenset[int] = frozenset()
        self._stamps_ms: dict[str, int] = {}  # key -> RawData's time at its last logon
        self._asking: Client | None = None  # whose request is in progress
        self._reports = Reports(floor.exchange, now_ns)
        desk = Desk(floor, switchboard, self._reports, publish)
        self._handlers: dict[str, Callable[[Request], Answer]] = {
            **OrderDesk(desk).table(),
            **QuoteDesk(desk).table(),
            **QueryDesk(desk).table(),
        }

    # Connections

    def on_open(self, connection_id: int, now_ns: int) -> None:
        assert connection_id not in self._lines
        connection = Connection(
            connection_id, "fix", now_ns, Allowance(self._tier, now_ns), last_received_ns=now_ns
        )

        def judge(message: Message, _at_ns: int) -> Verdict:
            return self._judge(line, message)

        line = Line(connection, Session(Role.ACCEPTOR, Names(VENUE_NAME, ""), judge=judge))
        line.session.on_connected(now_ns)
        self._lines[connection_id] = line

    def on_bytes(self, connection_id: int, data: bytes, now_ns: int, real_ns: int) -> None:
        line = self._lines.get(connection_id)
        if line is None:
            return
        self._now_ns, self._real_ns = now_ns, real_ns
        line.session.other_clock_ns = real_ns - now_ns
        self._work(line, line.session.on_bytes(data, now_ns))

    def on_close(self, connection_id: int, now_ns: int) -> None:
        """The client closed the connection, or it broke."""
        self._now_ns = now_ns
        line = self._lines.get(connection_id)
        if line is not None:
            line.session.on_disconnected("connection lost", now_ns)
            self._drop(line)

    def on_timer(self, now_ns: int) -> None:
        self._now_ns = now_ns
        for line in list(self._lines.values()):
            self._work(line, line.session.on_timer(now_ns))

    def connection_count(self) -> int:
        return len(self._lines)

    def take(self) -> list[FixOutput]:
        """Returns what is to be sent, and which connections end, in order."""
        for connection_id in self._dirty:
            line = self._lines.get(connection_id)
            if line is not None:
                self._collect(line)
        self._dirty.clear()
        outputs, self._outputs = self._outputs, []
        return outputs

    def on_news(self, news: News, now_ns: int) -> None:
        """Reports what has happened to the orders of accounts that use this door."""
        if not self._accounts or not (news.trades or news.orders):
            return
        for order, fills, body in self._reports.of_news(news, self._accounts, now_ns):
            for client in self._clients.values():
                if self._wants(client, order):
                    self._report(client, order, fills, body, now_ns)

    # Sessions

    def _work(self, line: Line, events: list[Event]) -> None:
        for event in events:
            match event:
                case Application(message) if not line.connection.close_reason:
                    self._on_application(line, message)
                case LoggedOn(message):
                    self._on_logged_on(line, message)
                case LoggedOut(_, _, message):
                    if message is not None and message.get(tags.DONT_CANCEL_ON_DISCONNECT) == "Y":
                        line.connection.cancel_on_disconnect = False
        self._dirty[line.connection.connection_id] = None
        if line.session.close_reason:
            self._collect(line)
            self._outputs.append(FixClose(line.connection.connection_id, line.session.close_reason))
            self._drop(line)

    def _judge(self, line: Line, message: Message) -> Verdict:
        """Checks who logs on."""
        client_id = message.get(tags.USERNAME) or ""
        key = self._floor.sessions.key(client_id)
        if key is None or not is_signed(message, key.client_secret):
            return Verdict(refusal="invalid_credentials")
        stamp_ms = timestamp_ms(message)
        clocks = (self._now_ns, self._real_ns)
        if all(abs(stamp_ms - clock // NS_PER_MS) > TIMESTAMP_SLACK_MS for clock in clocks):
            return Verdict(refusal="RawData: timestamp too far from venue time")
        if stamp_ms <= self._stamps_ms.get(client_id, -1):
            return Verdict(refusal="RawData: timestamp must grow")
        self._stamps_ms[client_id] = stamp_ms
        client = self._client(client_id, message.text(tags.SENDER_COMP_ID), key.account_id)
        if client.line is not None:
            return Verdict(refusal="already logged on")
        if message.boolean(tags.RESET_SEQ_NUM_FLAG):
            client.store = Store()
        line.client = client
        return Verdict(store=client.store)

    def _client(self, client_id: str, name: str, account_id: int) -> Client:
        client = self._clients.get((client_id, name))
        if client is None:
            idle = [key for key, known in self._clients.items() if known.line is None]
            if len(self._clients) >= CLIENTS_MAX and idle:
                del self._clients[idle[0]]
            client = Client(client_id, name, account_id, self._now_ns)
            self._clients[client_id, name] = client
            self._accounts = frozenset(known.account_id for known in self._clients.values())
        return client

    def _on_logged_on(self, line: Line, message: Message) -> None:
        client, connection = line.client, line.connection
        assert client is not None
        client.line = line
        client.connection_ids.add(connection.connection_id)
        client.is_silent = message.get(tags.UNSUBSCRIBE_EXECUTION_REPORTS) == "Y"
        client.is_connection_only = message.get(tags.CONNECTION_ONLY_EXECUTION_REPORTS) == "Y"
        client.is_fills_as_reports = message.get(tags.FILLS_AS_EXECUTION_REPORTS) == "Y"
        connection.account_id, connection.scope = client.account_id, FULL_SCOPE
        connection.expires_ns = NEVER_NS
        connection.cancel_on_disconnect = message.get(tags.CANCEL_ON_DISCONNECT) == "Y"
        if connection.cancel_on_disconnect:
            line.session.admin.patience = STRICT

    def _drop(self, line: Line) -> None:
        """Forgets a connection; the client's numbers and messages stay."""
        del self._lines[line.connection.connection_id]
        if line.client is not None and line.client.line is line:
            line.client.line = None
        self._leave(line.connection, self._now_ns)

    def _collect(self, line: Line) -> None:
        if data := line.session.take():
            self._outputs.append(FixSend(line.connection.connection_id, data))

    # Messages

    def _on_application(self, line: Line, message: Message) -> None:
        """Answers one message, whatever it holds."""
        client, session = line.client, line.session
        assert client is not None
        seq = message.integer(tags.MSG_SEQ_NUM)
        handler = self._handlers.get(message.msg_type)
        self._asking = client
        try:
            if handler is None:
                answers = [_refused(message, UNSUPPORTED_TYPE, "unsupported message type")]
            elif self._is_of_before(client, message):
                answers = [_refused(message, OTHER, "sent before this session was opened")]
            else:
                answers = handler(Request(line, client, message, self._now_ns, self._real_ns))
        except FixError as error:
            session.admin.reject(seq, message.msg_type, error, self._now_ns)
            return
        except VenueError as error:
            answers = [_refused(message, OTHER, error.message, error.code)]
        finally:
            self._publish(self._now_ns)
            self._asking = None
        for msg_type, body in answers:
            session.send_application(msg_type, body, self._now_ns)
        if line.connection.close_reason:
            session.end(line.connection.close_reason, self._now_ns)

    def _is_of_before(self, client: Client, message: Message) -> bool:
        """Whether an order that is sent again may have been carried out by an earlier run of the
        venue, which this one knows nothing of."""
        first_sent = message.get(tags.ORIG_SENDING_TIME)
        if message.msg_type not in CHANGING or not message.is_poss_dup or first_sent is None:
            return False
        sent_ns = parse_time(first_sent, tags.ORIG_SENDING_TIME)
        return sent_ns < client.opened_ns - client.opened_ns % NS_PER_MS

    # Reports

    def _wants(self, client: Client, order: Order) -> bool:
        if client.account_id != order.account_id:
            return False
        if client is self._asking:
            return True
        is_others = client.is_connection_only and order.connection_id not in client.connection_ids
        return not client.is_silent and not is_others

    def _report(
        self, client: Client, order: Order, fills: list[Fill], body: bytes, now_ns: int
    ) -> None:
        msg_type = EXECUTION_REPORT
        if order.is_quote and fills and not client.is_fills_as_reports:
            msg_type = MASS_QUOTE_ACK
            body = trade_ack(self._floor.exchange, order, fills, now_ns)
        if client.line is None:
            client.store.keep(msg_type, body, now_ns)
            return
        client.line.session.send_application(msg_type, body, now_ns)
        self._dirty[client.line.connection.connection_id] = None


def _refused(message: Message, reason: int, text: str, code: int = 0) -> tuple[str, bytes]:
    """Returns a BusinessMessageReject."""
    body = pack(
        [
            (tags.REF_SEQ_NUM, message.get(tags.MSG_SEQ_NUM)),
            (tags.REF_MSG_TYPE, message.msg_type),
            (d.BUSINESS_REJECT_REF_ID, next(filter(None, map(message.get, OWN_IDS)), None)),
            (tags.BUSINESS_REJECT_REASON, reason),
            (d.QUOTE_ENTRY_REJECT_REASON, code or None),
            (tags.TEXT, text),
        ]
    )
    return BUSINESS_REJECT, body
