/* Goal: whatever happens in between, an index pass decides what a full pass from the same memory
 * would. They differ through the sums of book greeks, and a step's last digits, which tips a quote
 * at the edge of its band in a few of ten thousand decisions, and never one that would trade at a
 * loss. */
#undef NDEBUG
#include "engine_many.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES = 1500 };

static void random_event(many *one, double *index_usd) {
    const int64_t slot = many_below(one, MANY);
    hr_engine_book live;
    hr_engine_value value;
    int64_t position;
    assert(hr_engine_read_quote(one->engine, slot, &live, &value, &position) == HR_OK);
    switch (many_below(one, 10)) {
    case 0: {
        const int64_t lots = live.bid_lots > 2 ? 2 : live.bid_lots;
        const hr_engine_fill fill = {slot, lots, live.bid_ticks, 1, 0};
        if (lots > 0) {
            assert(hr_engine_on_fill(one->engine, &fill, one->now_ns) == HR_OK);
        }
        break;
    }
    case 1: {
        const hr_engine_fill fill = {slot, live.ask_lots, live.ask_ticks, 0, 0};
        if (live.ask_lots > 0) {
            assert(hr_engine_on_fill(one->engine, &fill, one->now_ns) == HR_OK);
        }
        break;
    }
    case 2:
        one->markets[slot] = (hr_engine_book){.slot = slot};
        assert(hr_engine_on_books(one->engine, &one->markets[slot], 1) == HR_OK);
        break;
    case 3:
        assert(hr_engine_set_live(one->engine, slot, (int32_t)many_below(one, 2), 0, 0,
                                  one->now_ns + many_second_ns / 2) == HR_OK);
        break;
    case 4:
        assert(hr_engine_set_hedge(one->engine, many_uniform(one, -2e5, 2e5)) == HR_OK);
        break;
    case 5: /* What we show is seen, late or now. */
        if (live.bid_lots > 0 && live.ask_lots > 0) {
            one->markets[slot] = live;
            assert(hr_engine_on_books(one->engine, &one->markets[slot], 1) == HR_OK);
        }
        break;
    case 6:
        *index_usd *= 1.0 + many_uniform(one, -3e-3, 3e-3);
        break;
    case 7:
        hr_engine_refresh(one->engine, one->now_ns);
        break;
    default:
        many_set_rival(one, slot);
        if (many_below(one, 2) == 0) {
            assert(hr_engine_decide_slot(one->engine, slot, one->now_ns, one->decisions,
                                         &one->pass) == HR_OK);
        }
        break;
    }
}

typedef struct {
    hr_engine_decision decisions[MANY];
    int32_t is_decided[MANY];
} outcome;

static void spread_out(const many *one, outcome *out) {
    memset(out, 0, sizeof *out);
    for (int64_t i = 0; i < one->pass.decision_count; i++) {
        out->decisions[one->decisions[i].slot] = one->decisions[i];
        out->is_decided[one->decisions[i].slot] = 1;
    }
}

static int is_same(const hr_engine_decision *one, const hr_engine_decision *other) {
    for (int32_t side = 0; side < 2; side++) {
        if (one->is_moved[side] != other->is_moved[side] ||
            (one->is_moved[side] &&
             (one->ticks[side] != other->ticks[side] || one->lots[side] != other->lots[side]))) {
            return 0;
        }
    }
    return 1;
}

typedef struct {
    int64_t passes;
    int64_t decided;
    int64_t different;
    int64_t exposed; /* Of these, would have traded at a loss. */
    int64_t revalued;
} tally;

static void compare(const outcome *full, const outcome *stepped, tally *counts) {
    for (int64_t slot = 0; slot < MANY; slot++) {
        const hr_engine_decision *expected = &full->decisions[slot];
        counts->decided += full->is_decided[slot];
        if (full->is_decided[slot] != stepped->is_decided[slot] ||
            !is_same(expected, &stepped->decisions[slot])) {
            counts->different++;
            counts->exposed += expected->is_moved[0] == 2 || expected->is_moved[1] == 2;
        }
    }
}

