/* An engine that quotes 512 options two-sided, with the desk's usual policy, positions in a third
 * of them and rivals around most. For tests of many quotes at once, and for benches. */
#ifndef ENGINE_MANY_H
#define ENGINE_MANY_H

#include "hr_engine.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { MANY = 512, MANY_EXPIRIES = 16, MANY_STRIKES = 16 };

static const int64_t many_second_ns = 1000000000;
static const int64_t many_start_ns = 1768294800LL * 1000000000LL;
static const double many_index_usd = 90000.0;
static const double many_vol = 0.45;

typedef struct {
    void *memory;
    hr_engine *engine;
    hr_engine_decision decisions[MANY];
    hr_engine_book markets[MANY];
    hr_engine_pass pass;
    int64_t now_ns;
    uint64_t random_state;
} many;

static inline double many_uniform(many *one, double low, double high) {
    one->random_state ^= one->random_state << 13;
    one->random_state ^= one->random_state >> 7;
    one->random_state ^= one->random_state << 17;
    return low + (high - low) * (double)(one->random_state >> 11) / 9007199254740992.0;
}

static inline int64_t many_below(many *one, int64_t count) {
    return (int64_t)many_uniform(one, 0.0, (double)count);
}

static inline hr_engine_policy many_policy(void) {
    return (hr_engine_policy){
        .version = 1,
        .fee_coin = 0.0003,
        .fee_price_ratio = 0.125,
        .edge_coin = 0.00003,
        .edge_price_ratio = 0.1,
        .vol_half = 0.0002,
        .vol_years = 30.0 / 365.0,
        .vol_wing_ratio = 1.0,
        .vol_age_ratio_per_s = 0.05,
        .spot_sigmas = 0.6,
        .spot_horizon_s = 2.0,
        .spot_vol_floor = 0.2,
        .realised_half_life_s = 30.0,
        .widen_ratio = 4.0,
        .widen_max = 12.0,
        .half_spread_coin_max = 0.02,
        .away_ratio = 20.0,
        .rounding_ratio = 1.0,
        .patience_ratio = 6.0,
        .improve_delta_max = 0.55,
        .improve_years_max = 60.0 / 365.0,
        .rival_relax_s = 60.0,
        .skew_delta_ratio = 2e-5,
        .skew_vega_vol = 3e-6,
        .skew_term_vol = 6e-6,
        .skew_region_vol = 3e-6,
        .skew_half_spreads_max = 6.0,
        .flow_delta_ratio = 5e-5,
        .flow_vega_vol = 2e-6,
        .flow_half_life_s = 5.0,
        .taper_ratio = 0.5,
        .move_urgent_ratio = 0.1,
        .move_passive_ratio = 0.02,
        .delta_min = 0.05,
        .delta_max = 0.95,
        .range_hysteresis = 0.015,
        .theo_ticks_min = 4.0,
        .gamma_window_ratio = 0.5,
        .quotes_per_s = 1e9,
        .quotes_burst = 1e9,
        .window_quantity_coin = 12.0,
        .window_delta_coin = 2.0,
        .window_vega_usd = 2000.0,
        .window_count = 60,
        .window_ns = 3 * many_second_ns,
        .freeze_ns = many_second_ns / 2,
        .tenor_ns_min = 3600 * many_second_ns,
        .tenor_ns_max = 400LL * 86400 * many_second_ns,
        .amount_lots = 8,
        .quoted_max = 1000,
        .is_skewed = 1,
    };
}

static inline hr_gate_limits many_limits(void) {
    return (hr_gate_limits){
        .version = 1,
        .delta_coin_max = 10.0,
        .vega_usd_max = 15000.0,
        .gamma_coin_per_usd_max = 0.01,
        .collar_vol = 0.15,
        .collar_coin = 0.002,
        .value_usd_max = 2e6,
        .drift_coin_max = 0.05,
        .quote_lots_max = 50,
        .position_lots_max = 500,
        .surface_age_ns_max = 5 * many_second_ns,
        .tick_age_ns_max = 3 * many_second_ns,
        .executions_max = 100,
        .executions_ns = 60 * many_second_ns,
        .drift_ns = 60 * many_second_ns,
    };
}

static inline int64_t many_expiry_ns(int64_t index) {
    static const int64_t days[MANY_EXPIRIES] = {1,  2,  3,  7,   10,  14,  21,  28,
                                                35, 56, 84, 112, 140, 182, 273, 364};
    return many_start_ns + (days[index] * 86400 + 3600) * many_second_ns;
}

static inline double many_years(int64_t expiry_ns, int64_t now_ns) {
    return (double)(expiry_ns - now_ns) / (365.0 * 86400.0 * 1e9);
}

