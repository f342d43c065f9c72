/* Goal: messages that contradict the book, come in parts, are damaged or unknown never leave a
 * wrong book fresh. */
#undef NDEBUG
#include "feed_fixture.h"

#include <math.h>

static int32_t fresh(const world *w) {
    return hr_feed_is_fresh(w->feed, ID);
}

static hr_feed_counters counters(const world *w) {
    hr_feed_counters found;
    assert(hr_feed_counters_get(w->feed, &found) == HR_OK);
    return found;
}

/* Sends one change that does not fit; the book must be stale for `reason`. */
static void check_misfit(hr_sbe_change change, uint8_t reason) {
    world *w = open_healed_world();
    send_book(w, ID, 1002, 5, 6, 1, 1, &change);
    const hr_feed_event *stale = told(w, HR_FEED_EVENT_STALE, ID);
    assert(!fresh(w) && stale != NULL && stale->reason == reason);
    assert(told(w, HR_FEED_EVENT_TOP, ID) == NULL);
    assert(hr_feed_is_fresh(w->feed, OTHER_ID));
    heal(w, ID, 1003, 6);
    assert(fresh(w));
    close_world(w);
}

static void test_changes_that_do_not_fit_make_stale(void) {
    check_misfit(created(HR_SBE_BID, 99, 1), HR_FEED_STALE_CHANGE);
    check_misfit(changed(HR_SBE_BID, 96, 1), HR_FEED_STALE_CHANGE);
    check_misfit(deleted(HR_SBE_ASK, 99), HR_FEED_STALE_CHANGE);
    check_misfit(created(HR_SBE_BID, 101, 1), HR_FEED_STALE_CROSSED);
    check_misfit(created(HR_SBE_ASK, 99, 1), HR_FEED_STALE_CROSSED);
    hr_sbe_change off_grid = created(HR_SBE_BID, 100, 1);
    off_grid.price += TICK / 2;
    check_misfit(off_grid, HR_FEED_STALE_CHANGE);
    const double bad_prices[] = {NAN, -0.01, 0.0, INFINITY, 1e9};
    for (size_t at = 0; at < sizeof bad_prices / sizeof bad_prices[0]; at++) {
        hr_sbe_change bad = created(HR_SBE_BID, 100, 1);
        bad.price = bad_prices[at];
        check_misfit(bad, HR_FEED_STALE_CHANGE);
    }
    const double bad_amounts[] = {NAN, -1.0, 0.0, INFINITY};
    for (size_t at = 0; at < sizeof bad_amounts / sizeof bad_amounts[0]; at++) {
        hr_sbe_change bad = created(HR_SBE_BID, 100, 1);
        bad.amount = bad_amounts[at];
        check_misfit(bad, HR_FEED_STALE_CHANGE);
    }
}

static void test_less_than_a_lot_still_rests(void) {
    world *w = open_healed_world();
    hr_sbe_change small = created(HR_SBE_BID, 100, 1);
    small.amount = LOT / 4;
    send_book(w, ID, 1002, 5, 6, 1, 1, &small);
    assert(fresh(w) && w->events[0].bid_ticks == 100 && w->events[0].bid_lots == 1);
    close_world(w);
}

static void test_a_broken_chain_without_a_gap_doubts_the_channel(void) {
    world *w = open_healed_world();
    const hr_sbe_change row = changed(HR_SBE_BID, 99, 1);
    send_book(w, ID, 1002, 6, 7, 1, 1, &row);
    assert(told(w, HR_FEED_EVENT_STALE, ID)->reason == HR_FEED_STALE_CHAIN);
    assert(told(w, HR_FEED_EVENT_STALE, OTHER_ID)->reason == HR_FEED_STALE_GAP);
    close_world(w);
}

static void test_ids_that_go_back_while_time_goes_on_doubt_the_book(void) {
    world *w = open_healed_world();
    const hr_sbe_change row = changed(HR_SBE_BID, 99, 1);
    send_book(w, ID, 1002, 1, 2, 1, 1, &row);
    assert(!fresh(w));
    send_ticker(w, ID, 1003);
    heal(w, ID, 1004 + HR_FEED_TICKER_LAG_MS, 2);
    assert(fresh(w));
    close_world(w);
}

