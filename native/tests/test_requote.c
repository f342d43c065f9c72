/* Goal: only quotes that should move are sent, on the grid, outward, and off the other side. */
#undef NDEBUG
#include "hr_requote.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { ROWS = 4 };

typedef struct {
    double bid[ROWS];
    double ask[ROWS];
    int64_t lots[ROWS];
    int32_t instruments[ROWS];
    int64_t state[4][ROWS];
    int64_t best[4][ROWS];
    hr_book_quote quotes[ROWS];
    int64_t rows[ROWS];
    int64_t count;
} scene;

static const hr_requote_grid option_grid = {50, 5, 0.2, 1.35};

static hr_status play(scene *at, int64_t count) {
    const hr_requote_maker maker = {at->bid,      at->ask,      at->lots,     at->instruments,
                                    at->state[0], at->state[1], at->state[2], at->state[3]};
    const hr_requote_best best = {at->best[0], at->best[1], at->best[2], at->best[3], ROWS};
    return hr_requote(&option_grid, &maker, count, &best, at->quotes, at->rows, &at->count);
}

static scene one(double bid, double ask) {
    scene at;
    memset(&at, 0, sizeof at);
    at.bid[0] = bid;
    at.ask[0] = ask;
    at.lots[0] = 9;
    return at;
}

static void test_prices_are_rounded_outward_on_both_grids(void) {
    scene at = one(12.9, 14.1);
    assert(play(&at, 1) == HR_OK && at.count == 1);
    assert(at.quotes[0].bid_ticks == 12 && at.quotes[0].ask_ticks == 15);
    at = one(64.9, 66.0);
    assert(play(&at, 1) == HR_OK);
    assert(at.quotes[0].bid_ticks == 60 && at.quotes[0].ask_ticks == 70);
    at = one(50.9, 50.1);
    assert(play(&at, 1) == HR_OK);
    assert(at.quotes[0].bid_ticks == 50 && at.quotes[0].ask_ticks == 55);
}

static void test_a_quote_moves_only_when_it_is_a_step_away(void) {
    scene at = one(12.5, 14.5);
    assert(play(&at, 1) == HR_OK && at.count == 1);
    at.bid[0] = 11.9;
    at.ask[0] = 15.1;
    assert(play(&at, 1) == HR_OK && at.count == 0);
    at.bid[0] = 11.7;
    assert(play(&at, 1) == HR_OK && at.count == 1);
    assert(at.quotes[0].bid_lots == 9 && at.quotes[0].ask_lots == -1);
    assert(at.quotes[0].bid_ticks == 11 && at.rows[0] == 0);
}

static void test_a_small_rest_is_renewed(void) {
    scene at = one(12.5, 14.5);
    assert(play(&at, 1) == HR_OK);
    at.state[1][0] = 3;
    assert(play(&at, 1) == HR_OK && at.count == 0);
    at.state[1][0] = 2;
    assert(play(&at, 1) == HR_OK && at.count == 1 && at.quotes[0].bid_lots == 9);
}

static void test_quotes_stay_off_the_other_side(void) {
    scene at = one(12.5, 14.5);
    at.best[0][0] = 55;
    at.best[1][0] = 1;
    at.best[2][0] = 55;
    at.best[3][0] = 1;
    at.bid[0] = 61.0;
    assert(play(&at, 1) == HR_OK);
    assert(at.quotes[0].bid_ticks == 50 && at.quotes[0].ask_ticks == 60);
    at = one(60.0, 49.0);
    at.best[0][0] = 50;
    at.best[1][0] = 1;
    assert(play(&at, 1) == HR_OK && at.quotes[0].ask_ticks == 55);
}

static void test_sides_without_a_price_are_pulled(void) {
    scene at = one(12.5, 14.5);
    assert(play(&at, 1) == HR_OK);
    at.bid[0] = 0.99;
    at.ask[0] = 2e11;
    assert(play(&at, 1) == HR_OK && at.count == 1);
    assert(at.quotes[0].bid_lots == 0 && at.quotes[0].ask_lots == 0);
    assert(play(&at, 1) == HR_OK && at.count == 0);
    at = one(12.5, 14.5);
    assert(play(&at, 1) == HR_OK);
    at.lots[0] = 0;
    assert(play(&at, 1) == HR_OK && at.quotes[0].bid_lots == 0 && at.quotes[0].ask_lots == 0);
}

static void test_bad_input_is_refused(void) {
    scene at = one(NAN, 14.5);
    assert(play(&at, 1) == HR_ERR_NOT_FINITE);
    at = one(12.5, INFINITY);
    assert(play(&at, 1) == HR_ERR_NOT_FINITE);
    at = one(12.5, 14.5);
    at.instruments[0] = ROWS;
    assert(play(&at, 1) == HR_ERR_ARGUMENT);
    at.instruments[0] = 0;
    at.lots[0] = -1;
    assert(play(&at, 1) == HR_ERR_ARGUMENT);
    assert(play(&at, -1) == HR_ERR_ARGUMENT);
    assert(hr_requote(NULL, NULL, 0, NULL, NULL, NULL, NULL) == HR_ERR_ARGUMENT);
}

int main(void) {
    test_prices_are_rounded_outward_on_both_grids();
    test_a_quote_moves_only_when_it_is_a_step_away();
    test_a_small_rest_is_renewed();
    test_quotes_stay_off_the_other_side();
    test_sides_without_a_price_are_pulled();
    test_bad_input_is_refused();
    return 0;
}
