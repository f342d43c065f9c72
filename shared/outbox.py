"""What this agent has said and the server has not yet confirmed, in order.

nats-py's own `publish_async` has futures without a timeout, so acks are counted here: a parcel
whose ack is late, or whose connection broke, is sent again with the same message id, in order,
before anything newer. JetStream drops the copy it already has.
"""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

PARCELS_MAX = 20_000
BYTES_MAX = 64 * 1024 * 1024
ACK_TIMEOUT_NS = 2_000_000_000


class OutboxFullError(RuntimeError):
    """The server has been away for longer than the outbox can bridge."""


@dataclass(slots=True, eq=False)
class Parcel:
    """One message for a stream. `message_id` is None for STATE, where only the newest counts."""

    subject: str
    data: bytes
    message_id: str | None
    headers: dict[str, str]
    on_stored: Callable[[], None] | None = None
    follows_record: bool = False  # a state that must not be known before what led to it
    put_ns: int = 0
    sent_ns: int = 0
    attempt_count: int = 0


class SavedParcel(msgspec.Struct, frozen=True):
    subject: str
    data: str
    message_id: str
    headers: dict[str, str]


class Outbox:
    """Parcels that wait, and parcels that are under way, by the token of their ack."""

    def __init__(self) -> None:
        self._waiting: deque[Parcel] = deque()
        self._under_way: dict[int, Parcel] = {}
        self._newest_states: dict[str, Parcel] = {}
        self._held: dict[str, Parcel] = {}  # states that wait for what is durable, by subject
        self._durable_count = 0  # unconfirmed
        self._token = 0
        self._bytes = 0
        self._slowest_ns = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way) + len(self._held)

    def put(self, parcel: Parcel, now_ns: int = 0) -> None:
        """Takes a parcel. Raises OutboxFullError beyond the bound."""
        if len(self) >= PARCELS_MAX or self._bytes + len(parcel.data) > BYTES_MAX:
            raise OutboxFullError(f"{len(self)} messages of {self._bytes} bytes are unconfirmed")
        parcel.put_ns = now_ns
        self._bytes += len(parcel.data)
        if parcel.message_id is None:
            self._newest_states[parcel.subject] = parcel
        else:
            self._durable_count += 1
        if parcel.follows_record and self._durable_count:
            older = self._held.pop(parcel.subject, None)
            if older is not None:
                self._forget(older)
            self._held[parcel.subject] = parcel
        else:
            self._waiting.append(parcel)

    def next_waiting(self) -> Parcel | None:
        """Returns the oldest parcel to send; skips a state that a newer one has replaced."""
        while self._waiting:
            parcel = self._waiting[0]
            if self._is_current(parcel):
                return parcel
            self._waiting.popleft()
            self._forget(parcel)
        return None

    def send(self, now_ns: int) -> int:
        """Moves the oldest waiting parcel under way; returns the token of its ack."""
        parcel = self._waiting.popleft()
        parcel.sent_ns = now_ns
        parcel.attempt_count += 1
        self._token += 1
        self._under_way[self._token] = parcel
        return self._token

    def confirm(self, token: int, now_ns: int = 0) -> bool:
        """The server has stored it; a token of an earlier attempt is nothing. Returns whether
        states wait now that were held until then."""
        parcel = self._under_way.pop(token, None)
        if parcel is None:
            return False
        self._slowest_ns = max(self._slowest_ns, now_ns - parcel.sent_ns)
        self._forget(parcel)
        self._durable_count -= parcel.message_id is not None
        if self._durable_count or not self._held:
            return False
        self._waiting.extend(self._held.values())
        self._held.clear()
        return True

    def under_way(self, token: int) -> Parcel | None:
        return self._under_way.get(token)

    def recall(self) -> None:
        """Everything under way waits again, in its order, before what waited already."""
        for token in reversed(self._under_way):
            self._waiting.appendleft(self._under_way[token])
        self._under_way.clear()

    def take_slowest_ns(self) -> int:
        """Returns how long the slowest confirmation took since this was last asked."""
        slowest_ns, self._slowest_ns = self._slowest_ns, 0
        return slowest_ns

    def oldest_sent_ns(self) -> int | None:
        return next((parcel.sent_ns for parcel in self._under_way.values()), None)

    def oldest_put_ns(self) -> int | None:
        """Returns when the oldest that is unconfirmed was taken, sent again or not."""
        under_way = next(iter(self._under_way.values()), None)
        oldest = [
            one for one in (under_way, *itertools.islice(self._waiting, 1)) if one is not None
        ]
        return min((one.put_ns for one in oldest), default=None)

    def newest_state(self, subject: str) -> Parcel | None:
        """Returns what was last said of a STATE subject, stored or not."""
        return self._newest_states.get(subject)

    def put_states_again(self, now_ns: int = 0) -> None:
        """The server lost its STATE stream: all our newest states wait to be sent."""
        everything = (*self._waiting, *self._under_way.values(), *self._held.values())
        pending = {id(parcel) for parcel in everything}
        for parcel in self._newest_states.values():
            if id(parcel) not in pending:
                parcel.put_ns = now_ns
                self._bytes += len(parcel.data)
                self._waiting.append(parcel)

    def save(self, path: Path) -> int:
        """Writes what is unconfirmed and durable to a file; returns how many."""
        self.recall()
        parcels = [
            SavedParcel(parcel.subject, parcel.data.decode(), parcel.message_id, parcel.headers)
            for parcel in self._waiting
            if parcel.message_id is not None
        ]
        if parcels:
            path.write_bytes(msgspec.json.encode(parcels))
        return len(parcels)

    def load(self, path: Path, now_ns: int = 0) -> int:
        """Takes back what `save` wrote, once; returns how many."""
        if not path.exists():
            return 0
        parcels = msgspec.json.decode(path.read_bytes(), type=list[SavedParcel])
        for saved in parcels:
            parcel = Parcel(saved.subject, saved.data.encode(), saved.message_id, saved.headers)
            self.put(parcel, now_ns)
        path.unlink()
        return len(parcels)

    def _is_current(self, parcel: Parcel) -> bool:
        return parcel.message_id is not None or self._newest_states[parcel.subject] is parcel

    def _forget(self, parcel: Parcel) -> None:
        self._bytes -= len(parcel.data)
        if parcel.on_stored is not None:
            parcel.on_stored()
            parcel.on_stored = None  # once, even if the parcel is sent again
