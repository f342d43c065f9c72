/* Goal: the matching book keeps price-time priority, refuses cleanly and never runs out of bounds.
 */
#undef NDEBUG
#include "hr_book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { INSTRUMENTS = 3, ORDERS = 8, OWNERS = 4, GROUPS = 3, EVENTS = 16 };

static const hr_book_params small = {INSTRUMENTS, ORDERS, OWNERS, GROUPS, EVENTS, 0};

static hr_book *fresh(const hr_book_params *params) {
    const int64_t bytes = hr_book_size(params);
    void *memory = aligned_alloc(64, (size_t)bytes);
    hr_book *book = NULL;
    assert(hr_book_init(memory, bytes, params, &book) == HR_OK);
    return book;
}

static hr_status place(hr_book *book, int32_t owner, int32_t side, int64_t price, int64_t lots,
                       hr_book_result *result) {
    const hr_book_request request = {price, lots, 0, owner, side, HR_BOOK_GTC, 0, 0};
    return hr_book_submit(book, &request, result);
}

static int64_t best_bid(const hr_book *book) {
    int64_t table[4][INSTRUMENTS];
    assert(hr_book_best(book, INSTRUMENTS, table[0], table[1], table[2], table[3]) == HR_OK);
    return table[0][0];
}

static void test_capacities_out_of_range_have_no_size(void) {
    const hr_book_params bad[] = {
        {0, ORDERS, OWNERS, GROUPS, EVENTS, 0},      {INSTRUMENTS, 0, OWNERS, GROUPS, EVENTS, 0},
        {INSTRUMENTS, ORDERS, 0, GROUPS, EVENTS, 0}, {INSTRUMENTS, ORDERS, OWNERS, -1, EVENTS, 0},
        {INSTRUMENTS, ORDERS, OWNERS, GROUPS, 0, 0}, {INSTRUMENTS, 1 << 20, OWNERS, GROUPS, 1, 0},
    };
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        assert(hr_book_size(&bad[at]) == 0);
    }
    assert(hr_book_size(NULL) == 0);
}

static void test_bad_memory_is_refused(void) {
    const int64_t bytes = hr_book_size(&small);
    char *memory = aligned_alloc(64, (size_t)bytes + 64);
    hr_book *book = NULL;
    hr_book_result result;
    assert(hr_book_init(memory + 8, bytes, &small, &book) == HR_ERR_ARGUMENT);
    assert(hr_book_init(memory, bytes - 1, &small, &book) == HR_ERR_ARGUMENT);
    assert(hr_book_init(NULL, bytes, &small, &book) == HR_ERR_ARGUMENT);
    memset(memory, 0, (size_t)bytes);
    assert(place((hr_book *)(void *)memory, 0, HR_BOOK_BUY, 1, 1, &result) == HR_ERR_MAGIC);
    free(memory);
}

static void test_bad_requests_are_refused(void) {
    hr_book *book = fresh(&small);
    hr_book_result result;
    const hr_book_request bad[] = {
        {0, 1, 0, 0, 0, 0, 0, 0},
        {1, 0, 0, 0, 0, 0, 0, 0},
        {1, 1, INSTRUMENTS, 0, 0, 0, 0, 0},
        {1, 1, -1, 0, 0, 0, 0, 0},
        {1, 1, 0, OWNERS, 0, 0, 0, 0},
        {1, 1, 0, 0, 2, 0, 0, 0},
        {1, 1, 0, 0, 0, 3, 0, 0},
        {HR_BOOK_PRICE_TICKS_MAX + 1, 1, 0, 0, 0, 0, 0, 0},
        {1, HR_BOOK_LOTS_MAX + 1, 0, 0, 0, 0, 0, 0},
    };
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        assert(hr_book_submit(book, &bad[at], &result) == HR_ERR_ARGUMENT);
    }
    assert(hr_book_cancel(book, 1, NULL) == HR_ERR_NOT_FOUND);
    assert(hr_book_cancel(book, -1, NULL) == HR_ERR_NOT_FOUND);
    assert(hr_book_amend(book, INT64_MAX, 1, 1, 0, &result) == HR_ERR_NOT_FOUND);
    free(book);
}

