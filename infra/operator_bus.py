"""A person's words to a running desk: the operator's login, the record that keeps them, and what
the streams hold in the agents' own words."""

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from infra.desk_reach import Desk, NoAnswerError
from infra.permissions import OPERATOR
from shared.bus_login import login_of
from shared.follow import place_of
from shared.messages.message import Message, decode, encode, subject_of, tag_of
from shared.messages.registry import is_keyed
from shared.streams import RECORD, STATE, StreamError, api

SERVER_S = 2.0  # for each server of a cluster
CONNECT_S = 8.0  # for all of them
CALL_S = 3.0
PUT_S = 12.0  # an election takes up to nine seconds
AGAIN_S = 0.25
INACTIVE_NS = 10_000_000_000
BUS_FAULTS = (nats.errors.Error, OSError, TimeoutError, StreamError)


class RefusedError(RuntimeError):
    """The bus does not take this login or its words; says what the server said."""


class OperatorBus:
    """The operator's connection to a desk's bus."""

    def __init__(self, client: Client, said: list[Exception]) -> None:
        self.client = client
        self._said = said  # by the server, newest last: it refuses without an answer

    async def put(self, message: Message) -> None:
        """Puts a durable message into the record, over an election of its servers too. Raises
        RefusedError if it is not taken."""
        stream = self.client.jetstream()
        headers = {"Nats-Msg-Id": message.message_id()}  # said twice it counts once
        deadline = time.monotonic() + PUT_S
        while True:
            try:
                await stream.publish(
                    subject_of(message), encode(message), CALL_S, stream=RECORD, headers=headers
                )
            except BUS_FAULTS as error:
                if self._said or time.monotonic() > deadline:
                    raise RefusedError(f"the record did not take it: {self._why(error)}") from error
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def told(self, *kinds: type[Message]) -> AsyncGenerator[Message | None, None]:
        """Yields what a stream holds of some kinds (of states the newest of each key), then None,
        then what comes. Raises NoAnswerError, and RefusedError."""
        (stream,) = {STATE if kind.delivery.value == "state" else RECORD for kind in kinds}
        by_tag = {tag_of(kind): kind for kind in kinds}
        inbox = self.client.new_inbox()
        subscription = await self.client.subscribe(inbox)
        try:
            is_whole = await self._follow(stream, subjects(kinds), inbox) == 0
            if is_whole:
                yield None
            while True:
                message = await subscription.next_msg(timeout=None if is_whole else CALL_S)
                kind = by_tag[".".join(message.subject.split(".")[:3])]
                yield decode(kind, message.data)
                if not is_whole and place_of(message).pending_count == 0:
                    is_whole = True
                    yield None
        except BUS_FAULTS as error:
            raise RefusedError(f"{stream} cannot be read: {self._why(error)}") from error
        finally:
            await subscription.unsubscribe()

    async def held(self, *kinds: type[Message]) -> list[Message]:
        """Returns what a stream holds of some kinds."""
        found: list[Message] = []
        async with contextlib.aclosing(self.told(*kinds)) as told:
            async for message in told:
                if message is None:
                    break
                found.append(message)
        return found

    async def request(self, subject: str, timeout_s: float) -> Msg | None:
        """Returns the answer to an empty question; None without one."""
        try:
            return await self.client.request(subject, b"", timeout=timeout_s)
        except (nats.errors.Error, TimeoutError):
            return None

    async def _follow(self, stream: str, wanted: list[str], inbox: str) -> int:
        """Makes a consumer without acks; returns how many messages it will bring at once."""
        name = f"{OPERATOR}-{secrets.token_hex(6)}"
        config = {
            "name": name,
            "deliver_subject": inbox,
            "filter_subjects": wanted,
            "deliver_policy": "last_per_subject" if stream == STATE else "all",
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "inactive_threshold": INACTIVE_NS,
            "mem_storage": True,
            "num_replicas": 1,
        }
        body = {"stream_name": stream, "action": "create", "config": config}
        answer = await api(self._call, f"CONSUMER.CREATE.{stream}.{name}", body)
        return int(answer["num_pending"]) + int(answer["delivered"]["consumer_seq"])

    async def _call(self, subject: str, data: bytes) -> bytes:
        return (await self.client.request(subject, data, timeout=CALL_S)).data

    def _why(self, error: Exception) -> str:
        return str(self._said[-1] if self._said else error) or type(error).__name__


def subjects(kinds: Iterable[type[Message]]) -> list[str]:
    return [f"{tag_of(kind)}.*" if is_keyed(kind) else tag_of(kind) for kind in kinds]


def is_refusal(said: Exception) -> bool:
    """Says whether a server was there and would not have us, or we would not have it."""
    return isinstance(said, ssl.SSLError) or "authorization violation" in str(said).lower()


@asynccontextmanager
async def operator(desk: Desk) -> AsyncIterator[OperatorBus]:
    """Yields the operator's connection. Raises NoAnswerError if no server answers, RefusedError if
    they do not take the login, ConfigurationError on a bad key."""
    login = login_of(OPERATOR, desk.runtime)
    options = login.options() if login is not None else {}  # nothing where the bus is open
    said: list[Exception] = []

    async def hear(error: Exception) -> None:
        said.append(error)

    try:
        async with asyncio.timeout(CONNECT_S):
            client = await nats.connect(
                desk.runtime.nats_url.split(","),
                name=OPERATOR,
                connect_timeout=SERVER_S,
                max_reconnect_attempts=1,
                reconnect_time_wait=0.1,
                error_cb=hear,
                **options,
            )
    except BUS_FAULTS as error:
        if refusal := next(filter(is_refusal, said), None):
            raise RefusedError(f"the bus refuses this login: {refusal}") from error
        why = str(said[-1] if said else "") or f"nothing within {CONNECT_S:.0f} s"
        raise NoAnswerError(f"the bus does not answer at {desk.runtime.nats_url}: {why}") from error
    try:
        yield OperatorBus(client, said)
    finally:
        await client.close()
