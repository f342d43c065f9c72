import asyncio

import pytest

from shared.clock import NS_PER_S, SystemClock
from shared.inbox import Entry, Inbox
from shared.telemetry import Telemetry
from shared.worker import Worker


class Heard:
    """An outlet that keeps what it is given."""

    def __init__(self):
        self.outputs, self.push_count = [], 0

    async def route(self, output, countdown, headers):
        await asyncio.sleep(0)
        self.outputs.append(output)

    def push(self):
        self.push_count += 1


class Quiet:
    def exception(self, *_args, **_named):
        return None


class Place:
    """A worker with its inbox; `put` makes an entry that yields its own name."""

    def __init__(self):
        self.inbox, self.outlet, self.telemetry = Inbox(), Heard(), Telemetry()
        self.has_failed = False
        self.worker = Worker(
            self.inbox, self.outlet, SystemClock(), self.telemetry, Quiet(), None,
            lambda: self.has_failed,
        )  # fmt: skip

    def put(self, name, handler=lambda name: (name,)):
        self.inbox.put_lossy(Entry(kind=str, message=name, handlers=(handler,)))


async def test_what_comes_while_nothing_waits_is_handled_at_once():
    place = Place()
    await place.worker.attend(place.put, "a")
    assert place.outlet.outputs == ["a"]
    assert place.outlet.push_count == 1
    text = place.telemetry.exposition()[0].decode()
    assert 'message_handled_total{kind="str"} 1.0' in text
    assert 'handler_duration_seconds_count{kind="str"} 1.0' in text


async def test_what_comes_while_another_is_at_work_waits_its_turn():
    place = Place()
    work = asyncio.create_task(place.worker.run())
    first = asyncio.create_task(place.worker.attend(place.put, "a"))
    await asyncio.sleep(0)  # `a` is half way out
    await place.worker.attend(place.put, "b")
    assert place.outlet.outputs == []
    await first
    place.put("c")
    await asyncio.sleep(0.01)
    assert place.outlet.outputs == ["a", "b", "c"]
    work.cancel()


async def test_nothing_overtakes_what_waits():
    place = Place()
    place.put("a")
    await place.worker.attend(place.put, "b")
    assert place.outlet.outputs == []
    work = asyncio.create_task(place.worker.run())
    await asyncio.sleep(0.01)
    assert place.outlet.outputs == ["a", "b"]
    work.cancel()


async def test_after_a_failure_nothing_more_is_handled():
    place = Place()

    def break_down(_):
        place.has_failed = True
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await place.worker.attend(lambda name: place.put(name, break_down), "a")
    await place.worker.attend(place.put, "b")
    await asyncio.wait_for(place.worker.run(), 1)
    assert place.outlet.outputs == []


async def test_what_grew_old_while_it_waited_reaches_only_who_wants_it_all_the_same():
    place = Place()

    def act(name):
        return (f"act on {name}",)

    def judge(name):
        return (f"judge {name}",)

    for name, age_s, late in (("old", 2.5, ()), ("young", 0.5, ()), ("old", 2.5, (judge,))):
        entry = Entry(kind=str, message=name, handlers=(act, *late))
        entry.age_ns, entry.late_handlers = round(age_s * NS_PER_S), late
        place.inbox.put_lossy(entry)
    work = asyncio.create_task(place.worker.run())
    await asyncio.sleep(0.01)
    work.cancel()
    assert place.outlet.outputs == ["act on young", "judge old"]
    assert place.worker.dropped_count == 1
    text = place.telemetry.exposition()[0].decode()
    assert 'message_dropped_total{kind="str",reason="too_old"} 1.0' in text
    assert 'message_age_seconds_count{kind="str"} 2.0' in text


async def test_a_message_is_read_when_its_turn_comes_and_goes_no_further_if_it_cannot_be():
    place = Place()
    reads = []

    def read(entry):
        reads.append(entry.message)
        entry.message = f"read {entry.message}"
        entry.handlers = (lambda name: (name,),)
        return "bad" not in entry.message

    for name in ("a", "bad", "b"):
        place.inbox.put_lossy(Entry(kind=str, message=name, read=read))
    assert reads == []
    work = asyncio.create_task(place.worker.run())
    await asyncio.sleep(0.01)
    work.cancel()
    assert reads == ["a", "bad", "b"]
    assert place.outlet.outputs == ["read a", "read b"]
