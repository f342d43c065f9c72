"""The bare client and ours, side by side."""

import asyncio
import contextlib

import nats

from shared.bus import Bus
from shared.outbox import Parcel
from shared.streams import RECORD
from tests.integration.server import CLOCK

FACT = "orders.fill.v1.BTC"


@contextlib.asynccontextmanager
async def bare(server, **options):
    errors = []

    async def error_cb(error):
        errors.append(error)

    client = await nats.connect(server.url, error_cb=error_cb, **options)
    client.seen_errors = errors
    try:
        yield client
    finally:
        server_is_up = server.process is not None
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.close(), 2 if server_is_up else 0.5)


@contextlib.asynccontextmanager
async def ours(server):
    failures = []
    bus = Bus(url=server.url, name="test", clock=CLOCK, on_failure=failures.append)
    bus.failures = failures
    await bus.connect()
    try:
        yield bus
    finally:
        await bus.close(0.5)


def parcel(number, stored=None):
    message_id = f"id-{number}"
    return Parcel(FACT, str(number).encode(), message_id, {}, stored)


async def record_of(server):
    """All of RECORD, read by a fresh client."""
    async with bare(server) as client:
        stream = client.jetstream()
        info = await stream._jsm.stream_info(RECORD)
        return [
            int((await stream._jsm.get_msg(RECORD, sequence)).data)
            for sequence in range(1, info.state.last_seq + 1)
        ]
