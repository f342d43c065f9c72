import asyncio

import pytest

from shared import inbox as inbox_module
from shared.inbox import Entry, Inbox, InboxFullError
from shared.outlet import Countdown


def entry(name):
    return Entry(kind=str, message=name)


def drain(inbox):
    return [inbox.take().message for _ in range(len(inbox))]


async def test_critical_inputs_come_first_and_each_in_order():
    inbox = Inbox()
    inbox.put_lossy(entry("l1"))
    for name in ("c1", "c2"):
        inbox.put_critical(entry(name))
    inbox.put_lossy(entry("l2"))
    assert drain(inbox) == ["c1", "c2", "l1", "l2"]


async def test_the_newest_lossy_inputs_win(monkeypatch):
    monkeypatch.setattr(inbox_module, "LOSSY_MAX", 2)
    inbox = Inbox()
    for number in range(5):
        inbox.put_lossy(entry(number))
    assert inbox.dropped_count == 3
    assert inbox.dropped == {str: 3}
    assert drain(inbox) == [3, 4]


async def test_what_was_shed_is_told(monkeypatch):
    monkeypatch.setattr(inbox_module, "LOSSY_MAX", 2)
    inbox, shed = Inbox(), []
    inbox.on_drop = lambda lost: shed.append(lost.message)
    for number in range(4):
        inbox.put_lossy(entry(number))
    assert shed == [0, 1]


async def test_a_flood_of_one_kind_costs_no_other(monkeypatch):
    monkeypatch.setattr(inbox_module, "LOSSY_MAX", 6)
    inbox = Inbox()
    inbox.put_lossy(Entry(kind=int, message="lease 1"))
    for number in range(100):
        inbox.put_lossy(entry(number))
        if number == 50:
            inbox.put_lossy(Entry(kind=int, message="lease 2"))
    assert inbox.dropped == {str: 96}
    assert drain(inbox) == ["lease 1", "lease 2", 96, 97, 98, 99]
    inbox.put_lossy(Entry(kind=int, message="lease 3"))
    assert drain(inbox) == ["lease 3"]


async def test_critical_inputs_are_never_dropped(monkeypatch):
    monkeypatch.setattr(inbox_module, "CRITICAL_MAX", 2)
    inbox = Inbox()
    inbox.put_critical(entry(1))
    inbox.put_critical(entry(2))
    with pytest.raises(InboxFullError):
        inbox.put_critical(entry(3))
    assert drain(inbox) == [1, 2]


async def test_a_waiting_reader_wakes():
    inbox = Inbox()
    reader = asyncio.create_task(inbox.wait())
    await asyncio.sleep(0)
    inbox.put_lossy(entry("x"))
    await asyncio.wait_for(reader, 1)
    assert inbox.take().message == "x"


async def test_nobody_is_woken_for_what_is_attended_to():
    inbox = Inbox()
    reader = asyncio.create_task(inbox.wait())
    await asyncio.sleep(0)
    inbox.is_attended = True
    inbox.put_critical(entry("x"))
    inbox.put_lossy(entry("y"))
    await asyncio.sleep(0)
    assert not reader.done()
    assert inbox.take().message == "x"
    inbox.leave()
    await asyncio.wait_for(reader, 1)
    assert inbox.take().message == "y"


def test_a_countdown_ends_when_everything_expected_has_come():
    done = []
    countdown = Countdown(lambda: done.append(1))
    first, second = countdown.expect(), countdown.expect()
    first()
    countdown.close()
    assert not done
    second()
    assert done == [1]
