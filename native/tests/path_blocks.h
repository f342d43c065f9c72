/* The blocks of one underlying of 512 options around an index of 90,000 USD. */
#ifndef PATH_BLOCKS_H
#define PATH_BLOCKS_H

#include "hr_engine.h"
#include "hr_path.h"

#include <math.h>

enum { OPTIONS = 512, EXPIRIES = 8, STRIKES = 32 };

static const int64_t second_ns = 1000000000;
static const int64_t start_ns = 1768294800LL * 1000000000LL;
static const double year_ns = 365.0 * 86400.0 * 1e9;

static inline double tick_coin(void) {
    return 0.0001;
}

static inline int64_t expiry_of(int64_t index) {
    static const int64_t days[EXPIRIES] = {5, 8, 15, 30, 60, 90, 150, 300};
    return start_ns + days[index] * 86400 * second_ns + 3600 * second_ns;
}

static inline hr_engine_instrument instrument_of(int64_t slot) {
    return (hr_engine_instrument){
        .expiry_ns = expiry_of(slot / (2 * STRIKES)),
        .step_above_ticks = 50,
        .step_ticks = 5,
        .strike_usd = 82000.0 + 500.0 * (double)(slot / 2 % STRIKES),
        .tick_coin = tick_coin(),
        .lot_coin = 0.1,
        .is_call = slot % 2 == 0,
        .is_listed = 1,
    };
}

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
        .vol_age_ratio_per_s = 0.0,
        .spot_sigmas = 1.0,
        .spot_horizon_s = 1.0,
        .spot_vol_floor = 0.5,
        .realised_half_life_s = 10.0,
        .widen_ratio = 0.0,
        .widen_max = 4.0,
        .half_spread_coin_max = 0.02,
        .away_ratio = 4.0,
        .patience_ratio = 2.5,
        .improve_delta_max = 1.0,
        .improve_years_max = 2.0,
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
        .delta_min = 0.0,
        .delta_max = 1.0,
        .range_hysteresis = 0.01,
        .theo_ticks_min = 1.0,
        .gamma_window_ratio = 1e9,
        .quotes_per_s = 1e9,
        .quotes_burst = 1e9,
        .window_quantity_coin = 1e6,
        .window_delta_coin = 20.0,
        .window_vega_usd = 20000.0,
        .window_count = 1000000,
        .window_ns = 3000000000,
        .freeze_ns = 1000000000,
        .tenor_ns_min = 3600000000000,
        .tenor_ns_max = 800 * 86400 * 1000000000LL,
        .amount_lots = 5,
        .quoted_max = OPTIONS,
        .is_skewed = 1,
    };
}

static inline hr_gate_limits limits_of(void) {
    return (hr_gate_limits){
        .version = 1,
        .delta_coin_max = 100.0,
        .vega_usd_max = 1e6,
        .gamma_coin_per_usd_max = 5.0,
        .collar_vol = 0.5,
        .collar_coin = 0.02,
        .value_usd_max = 1e7,
        .drift_coin_max = 0.9,
        .quote_lots_max = 50,
        .position_lots_max = 600,
        .surface_age_ns_max = 3600000000000,
        .tick_age_ns_max = 3600000000000,
        .executions_max = 1000000,
        .executions_ns = 1000000000,
        .drift_ns = 60000000000,
    };
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

static inline hr_path_config config_of(void) {
    return (hr_path_config){
        .underlying_count = 1,
        .slot_count = OPTIONS,
        .record_capacity = 65536,
        .command_capacity = 1024,
        .message_capacity = 16,
        .in_flight_max = 64,
        .feed_silence_ns = 150000000,
        .answer_ns_max = 1000000000,
        .retry_ns = 250000000,
        .refused_hold_ns = 500000000,
        .failed_hold_ns = 1000000000,
        .decide_ns = 250000000,
        .exposed_max = OPTIONS,
        .sender = "DESK",
        .target = "VENUE",
    };
}

#endif
