"""Our initiator with QuickFIX as the venue: cut, robbed and repeated at every message."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from infra.embedded_nats import free_port
from shared.clock import SystemClock
from shared.fix.admin import Application, LoggedOn, Role
from shared.fix.codec import Message, pack
from shared.fix.credentials import VENUE_NAME, logon_body
from shared.fix.session import Names, Session
from tests.integration.quickfix.wire import HARMS, Wire
from tests.integration.server import until

quickfix = pytest.importorskip("quickfix", reason="QuickFIX is not here: make test-quickfix")

from tests.integration.quickfix.engine import FillingEngine, settings_file  # noqa: E402

STEPS = 14
CLOCK = SystemClock()
MASS_QUOTE = (
    (117, 1), (9019, "g"), (296, 1), (302, "s"), (304, 2), (295, 2),
    (299, 1), (55, "BTC-1JAN27-90000-C"), (132, "0.01"), (133, "0.02"), (134, 1), (135, 1),
    (299, 2), (55, "BTC-1JAN27-91000-C"), (132, "0.01"), (133, "0.02"), (134, 1), (135, 1),
)  # fmt: skip


class Desk:
    """The initiator's machine on a socket; it connects again whenever the connection is gone."""

    def __init__(self, name: str, port: int) -> None:
        self.session = Session(Role.INITIATOR, Names(name, VENUE_NAME))
        self.fills: list[str] = []
        self.logons = 0
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        while True:
            try:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            now_ns = CLOCK.wall_ns()
            self.session.on_connected(now_ns, logon_body("id", "secret", b"n" * 32, 2, now_ns))
            self.flush()
            while not self.session.close_reason:
                try:
                    data = await asyncio.wait_for(reader.read(65_536), 0.05)
                except TimeoutError:
                    self.take(self.session.on_timer(CLOCK.wall_ns()))
                    continue
                except OSError:
                    break
                if not data:
                    break
                self.take(self.session.on_bytes(data, CLOCK.wall_ns()))
            self._writer.close()
            self._writer = None
            self.session.on_disconnected("gone", CLOCK.wall_ns())
            await asyncio.sleep(0.05)

    def take(self, events: list) -> None:
        for event in events:
            if isinstance(event, LoggedOn):
                self.logons += 1
            elif isinstance(event, Application):
                self.fills += [entry[0][1] for entry in fills_of(event.message)]
        self.flush()

    def send(self, msg_type: str, *fields: tuple[int, object]) -> None:
        self.session.send_application(msg_type, pack(fields), CLOCK.wall_ns())
        self.flush()

    def flush(self) -> None:
        data = self.session.take()
        if self._writer is not None and data:
            self._writer.write(data)


def fills_of(message: Message) -> list[list[tuple[int, str]]]:
    return message.groups(1362, frozenset((1363, 1364, 1365)))


@pytest.mark.parametrize("harm", HARMS)
async def test_no_order_goes_out_twice_and_no_fill_is_lost(harm, tmp_path):
    port = free_port()
    names = [f"D{at}" for at in range(1, STEPS + 1)]
    sessions = "".join(
        f"[SESSION]\nConnectionType=acceptor\nSenderCompID=DERIBITSERVER\nTargetCompID={name}\n"
        for name in names
    )
    engine = FillingEngine()
    settings = settings_file(tmp_path, f"SocketAcceptPort={port}\n{sessions}")
    acceptor = quickfix.SocketAcceptor(engine, quickfix.MemoryStoreFactory(), settings)
    await asyncio.to_thread(acceptor.start)
    try:
        async with AsyncExitStack() as stack:
            wires = [
                await stack.enter_async_context(Wire(port, harm, at)) for at in range(1, STEPS + 1)
            ]
            desks = [Desk(name, wire.port) for name, wire in zip(names, wires, strict=True)]
            running = [asyncio.create_task(desk.run()) for desk in desks]
            await asyncio.gather(
                *[script(engine, desk, name) for desk, name in zip(desks, names, strict=True)]
            )
            await until(lambda: all(wire.is_done for wire in wires), 30_000)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    finally:
        await asyncio.to_thread(acceptor.stop, True)
    assert len(set(engine.carried_out)) == len(engine.carried_out)
    assert engine.rejects == []


async def script(engine: FillingEngine, desk: Desk, name: str) -> None:
    await until(lambda: desk.logons, 20_000)
    for number in range(3):
        symbol = "BTC-1JAN27-90000-C"
        desk.send("D", (11, f"{name}-{number}"), (55, symbol), (54, 1), (38, 1), (40, 2), (44, 1))
        engine.fill(name, f"rest-{number}", symbol)
        desk.send("i", *MASS_QUOTE)
        await asyncio.sleep(0.01)  # one after the other, not to wait for anything

    def is_settled() -> bool:
        return len(desk.fills) >= len(engine.made[name]) and desk.session.is_up

    await until(is_settled, 30_000)
    assert sorted(desk.fills) == sorted(engine.made[name])
