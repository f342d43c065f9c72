/* hr_decide.c: value and aim of one option, and the two roundings; pure functions. */
#include "hr_divide.h"
#include "hr_engine_state.h"
#include "hr_pricing.h"
#include "hr_surface.h"

#include <math.h>
#include <stddef.h>

#define NS_PER_YEAR (365.0 * 24.0 * 3600.0 * 1e9)
#define GRID_SLACK 1e-7 /* Ticks: a price that is a whole tick but for rounding error is one. */
#define TICKS_MAX 1e9
#define ROUNDED_FEE_MIN 0.25 /* Rounding never pays for more of the fee than the rest. */
#define TENOR_FACTOR_MIN 0.5
#define TENOR_FACTOR_MAX 4.0

static double least(double one, double other) {
    return one < other ? one : other;
}

static double most(double one, double other) {
    return one > other ? one : other;
}

/* Returns the least whole number that is no less, of one that is none too large for it. */
static int64_t ceil_of(double number) {
    const int64_t whole = (int64_t)number;
    return whole + ((double)whole < number);
}

int64_t hr_bid_floor_ticks(double price_coin, double tick_coin, int64_t step_above_ticks,
                           int64_t step_ticks) {
    const double exact = price_coin / tick_coin + GRID_SLACK;
    if (!(exact >= 1.0) || !(exact <= TICKS_MAX)) {
        return 0;
    }
    const int64_t ticks = (int64_t)exact;
    if (step_above_ticks <= 0 || step_ticks <= 1 || ticks <= step_above_ticks) {
        return ticks;
    }
    const int64_t stepped = ticks - (int64_t)hr_remainder((uint64_t)ticks, (uint64_t)step_ticks);
    return stepped < step_above_ticks ? step_above_ticks : stepped;
}

int64_t hr_ask_ceil_ticks(double price_coin, double tick_coin, int64_t step_above_ticks,
                          int64_t step_ticks) {
    const double exact = price_coin / tick_coin - GRID_SLACK;
    if (!(exact <= TICKS_MAX)) {
        return 0;
    }
    const int64_t ticks = exact < 1.0 ? 1 : ceil_of(exact);
    if (step_above_ticks <= 0 || step_ticks <= 1 || ticks <= step_above_ticks) {
        return ticks;
    }
    const uint64_t step = (uint64_t)step_ticks;
    return (int64_t)(hr_quotient((uint64_t)ticks + step - 1, step) * step);
}

