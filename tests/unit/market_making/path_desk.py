"""The toy desk with the fast path between its core and a toy venue that speaks FIX and datagrams.

The path is carried by hand: the same C as in the loop, with the test's clock.
"""

from typing import Any

from native import multicast
from native import path_records as records
from native.fast_path import FastPath
from native.multicast import BID, NULL, STATE_OPEN, Packer, Ticker
from services.market_making.core import Config
from services.market_making.fast_edge import path_config
from services.market_making.fix_line import SENDER, TARGET, FixLine
from services.market_making.path_core import PathMarketMaking
from services.market_making.path_words import WORDS, FixDown, FixUp, Record
from services.market_making.path_writer import put, read, status_of
from shared.clock import NS_PER_MS
from shared.configuration import DeskConfig
from shared.fix.admin import Event, LoggedOn, LoggedOut
from shared.messages.desk import TimerV1
from shared.messages.market import Tick
from shared.venue_link import VenueDown, VenueRequest, VenueUp
from tests.unit.market_making.fix_venue import FixVenue
from tests.unit.market_making.toy_desk import INDEX_USD, STRIKES, TENORS_DAYS, ToyDesk, option

STEP_MS = 10  # of the loop's timer
INDEX_CHANNEL, EVENT_CHANNEL, SNAPSHOT_CHANNEL = 0, 2, 102
CLOSED = 2
SUMMARY = {
    "limits": {
        "matching_engine": {
            "maximum_mass_quotes": {"rate": 500, "burst": 500},
            "maximum_quotes": {"rate": 5_000, "burst": 5_000},
        }
    }
}


