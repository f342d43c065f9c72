"""Two FIX sessions over a wire that loses, repeats, spoils and cuts: no order is carried out twice,
and no fill is lost."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.fix.admin import Application, Role, Verdict
from shared.fix.codec import Framer, Message, encode, pack
from shared.fix.session import Names, Session
from shared.fix.store import Store

S = 1_000_000_000
LOGON = ((98, 0), (108, 10))


class Pair(RuleBasedStateMachine):
    """The venue has one store for the client, and a session for each connection."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 1_769_160_600 * S
        self.store = Store()
        self.client = Session(Role.INITIATOR, Names("US", "THEM"))
        self.venue: Session | None = None  # None: no connection
        self.to_venue: deque[bytes] = deque()
        self.to_client: deque[bytes] = deque()
        self.orders: list[str] = []  # as carried out
        self.fills_made = 0
        self.fills_seen: list[str] = []
        self.order_count = 0

    # The wire

    def collect(self) -> None:
        assert self.venue is not None
        for session, wire in ((self.client, self.to_venue), (self.venue, self.to_client)):
            for found in Framer().feed(session.take()):
                assert isinstance(found, Message)
                wire.append(encode(found.fields, b""))
        if self.client.close_reason or self.venue.close_reason:
            self.flush()
            if self.venue is not None:  # A fill of a flushed order comes back here, and cuts.
                self.cut()

    def flush(self) -> None:
        """What was sent before an orderly end arrives."""
        while self.to_client:
            self.hear(self.client, self.to_client.popleft())
        while self.to_venue:
            self.hear(self.venue, self.to_venue.popleft())

    def hear(self, session: Session | None, data: bytes) -> None:
        assert session is not None
        for event in session.on_bytes(data, self.now_ns):
            if isinstance(event, Application):
                if session is self.client:
                    self.fills_seen.append(event.message.text(37))
                else:
                    self.carry_out(event.message.text(11))

    def carry_out(self, order: str) -> None:
        self.orders.append(order)
        self.make_fill()

    def cut(self) -> None:
        assert self.venue is not None
        self.client.on_disconnected("cut", self.now_ns)
        self.venue.on_disconnected("cut", self.now_ns)
        self.venue = None
        self.to_venue.clear()
        self.to_client.clear()

    # What may happen

    @precondition(lambda self: self.venue is None)
    @rule()
    def connect(self) -> None:
        if self.venue is not None:
            return
        self.now_ns += S // 100
        store = self.store
        self.venue = Session(
            Role.ACCEPTOR, Names("THEM", ""), judge=lambda _m, _n: Verdict(store=store)
        )
        self.venue.on_connected(self.now_ns)
        self.client.on_connected(self.now_ns, LOGON)
        self.collect()

    @precondition(lambda self: self.venue is not None)
    @rule(both=st.booleans())
    def disconnect(self, both: bool) -> None:
        if both:
            self.flush()
        if self.venue is not None:
            self.cut()

    @precondition(lambda self: self.client.is_up)
    @rule()
    def send_order(self) -> None:
        self.order_count += 1
        self.client.send_application("D", pack(((11, self.order_count),)), self.now_ns)
        self.collect()

    @rule()
    def make_fill(self) -> None:
        self.fills_made += 1
        body = pack(((37, self.fills_made),))
        if self.venue is None or self.venue.store is not self.store:
            self.store.keep("8", body, self.now_ns)
        else:
            self.venue.send_application("8", body, self.now_ns)
            self.collect()

    @precondition(lambda self: self.to_venue)
    @rule(count=st.integers(1, 3))
    def arrive_at_venue(self, count: int) -> None:
        for _ in range(min(count, len(self.to_venue))):
            self.hear(self.venue, self.to_venue.popleft())
            if self.venue is not None:
                self.collect()
            if not self.to_venue:
                break

    @precondition(lambda self: self.to_client)
    @rule(count=st.integers(1, 3))
    def arrive_at_client(self, count: int) -> None:
        for _ in range(min(count, len(self.to_client))):
            self.hear(self.client, self.to_client.popleft())
            if self.venue is not None:
                self.collect()
            if not self.to_client:
                break

    @precondition(lambda self: self.to_venue or self.to_client)
    @rule(kind=st.sampled_from(["lose", "repeat", "spoil"]), at=st.integers(0, 20))
    def harm(self, kind: str, at: int) -> None:
        wire = self.to_client if (at % 2 and self.to_client) or not self.to_venue else self.to_venue
        at = at // 2 % len(wire)
        if kind == "lose":
            del wire[at]
        elif kind == "repeat":
            wire.insert(at, wire[at])
        else:
            wire[at] = wire[at].replace(b"10=", b"10=9", 1)

    @rule(seconds=st.integers(1, 15))
    def pass_time(self, seconds: int) -> None:
        self.now_ns += seconds * S
        for session in (self.client, self.venue):
            if session is not None:
                session.on_timer(self.now_ns)
        if self.venue is not None:
            self.collect()

    # What must hold

    @invariant()
    def no_order_is_carried_out_twice(self) -> None:
        assert len(set(self.orders)) == len(self.orders)

    @invariant()
    def fills_come_once_and_in_order(self) -> None:
        assert self.fills_seen == [str(n) for n in range(1, len(self.fills_seen) + 1)]

    def teardown(self) -> None:
        """Once the wire behaves, every fill arrives."""
        for _ in range(60):
            if self.venue is None:
                self.connect()
            while self.to_venue or self.to_client:
                if self.to_venue:
                    self.arrive_at_venue(1)
                if self.to_client:
                    self.arrive_at_client(1)
            if len(self.fills_seen) == self.fills_made and self.client.is_up:
                break
            self.pass_time(6)
        self.fills_come_once_and_in_order()
        self.no_order_is_carried_out_twice()
        assert len(self.fills_seen) == self.fills_made


TestPair = Pair.TestCase
TestPair.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


def test_order_on_the_wire_of_an_ending_connection_is_carried_out_once() -> None:
    """The order leaves before the client meets a repeated logon and ends the connection: it arrives
    all the same, and its fill is told on the next connection."""
    pair = Pair()
    pair.connect()
    pair.arrive_at_venue(1)
    pair.harm("repeat", 0)
    pair.arrive_at_client(1)
    pair.send_order()
    pair.arrive_at_client(1)
    assert pair.venue is None
    assert pair.orders == ["1"]
    pair.teardown()
    assert pair.fills_seen == ["1"]
