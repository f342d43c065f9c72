"""The observed process of the cost bench: `python -m infra.bench.cost_side LIBRARY FOLDER JSON`.

The loop is set up and fed by the shared object; around it are the desk's own edge, core and shell,
a nats-server, and a collector of spans.
"""

import asyncio
import contextlib
import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from numpy.typing import NDArray

from infra.bench import collector
from infra.bench.tick_join import QUOTE, TICK, latencies, versions_of
from infra.bench.wire import SLOT
from infra.embedded_nats import free_port, write_config
from infra.supervisor import die_with_parent
from native.fast_path import FastPath
from native.path_records import QUOTE as QUOTE_RECORD
from native.path_records import RECORD_DTYPE, Stats
from services.market_making.core import Config
from services.market_making.fast_edge import FastEdge, loop_config, path_config
from services.market_making.path_core import PathMarketMaking
from services.market_making.path_words import FixDown, FixUp, PathRecords, PathStatus
from services.market_making.service import PUBLISHED
from shared.agent import Agent
from shared.clock import SystemClock
from shared.configuration import DeskConfig, Runtime
from shared.messages.market import Instrument, InstrumentsV1, TickStep
from shared.messages.message import Message
from shared.messages.quoting import TickToQuoteV1
from shared.service import Service, every, on
from shared.telemetry import open_log
from shared.tracing import open_tracing

NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S
START_NS = 1_768_294_800 * NS_PER_S  # start_ns of the fixture
EXPIRY_DAYS = (5, 8, 15, 30, 60, 90, 150, 300)
STRIKES = 32
PAUSE_S = 0.15  # between rounds: the machine finishes what the last one left
SETTLE_S_MAX = 10.0
RECORDS_MAX = 4_000_000
QUOTES_ROOM = 2_048


class Observed(FastEdge):
    """The desk's edge, which lets records lie while it is told to look away."""

    is_on = True

    def __init__(self, path: FastPath, *rest: Any) -> None:
        super().__init__(path, *rest)
        self.kept: list[NDArray[np.void]] = []
        self.stats: Stats | None = None

    def _take_records(self) -> None:
        if self.is_on:
            super()._take_records()

    def _on_batch(self, batch: NDArray[np.void], now_ns: int) -> None:
        is_ours = (batch["kind"] == QUOTE_RECORD) & (batch["slot"] == SLOT)
        self.kept.append(batch[is_ours])
        super()._on_batch(batch, now_ns)

    def _on_stats(self, stats: Stats, now_ns: int) -> None:
        self.stats = stats
        super()._on_stats(stats, now_ns)