class PathDesk(ToyDesk):
    """Speaks to the core as ToyDesk does; its venue is at the other end of the path."""

    def __init__(self, config: Config | None = None, *, is_quoting: bool = True) -> None:
        config = config or Config()
        desk = DeskConfig(underlyings=("BTC",))
        self.path = FastPath(SENDER, TARGET, path_config(config, desk), {})
        self.line = FixLine(self, "id", "secret", lambda: bytes(24))
        self.is_draining_records = True
        self._index = Packer(INDEX_CHANNEL)
        self._events = Packer(EVENT_CHANNEL)
        self._snapshots = Packer(SNAPSHOT_CHANNEL)
        self._books: dict[str, tuple[int, tuple[Any, ...]]] = {}  # change id, levels
        self.stats: Any = None
        super().__init__(config, is_quoting=is_quoting)

    def _core(self, config: Config) -> PathMarketMaking:
        self.fix = FixVenue(self.rests)
        self.refuse = self.fix.refuse
        return PathMarketMaking(config, ("BTC",))

    # The core's outputs, and what the path does

    def take(self, outputs: Any) -> None:
        has_spoken = False
        for output in [*outputs, *self.core.words()]:
            if type(output) in WORDS:
                put(self.path, output)
                has_spoken = True
            elif isinstance(output, VenueRequest):
                self.waiting.append(output)
                self.asked.append(output)
            else:
                self.published.append(output)
        if has_spoken:
            self.carry(b"")  # as the edge wakes the loop

    def send_fix(self, msg_type: str, body: bytes, repeat_as: int) -> None:
        self.path.send(msg_type, body, repeat_as)

    def close_fix(self) -> None:
        self.path.on_lost(self.now_ns)

    def carry(self, data: bytes) -> None:
        """Carries bytes to and fro until there are none, then looks at what was recorded."""
        while data or (data := self.path.on_time(self.now_ns)):
            back = self.fix.take(data, self.now_ns)
            data = self.path.on_stream(back, self.now_ns) if back else b""
        if self.is_draining_records:
            self.look()

    def look(self) -> None:
        """What the edge does every 20 ms."""
        while len(batch := self.path.records()):
            told = read(self.now_ns, batch, {})
            for record in told.records:
                if record.kind == records.SESSION:
                    self._on_session(record)
            self.take(self.core.on_records(told))
        for message in self.path.messages():
            self._on_events(self.line.on_message(message.raw, self.now_ns))
        stats = self.path.stats()
        if stats is not None:
            self.stats = stats
            self.take(self.core.on_path_status(status_of(stats, self.now_ns)))

    def _on_session(self, record: Record) -> None:
        if record.code == records.SESSION_LOST:
            self._on_events(self.line.on_lost("test", self.now_ns))
        elif record.code == records.SESSION_GAP:
            self._on_events(self.line.on_gap(record.counted, record.other, self.now_ns))
        elif record.code == records.SESSION_GAP_FILLED:
            self.line.on_gap_filled(record.counted)

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, LoggedOn):
                self.path.set_logged_on(is_logged_on=True)
                self.take(self.core.on_fix_up(FixUp(self.now_ns)))
            elif isinstance(event, LoggedOut):
                self.path.set_logged_on(is_logged_on=False)
                self.take(self.core.on_fix_down(FixDown(self.now_ns, event.reason)))

    # The venue session, FIX and datagrams

    def up(self) -> None:
        self.snapshots()
        self.path.on_connected(self.now_ns)
        self.fix.connect(self.now_ns)
        self.line.on_connected(self.now_ns)
        self.carry(b"")
        self.take(self.core.on_up(VenueUp(created_ns=self.now_ns, connection_count=1)))
        self.carry(b"")

    def down(self) -> None:
        self.rests.clear()
        self.waiting.clear()
        self.path.on_lost(self.now_ns)
        self.look()
        self.take(self.core.on_down(VenueDown(created_ns=self.now_ns, reason="test")))

    def snapshots(self) -> None:
        """Empty books of every option, so that all are fresh; an index, so that all is new."""
        first = option(TENORS_DAYS[0], STRIKES[0], is_call=True)
        self._events.book(first.instrument_id, self.now_ns // NS_PER_MS, 0, 1, ())
        for packet in self._events.take():
            self.carry(self.path.on_datagram(packet, self.now_ns))
        self.now_ns += NS_PER_MS
        for days in TENORS_DAYS:
            for strike in STRIKES:
                for is_call in (True, False):
                    one = option(days, strike, is_call=is_call)
                    self._snapshots.snapshot(one.instrument_id, self.now_ns // NS_PER_MS, 1, ())
        for packet in self._snapshots.take():
            self.path.on_datagram(packet, self.now_ns, is_snapshot=True)
        self.carry(b"")

    def tick(self, index_usd: float = INDEX_USD, ticks: tuple[Tick, ...] = ()) -> None:
        self._index.price_index(b"btc_usd", index_usd, self.now_ns // NS_PER_MS)
        for tick in ticks:
            self._book(tick)
        for packet in (*self._events.take(), *self._index.take()):
            self.carry(self.path.on_datagram(packet, self.now_ns))

    def _book(self, tick: Tick) -> None:
        slot = self.quoter.contracts.slots[tick.instrument]
        one = self.quoter.contracts.instrument(slot)
        state = STATE_OPEN if tick.is_live else CLOSED
        fields = (*([NULL] * 15), self.now_ns // NS_PER_MS, one.instrument_id, state)
        self._events.ticker(Ticker(*fields))
        before = self._books.get(tick.instrument, (1, ()))
        levels = [
            (tick.bid_ticks * 0.0001, tick.bid_lots * 0.1, BID) if tick.bid_lots else None,
            (tick.ask_ticks * 0.0001, tick.ask_lots * 0.1, multicast.ASK)
            if tick.ask_lots
            else None,
        ]
        new = tuple(level for level in levels if level is not None)
        changes = [(price, 0.0, side, multicast.DELETED) for price, _, side in before[1]]
        changes += [(price, amount, side, multicast.CREATED) for price, amount, side in new]
        if changes:
            now_ms = self.now_ns // NS_PER_MS
            self._events.book(one.instrument_id, now_ms, before[0], before[0] + 1, changes)
            self._books[tick.instrument] = (before[0] + 1, new)

    def timer(self) -> None:
        self.carry(b"")
        self.take(self.core.on_timer(TimerV1(created_ns=self.now_ns)))
        self.carry(b"")

    def later(self, ms: int) -> None:
        """The loop sees time pass; the core only what its own timers say."""
        for _ in range(ms // STEP_MS):
            super().later(STEP_MS)
            self.carry(b"")

    def answer(self) -> None:
        self.fix.is_refusing_cancels = "private/cancel_quotes" in self.errors
        self.fix.is_refusing_whole = "private/mass_quote" in self.errors
        super().answer()
        back = self.fix.answer(self.now_ns)
        self.carry(self.path.on_stream(back, self.now_ns) if back else b"")

    def settle(self) -> None:
        for _ in range(100):
            if not self.waiting and not self.fix.waiting:
                break
            self.answer()
            self.later(50)
            self.timer()
            self.tick()

    def trade(
        self, name: str, side: str, amount: float, trade_id: str, *, is_quote: bool = True
    ) -> None:
        back = self.fix.trade(name, side, amount, trade_id, self.now_ns, is_quote=is_quote)
        self.carry(self.path.on_stream(back, self.now_ns))

    def is_cancelling(self) -> bool:
        return any(message.msg_type == "Z" for message in self.fix.waiting)

    def cancel_requests(self) -> int:
        return sum(message.msg_type == "Z" for message in self.fix.asked)

    def live(self, name: str) -> Any:
        return self.quoter.mirror.quote(self.quoter.contracts.slots[name])

    def quote_requests(self) -> int:
        return sum(message.msg_type == "i" for message in self.fix.asked)

    def _serve(self, request: VenueRequest) -> Any:
        return SUMMARY if request.method == "private/get_account_summary" else "ok"