static void test_events_that_a_snapshot_already_has_are_passed_over(void) {
    world *w = open_healed_world();
    heal(w, ID, 1010, 9); /* Ahead of its events: a fresh book takes it. */
    assert(fresh(w));
    const hr_sbe_change row = changed(HR_SBE_BID, 99, 1);
    send_book(w, ID, 1005, 5, 8, 1, 1, &row);
    assert(w->count == 0 && fresh(w));
    send_book(w, ID, 1011, 9, 10, 1, 1, &row);
    assert(told(w, HR_FEED_EVENT_TOP, ID)->bid_lots == 1);
    heal(w, ID, 1010, 9); /* Older than what is held. */
    assert(w->count == 0 && fresh(w));
    close_world(w);
}

static void test_a_change_in_parts_counts_when_its_last_part_is_there(void) {
    world *w = open_healed_world();
    const hr_sbe_change first = created(HR_SBE_BID, 100, 1);
    const hr_sbe_change second = created(HR_SBE_BID, 96, 1);
    send_book(w, ID, 1002, 5, 6, 0, 1, &first);
    assert(w->count == 0 && !fresh(w));
    send_book(w, ID, 1002, 5, 6, 1, 1, &second);
    assert(told(w, HR_FEED_EVENT_TOP, ID)->bid_ticks == 100 && fresh(w));
    send_book(w, ID, 1003, 6, 7, 0, 1, &(hr_sbe_change){TICK * 95, LOT, HR_SBE_BID, 0, {0}});
    send_book(w, ID, 1003, 6, 8, 1, 1, &(hr_sbe_change){TICK * 94, LOT, HR_SBE_BID, 0, {0}});
    assert(!fresh(w)); /* Not the change that was begun. */
    close_world(w);
}

static void test_a_half_applied_book_is_of_no_use_after_a_gap(void) {
    world *w = open_healed_world();
    const hr_sbe_change first = created(HR_SBE_BID, 100, 1);
    send_book(w, ID, 1002, 5, 6, 0, 1, &first);
    w->event_sequence += 1;
    send_ticker(w, OTHER_ID, 1003);
    send_book(w, ID, 1004, 6, 7, 1, 1, &(hr_sbe_change){TICK * 95, LOT, HR_SBE_BID, 0, {0}});
    assert(!fresh(w));
    heal(w, ID, 1005, 7);
    assert(fresh(w));
    close_world(w);
}

static void test_a_snapshot_in_parts_needs_every_part(void) {
    const hr_sbe_level bid = level(HR_SBE_BID, 50, 1);
    const hr_sbe_level ask = level(HR_SBE_ASK, 60, 1);
    for (int lost = 0; lost < 4; lost++) {
        world *w = open_healed_world();
        for (int part = 0; part < 3; part++) {
            add_snapshot(w, ID, 1010, 9, part == 2, part != 1, part == 0 ? &bid : &ask);
            if (part == lost) {
                w->snapshot_sequence += 1;
                w->bytes = HR_SBE_FRAME_BYTES;
            } else {
                flush(w, HR_FEED_SNAPSHOTS);
            }
        }
        hr_feed_book book;
        assert(hr_feed_book_get(w->feed, ID, &book) == HR_OK);
        assert(book.change_id == (lost == 3 ? 9 : 5));
        assert(book.bid_count == (lost == 3 ? 1 : 3));
        heal(w, ID, 1011, 12);
        assert(hr_feed_book_get(w->feed, ID, &book) == HR_OK && book.change_id == 12);
        close_world(w);
    }
}

static void test_snapshots_of_no_use_are_passed_over(void) {
    world *w = open_healed_world();
    const hr_sbe_level levels[] = {level(HR_SBE_BID, 50, 1), level(HR_SBE_BID, 50, 1)};
    add_snapshot(w, ID, 1010, 9, 1, 2, levels); /* A level twice. */
    hr_sbe_snapshot partial = {1010, 9, ID, 0, 1, {0}};
    add(w, HR_SBE_SNAPSHOT, &partial, levels, 1);
    add_snapshot(w, 999, 1010, 9, 1, 1, levels);
    add_snapshot(w, ID, 1010, 9, 0, 1, levels);
    add_snapshot(w, OTHER_ID, 1010, 9, 1, 1, levels); /* Another book in between. */
    flush(w, HR_FEED_SNAPSHOTS);
    assert(w->status == HR_OK && w->count == 0);
    hr_feed_book book;
    assert(hr_feed_book_get(w->feed, ID, &book) == HR_OK && book.change_id == 5);
    w->snapshot_sequence -= 1;
    heal(w, ID, 900, 12); /* Old. */
    assert(hr_feed_book_get(w->feed, ID, &book) == HR_OK && book.change_id == 5);
    const hr_sbe_level crossed[] = {level(HR_SBE_BID, 50, 1), level(HR_SBE_ASK, 50, 1)};
    const hr_sbe_snapshot_start start = {1};
    add(w, HR_SBE_SNAPSHOT_START, &start, NULL, 0);
    add_snapshot(w, ID, 1012, 13, 1, 2, crossed);
    flush(w, HR_FEED_SNAPSHOTS);
    assert(!fresh(w) && told(w, HR_FEED_EVENT_STALE, ID)->reason == HR_FEED_STALE_CROSSED);
    close_world(w);
}

