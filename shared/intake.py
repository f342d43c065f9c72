"""Everything that comes in by the bus: subscribed, read, aged, deduped, and put in the inbox."""

import asyncio
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg

from shared.bus import PROBE_HEADER, Bus, BusError
from shared.causes import cause_in
from shared.clock import NS_PER_S, Clock
from shared.dead_letters import DeadLetters
from shared.dedupe import Seen
from shared.follow import (
    COMMAND_DELIVER_MAX,
    SERVER_DELIVER_MAX,
    CommandQueue,
    Delivered,
    Follower,
)
from shared.inbox import Entry, Inbox
from shared.lossy_order import LossyOrder
from shared.messages.message import BadMessageError, Message
from shared.reading import Readers, Reading, dead_letter
from shared.service import Handler, Service
from shared.streams import DEAD, LEDGER, RECORD, STATE, api
from shared.telemetry import Telemetry

FUTURE_NS_MAX = 5 * NS_PER_S  # a stamp further ahead is no honest clock's
LOAD_TIMEOUT_S = 60.0


class Intake:
    def __init__(
        self,
        service: Service,
        bus: Bus,
        inbox: Inbox,
        clock: Clock,
        telemetry: Telemetry,
        letters: DeadLetters,
    ) -> None:
        self._service = service
        self._bus = bus
        self._inbox = inbox
        self._clock = clock
        self._telemetry = telemetry
        self._letters = letters
        self._reading = Reading(service)
        self._seen = Seen()
        self._done = Seen()  # commands whose outputs are stored
        self._followers: list[Follower] = []
        self._commands: CommandQueue | None = None
        self._record: Follower | None = None  # of what others have done
        self._late: dict[str, Entry] = {}  # states that wait for it, by subject
        self.order = LossyOrder()
        inbox.on_drop = lambda entry: self.order.forget(entry.message.subject)
        self._arrived = asyncio.Event()
        self._opened_ns = clock.wall_ns()  # makes the letters of this life distinct
        self.dead_letter_count = 0

    @property
    def rebind_count(self) -> int:
        return sum(follower.rebind_count for follower in self._followers)

    async def load_state(self) -> None:
        """Delivers the newest of each STATE subject, and goes on with new ones."""
        subjects = self._reading.subjects(STATE)
        if subjects:
            follower = self._follower(STATE, subjects, self._on_state)
            await follower.start()
            await self._settled(lambda: follower.has_caught_up)

    async def replay(self) -> None:
        """Delivers the record of what the core rebuilds itself from, then follows new facts."""
        for stream in (RECORD, LEDGER, DEAD):
            facts = self._reading.subjects(stream, command=False)
            if facts:
                past = self._reading.subjects(stream, replay=True)
                await self._replay_stream(stream, past, facts)

    async def _replay_stream(self, stream: str, past: list[str], facts: list[str]) -> None:
        answer = await api(self._bus.call, f"STREAM.INFO.{stream}", {})
        end = answer["state"]["last_seq"]

        def on_past(delivered: Delivered) -> None:
            self._arrived.set()
            if delivered.stream_sequence <= end:
                self._on_durable(stream, delivered, is_replay=True)

        def on_fact(delivered: Delivered) -> None:
            self._on_durable(stream, delivered, is_replay=False)

        if past and end:
            follower = self._follower(stream, past, on_past)
            await follower.start()
            await self._settled(lambda: follower.has_caught_up or follower.stream_sequence >= end)
            await follower.stop()
            self._followers.remove(follower)
        follower = self._follower(stream, facts, on_fact)
        await follower.start(after_sequence=end)
        if stream == RECORD:
            self._record = follower
            self._bus.on_tick.append(self._take_late)

    async def open_live(self) -> None:
        """Opens lossy subjects and commands."""
        for subject in self._reading.subjects(None):
            await self._bus.subscribe(subject, self._on_lossy, is_critical=False)
        commands = self._reading.subjects(RECORD, command=True)
        if commands:
            self._commands = CommandQueue(self._bus, self._service.name, commands, self._on_command)
            await self._commands.start()

    async def close(self) -> None:
        for follower in self._followers:
            await follower.stop()
        self._followers.clear()
        if self._record is not None:
            self._bus.on_tick.remove(self._take_late)
            self._record = None

    def _follower(
        self, stream: str, subjects: list[str], receive: Callable[[Delivered], None]
    ) -> Follower:
        name = f"{self._service.name}-{stream.lower()}"
        follower = Follower(self._bus, name, stream, subjects, receive, self.defer)
        self._followers.append(follower)
        return follower

    def defer(self, call: Callable[[], object]) -> None:
        """Has the run loop make a call after all that was delivered before."""
        self._inbox.put_critical(Entry(kind=object, message=None, call=call))

    async def _settled(self, is_over: Callable[[], bool]) -> None:
        """Waits until the core has handled what was there at the start."""
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                while not is_over():
                    self._arrived.clear()
                    try:
                        await asyncio.wait_for(self._arrived.wait(), timeout=1.0)
                    except TimeoutError:
                        continue
                handled = asyncio.Event()
                self.defer(handled.set)
                await handled.wait()
        except TimeoutError as error:
            raise BusError(f"past messages were not there in {LOAD_TIMEOUT_S:.0f} s") from error

    def _on_lossy(self, message: Msg) -> None:
        """Puts it in unread: what a flood will cost is shed for less than reading it would take."""
        if message.headers and PROBE_HEADER in message.headers:
            return
        kind = self._reading.kind_of(message.subject)
        self._inbox.put_lossy(Entry(kind, message, read=self._read_lossy))

    def _read_lossy(self, entry: Entry) -> bool:
        """Makes the message of its bytes; says whether there is one to handle."""
        message: Msg = entry.message
        found = self._read(message, "")
        if found is None:
            return False
        body, readers = found
        self.order.note(message.subject, body)
        age_ns = self._clock.wall_ns() - body.created_ns
        if age_ns < -FUTURE_NS_MAX:
            self.bury(
                message.subject, message.data, f"created {-age_ns / NS_PER_S:.1f} s in the future"
            )
            return False
        entry.message, entry.age_ns = body, age_ns
        entry.handlers, entry.late_handlers = readers.handlers, readers.late_handlers
        entry.cause = cause_in(message.headers) if message.headers else None
        return True

    def _on_state(self, delivered: Delivered) -> None:
        self._arrived.set()
        found = self._read(delivered.message, f"{STATE}-{delivered.stream_sequence}")
        if found is None:
            return
        body, readers = found
        entry = _entry(body, readers.handlers, delivered.message)
        self._late.pop(delivered.message.subject, None)  # what waits there is older
        if body.follows_record and self._record is not None and not self._record.is_whole:
            self._late[delivered.message.subject] = entry
        else:
            self._inbox.put_critical(entry)

    async def _take_late(self) -> None:
        """Hands on the states that spoke of facts which had not come yet."""
        if self._late and self._record is not None and self._record.is_whole:
            for entry in self._late.values():
                self._inbox.put_critical(entry)
            self._late.clear()

    def _on_durable(self, stream: str, delivered: Delivered, *, is_replay: bool) -> None:
        found = self._read(delivered.message, f"{stream}-{delivered.stream_sequence}")
        if found is None:
            return
        body, readers = found
        handlers = readers.replay_handlers if is_replay else readers.handlers
        if handlers and self._is_new(body):
            entry = _entry(body, handlers, delivered.message)
            entry.is_replay = is_replay
            entry.place = (stream, delivered.stream_sequence)
            self._inbox.put_critical(entry)

    def _on_command(self, delivered: Delivered) -> None:
        assert self._commands is not None
        commands = self._commands
        message = delivered.message
        place = f"{RECORD}-{delivered.stream_sequence}"
        if delivered.delivery_count >= COMMAND_DELIVER_MAX:
            reason = f"delivered {delivered.delivery_count} times and never acknowledged"
            self.bury(
                message.subject, message.data, reason, place, lambda: commands.terminate(delivered)
            )
            return
        found = self._read(message, place, lambda: commands.terminate(delivered))
        if found is None:
            return
        body, readers = found
        message_id = body.message_id()
        assert message_id is not None
        if not self._is_new(body):
            if message_id in self._done:
                self.defer(lambda: commands.acknowledge(delivered))
            return

        def done() -> None:
            self._done.add(message_id)
            self.defer(lambda: commands.acknowledge(delivered))

        entry = _entry(body, readers.handlers, message)
        entry.done = done
        self._inbox.put_critical(entry)

    def _on_exhausted(self, subject: str, data: bytes, sequence: int) -> None:
        """The server has given a command up: its reader died each time before it could say so."""
        reason = f"delivered {SERVER_DELIVER_MAX} times and never acknowledged"
        self.bury(subject, data, reason, f"{RECORD}-{sequence}")

    def _is_new(self, body: Message) -> bool:
        message_id = body.message_id()
        assert message_id is not None, f"{type(body).__name__} is durable and has no id"
        if self._seen.add(message_id):
            return True
        self._telemetry.counters["message_doubled"].labels(type(body).__name__).inc()
        return False

    def _read(
        self, message: Msg, place: str, on_buried: Callable[[], Awaitable[None]] | None = None
    ) -> tuple[Message, Readers] | None:
        try:
            found = self._reading.read(message.subject, message.data)
        except BadMessageError as error:
            self.bury(message.subject, message.data, str(error), place, on_buried)
            return None
        if found is None and on_buried is not None:
            self.defer(on_buried)  # another version's reader takes it
        return found

    def bury(
        self,
        subject: str,
        data: bytes,
        reason: str,
        place: str = "",
        on_buried: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """A dead letter first; only when it is stored is the original let go."""
        self.dead_letter_count += 1
        self._telemetry.counters["message_dead_lettered"].inc()
        now_ns = self._clock.wall_ns()
        arrival = f"{self._service.name}-{self._opened_ns}-{self.dead_letter_count}"
        letter_id = place or arrival  # one letter for a stored message, whoever reads it first
        letter = dead_letter(self._service.name, letter_id, subject, data, reason, now_ns)
        stored = (lambda: self.defer(on_buried)) if on_buried is not None else None
        self._letters.put(letter, stored)


def _entry(body: Message, handlers: tuple[Handler, ...], message: Msg) -> Entry:
    cause = cause_in(message.headers) if message.headers else None
    return Entry(type(body), body, handlers, cause)