static inline hr_engine_surface many_surface(int64_t now_ns, double vol) {
    hr_engine_surface surface = {.version = 1, .market_ns = now_ns, .slice_count = MANY_EXPIRIES};
    for (int64_t i = 0; i < MANY_EXPIRIES; i++) {
        const double years = many_years(many_expiry_ns(i), now_ns);
        const double deviation = vol * sqrt(years);
        surface.slices[i] = (hr_engine_slice){
            .expiry_ns = many_expiry_ns(i),
            .years = years,
            .forward_ratio = 1.0 + 0.05 * years,
            .a = 0.8 * deviation * deviation,
            .b = 0.15 * deviation,
            .rho = -0.25,
            .m = 0.1 * deviation,
            .sigma = 1.2 * deviation,
        };
    }
    return surface;
}

/* Strikes lie between about 0.07 and 0.93 of delta at the start. */
static inline hr_engine_instrument many_instrument(int64_t slot) {
    const int64_t expiry = slot / (2 * MANY_STRIKES);
    const int64_t strike = slot / 2 % MANY_STRIKES;
    const double years = many_years(many_expiry_ns(expiry), many_start_ns);
    const double deviations = -1.4 + 2.8 * (double)strike / (double)(MANY_STRIKES - 1);
    const double forward = many_index_usd * (1.0 + 0.05 * years);
    return (hr_engine_instrument){
        .expiry_ns = many_expiry_ns(expiry),
        .step_above_ticks = 50,
        .step_ticks = 5,
        .strike_usd = round(forward * exp(deviations * many_vol * sqrt(years))),
        .tick_coin = 0.0001,
        .lot_coin = 0.1,
        .is_call = slot % 2 == 0,
        .is_listed = 1,
    };
}

/* A rival that rests a little outside the model value, on both sides. */
static inline void many_set_rival(many *one, int64_t slot) {
    hr_engine_book live;
    hr_engine_value value;
    int64_t position;
    assert(hr_engine_read_quote(one->engine, slot, &live, &value, &position) == HR_OK);
    const double away = many_uniform(one, 1.2, 3.0) * (0.0002 + 0.01 * value.theo_coin);
    int64_t bid = hr_bid_floor_ticks(value.theo_coin - away, 0.0001, 50, 5);
    int64_t ask = hr_ask_ceil_ticks(value.theo_coin + away, 0.0001, 50, 5);
    if (live.ask_lots > 0 && bid >= live.ask_ticks) { /* He would have traded with us. */
        bid = hr_bid_floor_ticks((double)(live.ask_ticks - 1) * 0.0001, 0.0001, 50, 5);
    }
    if (live.bid_lots > 0 && ask <= live.bid_ticks) {
        ask = hr_ask_ceil_ticks((double)(live.bid_ticks + 1) * 0.0001, 0.0001, 50, 5);
    }
    one->markets[slot] = (hr_engine_book){slot, bid, bid > 0 ? 1000 : 0, ask, 1000};
    assert(hr_engine_on_books(one->engine, &one->markets[slot], 1) == HR_OK);
}

static inline void many_set_index(many *one, double index_usd) {
    assert(hr_engine_on_index(one->engine, index_usd, one->now_ns) == HR_OK);
}

static inline void many_decide_all(many *one) {
    assert(hr_engine_decide(one->engine, one->now_ns, MANY, one->decisions, &one->pass) == HR_OK);
}

static inline void open_many(many *one) {
    const int64_t bytes = hr_engine_size(MANY);
    const hr_engine_surface surface = many_surface(many_start_ns, many_vol);
    const hr_engine_policy policy = many_policy();
    const hr_gate_limits limits = many_limits();
    one->memory = aligned_alloc(64, (size_t)bytes);
    one->now_ns = many_start_ns;
    one->random_state = 88172645463325252u;
    assert(hr_engine_init(one->memory, bytes, MANY, &one->engine) == HR_OK);
    for (int64_t slot = 0; slot < MANY; slot++) {
        const hr_engine_instrument instrument = many_instrument(slot);
        const hr_engine_fill fill = {slot, 1 + slot % 20, 1, (int32_t)(slot / 2 % 2), 1};
        assert(hr_engine_set_instrument(one->engine, slot, &instrument) == HR_OK);
        one->markets[slot] = (hr_engine_book){.slot = slot};
        if (slot % 3 == 0) {
            assert(hr_engine_on_fill(one->engine, &fill, one->now_ns) == HR_OK);
        }
    }
    assert(hr_engine_set_surface(one->engine, &surface) == HR_OK);
    assert(hr_engine_set_policy(one->engine, &policy) == HR_OK);
    assert(hr_engine_set_limits(one->engine, &limits) == HR_OK);
    assert(hr_engine_set_lease(one->engine, HR_STATE_ACTIVE, INT64_MAX) == HR_OK);
    many_set_index(one, many_index_usd);
    many_decide_all(one);
    hr_engine_risk risk; /* The desk is hedged. */
    assert(hr_engine_read_risk(one->engine, &risk) == HR_OK);
    assert(hr_engine_set_hedge(one->engine, -risk.delta_coin * many_index_usd) == HR_OK);
    many_decide_all(one);
    for (int64_t slot = 0; slot < MANY; slot++) {
        if (slot % 4 != 1) {
            many_set_rival(one, slot);
        }
    }
    many_decide_all(one);
}

#endif
