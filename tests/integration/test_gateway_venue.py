"""The gateway's core and its socket against the venue's own server: bytes over real sockets."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from services.gateway.core import Config as GatewayConfig
from services.gateway.service import build as build_gateway
from services.venue.core import Config as VenueConfig
from services.venue.core import UserAccount
from services.venue.front import Front
from services.venue.market.opening import build_venue, open_chain
from services.venue.rpc.server import Server
from services.venue.service import service_of
from shared.clock import NS_PER_S, SystemClock
from shared.configuration import DeskConfig
from shared.messages.desk import TimerV1
from shared.messages.market import TicksV1
from shared.messages.message import Message
from shared.messages.orders import FillV1, OrderV1, PlaceOrderV1
from shared.service import Edge, Service
from shared.venue_session import VenueSession
from shared.venue_socket import VenueSocket
from tests.integration.server import until
from tests.unit.shared.test_venue_socket import QuietLog

CLOCK = SystemClock()
DESK = DeskConfig(underlyings=("BTC",))
KEYS = ("desk-id", "desk-secret")


class Shell:
    """Runs one service and its edge on this loop, without a bus; keeps what it publishes."""

    def __init__(self, service: Service, edge: Edge) -> None:
        self.service = service
        self.edge = edge
        self.said: list[Message] = []
        self._handlers = {consume.kind: consume.handler for consume in service.consumes}
        self._inbox: deque[tuple[Callable[[Any], Any], object]] = deque()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if self.service.start is not None:
            self._put(self.service.start, TimerV1(created_ns=CLOCK.wall_ns()))
        await self.edge.start(self.deliver)
        for timer in self.service.timers:
            self._tasks.append(asyncio.create_task(self._tick(timer.interval_ms, timer.handler)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.edge.stop()

    def deliver(self, message: object) -> None:
        self._put(self._handlers[type(message)], message)

    def _put(self, handler: Callable[[Any], Any], message: object) -> None:
        self._inbox.append((handler, message))
        if len(self._inbox) > 1:
            return  # a handler is at work: this one's turn comes when it is done
        while self._inbox:
            handler, message = self._inbox[0]
            for output in handler(message):
                if type(output) in self.edge.accepts:
                    self.edge.send(output)
                else:
                    self.said.append(output)
            self._inbox.popleft()

    async def _tick(self, interval_ms: int, handler: Callable[[TimerV1], Any]) -> None:
        while True:
            await asyncio.sleep(interval_ms / 1000)
            self._put(handler, TimerV1(created_ns=CLOCK.wall_ns()))

    def of(self, kind: type) -> list[Any]:
        return [message for message in self.said if type(message) is kind]


@asynccontextmanager
async def desk_and_venue() -> AsyncIterator[tuple[Shell, Shell, str]]:
    now_ns = CLOCK.wall_ns()
    chain = open_chain("", 11, now_ns, DESK.underlyings)
    config = VenueConfig(has_crowd=True)
    venue_core = build_venue(config, chain, 11, [UserAccount("desk", *KEYS)], now_ns)
    server = Server("127.0.0.1", 0, CLOCK)
    venue = Shell(service_of(Front(venue_core), lambda: server, config.step_ms), server)
    await venue.start()
    url = f"ws://127.0.0.1:{server.port}/ws/api/v2"
    service = build_gateway(GatewayConfig(), DESK)
    assert service.link is not None
    session = VenueSession(service.link, *KEYS, lambda: "nonce")
    socket = VenueSocket(url, session, CLOCK, random.Random(1), QuietLog())
    gateway = Shell(service, socket)
    await gateway.start()
    try:
        await until(lambda: service.not_ready() == "")
        yield gateway, venue, url
    finally:
        await gateway.stop()
        await venue.stop()


def place(order_id: str, ticks: int, *, is_immediate: bool) -> PlaceOrderV1:
    now_ns = CLOCK.wall_ns()
    return PlaceOrderV1(
        created_ns=now_ns,
        order_id=order_id,
        intent_id="i1",
        instrument="BTC-PERPETUAL",
        side="buy",
        amount_lots=20,
        price_ticks=ticks,
        is_post_only=not is_immediate,
        is_immediate=is_immediate,
        is_reduce_only=False,
        expires_ns=now_ns + 5 * NS_PER_S,
    )


def perpetual_ask(gateway: Shell) -> int:
    ticks = [
        tick
        for batch in gateway.of(TicksV1)
        for tick in batch.ticks
        if tick.instrument == "BTC-PERPETUAL" and tick.is_live and tick.ask_lots
    ]
    return ticks[-1].ask_ticks if ticks else 0


async def test_order_goes_to_the_venue_and_its_fill_comes_back() -> None:
    async with desk_and_venue() as (gateway, _, _):
        await until(lambda: perpetual_ask(gateway) > 0)
        gateway.deliver(place("i1-0", perpetual_ask(gateway) + 200, is_immediate=True))
        await until(lambda: bool(gateway.of(FillV1)) and bool(gateway.of(OrderV1)))
        assert sum(fill.amount_lots for fill in gateway.of(FillV1)) == 20
        assert gateway.of(OrderV1)[-1].state == "filled"


async def test_dropped_connection_is_reconciled() -> None:
    async with desk_and_venue() as (gateway, _, url):
        await until(lambda: perpetual_ask(gateway) > 0)
        gateway.deliver(place("i1-0", perpetual_ask(gateway) // 2, is_immediate=False))
        await until(lambda: bool(gateway.of(OrderV1)))
        assert gateway.of(OrderV1)[-1].state == "open", gateway.of(OrderV1)[-1].reason
        socket = gateway.edge
        assert isinstance(socket, VenueSocket)
        assert socket._socket is not None
        await socket._socket.close()
        await until(lambda: gateway.of(OrderV1)[-1].state == "cancelled")
        assert gateway.of(OrderV1)[-1].reason == "cancel_on_disconnect"
        await until(lambda: gateway.service.not_ready() == "")
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as other:
            await other.send_json({"jsonrpc": "2.0", "id": "x", "method": "public/test"})
            assert (await other.receive_json())["id"] == "x"