static void test_an_index_pass_decides_what_a_full_pass_would(void) {
    many one;
    open_many(&one);
    const int64_t bytes = hr_engine_size(MANY);
    void *before = malloc((size_t)bytes);
    outcome *full = malloc(sizeof *full);
    outcome *stepped = malloc(sizeof *stepped);
    tally counts = {0};
    double index_usd = many_index_usd;
    assert(before != NULL && full != NULL && stepped != NULL);
    for (int64_t pass = 0; pass < PASSES; pass++) {
        one.now_ns += many_second_ns / 500 + many_below(&one, many_second_ns / 100);
        index_usd *= 1.0 + many_uniform(&one, -5e-5, 5e-5);
        for (int64_t i = many_below(&one, 3); i > 0 && pass % 3 == 0; i--) {
            random_event(&one, &index_usd);
        }
        if (pass % 100 == 0) {
            const hr_engine_surface surface =
                many_surface(one.now_ns, many_vol + many_uniform(&one, -0.002, 0.002));
            assert(hr_engine_set_surface(one.engine, &surface) == HR_OK);
        }
        many_set_index(&one, index_usd);
        memcpy(before, one.memory, (size_t)bytes);
        many_decide_all(&one);
        spread_out(&one, full);
        memcpy(one.memory, before, (size_t)bytes);
        assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) ==
               HR_OK);
        spread_out(&one, stepped);
        if (one.pass.blocked_reason == HR_GATE_OK) {
            compare(full, stepped, &counts);
            counts.revalued += one.pass.revalued_count;
            counts.passes++;
        }
    }
    assert(counts.passes > PASSES / 2 && counts.decided > 5000);
    assert(counts.different * 1000 < counts.decided);
    assert(counts.exposed == 0);
    assert(counts.revalued < counts.passes * (MANY * 3 / 4)); /* Many blocks, and yet not all. */
    free(stepped);
    free(full);
    free(before);
    free(one.memory);
}

static void test_what_did_not_move_is_not_looked_at(void) {
    many one;
    open_many(&one);
    for (int64_t pass = 0; pass < 200; pass++) {
        one.now_ns += many_second_ns / 1000;
        many_set_index(&one, many_index_usd + (pass % 2 == 0 ? 0.05 : 0.0));
        assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) ==
               HR_OK);
        if (pass > 2) {
            assert(one.pass.revalued_count < 32);
            assert(one.pass.two_sided_count >= MANY - 4 && one.pass.quotable_count == MANY);
        }
    }
    free(one.memory);
}

/* Twenty seconds with the index at rest; returns how many slots the last pass valued anew. */
static int64_t revalued_after_a_rest(int32_t is_refreshed) {
    many one;
    open_many(&one);
    hr_gate_limits limits = many_limits();
    limits.surface_age_ns_max = 60 * many_second_ns; /* None comes. */
    assert(hr_engine_set_limits(one.engine, &limits) == HR_OK);
    int64_t refreshed = 0;
    many_set_index(&one, many_index_usd);
    assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) == HR_OK);
    for (int64_t turn = 0; turn < 1000; turn++) {
        one.now_ns += many_second_ns / 50;
        refreshed += is_refreshed ? hr_engine_refresh(one.engine, one.now_ns) : 0;
    }
    assert(!is_refreshed || (refreshed >= 2 * MANY && refreshed < 3 * MANY));
    many_set_index(&one, many_index_usd);
    assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) == HR_OK);
    const int64_t revalued = one.pass.revalued_count;
    assert(one.pass.blocked_reason == HR_GATE_OK);
    free(one.memory);
    return revalued;
}

static void test_anchors_are_renewed_between_ticks(void) {
    const int64_t refreshed = revalued_after_a_rest(1); /* Days from expiry they age faster. */
    assert(refreshed * 2 < revalued_after_a_rest(0));
    assert(hr_engine_refresh(NULL, many_start_ns) == 0);
}

