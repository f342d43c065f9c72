/* Goal: whatever surface, book, position and order of events, what the engine decides is lawful,
 * and every refusal of bad memory, blocks and indices is clean. */
#undef NDEBUG
#include "hr_engine.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 96, EXPIRIES = 4, STRIKES = 12, ROUNDS = 300 };

static const int64_t second_ns = 1000000000;
static const int64_t start_ns = 1768294800LL * 1000000000LL;
static const double year_ns = 365.0 * 86400.0 * 1e9;

typedef struct {
    void *memory;
    hr_engine *engine;
    hr_engine_decision decisions[SLOTS];
    hr_engine_pass pass;
    int64_t now_ns;
} fixture;

static uint64_t random_state = 88172645463325252u;

static double uniform(double low, double high) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * (double)(random_state >> 11) / 9007199254740992.0;
}

static int64_t below(int64_t count) {
    return (int64_t)uniform(0.0, (double)count);
}

static hr_engine_policy policy_of(void) {
    return (hr_engine_policy){
        .version = 1,
        .fee_coin = 3e-4,
        .fee_price_ratio = 0.125,
        .edge_coin = 1.5e-4,
        .edge_price_ratio = 0.1,
        .vol_half = 0.003,
        .vol_years = 30.0 / 365.0,
        .vol_wing_ratio = 1.0,
        .vol_age_ratio_per_s = 0.05,
        .spot_sigmas = 1.0,
        .spot_horizon_s = 1.0,
        .spot_vol_floor = 0.5,
        .realised_half_life_s = 10.0,
        .widen_ratio = 0.5,
        .widen_max = 4.0,
        .half_spread_coin_max = 0.02,
        .away_ratio = 4.0,
        .patience_ratio = 2.5,
        .improve_delta_max = 0.55,
        .improve_years_max = 0.2,
        .rival_relax_s = 20.0,
        .skew_delta_ratio = 2e-5,
        .skew_vega_vol = 4e-7,
        .skew_term_vol = 8e-7,
        .skew_region_vol = 4e-7,
        .skew_half_spreads_max = 1.5,
        .flow_delta_ratio = 5e-5,
        .flow_vega_vol = 2e-6,
        .flow_half_life_s = 5.0,
        .taper_ratio = 0.5,
        .move_urgent_ratio = 0.25,
        .move_passive_ratio = 0.0,
        .delta_min = 0.03,
        .delta_max = 0.97,
        .range_hysteresis = 0.01,
        .theo_ticks_min = 3.0,
        .quotes_per_s = 1e5,
        .quotes_burst = 1e5,
        .window_quantity_coin = 1e6,
        .window_delta_coin = 2.0,
        .window_vega_usd = 2000.0,
        .window_count = 1000000,
        .window_ns = 3 * second_ns,
        .freeze_ns = second_ns,
        .tenor_ns_min = 3600 * second_ns,
        .tenor_ns_max = 800 * 86400 * second_ns,
        .amount_lots = 5,
        .quoted_max = SLOTS,
        .is_skewed = 1,
    };
}

static hr_gate_limits limits_of(void) {
    return (hr_gate_limits){
        .version = 1,
        .delta_coin_max = 10.0,
        .vega_usd_max = 15000.0,
        .gamma_coin_per_usd_max = 0.05,
        .collar_vol = 0.15,
        .collar_coin = 0.002,
        .value_usd_max = 1e7,
        .drift_coin_max = 0.2,
        .quote_lots_max = 50,
        .position_lots_max = 60,
        .surface_age_ns_max = 5 * second_ns,
        .tick_age_ns_max = 3 * second_ns,
        .executions_max = 1000000,
        .executions_ns = second_ns,
        .drift_ns = 60 * second_ns,
    };
}

static int64_t expiry_of(int64_t index) {
    static const int64_t days[EXPIRIES] = {1, 8, 45, 200};
    return start_ns + days[index] * 86400 * second_ns + 3600 * second_ns;
}

