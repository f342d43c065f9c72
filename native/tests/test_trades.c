/* Goal: a trade id is new once as long as it is among the last HR_TRADES_MAX. */
#include "hr_trades.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 1;

static uint64_t next_random(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state;
}

static hr_trades *open_trades(void) {
    hr_trades *trades = NULL;
    void *memory = aligned_alloc(64, (size_t)hr_trades_size());
    assert(hr_trades_init(memory, hr_trades_size(), &trades) == HR_OK);
    return trades;
}

static void test_bad_arguments_are_refused(void) {
    hr_trades *trades = NULL;
    unsigned char *memory = aligned_alloc(64, (size_t)hr_trades_size() + 64);
    assert(hr_trades_init(NULL, hr_trades_size(), &trades) == HR_ERR_ARGUMENT);
    assert(hr_trades_init(memory + 8, hr_trades_size(), &trades) == HR_ERR_ARGUMENT);
    assert(hr_trades_init(memory, hr_trades_size() - 1, &trades) == HR_ERR_ARGUMENT);
    assert(hr_trades_init(memory, hr_trades_size(), NULL) == HR_ERR_ARGUMENT);
    free(memory);
}

static void test_the_last_ones_are_known_and_older_ones_forgotten(void) {
    hr_trades *trades = open_trades();
    static uint64_t ids[3 * HR_TRADES_MAX];
    for (int64_t i = 0; i < 3 * HR_TRADES_MAX; i++) {
        /* A third crowd into a few places of the table, to try the filling of holes. */
        ids[i] = i % 3 == 0 ? (uint64_t)i << 40 | 1 : next_random();
        assert(hr_trades_add(trades, ids[i]) == 1);
        assert(hr_trades_add(trades, ids[i]) == 0);
        const int64_t oldest = i - HR_TRADES_MAX + 1;
        if (oldest > 0) {
            assert(hr_trades_has(trades, ids[oldest]) == 1);
            assert(hr_trades_has(trades, ids[oldest - 1]) == 0);
        }
    }
    for (int64_t i = 2 * HR_TRADES_MAX; i < 3 * HR_TRADES_MAX; i++) {
        assert(hr_trades_has(trades, ids[i]) == 1);
    }
    free(trades);
}

static void test_a_hash_of_zero_counts_once(void) {
    hr_trades *trades = open_trades();
    assert(hr_trades_has(trades, 0) == 0);
    assert(hr_trades_add(trades, 0) == 1);
    assert(hr_trades_add(trades, 0) == 0);
    free(trades);
}

int main(void) {
    test_bad_arguments_are_refused();
    test_the_last_ones_are_known_and_older_ones_forgotten();
    test_a_hash_of_zero_counts_once();
    printf("trades: ok\n");
    return 0;
}