static void test_levels_beyond_the_depth_are_forgotten_and_missed(void) {
    world *w = open_healed_world();
    hr_sbe_change rows[30];
    uint64_t id = 5;
    for (int32_t from = 10; from < 100 - 9; from += 30) { /* 10 to 99 without 97 to 99. */
        int32_t count = 0;
        for (int32_t ticks = from; ticks < from + 30 && ticks < 97; ticks++) {
            rows[count++] = created(HR_SBE_BID, ticks, 1);
        }
        send_book(w, ID, 1002, id, id + 1, 1, count, rows);
        id += 1;
    }
    hr_feed_book book;
    assert(hr_feed_book_get(w->feed, ID, &book) == HR_OK && book.bid_count == HR_FEED_DEPTH_MAX);
    assert(book.bids[63].price_ticks == 99 - 63);
    rows[0] = deleted(HR_SBE_BID, 20); /* Below what is kept: nothing to do. */
    rows[1] = created(HR_SBE_BID, 5, 1);
    send_book(w, ID, 1003, id, id + 1, 1, 2, rows);
    assert(fresh(w));
    id += 1;
    for (int32_t from = 36; from < 100; from += 16) {
        for (int32_t at = 0; at < 16; at++) {
            rows[at] = deleted(HR_SBE_BID, from + at);
        }
        send_book(w, ID, 1004, id, id + 1, 1, 16, rows);
        id += 1;
    }
    assert(!fresh(w) && told(w, HR_FEED_EVENT_STALE, ID)->reason == HR_FEED_STALE_DEPTH);
    close_world(w);
}

static void test_an_instrument_may_not_jump_channels_unnoticed(void) {
    world *w = open_healed_world();
    const hr_sbe_book book = {1005, 5, 6, ID, 1, {0}};
    const hr_sbe_change row = changed(HR_SBE_BID, 99, 1);
    add(w, HR_SBE_BOOK, &book, &row, 1);
    flush_on(w, HR_FEED_EVENTS, 3);
    assert(!fresh(w) && told(w, HR_FEED_EVENT_STALE, ID)->reason == HR_FEED_STALE_CHANNEL);
    close_world(w);
}

static void test_a_damaged_packet_counts_as_lost(void) {
    world *w = open_healed_world();
    const hr_sbe_book book = {1005, 5, 6, ID, 1, {0}};
    hr_sbe_change row = changed(HR_SBE_BID, 99, 1);
    add(w, HR_SBE_BOOK, &book, &row, 1);
    w->bytes -= 1;
    flush(w, HR_FEED_EVENTS);
    assert(w->status == HR_ERR_MALFORMED && !fresh(w));
    assert(told(w, HR_FEED_EVENT_STALE, OTHER_ID)->reason == HR_FEED_STALE_GAP);
    heal(w, ID, 1006, 6);
    assert(!fresh(w)); /* No event has dated the loss. */
    row.side = 2;
    send_book(w, OTHER_ID, 1007, 5, 6, 1, 1, &row);
    assert(w->status == HR_OK);
    heal(w, OTHER_ID, 1008, 6);
    send_book(w, OTHER_ID, 1009, 6, 7, 1, 1, &row);
    assert(w->status == HR_ERR_MALFORMED);
    assert(told(w, HR_FEED_EVENT_STALE, OTHER_ID)->reason == HR_FEED_STALE_CHANGE);
    row.side = HR_SBE_BID;
    send_book(w, OTHER_ID, 1010, 7, 8, 1, 1, &row);
    const hr_sbe_level odd = level(2, 50, 1);
    add_snapshot(w, OTHER_ID, 1010, 8, 1, 1, &odd);
    flush(w, HR_FEED_SNAPSHOTS);
    assert(w->status == HR_ERR_MALFORMED && counters(w).malformed_packets == 3);
    w->packet[0] = 99; /* A frame that lies. */
    int64_t count = -1;
    assert(hr_feed_on_packet(w->feed, 0, w->packet, 50, 0, w->events, HR_FEED_EVENTS_MAX, &count) ==
           HR_ERR_MALFORMED);
    assert(count == 0 && counters(w).malformed_packets == 4);
    close_world(w);
}

