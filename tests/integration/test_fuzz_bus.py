from collections import Counter

import pytest

from infra.fuzz_bus import fuzz, kinds_read
from infra.garbage import FAULTS, Heap, is_good
from shared.messages.market import FeedV1, TicksV1
from shared.messages.message import Message
from shared.messages.orders import CancelOrderV1, FillV1
from shared.messages.registry import KINDS
from shared.service import Service, on
from tests.integration.running import publisher, run_agent


def test_the_heap_holds_every_fault_and_nothing_good():
    heap = Heap(list(KINDS.values()), seed=3)
    found = [heap.next() for _ in range(4_000)]
    assert set(Counter(one.fault for one in found)) == set(FAULTS)
    assert not [one for one in found if is_good(one.subject, one.data)]


def test_the_same_seed_makes_the_same_garbage():
    one, other = (Heap(list(KINDS.values()), seed=5) for _ in range(2))
    assert [one.next() for _ in range(300)] == [other.next() for _ in range(300)]


def reader(name: str) -> Service:
    return Service(
        name=name,
        consumes=(
            on(TicksV1, lambda _: ()),
            on(FeedV1, lambda _: ()),
            on(FillV1, lambda _: (), replay=True),
            on(CancelOrderV1, lambda _: (), command=True),
        ),
    )


async def test_agents_live_through_garbage_and_bury_all_of_it(server, tmp_path):
    say: list[Message] = []
    async with (
        run_agent(reader("one"), server, tmp_path),
        run_agent(publisher(frozenset({FeedV1}), say), server, tmp_path),
    ):
        result = await fuzz(server.url, kinds_read([reader("one")]), count=3_000, seed=7)
    assert result["is_passed"], result
    assert result["missing"] == 0
    assert result["agents"] == ["one", "publisher"]


async def test_garbage_that_nobody_buries_is_reported(server, tmp_path, monkeypatch):
    monkeypatch.setattr("infra.fuzz_bus.SILENCE_S_MAX", 0.5)
    async with run_agent(reader("one"), server, tmp_path):
        result = await fuzz(server.url, [KINDS["risk.lease.v1"]], count=20, seed=1)
    assert not result["is_passed"]
    assert result["missing"] == pytest.approx(20, abs=3)
