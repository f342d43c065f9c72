"""The fast path's C lane with QuickFIX as the venue: cut, robbed and repeated while it quotes."""

import asyncio
from collections import Counter

import pytest

from infra.embedded_nats import free_port
from native import path_records as records
from services.market_making.fix_line import SENDER
from services.market_making.path_words import Record
from shared.venue_link import VenueUp
from tests.integration.quickfix.wire import HARMS, Wire
from tests.integration.server import until
from tests.unit.market_making.path_desk import PathDesk
from tests.unit.market_making.toy_desk import surface

quickfix = pytest.importorskip("quickfix", reason="QuickFIX is not here: make test-quickfix")

from tests.integration.quickfix.engine import QuotingEngine, settings_file  # noqa: E402

STEPS = range(1, 9)  # messages of the connection, both ways
SESSION = "[SESSION]\nConnectionType=acceptor\nSenderCompID=DERIBITSERVER\nTargetCompID={name}\n"


class SocketDesk(PathDesk):
    """The desk's path with a socket instead of the toy venue; its clock is still the test's, and
    runs a little faster than the wall's."""

    def __init__(self) -> None:
        self.link: asyncio.StreamWriter | None = None
        self.is_lost = False
        self._bytes = (0, 0)
        super().__init__(is_quoting=False)

    def carry(self, data: bytes) -> None:
        while data or (data := self.path.on_time(self.now_ns)):
            if self.link is not None:
                self.link.write(data)
            data = b""
        self.look()

    def close_fix(self) -> None:
        super().close_fix()
        self.is_lost = True

    def up(self) -> None:
        """The account's session and books; FIX connections are the test's."""
        self.snapshots()
        self.take(self.core.on_up(VenueUp(created_ns=self.now_ns, connection_count=1)))

    def arrive(self, data: bytes) -> None:
        self.carry(self.path.on_stream(data, self.now_ns))

    def lose(self) -> None:
        if not self.is_lost:
            self.path.on_lost(self.now_ns)
        self.link = None
        self.look()

    def connect(self, link: asyncio.StreamWriter) -> None:
        self.link, self.is_lost = link, False
        self.path.on_connected(self.now_ns)
        self.line.on_connected(self.now_ns)
        self.carry(b"")

    def beat(self) -> None:
        """Fifty milliseconds of the desk's life."""
        self.take(self.core.on_surface(surface(self.now_ns)))
        self.run(50)
        if self.stats is None or self.link is None or self.is_lost:
            return
        counted = (self.stats.stream_bytes_in, self.stats.stream_bytes_out)
        moved = [now != before for now, before in zip(counted, self._bytes, strict=True)]
        self._bytes = counted
        heard_ns, sent_ns = [self.now_ns if one else 0 for one in moved]
        self._on_events(self.line.on_timer(self.now_ns, self.stats.next_in, heard_ns, sent_ns))

    def _on_session(self, record: Record) -> None:
        super()._on_session(record)
        if record.code == records.SESSION_SEQUENCE_LOW:
            self._on_events(self.line.on_broken("too low", self.now_ns))


async def live(desk: SocketDesk, port: int) -> None:
    """Keeps the desk connected and its clock running."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        desk.connect(writer)
        while not desk.is_lost:
            try:
                data = await asyncio.wait_for(reader.read(65_536), 0.02)
            except TimeoutError:
                desk.beat()
                continue
            except OSError:
                break
            if not data:
                break
            desk.arrive(data)
        desk.lose()
        writer.close()
        desk.beat()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("harm", HARMS)
async def test_no_quote_goes_out_twice_and_no_fill_is_lost(harm, tmp_path):
    port = free_port()
    engine = QuotingEngine()
    text = f"SocketAcceptPort={port}\n{SESSION.format(name=SENDER)}CheckLatency=N\n"
    settings = settings_file(tmp_path, text)
    acceptor = quickfix.SocketAcceptor(engine, quickfix.MemoryStoreFactory(), settings)
    await asyncio.to_thread(acceptor.start)
    try:
        for at in STEPS:
            engine.quote_ids.clear()
            engine.made.clear()
            async with Wire(port, harm, at) as wire:
                await script(engine, SocketDesk(), wire)
    finally:
        await asyncio.to_thread(acceptor.stop, True)
    assert engine.rejects == []


async def script(engine: QuotingEngine, desk: SocketDesk, wire: Wire) -> None:
    desk.start_quoting()
    living = asyncio.create_task(live(desk, wire.port))
    try:
        for number in range(100):
            logons = engine.logons.get(SENDER, 0)
            await until(lambda: len(engine.rests) > 80, 30_000)
            if engine.logons.get(SENDER, 0) == logons:
                engine.trade(SENDER)
            if wire.is_done and number >= 3:
                break
            await asyncio.sleep(0.03)  # so that the script's messages pass one by one
        await until(lambda: desk.line.is_up and len(engine.rests) > 80, 30_000)
        for trade_id, name, side in engine.made:  # what gateway asks for after a reconnect
            desk.fill(name, "buy" if side == "1" else "sell", 1, trade_id)
        await until(lambda: fills_of(desk) >= len(engine.made), 10_000)
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        desk.lose()
    await until(lambda: not engine.is_on)  # nothing of this connection comes later
    assert wire.is_done
    assert fills_of(desk) == len(engine.made)
    assert Counter(engine.quote_ids).most_common(1)[0][1] == 1


def fills_of(desk: SocketDesk) -> int:
    return 0 if desk.stats is None else desk.stats.underlyings[0].fills
