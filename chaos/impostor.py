"""Somebody on the open bus who should not be there: garbage, a storm of ticks, a mad wish."""

import asyncio
import itertools
import time
from collections.abc import Iterator

import msgspec
import nats
from nats.aio.client import Client

from infra import runs, topology
from infra.fuzz_bus import kinds_read
from infra.garbage import Heap
from shared.messages.market import TicksV1
from shared.messages.message import encode, subject_of
from shared.messages.pricing import OverrideV1, SurfaceV1

MAD_SHIFT_VOL = 0.5
LIFE_NS = 5_000_000_000
STORM_TICKS = 100  # a message: reading it costs far more than shedding it unread
BATCHES_PER_S = 20  # in how many portions a second's messages leave


async def speak(kind: str, seconds: float, rate_per_s: int) -> None:
    """Says so many messages a second for so long."""
    directory = runs.current()
    assert directory is not None, "no desk is running"
    client = await nats.connect(runs.read_runtime(directory).nats_url, name="impostor")
    try:
        if kind == "override":
            await _override(client)
            return
        words = _garbage() if kind == "garbage" else await _ticks(client)
        portion = max(1, rate_per_s // BATCHES_PER_S)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for subject, data in itertools.islice(words, portion):
                await client.publish(subject, data)
            await client.flush()
            await asyncio.sleep(1 / BATCHES_PER_S)
    finally:
        await client.close()


def _garbage() -> Iterator[tuple[str, bytes]]:
    heap = Heap(kinds_read(topology.services().values()), seed=1)
    while True:
        bad = heap.next()
        yield bad.subject, bad.data


async def _ticks(client: Client) -> Iterator[tuple[str, bytes]]:
    """Returns a batch of ticks over and over, each time as if it were new."""
    subscription = await client.subscribe("market.ticks.v1.>")
    message = await subscription.next_msg(timeout=5)
    await subscription.unsubscribe()
    batch = msgspec.json.decode(message.data, type=TicksV1)
    batch = msgspec.structs.replace(batch, ticks=batch.ticks[:STORM_TICKS])
    subject = subject_of(batch)

    head, tail = encode(batch).split(b"%d" % batch.created_ns, 1)  # the stamp comes first

    def words() -> Iterator[tuple[str, bytes]]:
        while True:
            yield subject, b"%s%d%s" % (head, time.time_ns(), tail)

    return words()


async def _override(client: Client) -> None:
    """Wishes every expiry half a hundred volatility points up."""
    stream = client.jetstream()
    for underlying in ("BTC", "ETH"):
        last = await stream.get_last_msg("STATE", f"pricing.surface.v1.{underlying}")
        assert last.data is not None
        surface = msgspec.json.decode(last.data, type=SurfaceV1)
        for one in surface.slices:
            wish = OverrideV1(
                created_ns=time.time_ns(),
                override_id=f"mad-{underlying}-{one.expiry_ns}",
                underlying=underlying,
                expiry_ns=one.expiry_ns,
                shift_vol=MAD_SHIFT_VOL,
                skew_vol=0.0,
                author="impostor",
                expires_ns=time.time_ns() + LIFE_NS,
            )
            await stream.publish(
                subject_of(wish), encode(wish), headers={"Nats-Msg-Id": str(wish.message_id())}
            )