static void test_first_come_is_first_served(void) {
    hr_book *book = fresh(&small);
    hr_book_result first;
    hr_book_result second;
    hr_book_result taker;
    assert(place(book, 0, HR_BOOK_BUY, 10, 5, &first) == HR_OK);
    assert(place(book, 1, HR_BOOK_BUY, 10, 5, &second) == HR_OK);
    assert(place(book, 2, HR_BOOK_SELL, 9, 7, &taker) == HR_OK);
    assert(taker.filled_lots == 7 && taker.resting_lots == 0);
    hr_book_event events[EVENTS];
    int64_t count = 0;
    assert(hr_book_drain_events(book, events, EVENTS, &count) == HR_OK);
    assert(count == 2);
    assert(events[0].maker_order_id == first.order_id && events[0].lots == 5);
    assert(events[0].price_ticks == 10 && events[0].taker_remaining_lots == 2);
    assert(events[1].maker_order_id == second.order_id && events[1].lots == 2);
    assert(events[1].maker_remaining_lots == 3);
    free(book);
}

static void test_a_full_book_refuses_and_stays_as_it_was(void) {
    hr_book *book = fresh(&small);
    hr_book_result result;
    for (int64_t price = 1; price <= ORDERS; price++) {
        assert(place(book, 0, HR_BOOK_BUY, price, 1, &result) == HR_OK);
    }
    assert(place(book, 0, HR_BOOK_BUY, 100, 1, &result) == HR_ERR_FULL);
    assert(best_bid(book) == ORDERS);
    assert(hr_book_cancel(book, result.order_id, NULL) == HR_OK);
    assert(hr_book_cancel(book, result.order_id, NULL) == HR_ERR_NOT_FOUND);
    assert(place(book, 0, HR_BOOK_BUY, 100, 1, &result) == HR_OK);
    hr_book_order orders[ORDERS];
    int64_t count = 0;
    assert(hr_book_owner_orders(book, 0, orders, ORDERS - 1, &count) == HR_ERR_FULL);
    assert(hr_book_cancel_owner(book, 0, HR_BOOK_ANY, HR_BOOK_ANY, orders, 1, &count) ==
           HR_ERR_FULL);
    assert(hr_book_cancel_owner(book, 0, 1, HR_BOOK_ANY, NULL, 0, &count) == HR_OK);
    assert(count == 0);
    assert(hr_book_cancel_owner(book, 0, HR_BOOK_ANY, HR_BOOK_ANY, orders, ORDERS, &count) ==
           HR_OK);
    assert(count == ORDERS && best_bid(book) == 0);
    free(book);
}

static void test_undrained_events_refuse_the_next_match(void) {
    const hr_book_params params = {1, 4, 2, 0, 1, 0};
    hr_book *book = fresh(&params);
    hr_book_result result;
    assert(place(book, 0, HR_BOOK_BUY, 5, 1, &result) == HR_OK);
    assert(place(book, 0, HR_BOOK_BUY, 4, 1, &result) == HR_OK);
    assert(place(book, 1, HR_BOOK_SELL, 5, 1, &result) == HR_ERR_FULL);
    assert(hr_book_cancel(book, result.order_id, NULL) == HR_OK);
    assert(place(book, 1, HR_BOOK_SELL, 5, 1, &result) == HR_OK);
    assert(place(book, 1, HR_BOOK_BUY, 4, 1, &result) == HR_OK);
    assert(place(book, 0, HR_BOOK_SELL, 4, 1, &result) == HR_ERR_FULL);
    free(book);
}

static void test_fill_or_kill_leaves_own_orders_out(void) {
    hr_book *book = fresh(&small);
    hr_book_result result;
    assert(place(book, 0, HR_BOOK_SELL, 10, 3, &result) == HR_OK);
    assert(place(book, 1, HR_BOOK_SELL, 10, 3, &result) == HR_OK);
    hr_book_request request = {10, 4, 0, 1, HR_BOOK_BUY, HR_BOOK_FOK, 0, 0};
    assert(hr_book_submit(book, &request, &result) == HR_ERR_NOT_FILLABLE);
    request.lots = 3;
    assert(hr_book_submit(book, &request, &result) == HR_OK);
    assert(result.filled_lots == 3);
    free(book);
}

static void test_own_resting_order_is_taken_away_not_traded(void) {
    hr_book *book = fresh(&small);
    hr_book_result resting;
    hr_book_result result;
    assert(place(book, 0, HR_BOOK_SELL, 10, 3, &resting) == HR_OK);
    assert(place(book, 0, HR_BOOK_BUY, 10, 2, &result) == HR_OK);
    assert(result.filled_lots == 0 && result.resting_lots == 2);
    assert(hr_book_cancel(book, resting.order_id, NULL) == HR_ERR_NOT_FOUND);
    hr_book_event event;
    int64_t count = 0;
    assert(hr_book_drain_events(book, &event, 1, &count) == HR_OK);
    assert(count == 1 && event.kind == HR_BOOK_SELF_CANCEL && event.lots == 3);
    free(book);
}

