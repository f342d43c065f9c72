/* An engine with one underlying of 96 options, ready to quote, and the blocks it was given. */
#ifndef ENGINE_FIXTURE_H
#define ENGINE_FIXTURE_H

#include "hr_engine.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { SLOTS = 96, EXPIRIES = 4, STRIKES = 12 };

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

static inline hr_engine_policy policy_of(void) {
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
        .gamma_window_ratio = 1e9,
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

static inline hr_gate_limits limits_of(void) {
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

static inline int64_t expiry_of(int64_t index) {
    static const int64_t days[EXPIRIES] = {1, 8, 45, 200};
    return start_ns + days[index] * 86400 * second_ns + 3600 * second_ns;
}

static inline hr_engine_surface surface_of(int64_t now_ns, double vol) {
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

static inline hr_engine_instrument instrument_of(int64_t slot) {
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

static inline void open_fixture(fixture *one) {
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

static inline int64_t decide(fixture *one) {
    assert(hr_engine_decide(one->engine, one->now_ns, SLOTS, one->decisions, &one->pass) == HR_OK);
    return one->pass.decision_count;
}

static inline hr_engine_book live_of(const fixture *one, int64_t slot, hr_engine_value *value_out,
                                     int64_t *position_out) {
    hr_engine_book live;
    assert(hr_engine_read_quote(one->engine, slot, &live, value_out, position_out) == HR_OK);
    return live;
}

static inline void fill(fixture *one, int64_t slot, int32_t is_buy, int64_t lots, int64_t ticks) {
    const hr_engine_fill trade = {slot, lots, ticks, is_buy, 0};
    assert(hr_engine_on_fill(one->engine, &trade, one->now_ns) == HR_OK);
}

#endif