class Outside:
    """The shared object: the venue of the path, and the clock of the ticks."""

    def __init__(self, library: Path) -> None:
        self._lib = ctypes.CDLL(str(library))
        for name in ("offset", "idle", "round", "bursts", "records"):
            getattr(self._lib, f"bench_cost_{name}").restype = ctypes.c_int64
        self.offset_ns = int(self._lib.bench_cost_offset())

    def open(self, path: FastPath) -> int:
        return int(self._lib.bench_cost_open(ctypes.c_void_p(path.address)))

    def connect(self, events_port: int, snapshots_port: int) -> None:
        """From here on the calling thread is the outside."""
        self._lib.bench_cost_connect(events_port, snapshots_port, ctypes.c_int64(RECORDS_MAX))

    def place(self, *, is_urgent: bool) -> bool:
        return bool(self._lib.bench_cost_place(int(is_urgent)))

    def idle(self, ms: int) -> int:
        return int(self._lib.bench_cost_idle(ctypes.c_int64(ms)))

    def discard(self, *, is_on: bool) -> None:
        self._lib.bench_cost_discard(int(is_on))

    def round(
        self, rate: int, count: int, move_every: int
    ) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Returns the ticks and the quotes of a round."""
        ticks = np.ones(count, dtype=TICK)
        quotes = np.ones(count // move_every + QUOTES_ROOM, dtype=QUOTE)
        arguments = (ctypes.c_int64(one) for one in (count, NS_PER_S // rate, move_every))
        places = (ctypes.c_void_p(one.ctypes.data) for one in (ticks, quotes))
        seen = self._lib.bench_cost_round(*arguments, *places, ctypes.c_int64(len(quotes)))
        return ticks, quotes[:seen]

    def bursts(self, bursts: int, burst: int, period_ns: int, move_every: int) -> int:
        arguments = (ctypes.c_int64(one) for one in (bursts, burst, period_ns, move_every))
        return int(self._lib.bench_cost_bursts(*arguments))

    def records(self) -> NDArray[np.void]:
        """Returns what was taken while discarding."""
        start = ctypes.c_void_p()
        count = int(self._lib.bench_cost_records(ctypes.byref(start)))
        size = count * RECORD_DTYPE.itemsize
        return np.frombuffer(ctypes.string_at(start.value or 0, size), dtype=RECORD_DTYPE)


def contracts() -> Iterator[InstrumentsV1]:
    """The options of the fixture, in the order of its slots."""
    for place, days in enumerate(EXPIRY_DAYS):
        expiry_ns = START_NS + days * DAY_NS + 3_600 * NS_PER_S
        options = tuple(
            Instrument(
                name=f"BTC-{place}-{82_000 + 500 * (index // 2)}-{'CP'[index % 2]}",
                instrument_id=1_000 + place * 2 * STRIKES + index,
                kind="option",
                underlying="BTC",
                expiry_ns=expiry_ns,
                strike_usd=82_000.0 + 500.0 * (index // 2),
                is_call=index % 2 == 0,
                tick_e8=10_000,
                tick_steps=(TickStep(above_ticks=50, step_ticks=5),),
                lot_e8=10_000_000,
                maker_fee_ratio=0.0003,
                taker_fee_ratio=0.0003,
            )
            for index in range(2 * STRIKES)
        )
        yield InstrumentsV1(
            created_ns=START_NS, underlying="BTC", expiry_ns=expiry_ns, instruments=options
        )


def service(path: FastPath, edge: FastEdge) -> Service:
    """The wiring of market_making around a path that something else has set up."""
    core = PathMarketMaking(Config(), ("BTC",))
    for batch in contracts():
        list(core.on_instruments(batch))

    def on_fix_up(up: FixUp) -> Iterable[object]:
        path.start_quoting(0)
        path.wake()
        return core.on_fix_up(up)

    return Service(
        name="market_making",
        consumes=(
            on(FixUp, on_fix_up),
            on(FixDown, core.on_fix_down),
            on(PathRecords, core.on_records),
            on(PathStatus, core.on_path_status),
        ),
        publishes=PUBLISHED | frozenset[type[Message]]({TickToQuoteV1}),
        timers=(every(50, core.on_timer), every(1000, core.on_second_timer)),
        edge=lambda: edge,
        start=core.on_start,
        readings=core.readings,
        core=core,
    )


async def alternate(
    outside: Outside, edge: Observed, rate: int, round_ms: int, rounds: int
) -> dict[str, NDArray[np.float64]]:
    """Returns wire to wire, and what the loop saw of it, with everything on and off."""
    found: dict[str, list[tuple[NDArray[np.void], NDArray[np.void]]]] = {"on": [], "off": []}
    for number in range(2 * rounds):
        name = ("on", "off")[(number + number // 2) % 2]  # on off off on: no side is always second
        await asyncio.sleep(PAUSE_S)  # whose records they were takes the last of them
        await look_away(outside, edge, is_away=name == "off")
        done = await asyncio.to_thread(outside.round, rate, rate * round_ms // 1_000, 1)
        found[name].append(done)
    await asyncio.sleep(PAUSE_S)
    await look_away(outside, edge, is_away=False)
    records = {"on": np.concatenate(edge.kept), "off": outside.records()}
    samples: dict[str, NDArray[np.float64]] = {}
    for name, rounds_of in found.items():
        took, inside = [], []
        for ticks, quotes in rounds_of:
            versions = versions_of(quotes, records[name], SLOT)
            took.append(latencies(ticks, versions, quotes["at_ns"]))
        stamped = records[name][records[name]["received_ns"] > 0]
        inside = (stamped["sent_ns"] - stamped["received_ns"]) / 1_000.0
        samples[f"cost.{name}"] = np.concatenate(took)
        samples[f"cost.{name}.received_to_sent"] = inside
    return samples


async def look_away(outside: Outside, edge: Observed, *, is_away: bool) -> None:
    """Changes who takes the records; both never do."""
    if is_away:
        edge.is_on = False
    await asyncio.to_thread(outside.discard, is_on=is_away)
    edge.is_on = not is_away


async def keep(
    outside: Outside, edge: Observed, rate: int, burst: int, move_every: int, seconds: float
) -> dict[str, Any]:
    """Has everything recorded at a high rate; returns what became of it."""
    before = edge.stats
    assert before is not None
    bursts, period_ns = int(rate * seconds / burst), burst * NS_PER_S // rate
    began = time.monotonic()
    quotes = await asyncio.to_thread(outside.bursts, bursts, burst, period_ns, move_every)
    took_s = time.monotonic() - began
    await asyncio.sleep(1.0)
    after = edge.stats
    assert after is not None
    return {
        "seconds": took_s,
        "ticks": after.datagrams - before.datagrams,
        "quotes": quotes,
        "records": after.records - before.records,
        "records_lost": after.records_lost,
        "feed_gaps": after.feed_gaps - before.feed_gaps,
        "pulls": after.underlyings[0].pulls,
    }


async def main(library: Path, folder: Path, told: dict[str, dict[str, Any]]) -> None:
    outside = Outside(library)
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(collector.running()).endpoint
        runtime = stack.enter_context(bus(folder, outside.offset_ns))
        desk = DeskConfig(underlyings=("BTC",), otlp_endpoint=endpoint)
        path = opened_path(desk, runtime)
        events = path.listen("127.0.0.1", 0, "127.0.0.1", is_snapshot=False)
        snapshots = path.listen("127.0.0.1", 0, "127.0.0.1", is_snapshot=True)
        port = outside.open(path)
        clock = SystemClock(runtime.clock_offset_ns)
        edge = Observed(
            path, ("127.0.0.1", port), ("bench", "secret"), folder / "bench.journal", clock
        )
        log = open_log("bench", runtime.run_id, clock, folder / "bench.log")
        tracing = open_tracing("market_making", desk, runtime, clock)
        agent = Agent(service(path, edge), runtime, clock, log, tracing=tracing)
        stop = asyncio.Event()
        running = asyncio.create_task(agent.run(stop))
        await asyncio.to_thread(outside.connect, events, snapshots)
        await settled(outside, running)
        said: dict[str, Any] = {}
        is_urgent = await asyncio.to_thread(outside.place, is_urgent=True)
        if "alternate" in told:
            for name, values in (await alternate(outside, edge, **told["alternate"])).items():
                np.save(folder / f"{name}.npy", values)
        if "kept" in told:
            said = await keep(outside, edge, **told["kept"])
        said["urgent"] = is_urgent and path.is_urgent
        stop.set()
        await running
    print(json.dumps(said))


def opened_path(desk: DeskConfig, runtime: Runtime) -> FastPath:
    """Returns a path as the desk makes it, but for patience: there is no venue to be lost."""
    config = Config(feed_silence_ms=60_000, answer_ms_max=60_000, instruments_max=512)
    fields = path_config(config, desk)
    fields |= {"in_flight_max": 64, "decide_ns": 60 * NS_PER_S, "exposed_max": 512}
    return FastPath("DESK", "VENUE", fields, loop_config(config, runtime))


async def settled(outside: Outside, running: "asyncio.Task[None]") -> None:
    """Waits until the path quotes everything."""
    deadline = time.monotonic() + SETTLE_S_MAX
    quotes = 0
    more = 0
    while quotes == 0 or more:
        if running.done() or time.monotonic() > deadline:
            raise RuntimeError("the path did not come to quote")
        more = await asyncio.to_thread(outside.idle, 100)
        quotes += more


@contextlib.contextmanager
def bus(folder: Path, offset_ns: int) -> Iterator[Runtime]:
    """Runs a nats-server; yields the facts of a run on it."""
    port = free_port()
    process = subprocess.Popen(
        write_config(folder, "bench", port, None),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509  # no thread yet; C may end this process
    )  # fmt: skip
    try:
        yield Runtime(
            run_id="bench",
            directory=str(folder),
            config_path="",
            nats_url=f"nats://127.0.0.1:{port}",
            clock_offset_ns=offset_ns,
            seed=1,
            chain_path="",
            venue_ws_url="",
            venue_http_url="",
            venue_client_id="",
            venue_client_secret_path="",
            http_ports={},
        )
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])))