static void test_post_only_never_trades(void) {
    hr_book *book = fresh(&small);
    hr_book_result result;
    assert(place(book, 0, HR_BOOK_SELL, 10, 3, &result) == HR_OK);
    const hr_book_request request = {10, 1, 0, 1, HR_BOOK_BUY, HR_BOOK_GTC, 1, 0};
    assert(hr_book_submit(book, &request, &result) == HR_ERR_WOULD_CROSS);
    assert(place(book, 1, HR_BOOK_BUY, 9, 1, &result) == HR_OK);
    assert(hr_book_amend(book, result.order_id, 10, 1, 1, &result) == HR_ERR_WOULD_CROSS);
    assert(best_bid(book) == 9);
    free(book);
}

static void test_a_quote_moves_up_past_its_own_old_ask(void) {
    hr_book *book = fresh(&small);
    hr_book_quote quote = {10, 1, 12, 1, 0, 0};
    hr_book_quote_result result;
    assert(hr_book_quote_batch(book, 0, 0, 1, &quote, 1, &result) == HR_OK);
    assert(result.bid_status == HR_OK && result.ask_status == HR_OK);
    quote = (hr_book_quote){15, 1, 17, 1, 0, 0};
    assert(hr_book_quote_batch(book, 0, 0, 1, &quote, 1, &result) == HR_OK);
    assert(result.bid_status == HR_OK && result.ask_status == HR_OK && best_bid(book) == 15);
    quote = (hr_book_quote){5, 1, 7, 1, 0, 0};
    assert(hr_book_quote_batch(book, 0, 0, 1, &quote, 1, &result) == HR_OK);
    assert(result.bid_status == HR_OK && result.ask_status == HR_OK && best_bid(book) == 5);
    assert(hr_book_quote_batch(book, 1, 0, 1, &quote, 1, &result) == HR_ERR_ARGUMENT);
    free(book);
}

static void test_a_smaller_quote_keeps_its_place_and_the_same_again_loses_it(void) {
    hr_book *book = fresh(&small);
    const hr_book_quote large = {10, 5, 20, 5, 0, 0};
    const hr_book_quote less = {10, 4, 20, -1, 0, 0};
    hr_book_event event;
    hr_book_result result;
    int64_t count = 0;
    assert(hr_book_quote_batch(book, 0, 0, 1, &large, 1, NULL) == HR_OK);
    assert(hr_book_quote_batch(book, 1, 1, 1, &large, 1, NULL) == HR_OK);
    assert(hr_book_quote_batch(book, 0, 0, 1, &less, 1, NULL) == HR_OK);
    assert(place(book, 2, HR_BOOK_SELL, 10, 1, &result) == HR_OK);
    assert(hr_book_drain_events(book, &event, 1, &count) == HR_OK);
    assert(event.maker_owner == 0 && event.maker_remaining_lots == 3 && event.maker_group == 0);
    const hr_book_quote same = {10, 3, 20, 5, 0, 0};
    assert(hr_book_quote_batch(book, 0, 0, 1, &same, 1, NULL) == HR_OK);
    assert(place(book, 2, HR_BOOK_SELL, 10, 1, &result) == HR_OK);
    assert(hr_book_drain_events(book, &event, 1, &count) == HR_OK);
    assert(event.maker_owner == 1);
    free(book);
}

static void test_a_refused_quote_leaves_no_quote(void) {
    hr_book *book = fresh(&small);
    hr_book_result result;
    hr_book_quote_result answer;
    hr_book_quote quote = {10, 5, 20, 5, 0, 0};
    assert(hr_book_quote_batch(book, 0, 0, 1, &quote, 1, NULL) == HR_OK);
    assert(place(book, 1, HR_BOOK_SELL, 15, 1, &result) == HR_OK);
    quote.bid_ticks = 15;
    assert(hr_book_quote_batch(book, 0, 0, 1, &quote, 1, &answer) == HR_OK);
    assert(answer.bid_status == HR_ERR_WOULD_CROSS && answer.ask_status == HR_OK);
    assert(best_bid(book) == 0);
    free(book);
}

