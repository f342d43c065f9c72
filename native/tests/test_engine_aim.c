/* Goal: where a quote aims: pushed by inventory, one step inside a rival, never inside the least
 * half-spread. */
#undef NDEBUG
#include "engine_fixture.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

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
    const hr_engine_spread spread = hr_engine_spread_of(&policy, &instrument, &value);
    hr_engine_target target;
    assert(hr_engine_aim(&policy, &instrument, &value, &spread, &stance, HR_SIDES_BOTH, &target) ==
           HR_OK);
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

/* Returns the decision on a slot once the others' market is there and a new surface has been held
 * against it. */
static hr_engine_target against(const hr_engine_book *market, double *theo_out) {
    static fixture one;
    open_fixture(&one);
    assert(hr_engine_on_books(one.engine, market, 1) == HR_OK);
    hr_engine_surface surface = surface_of(start_ns, 0.45);
    surface.version = 2;
    assert(hr_engine_set_surface(one.engine, &surface) == HR_OK);
    decide(&one);
    hr_engine_value value;
    int64_t position;
    const hr_engine_book live = live_of(&one, market->slot, &value, &position);
    *theo_out = value.theo_coin;
    free(one.memory);
    return (hr_engine_target){.ticks = {live.bid_ticks, live.ask_ticks}};
}

static void test_no_quote_is_better_than_the_middle_of_the_others_market(void) {
    const int64_t slot = 2 * STRIKES * 3 + 12; /* Near the money, 200 days: not contested. */
    double theo = 0.0;
    const hr_engine_target alone = against(&(hr_engine_book){.slot = slot}, &theo);
    const int64_t value = llround(theo / 0.0001 / 5.0) * 5;
    const int64_t width = 40;
    assert(alone.ticks[HR_SIDE_BID] > 0 && alone.ticks[HR_SIDE_ASK] > alone.ticks[HR_SIDE_BID]);
    for (int64_t off = -120; off <= 120; off += 10) {
        const int64_t middle = value + off;
        const hr_engine_book market = {slot, middle - width, 50, middle + width, 50};
        const hr_engine_target target = against(&market, &theo);
        if (off >= -width && off <= width) {
            assert(target.ticks[HR_SIDE_BID] <= middle && target.ticks[HR_SIDE_ASK] >= middle);
        } else { /* The model is outside: no quote is inside. */
            assert(off > 0 ? target.ticks[HR_SIDE_ASK] >= market.ask_ticks
                           : target.ticks[HR_SIDE_BID] <= market.bid_ticks);
        }
    }
    /* A market as wide as its price is no opinion. */
    const hr_engine_book wide = {slot, 10, 50, 6 * value, 50};
    const hr_engine_target same = against(&wide, &theo);
    assert(same.ticks[HR_SIDE_BID] == alone.ticks[HR_SIDE_BID]);
    assert(same.ticks[HR_SIDE_ASK] == alone.ticks[HR_SIDE_ASK]);
}

int main(void) {
    test_inventory_pushes_quotes_the_right_way();
    test_quotes_go_one_step_inside_a_rival_and_never_below_the_least();
    test_an_unseen_rival_is_thought_further_away();
    test_our_own_best_price_is_no_rival();
    test_no_quote_is_better_than_the_middle_of_the_others_market();
    return 0;
}
