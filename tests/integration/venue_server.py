"""The venue on a socket, in the test's own loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.venue.core import Config
from services.venue.edges import Edges
from services.venue.fix.server import FixServer
from services.venue.front import Front
from services.venue.market.chain import generate_chain
from services.venue.market.opening import build_venue
from services.venue.rpc.server import Server
from services.venue.service import desk_and_guests, feed_door, service_of
from shared.clock import SystemClock
from shared.messages.desk import TimerV1

CLIENT_ID, CLIENT_SECRET = "tester", "a secret of the test"


class Serving:
    """One venue that listens; `front.venue` is its core."""

    def __init__(self, seed: int, config: Config) -> None:
        self.clock = SystemClock()
        now_ns = self.clock.wall_ns()
        users = desk_and_guests(CLIENT_ID, CLIENT_SECRET)
        self.front = Front(build_venue(config, generate_chain(now_ns, seed), seed, users, now_ns))
        self.server = Server("127.0.0.1", 0, self.clock)
        self.fix_server = FixServer("127.0.0.1", 0, self.clock)
        self.front.venue.open_fix(now_ns)
        feed = feed_door(self.front.venue, config, (), now_ns)
        self.edge = Edges((self.server, self.fix_server, *feed))
        self.service = service_of(self.front, lambda: self.edge, config.step_ms)
        self._handlers = {consume.kind: consume.handler for consume in self.service.consumes}

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/ws/api/v2"

    def deliver(self, message: object) -> None:
        for output in self._handlers[type(message)](message):
            self.edge.send(output)

    async def tick(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            self.step()

    def step(self) -> None:
        for output in self.front.on_timer(TimerV1(created_ns=self.clock.wall_ns())):
            self.edge.send(output)


@contextlib.asynccontextmanager
async def serving(seed: int = 11, **settings) -> AsyncIterator[Serving]:
    config = Config(**settings)
    venue = Serving(seed, config)
    await venue.edge.start(venue.deliver)
    ticking = asyncio.create_task(venue.tick(config.step_ms / 1000))
    try:
        yield venue
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await venue.edge.stop()