static void test_dirty_instruments_are_told_once(void) {
    hr_book *book = fresh(&small);
    hr_book_result result;
    int32_t dirty[INSTRUMENTS];
    int64_t count = 0;
    hr_book_request request = {10, 1, 2, 0, HR_BOOK_BUY, HR_BOOK_GTC, 0, 0};
    assert(hr_book_submit(book, &request, &result) == HR_OK);
    request.instrument = 0;
    assert(hr_book_submit(book, &request, &result) == HR_OK);
    assert(hr_book_submit(book, &request, &result) == HR_OK);
    assert(hr_book_change_sequence(book) == 3 && hr_book_change_sequence(NULL) == -1);
    assert(hr_book_drain_dirty(book, dirty, &count) == HR_OK);
    assert(count == 2 && dirty[0] == 2 && dirty[1] == 0);
    assert(hr_book_drain_dirty(book, dirty, &count) == HR_OK);
    assert(count == 0);
    hr_book_level levels[2][4];
    int64_t change_id = 0;
    assert(hr_book_levels(book, dirty, 1, 4, levels[0], &change_id) == HR_OK);
    free(book);
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Sums of levels equal sums of orders, and no book stays crossed, whatever comes. */
static void test_random_traffic_keeps_the_sums(uint64_t seed) {
    const hr_book_params params = {2, 64, OWNERS, GROUPS, 128, 0};
    hr_book *book = fresh(&params);
    uint64_t state = seed;
    hr_book_event events[128];
    int64_t ids[256] = {0};
    for (int step = 0; step < 20000; step++) {
        hr_book_result result = {0, 0, 0};
        const uint64_t draw = next_random(&state) % 10;
        const int64_t price = 1 + (int64_t)(next_random(&state) % 12);
        const int64_t lots = 1 + (int64_t)(next_random(&state) % 5);
        const int32_t owner = (int32_t)(next_random(&state) % OWNERS);
        const int32_t instrument = (int32_t)(next_random(&state) % 2);
        const int64_t id = ids[next_random(&state) % 256];
        int64_t count = 0;
        if (draw < 4) {
            const hr_book_request request = {price,
                                             lots,
                                             instrument,
                                             owner,
                                             (int32_t)(draw % 2),
                                             (int32_t)(next_random(&state) % 3),
                                             draw == 3,
                                             0};
            (void)hr_book_submit(book, &request, &result);
            ids[step % 256] = result.order_id;
        } else if (draw < 6) {
            const hr_book_quote quote = {price, lots - 1, price + 2, lots - 2, instrument, 0};
            (void)hr_book_quote_batch(book, owner, owner % GROUPS, draw == 5, &quote, 1, NULL);
        } else if (draw < 8) {
            (void)hr_book_amend(book, id, price, lots, draw == 7, &result);
        } else if (draw == 8) {
            (void)hr_book_cancel(book, id, NULL);
        } else if (step % 50 == 0) {
            assert(hr_book_cancel_owner(book, owner, instrument, HR_BOOK_ANY, NULL, 0, &count) ==
                   HR_OK);
        }
        assert(hr_book_drain_events(book, events, 128, &count) == HR_OK);
        int64_t in_orders = 0;
        int64_t in_levels = 0;
        for (int32_t each = 0; each < OWNERS; each++) {
            hr_book_order orders[64];
            assert(hr_book_owner_orders(book, each, orders, 64, &count) == HR_OK);
            for (int64_t at = 0; at < count; at++) {
                in_orders += orders[at].lots;
            }
        }
        const int32_t all[2] = {0, 1};
        hr_book_level levels[2][2][16];
        int64_t change_ids[2];
        assert(hr_book_levels(book, all, 2, 16, &levels[0][0][0], change_ids) == HR_OK);
        for (int at = 0; at < 2 * 2 * 16; at++) {
            in_levels += (&levels[0][0][0])[at].lots;
        }
        assert(in_orders == in_levels);
        for (int at = 0; at < 2; at++) {
            assert(levels[at][0][0].lots == 0 || levels[at][1][0].lots == 0 ||
                   levels[at][0][0].price_ticks < levels[at][1][0].price_ticks);
        }
    }
    free(book);
}

int main(void) {
    test_capacities_out_of_range_have_no_size();
    test_bad_memory_is_refused();
    test_bad_requests_are_refused();
    test_first_come_is_first_served();
    test_a_full_book_refuses_and_stays_as_it_was();
    test_undrained_events_refuse_the_next_match();
    test_fill_or_kill_leaves_own_orders_out();
    test_own_resting_order_is_taken_away_not_traded();
    test_post_only_never_trades();
    test_a_quote_moves_up_past_its_own_old_ask();
    test_a_smaller_quote_keeps_its_place_and_the_same_again_loses_it();
    test_a_refused_quote_leaves_no_quote();
    test_dirty_instruments_are_told_once();
    test_random_traffic_keeps_the_sums(1);
    test_random_traffic_keeps_the_sums(2);
    return 0;
}