static hr_engine_surface surface_of(int64_t now_ns, double vol) {
    hr_engine_surface surface = {.version = 1, .market_ns = now_ns, .slice_count = EXPIRIES};
    for (int64_t i = 0; i < EXPIRIES; i++) {
        const double years = (double)(expiry_of(i) - now_ns) / year_ns;
        const double total = vol * vol * years;
        surface.slices[i] = (hr_engine_slice){
            .expiry_ns = expiry_of(i),
            .years = years,
            .forward_ratio = 1.0 + 0.05 * years,
            .a = 0.7 * total,
            .b = 0.3 * total / (0.1 + 0.4 * sqrt(years)),
            .rho = -0.2,
            .sigma = 0.1 + 0.4 * sqrt(years),
        };
    }
    return surface;
}

static hr_engine_instrument instrument_of(int64_t slot) {
    return (hr_engine_instrument){
        .expiry_ns = expiry_of(slot / (2 * STRIKES)),
        .step_above_ticks = 50,
        .step_ticks = 5,
        .strike_usd = 70000.0 + 4000.0 * (double)(slot / 2 % STRIKES),
        .tick_coin = 0.0001,
        .lot_coin = 0.1,
        .is_call = slot % 2 == 0,
        .is_listed = 1,
    };
}

static void open_fixture(fixture *one) {
    const int64_t bytes = hr_engine_size(SLOTS);
    one->memory = aligned_alloc(64, (size_t)bytes);
    one->now_ns = start_ns;
    assert(hr_engine_init(one->memory, bytes, SLOTS, &one->engine) == HR_OK);
    for (int64_t slot = 0; slot < SLOTS; slot++) {
        const hr_engine_instrument instrument = instrument_of(slot);
        assert(hr_engine_set_instrument(one->engine, slot, &instrument) == HR_OK);
    }
    const hr_engine_surface surface = surface_of(start_ns, 0.45);
    const hr_engine_policy policy = policy_of();
    const hr_gate_limits limits = limits_of();
    assert(hr_engine_set_surface(one->engine, &surface) == HR_OK);
    assert(hr_engine_set_policy(one->engine, &policy) == HR_OK);
    assert(hr_engine_set_limits(one->engine, &limits) == HR_OK);
    assert(hr_engine_set_lease(one->engine, HR_STATE_ACTIVE, INT64_MAX) == HR_OK);
    assert(hr_engine_on_index(one->engine, 90000.0, start_ns) == HR_OK);
}

static int64_t decide(fixture *one) {
    assert(hr_engine_decide(one->engine, one->now_ns, SLOTS, one->decisions, &one->pass) == HR_OK);
    return one->pass.decision_count;
}

static hr_engine_book live_of(const fixture *one, int64_t slot, hr_engine_value *value_out,
                              int64_t *position_out) {
    hr_engine_book live;
    assert(hr_engine_read_quote(one->engine, slot, &live, value_out, position_out) == HR_OK);
    return live;
}

static void fill(fixture *one, int64_t slot, int32_t is_buy, int64_t lots, int64_t ticks) {
    const hr_engine_fill trade = {slot, lots, ticks, is_buy, 0};
    assert(hr_engine_on_fill(one->engine, &trade, one->now_ns) == HR_OK);
}

static void test_bad_memory_is_refused(void) {
    assert(hr_engine_size(0) == 0 && hr_engine_size(-1) == 0);
    assert(hr_engine_size(HR_ENGINE_INSTRUMENTS_MAX + 1) == 0);
    const int64_t bytes = hr_engine_size(SLOTS);
    char *memory = aligned_alloc(64, (size_t)bytes + 64);
    hr_engine *engine = NULL;
    assert(hr_engine_init(NULL, bytes, SLOTS, &engine) == HR_ERR_ARGUMENT);
    assert(hr_engine_init(memory, bytes - 1, SLOTS, &engine) == HR_ERR_ARGUMENT);
    assert(hr_engine_init(memory + 8, bytes, SLOTS, &engine) == HR_ERR_ARGUMENT);
    assert(hr_engine_init(memory, bytes, 0, &engine) == HR_ERR_ARGUMENT);
    assert(hr_engine_init(memory, bytes, SLOTS, NULL) == HR_ERR_ARGUMENT);
    memset(memory, 0, (size_t)bytes);
    hr_engine *blank = (hr_engine *)(void *)memory;
    hr_engine_risk risk;
    hr_engine_pass pass;
    hr_engine_decision decisions[SLOTS];
    assert(hr_engine_read_risk(blank, &risk) == HR_ERR_MAGIC);
    assert(hr_engine_decide(blank, start_ns, SLOTS, decisions, &pass) == HR_ERR_MAGIC);
    assert(hr_engine_set_lease(blank, HR_STATE_ACTIVE, 1) == HR_ERR_MAGIC);
    assert(hr_engine_clear_live(NULL) == HR_ERR_MAGIC);
    assert(hr_engine_blocked(blank, start_ns) == HR_GATE_NO_LIMITS);
    free(memory);
}