static void test_what_has_no_budget_stays_marked_and_goes_next(void) {
    many one;
    open_many(&one);
    many_set_index(&one, many_index_usd * 1.001);
    assert(hr_engine_decide_index(one.engine, one.now_ns, 3, one.decisions, &one.pass) == HR_OK);
    const int64_t owed = one.pass.candidate_count - 3;
    assert(one.pass.decision_count == 3 && owed > 20);
    assert(hr_engine_marked_count(one.engine) == owed);
    assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) == HR_OK);
    assert(one.pass.decision_count == owed && hr_engine_marked_count(one.engine) == 0);
    assert(hr_engine_mark(one.engine, 7) == HR_OK && hr_engine_marked_count(one.engine) == 1);
    assert(hr_engine_mark(one.engine, MANY) == HR_ERR_NOT_FOUND);
    assert(hr_engine_decide_slot(one.engine, 7, one.now_ns, one.decisions, &one.pass) == HR_OK);
    assert(hr_engine_marked_count(one.engine) == 0);
    free(one.memory);
}

static void test_a_barred_option_is_pulled_by_the_next_pass_of_any_kind(void) {
    for (int32_t is_pass = 0; is_pass < 2; is_pass++) {
        many one;
        open_many(&one);
        assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) ==
               HR_OK);
        for (int32_t is_barred = 1; is_barred >= 0; is_barred--) {
            one.now_ns += many_second_ns / 1000;
            assert(hr_engine_set_barred(one.engine, 300, is_barred) == HR_OK);
            if (is_pass || !is_barred) {
                hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass);
            } else {
                hr_engine_decide_slot(one.engine, 300, one.now_ns, one.decisions, &one.pass);
            }
            hr_engine_book live;
            hr_engine_value value;
            int64_t position;
            assert(hr_engine_read_quote(one.engine, 300, &live, &value, &position) == HR_OK);
            assert((live.bid_lots > 0) == !is_barred && (live.ask_lots > 0) == !is_barred);
        }
        free(one.memory);
    }
}

static void test_a_trip_and_an_excess_stop_until_they_are_ended(void) {
    many one;
    open_many(&one);
    assert(hr_engine_on_trip(one.engine, one.now_ns) == HR_OK);
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_TRIPPED);
    assert(hr_engine_reset_trip(one.engine, one.now_ns) == HR_ERR_STALE);
    one.now_ns += many_second_ns;
    assert(hr_engine_reset_trip(one.engine, one.now_ns) == HR_OK);
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_OK);
    hr_engine_book live;
    hr_engine_value value;
    int64_t position;
    assert(hr_engine_read_quote(one.engine, 100, &live, &value, &position) == HR_OK);
    const hr_engine_fill whole = {100, live.bid_lots, live.bid_ticks, 1, 0};
    assert(hr_engine_on_fill(one.engine, &whole, one.now_ns) == HR_OK);
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_OK);
    const hr_engine_fill more = {100, 1, live.bid_ticks, 1, 0};
    assert(hr_engine_on_fill(one.engine, &more, one.now_ns) == HR_OK);
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_EXCESS);
    assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) == HR_OK);
    assert(one.pass.decision_count == 0 && one.pass.blocked_reason == HR_GATE_EXCESS);
    assert(hr_engine_rearm(one.engine) == HR_OK);
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_OK);
    free(one.memory);
}

int main(void) {
    test_what_did_not_move_is_not_looked_at();
    test_anchors_are_renewed_between_ticks();
    test_what_has_no_budget_stays_marked_and_goes_next();
    test_a_barred_option_is_pulled_by_the_next_pass_of_any_kind();
    test_a_trip_and_an_excess_stop_until_they_are_ended();
    test_an_index_pass_decides_what_a_full_pass_would();
    return 0;
}
