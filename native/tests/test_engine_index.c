/* Goal: whatever happens in between, an index pass decides what a full pass would: nothing that
 * should move is left, nothing else goes out, and what it leaves alone it has not looked at. */
#undef NDEBUG
#include "engine_many.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES = 1500 };

static void random_event(many *one, double *index_usd) {
    const int64_t slot = many_below(one, MANY);
    hr_engine_book live;
    hr_engine_value value;
    int64_t position;
    assert(hr_engine_read_quote(one->engine, slot, &live, &value, &position) == HR_OK);
    switch (many_below(one, 9)) {
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
    int64_t decided;
    int64_t missed;
    int64_t added;
    int64_t other;
    int64_t revalued;
    int64_t passes;
} tally;

static void compare(const outcome *full, const outcome *stepped, tally *counts) {
    for (int64_t slot = 0; slot < MANY; slot++) {
        counts->decided += full->is_decided[slot];
        if (full->is_decided[slot] && !stepped->is_decided[slot]) {
            counts->missed++;
        } else if (!full->is_decided[slot] && stepped->is_decided[slot]) {
            counts->added++;
        } else if (full->is_decided[slot] &&
                   !is_same(&full->decisions[slot], &stepped->decisions[slot])) {
            counts->other++;
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
    printf("%lld decided, %lld missed, %lld added, %lld other; %.1f revalued in %lld passes\n",
           (long long)counts.decided, (long long)counts.missed, (long long)counts.added,
           (long long)counts.other, (double)counts.revalued / (double)counts.passes,
           (long long)counts.passes);
    free(stepped);
    free(full);
    free(before);
    free(one.memory);
}

int main(void) {
    test_an_index_pass_decides_what_a_full_pass_would();
    return 0;
}
