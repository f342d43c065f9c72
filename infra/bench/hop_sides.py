"""The processes of the hop bench: `python -m infra.bench.hop_sides SIDE`.

An asking side reads how many requests to make, a line each time, and answers with the nanoseconds
that each took, as a JSON array in one line; so does infra/bench/peer_ray.py, which has no part of
ours.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import ClassVar

import nats
import uvloop
from nats.aio.msg import Msg

from shared.agent import Agent
from shared.causes import Cause
from shared.clock import SystemClock
from shared.configuration import DeskConfig, read_runtime
from shared.main import keep_forever
from shared.messages.message import Count, Delivery, Message, Text, encode, tag_of
from shared.messages.registry import KINDS
from shared.service import Edge, Service, on
from shared.telemetry import open_log
from shared.tracing import Tracing

PAUSE_S = 0.003  # between requests: the desk goes on meanwhile
TEXT = "x" * 150  # makes a request of about 250 bytes
BARE_SUBJECT = "bench.bare"
ANSWER_S_MAX = 10.0
TURN_S_MAX = 60.0
Ask = Callable[[], Awaitable[int]]  # one request; returns the ns it took


class AskV1(Message, frozen=True, kw_only=True, tag="bench.ask.v1"):
    """A request; only the bench's own two agents know it."""

    delivery: ClassVar[Delivery] = Delivery.LOSSY

    sequence: Count
    text: Text


class AnswerV1(Message, frozen=True, kw_only=True, tag="bench.answer.v1"):
    delivery: ClassVar[Delivery] = Delivery.LOSSY

    sequence: Count
    text: Text


class Wanted:
    """The bench wants a request made."""


class Asker:
    """An agent's core, and the edge through which the bench has it ask."""

    accepts: frozenset[type] = frozenset()

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._sequence = 0
        self._answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._began_ns = 0
        self._deliver: Callable[[object], None] = lambda _message: None

    async def start(self, deliver: Callable[[object], None]) -> None:
        self._deliver = deliver

    def send(self, message: object) -> None:
        raise AssertionError(f"the asker's edge takes no {type(message).__name__}")

    async def stop(self) -> None:
        self._deliver = lambda _message: None

    async def ask(self) -> int:
        """Returns how many ns passed until the core had its answer."""
        self._answered = asyncio.get_running_loop().create_future()
        self._began_ns = time.perf_counter_ns()
        self._deliver(Wanted())
        return await self._answered

    def on_wanted(self, _: Wanted) -> Iterable[Message]:
        self._sequence += 1
        yield AskV1(created_ns=self._clock.wall_ns(), sequence=self._sequence, text=TEXT)

    def on_answer(self, answer: AnswerV1) -> Iterable[Message]:
        if answer.sequence == self._sequence:
            self._answered.set_result(time.perf_counter_ns() - self._began_ns)
        return ()


def on_ask(ask: AskV1) -> Iterable[Message]:
    yield AnswerV1(created_ns=ask.created_ns, sequence=ask.sequence, text=ask.text)


class Sampled(Tracing):
    """Begins a trace at one request in a hundred, as a desk does at a batch of ticks."""

    def incoming(self, event: object) -> Cause | None:
        del event
        if random.random() >= DeskConfig().trace_ratio:
            return None
        return Cause(random.getrandbits(128) | 1, random.getrandbits(64) | 1)


def forget(request: bytes) -> bool:
    """Takes spans for a collector: none stands beside the bench."""
    return bool(request)


async def ask_as_agent() -> None:
    asker = Asker(SystemClock(read_runtime().clock_offset_ns))

    def edge() -> Edge:
        return asker

    service = Service(
        name="bench_asker",
        consumes=(on(Wanted, asker.on_wanted), on(AnswerV1, asker.on_answer)),
        publishes=frozenset({AskV1}),
        edge=edge,
    )
    async with _agent(service):
        await _obey(asker.ask)


async def answer_as_agent() -> None:
    service = Service(
        name="bench_answerer",
        consumes=(on(AskV1, on_ask),),
        publishes=frozenset({AnswerV1}),
    )
    async with _agent(service):
        await _obey(None)


async def ask_bare() -> None:
    client = await nats.connect(read_runtime().nats_url)
    data = encode(AskV1(created_ns=time.time_ns(), sequence=1, text=TEXT))

    async def ask() -> int:
        began_ns = time.perf_counter_ns()
        answer = await client.request(BARE_SUBJECT, data, timeout=ANSWER_S_MAX)
        took_ns = time.perf_counter_ns() - began_ns
        assert answer.data == data
        return took_ns

    await _obey(ask)
    await client.close()


async def answer_bare() -> None:
    client = await nats.connect(read_runtime().nats_url)

    async def answer(message: Msg) -> None:
        await message.respond(message.data)

    await client.subscribe(BARE_SUBJECT, cb=answer)
    await client.flush()
    await _obey(None)
    await client.close()


@contextlib.asynccontextmanager
async def _agent(service: Service) -> AsyncIterator[None]:
    """Runs an agent of the desk's own kind, with the traces that a desk with a collector has."""
    for kind in (AskV1, AnswerV1):
        KINDS[tag_of(kind)] = kind
    runtime = read_runtime()
    clock = SystemClock(runtime.clock_offset_ns)
    log = open_log(service.name, runtime.run_id, clock, Path(runtime.directory) / "logs/bench.log")
    tracing = Sampled(service.name, 0.0, runtime.nats_url, clock, forget)
    agent = Agent(service, runtime, clock, log, tracing=tracing)
    keep_forever()  # as an agent's own main does
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    while agent.not_ready() and not running.done():  # noqa: ASYNC110  # it tells when asked
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        stop.set()
        await running


async def _obey(ask: Ask | None) -> None:
    """Says that it is ready, then makes requests as told until the end of its input."""
    loop = asyncio.get_running_loop()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        assert ask is not None, "an answering side is told nothing"
        took_ns = []
        async with asyncio.timeout(TURN_S_MAX):  # a request or its answer may be lost: both lossy
            for _ in range(int(line)):
                took_ns.append(await ask())
                await asyncio.sleep(PAUSE_S)
        sys.stdout.write(json.dumps(took_ns) + "\n")
        sys.stdout.flush()


SIDES = {
    "ask_as_agent": ask_as_agent,
    "answer_as_agent": answer_as_agent,
    "ask_bare": ask_bare,
    "answer_bare": answer_bare,
}

if __name__ == "__main__":
    uvloop.run(SIDES[sys.argv[1]]())
