"""`make fuzz-bus`: garbage on every subject that the desk reads.

And then: is everyone alive, is every bad message in the stream DEAD with its reason, does the desk
quote?

    python -m infra.fuzz_bus --nats-url nats://127.0.0.1:4222 --count 100000 --seed 1
    python -m infra.fuzz_bus --desk --count 100000        starts a desk of its own

The bus must be open: with a key for every process nobody could say such things.
Exit code 0 if all three hold. The pace follows the dead letters: it finds the desk's limit, not
the queue's.
"""

import argparse
import asyncio
import base64
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from infra.desk_config import write_open_bus
from infra.garbage import Garbage, Heap
from infra.topology import services
from shared.messages.desk import DeadLetterV1, HeartbeatV1, RecordV1
from shared.messages.message import BadMessageError, Message, decode, tag_of
from shared.messages.quoting import QuotingStatusV1
from shared.messages.registry import stem_of
from shared.reading import HEAD_BYTES
from shared.service import Service

AHEAD_MAX = 1_000  # bad messages sent whose letters have not been seen
SILENCE_S_MAX = 20.0
HEARTBEAT_S_MAX = 5.0
READY_S_MAX = 60.0
Key = tuple[str, int, str]  # subject, size, head


@dataclass
class Seen:
    """What the desk says meanwhile."""

    unanswered: dict[Key, str] = field(default_factory=dict)  # bad messages without a letter: fault
    letter_count: int = 0
    reasonless_count: int = 0
    beats: dict[str, tuple[HeartbeatV1, float]] = field(default_factory=dict)
    first_pids: dict[str, int] = field(default_factory=dict)
    quoted: dict[str, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_letter(self, message: Msg) -> None:
        letter = decode(DeadLetterV1, message.data)
        self.unanswered.pop((letter.subject, letter.size_bytes, letter.head_base64), None)
        self.letter_count += 1
        self.reasonless_count += not letter.reason
        self.changed.set()

    async def on_beat(self, message: Msg) -> None:
        beat = read(HeartbeatV1, message)
        if beat is not None and message.subject.endswith(f".{beat.service}"):
            self.beats[beat.service] = (beat, time.monotonic())
            self.first_pids.setdefault(beat.service, beat.pid)

    async def on_status(self, message: Msg) -> None:
        status = read(QuotingStatusV1, message)
        if status is not None and message.subject == f"quoting.status.v1.{status.underlying}":
            self.quoted[status.underlying] = status.quoted_count


def kinds_read(services: Iterable[Service]) -> list[type[Message]]:
    """Returns what some service takes from the bus, but for the fuzzer's own yardsticks."""
    found = {
        consume.kind
        for service in services
        for consume in service.consumes
        if issubclass(consume.kind, Message)
    }
    return sorted(found - {DeadLetterV1, RecordV1}, key=tag_of)


def read(kind: type[Any], message: Msg) -> Any:
    try:
        return decode(kind, message.data)
    except BadMessageError:
        return None


async def fuzz(url: str, kinds: list[type[Message]], count: int, seed: int) -> dict[str, Any]:
    """Sends the garbage; returns the report, with `is_passed`."""
    client = await nats.connect(url, name="fuzz", max_reconnect_attempts=3)
    seen = Seen()
    await watch(client, seen)
    heap = Heap(kinds, seed)
    faults: Counter[str] = Counter()
    began = time.monotonic()
    for number in range(count):
        garbage = heap.next()
        faults[garbage.fault] += 1
        seen.unanswered[key_of(garbage)] = garbage.fault
        await client.publish(garbage.subject, garbage.data)
        if number % 50 == 0:
            await client.flush()
            await keep_pace(seen, AHEAD_MAX)
    await client.flush()
    await keep_pace(seen, 0)
    wall_s = time.monotonic() - began
    await asyncio.sleep(2 * HEARTBEAT_S_MAX / 5)  # two heartbeats more
    await client.close()
    return report(seen, faults, count, wall_s)


async def watch(client: Client, seen: Seen) -> None:
    """Follows the letters from now on, the heartbeats and the quoting status."""
    stream = client.jetstream()
    await stream.subscribe(
        f"{stem_of(DeadLetterV1)}.>",
        stream="DEAD",
        cb=seen.on_letter,
        ordered_consumer=True,
        config=ConsumerConfig(deliver_policy=DeliverPolicy.NEW),
        pending_msgs_limit=0,
        pending_bytes_limit=0,
    )
    await client.subscribe(f"{tag_of(HeartbeatV1)}.>", cb=seen.on_beat)
    await client.subscribe(f"{tag_of(QuotingStatusV1)}.>", cb=seen.on_status)
    await asyncio.sleep(2.5)  # two heartbeats, to know who is there


async def keep_pace(seen: Seen, ahead_max: int) -> None:
    """Waits while more than so many bad messages have no letter; gives up after a silence."""
    while len(seen.unanswered) > ahead_max:
        seen.changed.clear()
        try:
            await asyncio.wait_for(seen.changed.wait(), SILENCE_S_MAX)
        except TimeoutError:
            return


def key_of(garbage: Garbage) -> Key:
    head = base64.b64encode(garbage.data[:HEAD_BYTES]).decode()
    return garbage.subject, len(garbage.data), head


def report(seen: Seen, faults: Counter[str], count: int, wall_s: float) -> dict[str, Any]:
    missing = [f"{fault}: {subject}" for (subject, _, _), fault in seen.unanswered.items()]
    now = time.monotonic()
    dead = {
        service: "silent" if now - heard > HEARTBEAT_S_MAX else "restarted"
        for service, (beat, heard) in seen.beats.items()
        if now - heard > HEARTBEAT_S_MAX or beat.pid != seen.first_pids[service]
    }
    lost = {
        service: beat.critical_dropped_count
        for service, (beat, _) in seen.beats.items()
        if beat.critical_dropped_count
    }
    is_quoting = not seen.quoted or all(seen.quoted.values())
    return {
        "sent": count,
        "faults": dict(faults),
        "letters": seen.letter_count,
        "letters_without_reason": seen.reasonless_count,
        "missing": len(missing),
        "missing_examples": missing[:10],
        "agents": sorted(seen.beats),
        "dead": dead,
        "critical_dropped": lost,
        "quoted": seen.quoted,
        "seconds": round(wall_s, 1),
        "is_passed": bool(seen.beats) and is_quoting and not (missing or dead or lost)
        and not seen.reasonless_count,
    }  # fmt: skip


async def with_desk(count: int, seed: int, kinds: list[type[Message]]) -> dict[str, Any]:
    """Starts a desk in a folder of its own, fuzzes it once it quotes, and ends it."""
    with tempfile.TemporaryDirectory(prefix="hedgerow-fuzz-") as home:
        desk = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "up", "--headless", "--seed", str(seed),
            "--config", write_open_bus(Path(home)),
            env={**os.environ, "HEDGEROW_HOME": home}, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            url = await desk_url(Path(home), desk)
            return await fuzz(url, kinds, count, seed)
        finally:
            if desk.returncode is None:
                desk.send_signal(signal.SIGTERM)
            await desk.wait()


async def desk_url(home: Path, desk: asyncio.subprocess.Process) -> str:
    """Waits until the desk quotes on all its underlyings; returns where its bus is."""
    deadline = time.monotonic() + READY_S_MAX
    path = home / "current" / "runtime.json"
    while time.monotonic() < deadline:
        if desk.returncode is not None:
            raise RuntimeError(f"the desk ended with {desk.returncode}")
        if path.exists():
            url: str = msgspec.json.decode(path.read_bytes())["nats_url"]
            if await quotes(url):
                return url
        await asyncio.sleep(0.5)
    raise RuntimeError(f"the desk did not quote in {READY_S_MAX:.0f} s")


async def quotes(url: str) -> bool:
    seen = Seen()
    try:
        client = await nats.connect(url, allow_reconnect=False)
    except (OSError, nats.errors.Error):
        return False
    await client.subscribe(f"{tag_of(QuotingStatusV1)}.>", cb=seen.on_status)
    await asyncio.sleep(2.0)
    await client.close()
    return bool(seen.quoted) and all(seen.quoted.values())


def main() -> int:
    parser = argparse.ArgumentParser(prog="infra.fuzz_bus", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--nats-url", help="the bus of a running desk")
    where.add_argument("--desk", action="store_true", help="start a desk, and end it afterwards")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kinds = kinds_read(services().values())
    work = (
        with_desk(options.count, options.seed, kinds)
        if options.desk
        else fuzz(options.nats_url, kinds, options.count, options.seed)
    )
    result = asyncio.run(work)
    print(json.dumps(result, indent=2))
    return 0 if result["is_passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