static void test_bad_blocks_are_refused_whole(void) {
    fixture one;
    open_fixture(&one);
    hr_engine_policy policy = policy_of();
    policy.vol_half = (double)NAN;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_ERR_ARGUMENT);
    policy = policy_of();
    policy.flow_half_life_s = 0.0;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_ERR_ARGUMENT);
    policy = policy_of();
    policy.amount_lots = 0;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_ERR_ARGUMENT);
    hr_engine_surface surface = surface_of(start_ns, 0.45);
    surface.slices[1].b = (double)INFINITY;
    assert(hr_engine_set_surface(one.engine, &surface) == HR_ERR_NOT_FINITE);
    surface.slice_count = HR_ENGINE_SLICES_MAX + 1;
    assert(hr_engine_set_surface(one.engine, &surface) == HR_ERR_ARGUMENT);
    hr_engine_instrument instrument = instrument_of(0);
    assert(hr_engine_set_instrument(one.engine, SLOTS, &instrument) == HR_ERR_NOT_FOUND);
    instrument.tick_coin = 0.0;
    assert(hr_engine_set_instrument(one.engine, 0, &instrument) == HR_ERR_ARGUMENT);
    assert(hr_engine_set_lease(one.engine, 9, 1) == HR_ERR_ARGUMENT);
    assert(hr_engine_set_hedge(one.engine, (double)NAN) == HR_ERR_NOT_FINITE);
    assert(hr_engine_set_live(one.engine, 0, 2, 1, 1, 0) == HR_ERR_ARGUMENT);
    const hr_engine_book book = {SLOTS, 1, 1, 2, 1};
    assert(hr_engine_on_books(one.engine, &book, 1) == HR_ERR_NOT_FOUND);
    const hr_engine_fill trade = {0, 0, 1, 1, 0};
    assert(hr_engine_on_fill(one.engine, &trade, start_ns) == HR_ERR_ARGUMENT);
    assert(decide(&one) > 40); /* The blocks before still stand. */
    free(one.memory);
}

static void test_a_bad_index_stops_quoting(void) {
    const double bad[] = {0.0, -1.0, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fixture one;
        open_fixture(&one);
        assert(hr_engine_on_index(one.engine, bad[i], start_ns) == HR_ERR_NOT_FINITE);
        assert(decide(&one) == 0);
        assert(one.pass.blocked_reason == HR_GATE_STALE_TICK);
        free(one.memory);
    }
}

static void test_what_is_sent_is_not_sent_again(void) {
    fixture one;
    open_fixture(&one);
    assert(decide(&one) > 40);
    assert(one.pass.two_sided_count == one.pass.quotable_count);
    assert(decide(&one) == 0);
    free(one.memory);
}

static void test_capacity_and_budget_bound_what_goes_out_and_the_rest_follows(void) {
    fixture one;
    open_fixture(&one);
    hr_engine_policy policy = policy_of();
    policy.quotes_per_s = 10.0;
    policy.quotes_burst = 10.0;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
    assert(hr_engine_decide(one.engine, one.now_ns, 7, one.decisions, &one.pass) == HR_OK);
    assert(one.pass.decision_count == 7 && one.pass.candidate_count > 40);
    int64_t sent = 7;
    for (int64_t step = 0; step < 20; step++) {
        one.now_ns += second_ns / 10;
        sent += decide(&one);
    }
    assert(sent == 7 + 3 + 20); /* The burst of ten, then one every tenth of a second. */
    assert(one.pass.candidate_count > 0);
    free(one.memory);
}

