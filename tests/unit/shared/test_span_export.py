"""Spans that no crash may lose, and what becomes of them while nobody takes them."""

import pytest

from shared.span_export import QUEUE_SPANS_MAX, SPOOL_BYTES_MAX, SpanExport, SpanSpool
from shared.spans import INTERNAL, Spans, form_of, resource_of
from tests.unit.shared.collected import Collected


class Life:
    """One life of an agent's tracing, which ends without a word unless it is closed."""

    def __init__(self, path, collected, *, is_kept=True):
        self.export = SpanExport(
            resource_of("agent"), collected.take, SpanSpool(path) if is_kept else None
        )
        self._spans = Spans(self.export.take)
        self.flush = self.export.flush
        self.close = self.export.close

    def span(self, name, *, is_order=True):
        self._spans.start(form_of(name, INTERNAL), 1, is_order=is_order).end(2)


@pytest.fixture
def down():
    return Collected(is_up=False)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "agent.spans"


def test_the_next_life_sends_what_a_killed_one_had_not_exported(path, down):
    killed = Life(path, down)
    killed.span("fill 1")
    killed.span("a tick", is_order=False)
    killed.span("fill 2")
    collected = Collected()
    born = Life(path, collected)
    assert born.flush()
    assert collected.names() == ["fill 1", "fill 2"]
    born.flush()
    assert len(collected.requests) == 1, "sent once"


def test_without_the_file_a_killed_life_loses_its_spans(path, down):
    killed = Life(path, down, is_kept=False)
    killed.span("fill 1")
    collected = Collected()
    born = Life(path, collected, is_kept=False)
    born.flush()
    assert collected.names() == []


def test_what_has_arrived_is_not_sent_again(path):
    collected = Collected()
    killed = Life(path, collected)
    killed.span("fill 1")
    assert killed.flush()
    assert path.stat().st_size == 0
    Life(path, collected).flush()
    assert len(collected.requests) == 1


def test_spans_wait_for_an_absent_collector_in_order(path, down):
    life = Life(path, down)
    for number in range(3):
        life.span(f"fill {number}")
    assert not life.flush()
    down.is_up = True
    assert life.flush()
    assert down.names() == ["fill 0", "fill 1", "fill 2"]
    assert path.stat().st_size == 0


def test_two_deaths_in_a_row_lose_nothing(path, down):
    Life(path, down).span("fill 1")
    second = Life(path, down)
    second.flush()
    second.span("fill 2")
    collected = Collected()
    Life(path, collected).flush()
    assert collected.names() == ["fill 1", "fill 2"]


def test_a_torn_last_span_is_left_out(path, down):
    life = Life(path, down)
    life.span("fill 1")
    life.span("fill 2")
    path.write_bytes(path.read_bytes()[:-3])
    collected = Collected()
    Life(path, collected).flush()
    assert collected.names() == ["fill 1"]


def test_a_damaged_span_does_not_hold_up_the_others(path, down):
    life = Life(path, down)
    life.span("fill 1")
    size = path.stat().st_size
    life.span("fill 2")
    data = bytearray(path.read_bytes())
    data[4:size] = b"\xff" * (size - 4)
    path.write_bytes(data)
    collected = Collected()
    Life(path, collected).flush()
    assert collected.names() == ["fill 2"]


def test_a_full_file_takes_no_more(path):
    spool = SpanSpool(path)
    assert spool.append(b"x" * (SPOOL_BYTES_MAX // 2))
    assert not spool.append(b"x" * (SPOOL_BYTES_MAX // 2 + 1))
    assert path.stat().st_size < SPOOL_BYTES_MAX


def test_what_finds_no_room_in_the_queue_is_counted(path, down):
    life = Life(path, down, is_kept=False)
    for _ in range(QUEUE_SPANS_MAX + 2):
        life.span("a tick", is_order=False)
    assert life.export.dropped_count == 2


def test_closing_exports_the_rest(path):
    collected = Collected()
    life = Life(path, collected)
    life.span("fill 1")
    life.close()
    assert collected.names() == ["fill 1"]
