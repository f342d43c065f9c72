/* Goal: every refusal of bad memory, blocks and indices is clean, and what should move goes out
 * once, the most at risk first, as far as the budget goes. */
#undef NDEBUG
#include "engine_fixture.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* What an offer has lost against its value counts whole, what a bid could earn more a quarter. */
static void test_the_further_a_quote_is_off_the_more_is_at_risk(void) {
    const int64_t slot = 2 * 2 * STRIKES + 10;
    fixture one;
    open_fixture(&one);
    decide(&one);
    hr_engine_value value;
    int64_t position;
    live_of(&one, slot, &value, &position);
    const double before_coin = value.theo_coin;
    assert(hr_engine_on_index(one.engine, 90600.0, one.now_ns) == HR_OK);
    const int64_t count = decide(&one);
    const hr_engine_book live = live_of(&one, slot, &value, &position);
    const double lost = (value.theo_coin - before_coin) * (double)live.ask_lots * 0.1;
    double score = 0.0;
    for (int64_t i = 0; i < count; i++) {
        score = one.decisions[i].slot == slot ? one.decisions[i].score : score;
    }
    assert(lost > 0.0 && score > 0.8 * lost && score < 1.5 * lost);
    free(one.memory);
}

static void test_what_is_far_from_its_size_is_renewed_where_it_stands(void) {
    const int64_t slot = 2 * 2 * STRIKES + 10;
    for (int64_t left = 2; left <= 3; left++) { /* Of five: less than half, and more. */
        fixture one;
        open_fixture(&one);
        hr_engine_policy policy = policy_of();
        policy.is_skewed = 0;
        assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
        decide(&one);
        hr_engine_value value;
        int64_t position;
        const hr_engine_book live = live_of(&one, slot, &value, &position);
        fill(&one, slot, 1, live.bid_lots - left, live.bid_ticks);
        hr_engine_decision decision;
        assert(hr_engine_decide_slot(one.engine, slot, one.now_ns, &decision, &one.pass) == HR_OK);
        assert(one.pass.decision_count == (left * 2 < live.bid_lots));
        if (one.pass.decision_count > 0) {
            assert(decision.is_moved[HR_SIDE_BID] && decision.lots[HR_SIDE_BID] == live.bid_lots);
            assert(decision.ticks[HR_SIDE_BID] == live.bid_ticks);
        }
        free(one.memory);
    }
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

static void test_a_barred_option_is_taken_back_and_comes_again(void) {
    fixture one;
    open_fixture(&one);
    decide(&one);
    const int64_t slot = 2 * STRIKES * 2 + 10;
    assert(hr_engine_set_barred(one.engine, slot, 1) == HR_OK);
    assert(hr_engine_decide_slot(one.engine, slot, one.now_ns, one.decisions, &one.pass) == HR_OK);
    assert(one.pass.decision_count == 1);
    assert(one.decisions[0].lots[HR_SIDE_BID] == 0 && one.decisions[0].lots[HR_SIDE_ASK] == 0);
    assert(hr_engine_set_barred(one.engine, slot, 0) == HR_OK);
    assert(hr_engine_decide_index(one.engine, one.now_ns, SLOTS, one.decisions, &one.pass) ==
           HR_OK);
    assert(one.pass.decision_count == 1 && one.decisions[0].lots[HR_SIDE_BID] > 0);
    assert(hr_engine_set_barred(one.engine, SLOTS, 1) == HR_ERR_NOT_FOUND);
    free(one.memory);
}

int main(void) {
    test_bad_memory_is_refused();
    test_bad_blocks_are_refused_whole();
    test_a_bad_index_stops_quoting();
    test_what_is_sent_is_not_sent_again();
    test_capacity_and_budget_bound_what_goes_out_and_the_rest_follows();
    test_quotes_with_most_edge_at_risk_go_first();
    test_the_further_a_quote_is_off_the_more_is_at_risk();
    test_what_is_far_from_its_size_is_renewed_where_it_stands();
    test_one_slot_is_decided_alone();
    test_a_barred_option_is_taken_back_and_comes_again();
    return 0;
}