static void test_quotes_with_most_edge_at_risk_go_first(void) {
    fixture one;
    open_fixture(&one);
    assert(decide(&one) > 40);
    assert(hr_engine_on_index(one.engine, 91500.0, one.now_ns) == HR_OK);
    assert(hr_engine_decide(one.engine, one.now_ns, 5, one.decisions, &one.pass) == HR_OK);
    assert(one.pass.decision_count == 5 && one.pass.candidate_count > 10);
    double least = INFINITY;
    for (int64_t i = 0; i < 5; i++) {
        least = fmin(least, one.decisions[i].score);
    }
    const int64_t rest = decide(&one);
    assert(rest > 5);
    for (int64_t i = 0; i < rest; i++) {
        assert(one.decisions[i].score <= least);
    }
    free(one.memory);
}

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
        fill(&one, 40 + i, 1, 1, 1);
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

static void test_inventory_pushes_quotes_the_right_way(void) {
    fixture one;
    open_fixture(&one);
    hr_engine_policy policy = policy_of();
    policy.skew_vega_vol = 1e-5;
    policy.flow_vega_vol = 0.0;
    policy.flow_delta_ratio = 0.0;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
    decide(&one);
    const int64_t slot = 2 * STRIKES * 3 + 10;
    hr_engine_value value;
    int64_t position;
    const hr_engine_book before = live_of(&one, slot, &value, &position);
    const hr_engine_fill old = {slot + 2, 50, 1, 1, 1};
    assert(hr_engine_on_fill(one.engine, &old, one.now_ns) == HR_OK);
    decide(&one);
    const hr_engine_book after = live_of(&one, slot, &value, &position);
    assert(after.bid_ticks < before.bid_ticks && after.ask_ticks < before.ask_ticks);
    policy.is_skewed = 0;
    policy.version = 2;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
    decide(&one);
    assert(live_of(&one, slot, &value, &position).bid_ticks == before.bid_ticks);
    free(one.memory);
}

static hr_engine_target aim_at(double rival_coin, double age_s) {
    const hr_engine_policy policy = policy_of();
    const hr_engine_instrument instrument = instrument_of(0);
    const hr_engine_value value = {.years = 30.0 / 365.0,
                                   .forward_usd = 90000.0,
                                   .vol = 0.5,
                                   .theo_coin = 0.02,
                                   .call_delta = 0.3,
                                   .delta_coin = 0.28,
                                   .vega_coin = 0.1,
                                   .vega_usd = 90.0,
                                   .price_coin_max = 1.0};
    const hr_engine_stance stance = {.vol_widening = 1.0,
                                     .spot_ratio = 0.0,
                                     .collar_coin = 0.01,
                                     .rival_coin = {rival_coin, rival_coin},
                                     .rival_age_s = {age_s, age_s}};
    hr_engine_target target;
    assert(hr_engine_aim(&policy, &instrument, &value, &stance, &target) == HR_OK);
    return target;
}

static void test_quotes_go_one_step_inside_a_rival_and_never_below_the_least(void) {
    const hr_engine_target alone = aim_at(HUGE_VAL, 0.0);
    const hr_engine_target near = aim_at(0.0001, 0.0);
    const hr_engine_target between = aim_at(0.0022, 0.0);
    const double least = near.half_spread_coin[HR_SIDE_BID];
    assert(fabs(alone.half_spread_coin[HR_SIDE_BID] - 2.5 * least) < 1e-12);
    assert(fabs(between.half_spread_coin[HR_SIDE_BID] - 0.0017) < 1e-12); /* A step is 0.0005. */
    assert(between.ticks[HR_SIDE_BID] == 180 && between.ticks[HR_SIDE_ASK] == 220);
    assert(near.ticks[HR_SIDE_BID] > between.ticks[HR_SIDE_BID]);
}

static void test_an_unseen_rival_is_thought_further_away(void) {
    const double seen = aim_at(0.0013, 0.0).half_spread_coin[HR_SIDE_ASK];
    const double unseen = aim_at(0.0013, 5.0).half_spread_coin[HR_SIDE_ASK];
    assert(unseen > seen);
    assert(aim_at(0.0013, 1e6).half_spread_coin[HR_SIDE_ASK] ==
           aim_at(HUGE_VAL, 0.0).half_spread_coin[HR_SIDE_ASK]);
}