static void test_indexes_tickers_and_definitions_are_told(void) {
    world *w = open_healed_world();
    hr_sbe_price_index index = {90000.5, 1007, "btc_usd"};
    add(w, HR_SBE_PRICE_INDEX, &index, NULL, 0);
    index.price = NAN;
    add(w, HR_SBE_PRICE_INDEX, &index, NULL, 0);
    memcpy(index.index_name, "eth", 3);
    add(w, HR_SBE_PRICE_INDEX, &index, NULL, 0);
    flush_on(w, HR_FEED_EVENTS, 0);
    assert(w->count == 1 && w->events[0].kind == HR_FEED_EVENT_INDEX);
    assert(w->events[0].price > 90000.0 && w->events[0].venue_ms == 1007);
    assert(counters(w).unknown_messages == 2);
    send_ticker(w, ID, 1008);
    const hr_feed_event *ticker = told(w, HR_FEED_EVENT_TICKER, ID);
    assert(ticker && ticker->handle == 1 && ticker->state == HR_SBE_STATE_OPEN);
    assert(ticker->price_min < ticker->price && ticker->price < ticker->price_max);
    send_ticker(w, ID, 1007); /* Older than the last. */
    assert(w->count == 0);
    send_ticker(w, 999, 1009);
    assert(w->count == 0 && counters(w).unknown_messages == 3);
    hr_sbe_instrument definition = {.instrument_id = 999, .state = 1};
    add(w, HR_SBE_INSTRUMENT_V2, &definition, NULL, 0);
    definition.instrument_id = ID;
    add(w, HR_SBE_INSTRUMENT, &definition, NULL, 0);
    flush(w, HR_FEED_SNAPSHOTS);
    assert(w->count == 1 && w->events[0].kind == HR_FEED_EVENT_DEFINED);
    assert(w->events[0].instrument_id == 999 && w->events[0].handle == -1);
    assert(counters(w).events_heard_ns == 77 && counters(w).snapshots_heard_ns == 77);
    close_world(w);
}

static void test_what_does_not_belong_on_a_channel_is_passed_over(void) {
    world *w = open_healed_world();
    const hr_sbe_book book = {1005, 5, 6, ID, 1, {0}};
    const hr_sbe_change row = changed(HR_SBE_BID, 99, 1);
    add(w, HR_SBE_BOOK, &book, &row, 1);
    flush(w, HR_FEED_SNAPSHOTS);
    const hr_sbe_level bid = level(HR_SBE_BID, 50, 1);
    add_snapshot(w, ID, 1010, 9, 1, 1, &bid);
    flush(w, HR_FEED_EVENTS);
    assert(w->count == 0 && fresh(w) && counters(w).unknown_messages == 2);
    send_ticker(w, ID, 1011);
    flush_on(w, HR_FEED_SNAPSHOTS, 99); /* No snapshot channel's number. */
    assert(counters(w).unknown_messages == 3);
    const hr_sbe_rfq rfq = {1.0, 1000, ID, 1, 0, {0}};
    const hr_sbe_subject subject = {ID};
    add(w, HR_SBE_RFQ, &rfq, NULL, 0);
    add(w, HR_SBE_COMBO_LEGS, &subject, NULL, 0);
    flush(w, HR_FEED_EVENTS);
    assert(w->status == HR_OK && w->count == 0 && fresh(w));
    for (uint16_t channel = 200; channel < 300; channel++) {
        flush_on(w, HR_FEED_EVENTS, channel);
        assert(w->status == HR_OK);
        flush_on(w, HR_FEED_SNAPSHOTS, (uint16_t)(channel + 500));
    }
    assert(counters(w).unknown_messages > 3 && fresh(w));
    close_world(w);
}

int main(void) {
    test_changes_that_do_not_fit_make_stale();
    test_less_than_a_lot_still_rests();
    test_a_broken_chain_without_a_gap_doubts_the_channel();
    test_ids_that_go_back_while_time_goes_on_doubt_the_book();
    test_events_that_a_snapshot_already_has_are_passed_over();
    test_a_change_in_parts_counts_when_its_last_part_is_there();
    test_a_half_applied_book_is_of_no_use_after_a_gap();
    test_a_snapshot_in_parts_needs_every_part();
    test_snapshots_of_no_use_are_passed_over();
    test_levels_beyond_the_depth_are_forgotten_and_missed();
    test_an_instrument_may_not_jump_channels_unnoticed();
    test_a_damaged_packet_counts_as_lost();
    test_indexes_tickers_and_definitions_are_told();
    test_what_does_not_belong_on_a_channel_is_passed_over();
    return 0;
}
