/* Goal: options hours from expiry, whose gamma is many times that of the chain, do not use up the
 * chain's gamma limit; without the rule they do. */
#undef NDEBUG
#include "engine_fixture.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { LATER = 2 * STRIKES }; /* The first slot of the second expiry. */

static const double gamma_max = 0.01;

/* An hour before the first expiry, with the desk's usual window. */
static void open_late(fixture *one, double gamma_window_ratio) {
    open_fixture(one);
    one->now_ns = expiry_of(0) - 4000 * second_ns;
    const hr_engine_surface surface = surface_of(one->now_ns, 0.45);
    hr_engine_policy policy = policy_of();
    policy.window_quantity_coin = 12.0;
    policy.gamma_window_ratio = gamma_window_ratio;
    policy.amount_lots = 40;
    hr_gate_limits limits = limits_of();
    limits.gamma_coin_per_usd_max = gamma_max;
    assert(hr_engine_set_surface(one->engine, &surface) == HR_OK);
    assert(hr_engine_set_policy(one->engine, &policy) == HR_OK);
    assert(hr_engine_set_limits(one->engine, &limits) == HR_OK);
    assert(hr_engine_on_index(one->engine, 90000.0, one->now_ns) == HR_OK);
    for (int64_t i = 0; i < 10; i++) {
        decide(one);
    }
}

/* Returns how many options of a range of slots are two-sided; of all, the largest gamma. */
static int64_t two_sided(const fixture *one, int64_t first, int64_t last, double *gamma_out) {
    int64_t count = 0;
    *gamma_out = 0.0;
    for (int64_t slot = first; slot < last; slot++) {
        hr_engine_value value;
        int64_t position;
        const hr_engine_book live = live_of(one, slot, &value, &position);
        if (live.bid_lots > 0 && live.ask_lots > 0) {
            count++;
            *gamma_out = fmax(*gamma_out, fabs(value.gamma_coin_per_usd));
        }
    }
    return count;
}

static void test_a_short_expiry_does_not_starve_the_chain(void) {
    fixture one;
    double gamma;
    open_late(&one, 0.5);
    assert(one.pass.refused_count == 0);
    assert(one.pass.two_sided_count == one.pass.quotable_count);
    const int64_t later = two_sided(&one, LATER, SLOTS, &gamma);
    assert(later > 30);
    two_sided(&one, 0, SLOTS, &gamma);
    assert(gamma * 12.0 <= 0.5 * gamma_max);
    free(one.memory);

    open_late(&one, 1e9); /* Without the rule. */
    assert(one.pass.refused_count > 0);
    assert(two_sided(&one, LATER, SLOTS, &gamma) < later / 2);
    free(one.memory);
}

static void test_an_index_pass_keeps_to_the_rule(void) {
    fixture one;
    open_late(&one, 0.5);
    double index_usd = 90000.0;
    for (int64_t step = 0; step < 400; step++) {
        one.now_ns += second_ns / 10;
        index_usd *= step / 100 % 2 == 0 ? 1.0002 : 0.9998;
        const hr_engine_surface surface = surface_of(one.now_ns, 0.45);
        if (step % 20 == 0) {
            assert(hr_engine_set_surface(one.engine, &surface) == HR_OK);
        }
        assert(hr_engine_on_index(one.engine, index_usd, one.now_ns) == HR_OK);
        assert(hr_engine_decide_index(one.engine, one.now_ns, SLOTS, one.decisions, &one.pass) ==
               HR_OK);
        double gamma;
        two_sided(&one, 0, SLOTS, &gamma);
        assert(gamma * 12.0 <= 0.5 * 1.25 * gamma_max); /* With its hysteresis. */
        assert(one.pass.refused_count == 0);
    }
    free(one.memory);
}

int main(void) {
    test_a_short_expiry_does_not_starve_the_chain();
    test_an_index_pass_keeps_to_the_rule();
    return 0;
}
