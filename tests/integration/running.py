"""Agents of a test, run in its own loop, and the messages they exchange."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog

from shared.agent import Agent, AgentError
from shared.messages.desk import TimerV1
from shared.messages.market import FeedV1, TicksV1
from shared.messages.message import Message
from shared.messages.orders import AccountV1, CancelOrderV1, FillV1
from shared.service import Service, every
from shared.tracing import Tracing
from tests.integration.server import CLOCK, NatsServer, runtime_for, until


class Sink:
    def __init__(self) -> None:
        self.got: list[Message] = []

    def take(self, message: Message) -> tuple[Message, ...]:
        self.got.append(message)
        return ()

    def of(self, kind: type) -> list:
        return [message for message in self.got if type(message) is kind]


def fill(number: int) -> FillV1:
    return FillV1(
        created_ns=CLOCK.wall_ns(),
        trade_id=f"T-{number}",
        venue_order_id="",
        order_id="",
        is_quote=True,
        underlying="BTC",
        instrument="BTC-PERPETUAL",
        side="buy",
        amount_lots=1,
        price_ticks=100,
        is_maker=True,
        fee_coin_e12=0,
        index_usd=60_000.0,
        mark_price=60_000.0,
        venue_ns=1,
    )


def account(number: int) -> AccountV1:
    """The venue's word after that fill."""
    return AccountV1(
        created_ns=CLOCK.wall_ns(),
        currency="BTC",
        positions=(),
        balance_coin_e12=0,
        equity_coin_e12=0,
        venue_ns=CLOCK.wall_ns(),
        last_trade_id=f"T-{number}",
    )


def feed(count: int) -> FeedV1:
    return FeedV1(
        created_ns=CLOCK.wall_ns(),
        is_connected=True,
        reason="",
        reconnect_count=count,
        gap_count=0,
        venue_clock_offset_ns=0,
    )


def ticks(sequence: int) -> TicksV1:
    return TicksV1(
        created_ns=CLOCK.wall_ns(),
        underlying="BTC",
        sequence=sequence,
        index_usd=60_000.0,
        index_ns=1,
        ticks=(),
    )


def cancel(number: int) -> CancelOrderV1:
    return CancelOrderV1(created_ns=CLOCK.wall_ns(), order_id=f"o{number}", attempt=1)


class Running:
    def __init__(self, agent: Agent, stop: asyncio.Event, task: asyncio.Task) -> None:
        self.agent, self._stop, self.task = agent, stop, task

    async def stop(self) -> None:
        self._stop.set()
        await self.task

    async def crash(self) -> None:
        """As SIGKILL would: no drain, no flush, the socket cut."""
        self.agent.fail(RuntimeError("killed by the test"))
        with contextlib.suppress(AgentError):
            await self.task


@contextlib.asynccontextmanager
async def run_agent(
    service: Service,
    server: NatsServer,
    directory: Path,
    *,
    ready: bool = True,
    tracing: Tracing | None = None,
    tells_vitals: bool = True,
) -> AsyncIterator[Running]:
    runtime = runtime_for(server, directory)
    log = structlog.get_logger()
    agent = Agent(service, runtime, CLOCK, log, tracing=tracing, tells_vitals=tells_vitals)
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    try:
        if ready:
            await until(lambda: task.done() or not agent.not_ready())
            if task.done():
                task.result()
        yield Running(agent, stop, task)
    finally:
        stop.set()
        with contextlib.suppress(AgentError):
            await task


def publisher(kinds: frozenset, outputs: list) -> Service:
    """Yields whatever is in the list, at each tick."""

    def flush(_: TimerV1) -> list[Message]:
        taken, outputs[:] = list(outputs), []
        return taken

    return Service(name="publisher", publishes=kinds, timers=(every(5, flush),))