static void test_our_own_best_price_is_no_rival(void) {
    fixture one;
    open_fixture(&one);
    decide(&one);
    const int64_t slot = 2 * STRIKES * 2 + 14; /* Out of the money, 45 days. */
    hr_engine_value value;
    int64_t position;
    const hr_engine_book live = live_of(&one, slot, &value, &position);
    assert(hr_engine_on_books(one.engine, &live, 1) == HR_OK);
    assert(decide(&one) == 0);
    hr_engine_book rival = live; /* Somebody joins our bid: now there is one to step inside of. */
    rival.bid_lots += 1;
    assert(hr_engine_on_books(one.engine, &rival, 1) == HR_OK);
    assert(decide(&one) == 1 && one.decisions[0].slot == slot);
    assert(one.decisions[0].ticks[HR_SIDE_BID] > live.bid_ticks);
    free(one.memory);
}

static void test_one_slot_is_decided_alone(void) {
    fixture one;
    open_fixture(&one);
    decide(&one);
    const int64_t slot = 2 * STRIKES * 2 + 10;
    assert(hr_engine_set_live(one.engine, slot, HR_SIDE_ASK, 0, 0, 0) == HR_OK);
    assert(hr_engine_decide_slot(one.engine, slot, one.now_ns, one.decisions, &one.pass) == HR_OK);
    assert(one.pass.decision_count == 1 && one.decisions[0].slot == slot);
    assert(one.decisions[0].is_moved[HR_SIDE_ASK]);
    assert(hr_engine_decide_slot(one.engine, slot, one.now_ns, one.decisions, &one.pass) == HR_OK);
    assert(one.pass.decision_count == 0);
    assert(hr_engine_decide_slot(one.engine, -1, one.now_ns, one.decisions, &one.pass) ==
           HR_ERR_NOT_FOUND);
    free(one.memory);
}

static void test_rounding_is_outward_and_on_the_grid(void) {
    for (int64_t i = 0; i < 200000; i++) {
        const int64_t whole = 1 + below(120);
        const double price = i % 3 == 0 ? (double)whole * 0.0001 : uniform(0.0, 0.012);
        const int64_t bid = hr_bid_floor_ticks(price, 0.0001, 50, 5);
        const int64_t ask = hr_ask_ceil_ticks(price, 0.0001, 50, 5);
        const int64_t step = price * 10000.0 > 50.5 ? 5 : 1;
        assert(bid == 0 || hr_gate_is_on_grid(bid, 50, 5));
        assert(hr_gate_is_on_grid(ask, 50, 5));
        assert((double)bid <= price / 0.0001 + 1e-6);
        assert((double)ask >= price / 0.0001 - 1e-6);
        assert(price / 0.0001 - (double)bid < (double)step + 1e-6);
        assert((double)ask - price / 0.0001 < 5.0 + 1e-6);
    }
    assert(hr_bid_floor_ticks((double)NAN, 0.0001, 50, 5) == 0);
    assert(hr_ask_ceil_ticks((double)NAN, 0.0001, 50, 5) == 0);
    assert(hr_bid_floor_ticks(-0.1, 0.0001, 50, 5) == 0);
    assert(hr_ask_ceil_ticks(0.00501, 0.0001, 50, 5) == 55);
    assert(hr_bid_floor_ticks(0.00549, 0.0001, 50, 5) == 50);
}

/* Every live quote obeys what the gate promises, judged here from first principles. */
static void check_quotes(const fixture *one, const hr_engine_book *markets) {
    for (int64_t slot = 0; slot < SLOTS; slot++) {
        hr_engine_value value;
        int64_t position;
        const hr_engine_book live = live_of(one, slot, &value, &position);
        const double collar = fmax(0.002, 0.15 * value.vega_coin);
        if (live.bid_lots > 0) {
            assert(hr_gate_is_on_grid(live.bid_ticks, 50, 5));
            assert(fabs((double)live.bid_ticks * 1e-4 - value.theo_coin) <= collar + 1e-12);
            assert(live.bid_lots <= 50);
            assert(position + live.bid_lots <= 60 || position < 0);
        }
        if (live.ask_lots > 0) {
            assert(hr_gate_is_on_grid(live.ask_ticks, 50, 5));
            assert(fabs((double)live.ask_ticks * 1e-4 - value.theo_coin) <= collar + 1e-12);
            assert(-position + live.ask_lots <= 60 || position > 0);
        }
        assert(live.bid_lots == 0 || live.ask_lots == 0 || live.bid_ticks < live.ask_ticks);
    }
    for (int64_t i = 0; i < one->pass.decision_count; i++) {
        const hr_engine_decision *moved = &one->decisions[i];
        const hr_engine_book *market = &markets[moved->slot];
        if (moved->is_moved[0] && moved->lots[0] > 0 && market->ask_lots > 1000) {
            assert(moved->ticks[0] < market->ask_ticks);
        }
        if (moved->is_moved[1] && moved->lots[1] > 0 && market->bid_lots > 1000) {
            assert(moved->ticks[1] > market->bid_ticks);
        }
    }
}

