/* Goal: wherever an option is stepped to, within its reach and its time, its numbers are what a
 * valuation there would say, to within the bounds that go with them; and these are narrow. */
#undef NDEBUG
#include "engine_many.h"
#include "hr_engine_state.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIALS = 200000 };

#define ROUNDING 2e-7 /* Of a number, as a float. */
#define NEAR 2e-4     /* Of ln(index): the size of a move between two anchors. */

/* `size` of the largest term: a float is so good. */
static void assert_near(double stepped, double exact, double bound, double size) {
    assert(fabs(stepped - exact) <= bound + ROUNDING * size);
}

static void assert_line(double from, double slope, double move, double exact, double bound) {
    assert_near(from + move * slope, exact, bound, fabs(from) + fabs(move * slope));
}

/* Steps a lane by `move` and compares with the value there, `age_ns` later. */
static void compare(const many *one, int64_t slot_index, double move, int64_t age_ns) {
    const hr_engine *engine = one->engine;
    const hr_slot *slot = &engine->slots[slot_index];
    const hr_step_block *at = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    const double square = move * move;
    const double cube = fabs(move) * square;
    hr_engine_value exact;
    assert(hr_engine_revalue(&slot->spec, &engine->surface.slices[slot->slice],
                             exp(at->log_index[i] + move), one->now_ns + age_ns, &exact) == HR_OK);
    const hr_engine_spread spread = hr_engine_spread_of(&engine->policy, &slot->spec, &exact);
    assert_near(hr_engine_stepped_theo(at, i, move), exact.theo_coin,
                (double)at->theo_cubic[i] * cube + (double)at->theo_time[i],
                fabs((double)at->theo[i]) + fabs(move * (double)at->theo_slope[i]));
    assert_line((double)at->delta[i], (double)at->delta_slope[i], move, exact.delta_coin,
                (double)at->delta_square[i] * square + (double)at->delta_time[i]);
    assert_line((double)at->vega[i], (double)at->vega_slope[i], move, exact.vega_coin,
                (double)at->vega_square[i] * square + (double)at->vega_time[i]);
    assert_line((double)at->vol_half[i], (double)at->vol_half_slope[i], move, spread.vol_half,
                (double)at->vol_half_square[i] * square + (double)at->vol_half_time[i]);
    assert(spread.is_contested == (at->is_contested[i] > 0.5f));
}

static void test_a_step_is_as_near_as_it_says(void) {
    many one;
    open_many(&one);
    assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) == HR_OK);
    int64_t compared = 0;
    for (int64_t trial = 0; trial < TRIALS; trial++) {
        const int64_t slot = many_below(&one, MANY);
        const hr_step_block *at = hr_engine_block(one.engine, slot);
        const int64_t i = hr_engine_lane(slot);
        const double reach = at->value_reach[i];
        const int64_t age_ns = (int64_t)at->value_until_ns[i] - one.now_ns;
        if (one.engine->slots[slot].is_valued && reach > 0.0 && age_ns > 0) {
            const double share = trial % 4 == 0 ? 1.0 : many_uniform(&one, 0.0, 1.0);
            const double sign = trial % 2 == 0 ? 1.0 : -1.0;
            compare(&one, slot, sign * share * reach, many_below(&one, age_ns));
            compared++;
        }
    }
    assert(compared > TRIALS / 2);
    free(one.memory);
}

/* A bound that is never wrong may still be of no use. */
static void test_the_bounds_of_a_short_step_are_narrow(void) {
    many one;
    open_many(&one);
    assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) == HR_OK);
    double theo = 0.0;
    double vol_half = 0.0;
    for (int64_t slot = 0; slot < MANY; slot++) {
        const hr_step_block *at = hr_engine_block(one.engine, slot);
        const int64_t i = hr_engine_lane(slot);
        theo += (double)at->theo_cubic[i] * NEAR * NEAR * NEAR / (double)at->tick_coin[i] / MANY;
        vol_half += (double)at->vol_half_square[i] * NEAR * NEAR / (double)at->vol_half[i] / MANY;
    }
    assert(theo < 1e-5);     /* Ticks. */
    assert(vol_half < 1e-4); /* Of itself. */
    free(one.memory);
}

int main(void) {
    test_a_step_is_as_near_as_it_says();
    test_the_bounds_of_a_short_step_are_narrow();
    printf("engine step: ok\n");
    return 0;
}
