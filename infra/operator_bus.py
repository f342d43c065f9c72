"""A person's words to a running desk: the operator's login, and the record that keeps them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.aio.client import Client

from infra import runs
from infra.permissions import OPERATOR
from shared.bus_login import login_of
from shared.configuration import Runtime
from shared.messages.message import Message, encode, subject_of
from shared.streams import RECORD

CONNECT_S = 3


@asynccontextmanager
async def operator(runtime: Runtime) -> AsyncIterator[Client]:
    """Yields the operator's connection to a run's bus."""
    login = login_of(OPERATOR, runs.as_role(runtime, OPERATOR))
    options = login.options() if login is not None else {}  # nothing where the bus is open
    client = await nats.connect(
        runtime.nats_url, name=OPERATOR, connect_timeout=CONNECT_S, **options
    )
    try:
        yield client
    finally:
        await client.close()


async def put(client: Client, message: Message) -> None:
    """Puts a durable message into the record. Raises if the record does not take it."""
    await client.jetstream().publish(
        subject_of(message),
        encode(message),
        stream=RECORD,
        headers={"Nats-Msg-Id": message.message_id()},
    )
