"""The other bus: subjects, streams and deliveries in one process, in simulated time.

It keeps what NATS promises and no more. LOSSY may be dropped, doubled, delayed and reordered when
faults say so; STATE keeps the newest per subject and reaches each reader in order; DURABLE is kept
for good, deduplicated by message id, in order to each reader, at least once.
"""

import hashlib
import random
from collections.abc import Callable
from typing import Protocol

from shared.faults import Faults
from shared.messages.message import Delivery, Message, decode, encode, subject_of
from shared.service import Consume

LATENCY_NS = 150_000  # a local hop through a server, and up to twice that
DOUBLE_NS = 2_000_000  # when a redelivered message comes the second time

Schedule = Callable[[int, Callable[[], None]], None]  # (time, what then)


class Reader(Protocol):
    """An agent as the bus sees it."""

    name: str
    incarnation: int  # grows when it is started anew: old deliveries are void

    def deliver(self, consume: Consume, message: Message, done: Callable[[], None]) -> None:
        """Hands a message over, now or once it is no longer stalled; `done` once handled."""
        ...


class SimulatedBus:
    def __init__(
        self,
        schedule: Schedule,
        seed: int,
        faults: Faults | None,
        observe: Callable[[str, Message], None],
        *,
        is_encoded: bool,
    ) -> None:
        self.record: list[Message] = []  # all DURABLE messages, in order
        self.state: dict[str, Message] = {}  # newest STATE by subject
        self.now_ns = 0
        self.published_count = 0
        self.delivered_count = 0
        self._schedule = schedule
        self._faults = faults
        self._observe = observe
        self._is_encoded = is_encoded
        self._latency = random.Random(f"{seed}/latency")
        self._readers: dict[type, list[tuple[Reader, Consume, int]]] = {}
        self._ids: set[str] = set()
        self._ordered_ns: dict[str, int] = {}  # reader -> its last ordered delivery
        self._handled: dict[tuple[str, type], set[str]] = {}  # commands that are acknowledged
        self._hash = hashlib.sha256()

    def subscribe(self, reader: Reader, consumes: tuple[Consume, ...]) -> None:
        """Makes a started agent a reader, and hands it what waited: commands not yet handled."""
        for consume in consumes:
            self._readers.setdefault(consume.kind, []).append((reader, consume, reader.incarnation))
            if consume.command:
                handled = self._handled.setdefault((reader.name, consume.kind), set())
                for message in self.record:
                    if type(message) is consume.kind and message.message_id() not in handled:
                        self._send_ordered(reader, consume, message)

    def unsubscribe(self, reader: Reader) -> None:
        for kind, readers in self._readers.items():
            self._readers[kind] = [entry for entry in readers if entry[0] is not reader]

    def history(self, consume: Consume) -> list[Message]:
        """Returns what a replaying reader gets before anything else."""
        return [message for message in self.record if type(message) is consume.kind]

    def publish(self, sender: str, message: Message) -> None:
        kind = type(message)
        if self._is_encoded:
            message = decode(kind, encode(message))
        delivery = kind.delivery
        if delivery is Delivery.DURABLE:
            message_id = message.message_id()
            assert message_id is not None, f"{kind.__name__} has no id"
            if message_id in self._ids:
                return
            self._ids.add(message_id)
            self.record.append(message)
        elif delivery is Delivery.STATE:
            self.state[subject_of(message)] = message
        self.published_count += 1
        self._note(sender, message, delivery)
        self._observe(sender, message)
        readers = self._readers.get(kind, ())
        if delivery is Delivery.LOSSY:
            for reader, consume, incarnation in readers:
                self._send_lossy(reader, consume, incarnation, message)
        else:
            for reader, consume, _ in readers:
                self._send_ordered(reader, consume, message)

    def state_hash(self) -> str:
        """Returns the hash over all traffic so far, in order, and the newest states."""
        final = self._hash.copy()
        for subject in sorted(self.state):
            final.update(encode(self.state[subject]))
        return final.hexdigest()

    def _note(self, sender: str, message: Message, delivery: Delivery) -> None:
        """Kept traffic counts byte for byte; lossy traffic by who, what and when."""
        if delivery is Delivery.LOSSY:
            line = f"{self.now_ns} {sender} {subject_of(message)} {message.created_ns}\n"
            self._hash.update(line.encode())
        else:
            self._hash.update(f"{self.now_ns} {sender} ".encode())
            self._hash.update(encode(message))

    def _send_lossy(
        self, reader: Reader, consume: Consume, incarnation: int, message: Message
    ) -> None:
        at_ns = self.now_ns + LATENCY_NS + int(self._latency.random() * LATENCY_NS)
        delays = (0,) if self._faults is None else self._faults.lossy()

        def arrive() -> None:
            if reader.incarnation == incarnation:
                self.delivered_count += 1
                reader.deliver(consume, message, _nothing)

        for delay_ns in delays:
            self._schedule(at_ns + delay_ns, arrive)

    def _send_ordered(self, reader: Reader, consume: Consume, message: Message) -> None:
        at_ns = self.now_ns + LATENCY_NS + int(self._latency.random() * LATENCY_NS)
        delay_ns, is_doubled = (0, False) if self._faults is None else self._faults.ordered()
        at_ns = max(at_ns + delay_ns, self._ordered_ns.get(reader.name, 0))
        self._ordered_ns[reader.name] = at_ns
        incarnation = reader.incarnation
        message_id = message.message_id() or ""

        def done() -> None:
            if consume.command:
                self._handled[reader.name, consume.kind].add(message_id)

        def arrive() -> None:
            if reader.incarnation == incarnation:
                self.delivered_count += 1
                reader.deliver(consume, message, done)

        self._schedule(at_ns, arrive)
        if is_doubled and message.delivery is Delivery.DURABLE and not consume.command:
            self._schedule(at_ns + DOUBLE_NS, arrive)


def _nothing() -> None: ...