hr_status hr_engine_revalue(const hr_engine_instrument *instrument, const hr_engine_slice *slice,
                            double index_usd, int64_t now_ns, hr_engine_value *value_out) {
    if (instrument == NULL || slice == NULL || value_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const double years = (double)(instrument->expiry_ns - now_ns) / NS_PER_YEAR;
    if (!(years > 0.0)) {
        return HR_ERR_STALE;
    }
    const double forward = index_usd * slice->forward_ratio;
    const double strike = instrument->strike_usd;
    const hr_svi svi = {slice->a, slice->b, slice->rho, slice->m, slice->sigma};
    const double variance = hr_svi_total_variance(&svi, log(strike / forward));
    if (!(variance > 0.0)) {
        return HR_ERR_NOT_FINITE;
    }
    const double vol = sqrt(variance / slice->years);
    hr_greeks greeks;
    const hr_status status = hr_black76(forward, strike, years, vol, instrument->is_call, &greeks);
    if (status != HR_OK) {
        return status;
    }
    const double moneyness = strike / forward;
    const double theo = greeks.price / forward;
    const double delta = greeks.delta - theo;
    value_out->years = years;
    value_out->forward_usd = forward;
    value_out->vol = vol;
    value_out->theo_coin = theo;
    value_out->call_delta = instrument->is_call ? greeks.delta : greeks.delta + 1.0;
    value_out->delta_coin = delta;
    value_out->vega_coin = greeks.vega / forward;
    value_out->vega_usd = greeks.vega * 0.01;
    /* d/dF of (delta - price/F); the index moves the forward by its ratio. */
    value_out->gamma_coin_per_usd = (greeks.gamma - delta / forward) * slice->forward_ratio;
    value_out->price_coin_min = most(0.0, instrument->is_call ? 1.0 - moneyness : moneyness - 1.0);
    value_out->price_coin_max = instrument->is_call ? 1.0 : moneyness;
    value_out->miss_coin = 0.0;
    return isfinite(theo) && isfinite(delta) && isfinite(greeks.vega) && isfinite(greeks.gamma)
               ? HR_OK
               : HR_ERR_NOT_FINITE;
}

double hr_engine_step_at(const hr_engine_instrument *instrument, double price_coin) {
    const double boundary_coin = instrument->step_above_ticks > 0
                                     ? (double)instrument->step_above_ticks * instrument->tick_coin
                                     : HUGE_VAL;
    const double coarse_coin = instrument->tick_coin * (double)instrument->step_ticks;
    return price_coin > boundary_coin ? coarse_coin : instrument->tick_coin;
}

/* Returns 1 where flow is worth following rivals for; elsewhere it is mostly informed. */
static int is_contested(const hr_engine_policy *policy, const hr_engine_instrument *instrument,
                        const hr_engine_value *value) {
    const double delta = instrument->is_call ? value->call_delta : 1.0 - value->call_delta;
    return delta <= policy->improve_delta_max && value->years <= policy->improve_years_max;
}

/* Uncertainty of volatility at a tenor and away from the middle. */
static double factor_of_tenor(const hr_engine_policy *policy, const hr_engine_value *value) {
    return most(TENOR_FACTOR_MIN, least(TENOR_FACTOR_MAX, sqrt(policy->vol_years / value->years)));
}

static double factor_of_wing(const hr_engine_policy *policy, const hr_engine_value *value) {
    const double from_middle = 2.0 * fabs(value->call_delta - 0.5);
    return 1.0 + policy->vol_wing_ratio * from_middle * from_middle;
}

hr_engine_spread hr_engine_spread_of(const hr_engine_policy *policy,
                                     const hr_engine_instrument *instrument,
                                     const hr_engine_value *value) {
    const int contested = is_contested(policy, instrument, value);
    const double fee = least(policy->fee_coin, policy->fee_price_ratio * value->theo_coin);
    const double edge = least(policy->edge_coin, policy->edge_price_ratio * value->theo_coin);
    const double rounding =
        contested ? 0.5 * policy->rounding_ratio * hr_engine_step_at(instrument, value->theo_coin)
                  : 0.0;
    return (hr_engine_spread){
        .vol_half = policy->vol_half * factor_of_tenor(policy, value) *
                    factor_of_wing(policy, value) * (contested ? 1.0 : policy->away_ratio),
        .fee_coin = fee,
        .rounding_coin = rounding,
        .sure_coin = most(fee + edge - rounding, ROUNDED_FEE_MIN * fee) + value->miss_coin,
        .is_contested = contested,
    };
}

/* The least half-spread worth quoting: fee, margin, and what is not known of vol and index; where
 * we contest the flow, less what rounding outward brings on average, since a quote rests somewhere
 * within its step. */
static double least_half(const hr_engine_policy *policy, const hr_engine_value *value,
                         const hr_engine_spread *spread, const hr_engine_stance *stance) {
    const double half = spread->sure_coin +
                        value->vega_coin * spread->vol_half * stance->vol_widening +
                        fabs(value->delta_coin) * stance->spot_ratio;
    return least(policy->half_spread_coin_max, most(half, GRID_SLACK));
}

/* Whole size up to `taper_ratio` of a limit, then in a line down to nothing at the limit. */
static int64_t tapered_lots(const hr_engine_policy *policy, double usage) {
    if (!(usage < 1.0)) {
        return 0;
    }
    if (usage <= policy->taper_ratio) {
        return policy->amount_lots;
    }
    const double share = least(1.0, (1.0 - usage) / (1.0 - policy->taper_ratio));
    return ceil_of((double)policy->amount_lots * share - GRID_SLACK);
}

/* What both sides start from. */
typedef struct {
    double half_coin; /* The least. */
    double reservation_coin;
    double reach_coin; /* From value, that the gate lets through. */
} centre;

static centre centre_of(const hr_engine_policy *policy, const hr_engine_instrument *instrument,
                        const hr_engine_value *value, const hr_engine_spread *spread,
                        const hr_engine_stance *stance) {
    const double half = least_half(policy, value, spread, stance);
    const double shift_max = policy->skew_half_spreads_max * half;
    const double wish =
        value->delta_coin * stance->index_ratio + value->vega_coin * stance->vol_shift;
    const double tick = instrument->tick_coin;
    return (centre){
        .half_coin = half,
        .reservation_coin = value->theo_coin + most(-shift_max, least(shift_max, wish)),
        .reach_coin = most(tick, stance->collar_coin - tick * (double)instrument->step_ticks),
    };
}

/* One step inside the rival where flow is contested, and never wider than patience allows. */
static double half_of_side(const hr_engine_policy *policy, const hr_engine_instrument *instrument,
                           const hr_engine_value *value, const hr_engine_stance *stance,
                           int32_t side, double half_min) {
    const double half_max =
        most(half_min, least(policy->half_spread_coin_max, half_min * policy->patience_ratio));
    const double rival = stance->rival_coin[side];
    if (!isfinite(rival)) {
        return half_max;
    }
    const double price = side == HR_SIDE_BID ? value->theo_coin - rival : value->theo_coin + rival;
    const double relaxed = stance->rival_age_s[side] / policy->rival_relax_s * half_min;
    return most(half_min, least(half_max, rival + relaxed - hr_engine_step_at(instrument, price)));
}

static int64_t bid_ticks_at(const hr_engine_instrument *instrument, const hr_engine_value *value,
                            const hr_engine_spread *spread, const centre *from, double half_coin) {
    const double tick = instrument->tick_coin;
    const double price =
        most(from->reservation_coin - half_coin, value->theo_coin - from->reach_coin);
    const int64_t bid =
        hr_bid_floor_ticks(price, tick, instrument->step_above_ticks, instrument->step_ticks);
    const int is_worth_one =
        value->theo_coin >= 2.0 * tick && from->reservation_coin - tick >= spread->fee_coin;
    return bid == 0 && is_worth_one ? 1 : bid; /* The cheapest there is, below value after fee. */
}

static int64_t ask_ticks_at(const hr_engine_instrument *instrument, const hr_engine_value *value,
                            const centre *from, double half_coin) {
    const double price =
        least(from->reservation_coin + half_coin, value->theo_coin + from->reach_coin);
    return hr_ask_ceil_ticks(price, instrument->tick_coin, instrument->step_above_ticks,
                             instrument->step_ticks);
}

hr_status hr_engine_aim(const hr_engine_policy *policy, const hr_engine_instrument *instrument,
                        const hr_engine_value *value, const hr_engine_spread *spread,
                        const hr_engine_stance *stance, int32_t sides,
                        hr_engine_target *target_out) {
    if (policy == NULL || instrument == NULL || value == NULL || spread == NULL || stance == NULL ||
        target_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const centre from = centre_of(policy, instrument, value, spread, stance);
    if (!isfinite(from.reservation_coin) || !(from.half_coin > 0.0)) {
        return HR_ERR_NOT_FINITE;
    }
    target_out->reservation_coin = from.reservation_coin;
    double *halves = target_out->half_spread_coin;
    int64_t *ticks = target_out->ticks;
    for (int32_t side = 0; side < 2; side++) {
        if (hr_has_side(sides, side)) {
            halves[side] = spread->is_contested ? half_of_side(policy, instrument, value, stance,
                                                               side, from.half_coin)
                                                : from.half_coin;
            ticks[side] = side == HR_SIDE_BID
                              ? bid_ticks_at(instrument, value, spread, &from, halves[side])
                              : ask_ticks_at(instrument, value, &from, halves[side]);
        }
    }
    if (sides == HR_SIDES_BOTH && ticks[HR_SIDE_ASK] <= ticks[HR_SIDE_BID]) {
        const double price = (double)(ticks[HR_SIDE_BID] + 1) * instrument->tick_coin;
        ticks[HR_SIDE_ASK] = hr_ask_ceil_ticks(
            price, instrument->tick_coin, instrument->step_above_ticks, instrument->step_ticks);
    }
    for (int32_t side = 0; side < 2; side++) {
        if (hr_has_side(sides, side)) {
            target_out->lots[side] =
                ticks[side] > 0 ? tapered_lots(policy, stance->usage[side]) : 0;
        }
    }
    return HR_OK;
}
