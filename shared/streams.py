"""The four JetStream streams of a desk, every setting stated, and the API calls that keep them.

RECORD holds every DURABLE fact and command, LEDGER the ledger's journal, DEAD what could not be
read, STATE the newest of each STATE subject. STATE is in memory: who published a state publishes
it again when the server comes back empty.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from shared.clock import NS_PER_S
from shared.messages.desk import DeadLetterV1, RecordV1, TimerV1
from shared.messages.message import Delivery, Message
from shared.messages.registry import kinds_of, stem_of

RECORD = "RECORD"
STATE = "STATE"
DEAD = "DEAD"
LEDGER = "LEDGER"
LOOK_AGAIN_S = 0.1
DUPLICATE_WINDOW_NS = 300 * NS_PER_S

STREAM_NOT_FOUND_CODE = 10059
FULL_CODES = frozenset({10077, 10023, 10047})  # stream or account out of room

_MIB = 1024 * 1024
_COMMON: dict[str, Any] = {
    "retention": "limits",
    "max_consumers": -1,
    "max_msgs": -1,
    "max_age": 0,
    "max_msg_size": 1 * _MIB,
    "duplicate_window": DUPLICATE_WINDOW_NS,
    "allow_direct": True,
}

Call = Callable[[str, bytes], Awaitable[bytes]]  # a request to the server and its answer


class StreamError(RuntimeError):
    """JetStream refused a call; `code` is its err_code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def stream_of(kind: type[Message]) -> str:
    """Returns the stream that keeps a STATE or DURABLE message."""
    if kind is DeadLetterV1:
        return DEAD
    if kind is RecordV1:
        return LEDGER
    assert kind.delivery is not Delivery.LOSSY, f"{kind.__name__} is kept nowhere"
    return STATE if kind.delivery is Delivery.STATE else RECORD


def configurations(replicas: int = 1) -> tuple[dict[str, Any], ...]:
    """Returns the settings of the four streams, each kept by so many servers."""
    shared = {**_COMMON, "num_replicas": replicas}
    assert TimerV1.delivery is Delivery.LOSSY
    durable = (kind for kind in kinds_of(Delivery.DURABLE) if kind not in (DeadLetterV1, RecordV1))
    return (
        {
            **shared,
            "name": RECORD,
            "subjects": _subjects(*durable),
            "storage": "file",
            "discard": "new",
            "max_bytes": 1024 * _MIB,
            "deny_delete": True,
            "deny_purge": True,
        },
        {
            **shared,
            "name": LEDGER,
            "subjects": _subjects(RecordV1),
            "storage": "file",
            "discard": "new",
            "max_bytes": 512 * _MIB,
            "deny_delete": True,
            "deny_purge": True,
        },
        {
            **shared,
            "name": DEAD,
            "subjects": _subjects(DeadLetterV1),
            "storage": "file",
            "discard": "old",
            "max_bytes": 256 * _MIB,
        },
        {
            **shared,
            "name": STATE,
            "subjects": _subjects(*kinds_of(Delivery.STATE)),
            "storage": "memory",
            "discard": "old",
            "max_bytes": 64 * _MIB,
            "max_msgs_per_subject": 1,
        },
    )


async def ensure(call: Call, replicas: int) -> None:
    """Makes the streams that are missing, and widens those that lack a subject.

    Raises StreamError if the server refuses one."""
    for wanted in configurations(replicas):
        name = wanted["name"]
        try:
            there = await _subjects_of(call, name)
            if there is None:
                await api(call, f"STREAM.CREATE.{name}", wanted)
            elif not set(wanted["subjects"]) <= there:
                wider = sorted({*there, *wanted["subjects"]})
                await api(call, f"STREAM.UPDATE.{name}", {**wanted, "subjects": wider})
        except StreamError:
            if await _subjects_of(call, name) is None:  # else another agent was faster
                raise


async def require(call: Call, wait_s: float = 0.0) -> None:
    """Waits until all streams are there, with all subjects. Raises StreamError if they are not in
    time."""
    for wanted in configurations():
        name = wanted["name"]
        while not set(wanted["subjects"]) <= (await _subjects_of(call, name) or set()):
            if wait_s <= 0.0:
                raise StreamError(f"the provisioner has not made {name}", STREAM_NOT_FOUND_CODE)
            await asyncio.sleep(LOOK_AGAIN_S)
            wait_s -= LOOK_AGAIN_S


async def _subjects_of(call: Call, name: str) -> set[str] | None:
    """Returns what a stream takes; None if it is not there.

    To create a stream that is there would ask for its space a second time."""
    try:
        return set((await api(call, f"STREAM.INFO.{name}", {}))["config"]["subjects"])
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND_CODE:
            raise
        return None


async def api(call: Call, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer of one JetStream API call. Raises StreamError on a refusal."""
    answer: dict[str, Any] = msgspec.json.decode(
        await call(f"$JS.API.{verb}", msgspec.json.encode(body))
    )
    if error := answer.get("error"):
        text = f"{verb}: {error.get('description', 'refused')}"
        raise StreamError(text, int(error.get("err_code", 0)))
    return answer


def _subjects(*kinds: type[Message]) -> list[str]:
    """A stem with all its versions, keyed or not."""
    return sorted({f"{stem_of(kind)}.>" for kind in kinds})
