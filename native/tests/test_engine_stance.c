/* Goal: what stances have in common is of now, whatever changed last, or a few milliseconds old
 * where only time did; and a spread is always that of its value. */
#undef NDEBUG
#include "engine_fixture.h"
#include "hr_engine_state.h"

#include <string.h>

enum {
    BOUGHT_SLOT = 2 * 2 * STRIKES + 10, /* At the money, 45 days. */
    TICK_SLOT = BOUGHT_SLOT + 4,
    BOUGHT_LOTS = 5, /* As many as rest. */
    MS_NS = 1000000,
};

static fixture one;

static void open_quoting(void) {
    open_fixture(&one);
    assert(hr_engine_decide_index(one.engine, one.now_ns, SLOTS, one.decisions, &one.pass) ==
           HR_OK);
    assert(one.engine->is_stepped);
}

/* A tick of one option's book, decided. */
static void tick(void) {
    static int64_t lots;
    const hr_engine_book market = {TICK_SLOT, 10, ++lots, 0, 0};
    hr_engine_decision decision;
    assert(hr_engine_on_books(one.engine, &market, 1) == HR_OK);
    assert(hr_engine_decide_slot(one.engine, TICK_SLOT, one.now_ns, &decision, &one.pass) == HR_OK);
    assert(one.pass.blocked_reason == HR_GATE_OK);
}

static void buy(void) {
    hr_engine_value value;
    int64_t position;
    const hr_engine_book live = live_of(&one, BOUGHT_SLOT, &value, &position);
    assert(live.bid_lots == BOUGHT_LOTS);
    fill(&one, BOUGHT_SLOT, 1, live.bid_lots, live.bid_ticks);
}

/* Says whether the common stance is what it would be if it were set now. */
static int is_of_now(void) {
    const hr_common_stance kept = one.engine->common;
    hr_engine_set_common(one.engine, one.now_ns);
    return memcmp(&kept, &one.engine->common, sizeof kept) == 0;
}

static void test_a_fill_is_in_the_stance_of_the_very_next_tick(void) {
    open_quoting();
    tick();
    const hr_common_stance before = one.engine->common;
    buy();
    tick();
    assert(one.engine->common.vega_usage > before.vega_usage);
    assert(one.engine->common.index_ratio < before.index_ratio);
    assert(one.engine->common.vol_shift < before.vol_shift);
    assert(is_of_now());
    const hr_common_stance bought = one.engine->common;
    one.now_ns += 3 * second_ns; /* The flow fades; the position stays. */
    tick();
    assert(one.engine->common.vol_shift > bought.vol_shift && is_of_now());
    free(one.memory);
}

static void test_the_sums_of_a_pass_are_in_the_stance(void) {
    open_quoting();
    const hr_engine_fill old = {BOUGHT_SLOT, BOUGHT_LOTS, 400, 1,
                                1}; /* No news: the position only. */
    assert(hr_engine_on_fill(one.engine, &old, one.now_ns) == HR_OK);
    assert(hr_engine_on_index(one.engine, 90001.0, one.now_ns) == HR_OK);
    assert(hr_engine_decide_index(one.engine, one.now_ns, SLOTS, one.decisions, &one.pass) ==
           HR_OK);
    assert(one.pass.revalued_count < SLOTS && one.engine->common.vega_usage > 0.0);
    assert(is_of_now());
    free(one.memory);
    open_fixture(&one);
    assert(hr_engine_on_fill(one.engine, &old, one.now_ns) == HR_OK);
    decide(&one);
    assert(one.engine->common.vega_usage > 0.0 && is_of_now());
    free(one.memory);
}

static void test_new_blocks_are_in_the_stance_of_the_next_tick(void) {
    open_quoting();
    buy();
    hr_gate_limits limits = limits_of();
    limits.vega_usd_max *= 0.5;
    assert(hr_engine_set_limits(one.engine, &limits) == HR_OK);
    tick();
    assert(is_of_now());
    hr_engine_policy policy = policy_of();
    policy.skew_vega_vol *= 2.0;
    policy.spot_sigmas *= 2.0;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
    tick();
    assert(is_of_now());
    free(one.memory);
}

static void test_time_alone_renews_the_stance_within_milliseconds(void) {
    open_quoting();
    tick();
    const double fresh = one.engine->common.vol_widening;
    one.now_ns += 4 * MS_NS;
    tick();
    assert(one.engine->common.vol_widening == fresh);
    one.now_ns += MS_NS;
    tick();
    assert(one.engine->common.vol_widening > fresh && is_of_now());
    free(one.memory);
}

/* Compares every spread with that of its value; returns how many there are. */
static int64_t assert_spreads(void) {
    int64_t count = 0;
    for (int64_t i = 0; i < SLOTS; i++) {
        const hr_slot *slot = &one.engine->slots[i];
        if (slot->is_valued) {
            const hr_engine_spread spread =
                hr_engine_spread_of(&one.engine->policy, &slot->spec, &slot->value);
            assert(memcmp(&spread, &slot->spread, sizeof spread) == 0);
            count++;
        }
    }
    return count;
}

static void test_a_spread_is_that_of_its_value(void) {
    open_quoting();
    assert(assert_spreads() == SLOTS);
    const double theo = one.engine->slots[TICK_SLOT].value.theo_coin;
    assert(hr_engine_on_index(one.engine, 90003.0, one.now_ns) == HR_OK);
    tick(); /* Stepped, not valued anew. */
    assert(one.pass.revalued_count == 0);
    assert(one.engine->slots[TICK_SLOT].value.theo_coin != theo);
    assert_spreads();
    hr_engine_policy policy = policy_of();
    policy.vol_half *= 2.0;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
    assert(hr_engine_decide_index(one.engine, one.now_ns, SLOTS, one.decisions, &one.pass) ==
           HR_OK);
    assert(assert_spreads() == SLOTS);
    free(one.memory);
}

int main(void) {
    test_a_fill_is_in_the_stance_of_the_very_next_tick();
    test_the_sums_of_a_pass_are_in_the_stance();
    test_new_blocks_are_in_the_stance_of_the_next_tick();
    test_time_alone_renews_the_stance_within_milliseconds();
    test_a_spread_is_that_of_its_value();
    return 0;
}
