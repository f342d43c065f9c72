/* Goal: books follow their messages, and every reason to doubt a book makes it stale until it is
 * proved right again. */
#undef NDEBUG
#include "feed_fixture.h"

#include <math.h>
#include <stdlib.h>

static void test_bad_arguments_are_refused(void) {
    world *w = open_world();
    hr_feed *none = NULL;
    uint8_t *memory = aligned_alloc(64, (size_t)hr_feed_size() + 64);
    assert(hr_feed_init(NULL, hr_feed_size(), &none) == HR_ERR_ARGUMENT);
    assert(hr_feed_init(memory + 8, hr_feed_size(), &none) == HR_ERR_ARGUMENT);
    assert(hr_feed_init(memory, hr_feed_size() - 1, &none) == HR_ERR_ARGUMENT);
    assert(hr_feed_init(memory, hr_feed_size(), NULL) == HR_ERR_ARGUMENT);
    memset(memory, 0, 64);
    hr_feed *raw = (hr_feed *)(void *)memory;
    hr_feed_instrument good = {0.0005, 0.1, 9, 1};
    hr_feed_counters counters;
    hr_feed_book book;
    int64_t count = 0;
    assert(hr_feed_add(raw, &good) == HR_ERR_MAGIC);
    assert(hr_feed_add(NULL, &good) == HR_ERR_MAGIC);
    assert(hr_feed_remove(raw, 9) == HR_ERR_MAGIC);
    assert(hr_feed_add_index(raw, "x", 0) == HR_ERR_MAGIC);
    assert(hr_feed_is_fresh(raw, 9) == 0);
    assert(hr_feed_book_get(raw, 9, &book) == HR_ERR_MAGIC);
    assert(hr_feed_counters_get(raw, &counters) == HR_ERR_MAGIC);
    assert(hr_feed_on_packet(raw, 0, memory, 8, 0, w->events, HR_FEED_EVENTS_MAX, &count) ==
           HR_ERR_MAGIC);
    const hr_feed_instrument bad[] = {
        {0.0, 0.1, 9, 1}, {NAN, 0.1, 9, 1}, {0.5, 0.0, 9, 1}, {0.5, 1e10, 9, 1}, {0.5, 0.1, 9, -1},
    };
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        assert(hr_feed_add(w->feed, &bad[at]) == HR_ERR_ARGUMENT);
    }
    assert(hr_feed_add(w->feed, NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_add_index(w->feed, NULL, 0) == HR_ERR_ARGUMENT);
    assert(hr_feed_add_index(w->feed, "", 0) == HR_ERR_ARGUMENT);
    assert(hr_feed_add_index(w->feed, "seventeen_letters", 0) == HR_ERR_ARGUMENT);
    assert(hr_feed_add_index(w->feed, "btc_usd", -1) == HR_ERR_ARGUMENT);
    assert(hr_feed_book_get(w->feed, ID, NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_book_get(w->feed, 12345, &book) == HR_ERR_NOT_FOUND);
    assert(hr_feed_counters_get(w->feed, NULL) == HR_ERR_ARGUMENT);
    const int64_t full = HR_FEED_EVENTS_MAX;
    assert(hr_feed_on_packet(w->feed, 2, memory, 8, 0, w->events, full, &count) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(w->feed, 0, NULL, 8, 0, w->events, full, &count) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(w->feed, 0, memory, 8, 0, NULL, full, &count) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(w->feed, 0, memory, 8, 0, w->events, full, NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(w->feed, 0, memory, 8, 0, w->events, full - 1, &count) ==
           HR_ERR_ARGUMENT);
    free(memory);
    close_world(w);
}

static void test_the_table_fills_up_empties_and_finds(void) {
    world *w = open_world();
    assert(hr_feed_remove(w->feed, 12345) == HR_ERR_NOT_FOUND);
    for (uint32_t at = 2; at < HR_FEED_INSTRUMENTS_MAX; at++) {
        const hr_feed_instrument instrument = {0.5, 1.0, 1000 + at * 7919, (int32_t)at};
        assert(hr_feed_add(w->feed, &instrument) == HR_OK);
    }
    const hr_feed_instrument more = {0.5, 1.0, 3, 1};
    assert(hr_feed_add(w->feed, &more) == HR_ERR_FULL);
    hr_feed_book book;
    for (uint32_t at = 2; at < HR_FEED_INSTRUMENTS_MAX; at += 2) {
        assert(hr_feed_remove(w->feed, 1000 + at * 7919) == HR_OK);
    }
    for (uint32_t at = 2; at < HR_FEED_INSTRUMENTS_MAX; at++) {
        const hr_status status = hr_feed_book_get(w->feed, 1000 + at * 7919, &book);
        assert(status == (at % 2 == 0 ? HR_ERR_NOT_FOUND : HR_ERR_STALE));
    }
    assert(hr_feed_add(w->feed, &more) == HR_OK && hr_feed_add(w->feed, &more) == HR_OK);
    char name[3] = "a";
    for (int32_t at = 1; at < HR_FEED_INDEXES_MAX; at++) {
        name[0] = (char)('a' + at);
        assert(hr_feed_add_index(w->feed, name, at) == HR_OK);
    }
    assert(hr_feed_add_index(w->feed, "one_too_many", 0) == HR_ERR_FULL);
    assert(hr_feed_add_index(w->feed, "btc_usd", 1) == HR_OK);
    close_world(w);
}

static void test_a_snapshot_after_the_join_heals_and_books_follow(void) {
    world *w = open_world();
    send_book(w, ID, 1000, 4, 5, 1, 1, (hr_sbe_change[]){created(HR_SBE_BID, 90, 3)});
    assert(!hr_feed_is_fresh(w->feed, ID)); /* What rested before is not known. */
    heal(w, ID, 1001, 5);
    assert(told(w, HR_FEED_EVENT_HEALED, ID) && hr_feed_is_fresh(w->feed, ID));
    assert(w->events[0].bid_ticks == 99 && w->events[0].bid_lots == 10);
    assert(w->events[0].ask_ticks == 101 && w->events[0].ask_lots == 20);
    send_book(w, ID, 1002, 5, 8, 1, 2,
              (hr_sbe_change[]){created(HR_SBE_BID, 100, 7), deleted(HR_SBE_ASK, 101)});
    const hr_feed_event *top = told(w, HR_FEED_EVENT_TOP, ID);
    assert(top && top->bid_ticks == 100 && top->bid_lots == 7 && top->change_id == 8);
    assert(top->ask_ticks == 102 && top->ask_lots == 30 && top->venue_ms == 1002);
    send_book(w, ID, 1003, 8, 9, 1, 1, (hr_sbe_change[]){created(HR_SBE_BID, 50, 1)});
    assert(w->count == 0); /* Not at the top. */
    hr_feed_book book;
    assert(hr_feed_book_get(w->feed, ID, &book) == HR_OK && book.change_id == 9);
    assert(book.bid_count == 5 && book.ask_count == 1 && book.bids[4].price_ticks == 50);
    close_world(w);
}

static void test_a_gap_doubts_its_channel_and_the_chain_clears_one_book(void) {
    world *w = open_healed_world();
    w->event_sequence += 1; /* A packet is lost. */
    send_ticker(w, OTHER_ID, 1003);
    assert(told(w, HR_FEED_EVENT_STALE, ID)->reason == HR_FEED_STALE_GAP);
    assert(told(w, HR_FEED_EVENT_STALE, OTHER_ID) != NULL);
    send_book(w, ID, 1004, 5, 6, 1, 1, (hr_sbe_change[]){changed(HR_SBE_BID, 99, 1)});
    assert(told(w, HR_FEED_EVENT_HEALED, ID) && hr_feed_is_fresh(w->feed, ID));
    assert(!hr_feed_is_fresh(w->feed, OTHER_ID));
    hr_feed_counters counters;
    assert(hr_feed_counters_get(w->feed, &counters) == HR_OK);
    assert(counters.gaps == 1 && counters.lost_packets == 1 && counters.stales == 2);
    close_world(w);
}

static void test_the_first_message_after_a_gap_may_be_the_end_of_a_change(void) {
    world *w = open_healed_world();
    w->event_sequence += 1; /* The first part of 5 to 6. */
    send_book(w, ID, 1004, 5, 6, 1, 1, (hr_sbe_change[]){changed(HR_SBE_BID, 99, 1)});
    assert(!hr_feed_is_fresh(w->feed, ID));
    send_book(w, ID, 1005, 6, 7, 1, 1, (hr_sbe_change[]){changed(HR_SBE_BID, 99, 2)});
    assert(!hr_feed_is_fresh(w->feed, ID));
    heal(w, ID, 1006, 7); /* Seen since the gap: the ids prove it. */
    assert(hr_feed_is_fresh(w->feed, ID));
    close_world(w);
}

static void test_a_quiet_book_is_healed_by_a_snapshot_taken_after_the_gap_only(void) {
    world *w = open_healed_world();
    w->event_sequence += 1;
    send_book(w, OTHER_ID, 1010, 5, 6, 1, 1, (hr_sbe_change[]){changed(HR_SBE_BID, 99, 1)});
    heal(w, ID, 1010, 5); /* Taken when the packet that told the gap was sent: may be before. */
    assert(!hr_feed_is_fresh(w->feed, ID));
    heal(w, ID, 1011, 5);
    assert(hr_feed_is_fresh(w->feed, ID));
    close_world(w);
}

static void test_a_ticker_dates_a_gap_late(void) {
    world *w = open_healed_world();
    w->event_sequence += 1;
    send_ticker(w, OTHER_ID, 1010); /* Sent up to its lag later. */
    heal(w, ID, 1010 + HR_FEED_TICKER_LAG_MS, 5);
    assert(!hr_feed_is_fresh(w->feed, ID));
    heal(w, ID, 1011 + HR_FEED_TICKER_LAG_MS, 5);
    assert(hr_feed_is_fresh(w->feed, ID));
    close_world(w);
}

static void test_a_trade_dates_a_gap(void) {
    world *w = open_healed_world();
    w->event_sequence += 1;
    const hr_sbe_subject subject = {ID};
    const hr_sbe_trade trade = {.price = 0.05, .amount = 0.1, .timestamp_ms = 1010};
    add(w, HR_SBE_TRADES, &subject, &trade, 1);
    flush(w, HR_FEED_EVENTS);
    heal(w, ID, 1010, 5);
    assert(!hr_feed_is_fresh(w->feed, ID));
    heal(w, ID, 1011, 5);
    assert(hr_feed_is_fresh(w->feed, ID));
    add(w, HR_SBE_TRADES, &subject, NULL, 0);
    flush(w, HR_FEED_EVENTS);
    close_world(w);
}

static void test_old_and_doubled_packets_are_dropped(void) {
    world *w = open_healed_world();
    send_book(w, ID, 1004, 5, 6, 1, 1, (hr_sbe_change[]){changed(HR_SBE_BID, 99, 1)});
    w->event_sequence -= 1;
    send_book(w, ID, 1004, 5, 6, 1, 1, (hr_sbe_change[]){changed(HR_SBE_BID, 99, 1)});
    assert(w->count == 0 && hr_feed_is_fresh(w->feed, ID));
    hr_feed_counters counters;
    assert(hr_feed_counters_get(w->feed, &counters) == HR_OK && counters.old_packets == 1);
    close_world(w);
}

static void test_numbers_wrap(void) {
    world *w = open_world();
    w->event_sequence = 0xffffffff;
    send_ticker(w, ID, 1000);
    heal(w, ID, 4000, 5);
    assert(hr_feed_is_fresh(w->feed, ID));
    send_book(w, ID, 4001, 5, 6, 1, 1, (hr_sbe_change[]){changed(HR_SBE_BID, 99, 1)});
    assert(w->event_sequence == 1 && hr_feed_is_fresh(w->feed, ID));
    close_world(w);
}

static void test_a_venue_that_counts_anew_is_noticed(void) {
    world *w = open_healed_world();
    w->event_sequence = 500;
    send_ticker(w, ID, 1001);
    w->event_sequence = 1;
    send_ticker(w, ID, 6000); /* Old by its number, newer by its time. */
    hr_feed_counters counters;
    assert(hr_feed_counters_get(w->feed, &counters) == HR_OK && counters.resets == 1);
    heal(w, ID, 6001 + HR_FEED_TICKER_LAG_MS, 2); /* A lower id than before. */
    assert(hr_feed_is_fresh(w->feed, ID));
    w->event_sequence = 0x40000000;
    send_ticker(w, ID, 6002);
    assert(!hr_feed_is_fresh(w->feed, ID));
    w->event_sequence = 7; /* Too far back to be late, whatever its time. */
    send_ticker(w, ID, 10);
    assert(hr_feed_counters_get(w->feed, &counters) == HR_OK && counters.resets == 2);
    close_world(w);
}

static void test_a_long_run_of_old_packets_is_a_new_beginning(void) {
    world *w = open_healed_world();
    w->event_sequence = 500;
    send_ticker(w, ID, 5000);
    w->event_sequence = 10;
    hr_feed_counters counters;
    for (int at = 0; at < 16; at++) {
        assert(hr_feed_counters_get(w->feed, &counters) == HR_OK && counters.resets == 0);
        flush(w, HR_FEED_EVENTS); /* Without a time. */
    }
    assert(hr_feed_counters_get(w->feed, &counters) == HR_OK && counters.resets == 1);
    close_world(w);
}

int main(void) {
    test_bad_arguments_are_refused();
    test_the_table_fills_up_empties_and_finds();
    test_a_snapshot_after_the_join_heals_and_books_follow();
    test_a_gap_doubts_its_channel_and_the_chain_clears_one_book();
    test_the_first_message_after_a_gap_may_be_the_end_of_a_change();
    test_a_quiet_book_is_healed_by_a_snapshot_taken_after_the_gap_only();
    test_a_ticker_dates_a_gap_late();
    test_a_trade_dates_a_gap();
    test_old_and_doubled_packets_are_dropped();
    test_numbers_wrap();
    test_a_venue_that_counts_anew_is_noticed();
    test_a_long_run_of_old_packets_is_a_new_beginning();
    return 0;
}
