"""Readers of the streams: a follower gets every message once and in order, a command queue gets
each command until it is acknowledged.

A follower is a push consumer without acks whose consumer sequence must count 1, 2, 3. A hole in
it, missed heartbeats or a reconnection make a new consumer from the next stream sequence: nothing
is skipped. A stream that goes back or starts after what we hold has lost messages: the agent fails.
"""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus import AGAIN_TIMEOUT_S, API_TIMEOUT_S, Bus, BusError
from shared.clock import NS_PER_MS, NS_PER_S
from shared.streams import RECORD, STATE, StreamError, api

HEARTBEAT_NS = 1 * NS_PER_S
SILENCE_NS_MAX = 3 * NS_PER_S
WHOLE_NS_MAX = 2 * NS_PER_S
INACTIVE_NS = 10 * NS_PER_S
COMMAND_ACK_WAIT_NS = 5 * NS_PER_S  # a handler takes milliseconds, its outputs a round trip
COMMAND_DELIVER_MAX = 5  # the reader buries what comes so often,
SERVER_DELIVER_MAX = 20  # before the server gives it up: its word reaches nobody who is just dying
COMMAND_PENDING_MAX = 256
COMMAND_CHECK_NS = 2 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message of a stream, with its place."""

    message: Msg
    stream_sequence: int
    consumer_sequence: int
    delivery_count: int
    pending_count: int


def place_of(message: Msg) -> Delivered:
    """Returns a message with its place from the ack subject, in either of its two forms."""
    parts = message.reply.split(".")
    if len(parts) >= 11:  # with domain and account in front
        parts = parts[:2] + parts[4:]
    count, stream, consumer, pending = parts[4], parts[5], parts[6], parts[8]
    return Delivered(message, int(stream), int(consumer), int(count), int(pending))


class Follower:
    """Follows some subjects of a stream. `defer` runs a call after what was delivered before."""

    def __init__(
        self,
        bus: Bus,
        name: str,
        stream: str,
        subjects: list[str],
        receive: Callable[[Delivered], None],
        defer: Callable[[Callable[[], Any]], None],
    ) -> None:
        self._bus = bus
        self._name = name
        self._stream = stream
        self._subjects = subjects
        self._receive = receive
        self._defer = defer
        self._subscription: Subscription | None = None
        self._generation = 0
        self._consumer_sequence = 0
        self._active_ns = 0
        self._whole_ns = 0  # when it last knew that nothing was still to come; 0: it does not know
        self.stream_sequence = 0  # of the newest message received
        self.rebind_count = 0
        self.has_caught_up = False
        self._is_hole_reported = False

    @property
    def is_whole(self) -> bool:
        """Says whether all that the stream had a moment ago has been received."""
        age_ns = self._bus.clock.monotonic_ns() - self._whole_ns
        return self._whole_ns > 0 and age_ns <= WHOLE_NS_MAX and not self._is_hole_reported

    async def start(self, after_sequence: int = 0) -> None:
        """Begins after a stream sequence; on STATE with the newest of each subject."""
        self.stream_sequence = after_sequence
        await self._bind()
        self._bus.on_connected.append(self._bind)
        self._bus.on_tick.append(self._look)

    async def stop(self) -> None:
        self._generation += 1
        self._bus.on_connected.remove(self._bind)
        self._bus.on_tick.remove(self._look)
        if self._subscription is not None:
            await self._bus.unsubscribe(self._subscription)

    async def _bind(self) -> None:
        self._generation += 1
        generation = self._generation
        if self._subscription is not None:
            await self._bus.unsubscribe(self._subscription)
            self.rebind_count += 1
        await self._check_stream()
        inbox = self._bus.client.new_inbox()
        self._subscription = await self._bus.subscribe(
            inbox, lambda message: self._on_message(generation, message), is_critical=True
        )
        self._consumer_sequence = 0
        self._whole_ns = 0
        self._is_hole_reported = False
        self._active_ns = self._bus.clock.monotonic_ns()
        name = f"{self._name}-{secrets.token_hex(6)}"
        answer = await self._call(
            f"CONSUMER.CREATE.{self._stream}.{name}",
            {
                "stream_name": self._stream,
                "action": "create",
                "config": self._configuration(name, inbox),
            },
        )
        if answer["num_pending"] == 0 and answer["delivered"]["consumer_seq"] == 0:
            self.has_caught_up = True

    def _configuration(self, name: str, inbox: str) -> dict[str, Any]:
        start: dict[str, Any] = (
            {"deliver_policy": "last_per_subject"}
            if self._stream == STATE
            else {
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": self.stream_sequence + 1,
            }
        )
        return {
            **start,
            "name": name,
            "deliver_subject": inbox,
            "filter_subjects": self._subjects,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "idle_heartbeat": HEARTBEAT_NS,
            "flow_control": True,
            "inactive_threshold": INACTIVE_NS,
            "mem_storage": True,
            "num_replicas": 1,
        }

    async def _check_stream(self) -> None:
        """Proves that the stream still has what we are to read next."""
        state = (await self._call(f"STREAM.INFO.{self._stream}", {}))["state"]
        if self._stream == STATE:
            self.stream_sequence = 0  # the newest of each subject again: states, not events
            return
        if state["last_seq"] < self.stream_sequence:
            raise LostRecordError(
                f"{self._stream} ends at {state['last_seq']}, we had read {self.stream_sequence}"
            )
        if state["messages"] and state["first_seq"] > self.stream_sequence + 1:
            raise LostRecordError(
                f"{self._stream} begins at {state['first_seq']}, we had read {self.stream_sequence}"
            )

    async def _call(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        timeout_s = AGAIN_TIMEOUT_S if self._generation > 1 else API_TIMEOUT_S
        try:
            return await api(partial(self._bus.call, timeout_s=timeout_s), verb, body)
        except StreamError as error:
            raise BusError(str(error)) from error

    def _on_message(self, generation: int, message: Msg) -> None:
        if generation != self._generation:
            return
        self._active_ns = self._bus.clock.monotonic_ns()
        if message.headers and "Status" in message.headers:
            self._on_status(message)
            return
        delivered = place_of(message)
        if delivered.consumer_sequence != self._consumer_sequence + 1:
            self._is_hole_reported = True  # bound anew at the next tick, from where we are
            self._generation += 1
            return
        self._consumer_sequence = delivered.consumer_sequence
        self.stream_sequence = delivered.stream_sequence
        self._receive(delivered)
        if delivered.pending_count == 0:
            self.has_caught_up = True
            self._whole_ns = self._active_ns

    def _on_status(self, message: Msg) -> None:
        """A heartbeat, a flow control request, or the consumer's end."""
        assert message.headers is not None
        if message.headers["Status"] != "100":
            self._is_hole_reported = True
            return
        last = message.headers.get("Nats-Last-Consumer")
        if last is not None:
            self._is_hole_reported |= int(last) > self._consumer_sequence
            self._whole_ns = self._active_ns
        answer_to = message.reply or message.headers.get("Nats-Consumer-Stalled", "")
        if answer_to:
            self._defer(lambda: self._bus.publish(answer_to, b""))

    async def _look(self) -> None:
        """Binds anew after a hole or a silence."""
        silence_ns = self._bus.clock.monotonic_ns() - self._active_ns
        if self._is_hole_reported or silence_ns > SILENCE_NS_MAX:
            self._active_ns = self._bus.clock.monotonic_ns()
            try:
                await self._bind()
            except LostRecordError:
                raise
            except BusError:
                self._is_hole_reported = True  # and again at the next tick