static void random_event(fixture *one, hr_engine_book *markets, double *index) {
    const int64_t slot = below(SLOTS);
    hr_engine_value value;
    int64_t position;
    const hr_engine_book live = live_of(one, slot, &value, &position);
    switch (below(6)) {
    case 0:
        *index *= 1.0 + uniform(-0.01, 0.01);
        assert(hr_engine_on_index(one->engine, *index, one->now_ns) == HR_OK);
        break;
    case 1: {
        const hr_engine_surface surface = surface_of(one->now_ns, uniform(0.2, 1.2));
        assert(hr_engine_set_surface(one->engine, &surface) == HR_OK);
        break;
    }
    case 2: {
        const int64_t bid = 1 + below(400);
        markets[slot] =
            (hr_engine_book){slot, bid, 5000 * below(2), bid + 1 + below(50), 5000 * below(2)};
        assert(hr_engine_on_books(one->engine, &markets[slot], 1) == HR_OK);
        break;
    }
    case 3:
        if (live.bid_lots > 0) {
            fill(one, slot, 1, 1 + below(live.bid_lots), live.bid_ticks);
        }
        break;
    case 4:
        if (live.ask_lots > 0) {
            fill(one, slot, 0, 1 + below(live.ask_lots), live.ask_ticks);
        }
        break;
    default:
        assert(hr_engine_set_hedge(one->engine, uniform(-9e5, 9e5)) == HR_OK);
        break;
    }
}

static void test_any_course_of_events_leaves_lawful_quotes(void) {
    fixture one;
    open_fixture(&one);
    hr_engine_book markets[SLOTS];
    memset(markets, 0, sizeof markets);
    double index = 90000.0;
    int64_t moved = 0;
    for (int64_t round = 0; round < ROUNDS; round++) {
        one.now_ns += second_ns / 5;
        const hr_engine_surface surface = surface_of(one.now_ns, 0.45);
        assert(hr_engine_set_surface(one.engine, &surface) == HR_OK);
        assert(hr_engine_on_index(one.engine, index, one.now_ns) == HR_OK);
        for (int64_t i = 0; i < 4; i++) {
            random_event(&one, markets, &index);
        }
        moved += decide(&one);
        if (one.pass.blocked_reason == HR_GATE_OK) {
            check_quotes(&one, markets);
        } else {
            assert(one.pass.blocked_reason == HR_GATE_FROZEN);
            assert(hr_engine_clear_live(one.engine) == HR_OK);
        }
    }
    assert(moved > ROUNDS);
    free(one.memory);
}

int main(void) {
    test_bad_memory_is_refused();
    test_bad_blocks_are_refused_whole();
    test_a_bad_index_stops_quoting();
    test_what_is_sent_is_not_sent_again();
    test_capacity_and_budget_bound_what_goes_out_and_the_rest_follows();
    test_quotes_with_most_edge_at_risk_go_first();
    test_lease_age_and_halt_block_with_their_reason();
    test_own_window_freezes_before_the_next_decision();
    test_a_sweep_of_every_strike_is_stopped_within_the_window();
    test_a_side_executed_too_often_latches_until_rearmed();
    test_a_held_side_waits();
    test_a_price_that_walks_away_is_stopped_by_the_drift_bound();
    test_inventory_pushes_quotes_the_right_way();
    test_quotes_go_one_step_inside_a_rival_and_never_below_the_least();
    test_an_unseen_rival_is_thought_further_away();
    test_our_own_best_price_is_no_rival();
    test_one_slot_is_decided_alone();
    test_rounding_is_outward_and_on_the_grid();
    test_any_course_of_events_leaves_lawful_quotes();
    return 0;
}
