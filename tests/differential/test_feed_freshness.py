"""Whatever the network does, a book that the feed calls fresh is the exchange's."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.feed_exchange import LOT, TICK, Exchange, Watch, network
from tests.differential.feed_harness import Feed, with_fault

STEPS = 200
SEEDS = 100


def attend(seed, depth, fault_rate, native=None):
    """Runs an exchange through a bad network into a feed, checking after every packet."""
    rng = random.Random(seed)
    exchange = Exchange(rng, depth)
    for _ in range(STEPS):
        exchange.step()
    arrivals = network(rng, exchange.sent, fault_rate)
    began = len(exchange.sent)
    exchange.now_ms += 100
    for book in exchange.books:
        exchange.tick(book, 0)
    exchange.now_ms += 2_100
    exchange.cycle()  # the first after a restart may only show where the sequence now is
    exchange.now_ms += 10
    exchange.cycle()
    feed = Feed(native)
    for book in exchange.books:
        feed.add(book.instrument_id, TICK, LOT)
    watch = Watch(exchange, feed)
    for packet in arrivals:
        watch.take(packet)
    return exchange, feed, watch, exchange.sent[began:]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.sampled_from((5, 30, 150)),
    fault_rate=st.sampled_from((0.0, 0.01, 0.05, 0.2)),
)
def test_a_fresh_book_is_right_and_clean_cycles_heal_all(seed, depth, fault_rate):
    exchange, feed, watch, clean = attend(seed, depth, fault_rate)
    for packet in clean:
        watch.take(packet)
    for book in exchange.books:
        assert feed.is_fresh(book.instrument_id)
        assert feed.book(book.instrument_id)[0] == book.change_id


def test_without_faults_books_stay_fresh_from_the_first_cycle_on():
    exchange, feed, _, _ = attend(7, 30, 0.0)
    assert sum(feed.is_fresh(book.instrument_id) for book in exchange.books) >= 1
    assert feed.counters()["malformed_packets"] == 0


FAULTS = {
    "gaps are not noticed": (
        "hr_feed_packet.c",
        "        lose(intake, intake->channel);\n    }\n    channel->is_heard = 1;",
        "    }\n    channel->is_heard = 1;",
    ),
    "prevChangeId is not checked": (
        "hr_feed_book.c",
        "prev_change_id == node->change_id && change_id > prev_change_id",
        "change_id > node->change_id",
    ),
    "a snapshot heals whenever it was taken": (
        "hr_feed_book.c",
        "staging->venue_ms > events->gap_ms",
        "events->gap_ms > 0",
    ),
    "a snapshot may be older than what was seen": (
        "hr_feed_book.c",
        "staging->change_id >= node->seen_id && staging->venue_ms >= node->seen_ms",
        "staging->venue_ms >= 0",
    ),
    "the last part of a change counts as whole": (
        "hr_feed_book.c",
        "is_next && !is_torn",
        "is_next",
    ),
    "old packets are read": (
        "hr_feed_packet.c",
        "            }\n            return 0;",
        "            }\n            return 1;",
    ),
    "a half-applied book counts as fresh": (
        "hr_feed.c",
        "feed->state_of[slot] == FEED_FRESH &&\n           !feed->nodes[slot].is_updating",
        "feed->state_of[slot] == FEED_FRESH",
    ),
    "a snapshot with a lost part counts as whole": (
        "hr_feed_packet.c",
        "        feed_drop_staging(intake->feed, channel);",
        "        intake->feed->channels[channel].is_boundary_known = 1;",
    ),
    "a reset is taken for old packets": (
        "hr_feed_packet.c",
        "channel->old_run >= OLD_RUN_MAX ||\n           is_newer(channel, bytes, count)",
        "(bytes == NULL && is_newer(channel, bytes, count))",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_check_taken_out_the_property_fails(fault, tmp_path):
    native = with_fault(tmp_path, *FAULTS[fault])
    for seed in range(SEEDS):
        try:
            attend(seed, (5, 30, 150)[seed % 3], (0.01, 0.05, 0.2)[seed % 3], native)
        except AssertionError:
            return
    pytest.fail(f"unnoticed in {SEEDS} runs: {fault}")
