/* Goal: a lapsed lease, old data, a burst of fills, a price that walks away: each stops the quotes
 * it should, for as long as it should. */
#undef NDEBUG
#include "engine_fixture.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

static void test_lease_age_and_halt_block_with_their_reason(void) {
    fixture one;
    open_fixture(&one);
    assert(hr_engine_set_halted(one.engine, 1) == HR_OK);
    assert(decide(&one) == 0 && one.pass.blocked_reason == HR_GATE_HALTED);
    assert(hr_engine_set_halted(one.engine, 0) == HR_OK);
    assert(hr_engine_set_lease(one.engine, HR_STATE_ACTIVE, one.now_ns) == HR_OK);
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_NO_LEASE);
    assert(hr_engine_set_lease(one.engine, HR_STATE_ACTIVE, INT64_MAX) == HR_OK);
    one.now_ns += 3 * second_ns + 1;
    assert(decide(&one) == 0 && one.pass.blocked_reason == HR_GATE_STALE_TICK);
    one.now_ns = start_ns + 5 * second_ns + 1;
    assert(hr_engine_on_index(one.engine, 90000.0, one.now_ns) == HR_OK);
    assert(decide(&one) == 0 && one.pass.blocked_reason == HR_GATE_STALE_SURFACE);
    free(one.memory);
}

static void test_own_window_freezes_before_the_next_decision(void) {
    fixture one;
    open_fixture(&one);
    hr_engine_policy policy = policy_of();
    policy.window_count = 3;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
    assert(decide(&one) > 40);
    for (int64_t i = 0; i < 3; i++) {
        assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_OK);
        fill(&one, 2 * STRIKES * 2 + 10 + i, 1, 1, 1);
    }
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_FROZEN);
    assert(decide(&one) == 0);
    assert(hr_engine_blocked(one.engine, one.now_ns + second_ns) == HR_GATE_OK);
    hr_engine_risk risk;
    assert(hr_engine_read_risk(one.engine, &risk) == HR_OK);
    assert(risk.freeze_count == 1 && risk.fill_count == 3);
    free(one.memory);
}

static void test_a_sweep_of_every_strike_is_stopped_within_the_window(void) {
    fixture one;
    open_fixture(&one);
    assert(decide(&one) > 40);
    double delta = 0.0;
    for (int64_t slot = 0; slot < SLOTS; slot += 2) { /* Every call is sold to us in one moment. */
        if (hr_engine_blocked(one.engine, one.now_ns) != HR_GATE_OK) {
            break;
        }
        hr_engine_value value;
        int64_t position;
        const hr_engine_book live = live_of(&one, slot, &value, &position);
        if (live.bid_lots > 0) {
            fill(&one, slot, 1, live.bid_lots, live.bid_ticks);
            delta += (double)live.bid_lots * 0.1 * value.delta_coin;
        }
    }
    assert(hr_engine_blocked(one.engine, one.now_ns) == HR_GATE_FROZEN);
    assert(delta < 2.0 + 0.5); /* The window, and one fill beyond it. */
    free(one.memory);
}

static void test_a_side_executed_too_often_latches_until_rearmed(void) {
    fixture one;
    open_fixture(&one);
    hr_gate_limits limits = limits_of();
    limits.executions_max = 2;
    limits.position_lots_max = 10000;
    assert(hr_engine_set_limits(one.engine, &limits) == HR_OK);
    assert(decide(&one) > 40);
    const int64_t slot = 2 * STRIKES * 2 + 10; /* Near the money, 45 days. */
    fill(&one, slot, 1, 1, 1);
    fill(&one, slot, 1, 1, 1);
    decide(&one);
    hr_engine_value value;
    int64_t position;
    hr_engine_book live = live_of(&one, slot, &value, &position);
    assert(live.bid_lots == 0 && live.ask_lots > 0 && position == 2);
    one.now_ns += 2 * second_ns;
    assert(hr_engine_on_index(one.engine, 90000.0, one.now_ns) == HR_OK);
    decide(&one);
    assert(live_of(&one, slot, &value, &position).bid_lots == 0);
    assert(hr_engine_rearm(one.engine) == HR_OK);
    decide(&one);
    assert(live_of(&one, slot, &value, &position).bid_lots > 0);
    free(one.memory);
}

static void test_a_held_side_waits(void) {
    fixture one;
    open_fixture(&one);
    assert(decide(&one) > 40);
    const int64_t slot = one.decisions[0].slot;
    const int64_t until_ns = one.now_ns + second_ns;
    assert(hr_engine_set_live(one.engine, slot, HR_SIDE_BID, 0, 0, until_ns) == HR_OK);
    one.now_ns = until_ns - 1;
    assert(decide(&one) == 0);
    one.now_ns = until_ns;
    assert(decide(&one) == 1 && one.decisions[0].slot == slot);
    assert(one.decisions[0].is_moved[HR_SIDE_BID] && !one.decisions[0].is_moved[HR_SIDE_ASK]);
    free(one.memory);
}

static void test_a_price_that_walks_away_is_stopped_by_the_drift_bound(void) {
    fixture one;
    open_fixture(&one);
    hr_gate_limits limits = limits_of();
    limits.drift_coin_max = 0.01;
    assert(hr_engine_set_limits(one.engine, &limits) == HR_OK);
    decide(&one);
    const int64_t slot = 2 * STRIKES * 3 + 10;
    hr_engine_value value;
    int64_t position;
    const int64_t first = live_of(&one, slot, &value, &position).bid_ticks;
    for (int64_t step = 1; step <= 40; step++) { /* Each step is well inside the collar. */
        one.now_ns += second_ns / 10;
        assert(hr_engine_on_index(one.engine, 90000.0 * (1.0 + 0.001 * (double)step), one.now_ns) ==
               HR_OK);
        decide(&one);
        const hr_engine_book live = live_of(&one, slot, &value, &position);
        assert(live.bid_lots == 0 || (double)(live.bid_ticks - first) * 1e-4 < 0.01 + 0.003);
    }
    assert(live_of(&one, slot, &value, &position).ask_lots == 0);
    free(one.memory);
}

int main(void) {
    test_lease_age_and_halt_block_with_their_reason();
    test_own_window_freezes_before_the_next_decision();
    test_a_sweep_of_every_strike_is_stopped_within_the_window();
    test_a_side_executed_too_often_latches_until_rearmed();
    test_a_held_side_waits();
    test_a_price_that_walks_away_is_stopped_by_the_drift_bound();
    return 0;
}