class LostRecordError(RuntimeError):
    """The stream no longer has what it confirmed: no reader can go on from there."""


class CommandQueue:
    """A durable consumer of all command kinds of one service: in order, one process at a time."""

    def __init__(
        self,
        bus: Bus,
        service: str,
        subjects: list[str],
        receive: Callable[[Delivered], None],
        on_exhausted: Callable[[str, bytes, int], None] = lambda *_: None,
    ) -> None:
        self._bus = bus
        self._name = command_consumer_of(service)
        self._inbox = command_inbox_of(service)
        self._subjects = subjects
        self._receive = receive
        self._on_exhausted = on_exhausted
        self._exhausted: set[int] = set()  # stream sequences the server gave up
        self._checked_ns = 0

    async def start(self) -> None:
        await self._bus.subscribe(self._inbox, self._on_message, is_critical=True, queue=self._name)
        advisory = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{RECORD}.{self._name}"
        await self._bus.subscribe(advisory, self._on_advisory, is_critical=False)
        await self._ensure()
        self._bus.on_connected.append(self._ensure)
        self._bus.on_tick.append(self._look)

    async def _ensure(self) -> None:
        self._checked_ns = self._bus.clock.monotonic_ns()
        try:
            await api(
                self._bus.call,
                f"CONSUMER.DURABLE.CREATE.{RECORD}.{self._name}",
                {
                    "stream_name": RECORD,
                    "config": {
                        "durable_name": self._name,
                        "deliver_subject": self._inbox,
                        "deliver_group": self._name,
                        "deliver_policy": "all",
                        "filter_subjects": self._subjects,
                        "ack_policy": "explicit",
                        "ack_wait": COMMAND_ACK_WAIT_NS,
                        "max_deliver": SERVER_DELIVER_MAX,
                        "max_ack_pending": COMMAND_PENDING_MAX,
                        "replay_policy": "instant",
                        "num_replicas": 1,
                    },
                },
            )
        except StreamError as error:
            raise BusError(str(error)) from error

    async def _look(self) -> None:
        """Tells of commands given up; a consumer that the server forgot is made again."""
        try:
            while self._exhausted:
                await self._tell_exhausted(min(self._exhausted))
            if self._bus.clock.monotonic_ns() - self._checked_ns >= COMMAND_CHECK_NS:
                await self._ensure()
        except (BusError, StreamError):
            self._checked_ns += NS_PER_MS * 500  # away; asked again soon

    async def _tell_exhausted(self, sequence: int) -> None:
        answer = await api(self._bus.call, f"STREAM.MSG.GET.{RECORD}", {"seq": sequence})
        self._exhausted.discard(sequence)
        stored = answer["message"]
        data = base64.b64decode(stored.get("data", ""))
        self._on_exhausted(stored["subject"], data, sequence)

    def _on_message(self, message: Msg) -> None:
        self._receive(place_of(message))

    def _on_advisory(self, message: Msg) -> None:
        self._exhausted.add(int(msgspec.json.decode(message.data)["stream_seq"]))

    async def acknowledge(self, delivered: Delivered) -> None:
        await self._bus.publish(delivered.message.reply, b"+ACK")

    async def terminate(self, delivered: Delivered) -> None:
        """It is in DEAD: the server need not deliver it again."""
        await self._bus.publish(delivered.message.reply, b"+TERM")


def command_consumer_of(service: str) -> str:
    """Returns the name of the durable consumer that holds a service's commands."""
    return f"{service}-commands"


def command_inbox_of(service: str) -> str:
    """Returns where that consumer delivers."""
    return f"_COMMANDS.{command_consumer_of(service)}"
