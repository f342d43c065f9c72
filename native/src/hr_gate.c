/* hr_gate.c: see hr_gate.h. Written so that a NaN fails every test it meets. */
#include "hr_gate.h"
#include "hr_divide.h"

#include <math.h>
#include <stddef.h>

static int is_positive(double value) {
    return isfinite(value) && value > 0.0;
}

int32_t hr_gate_has_limits(const hr_gate_limits *limits) {
    return limits != NULL && is_positive(limits->delta_coin_max) &&
           is_positive(limits->vega_usd_max) && is_positive(limits->gamma_coin_per_usd_max) &&
           is_positive(limits->collar_vol) && is_positive(limits->collar_coin) &&
           is_positive(limits->value_usd_max) && is_positive(limits->drift_coin_max) &&
           limits->quote_lots_max > 0 && limits->position_lots_max > 0 &&
           limits->surface_age_ns_max > 0 && limits->tick_age_ns_max > 0 &&
           limits->executions_max > 0 && limits->executions_ns > 0 && limits->drift_ns > 0;
}

/* An input that is stamped in the future counts as fresh: clocks of hosts differ a little. */
static int is_stale(int64_t now_ns, int64_t stamp_ns, int64_t age_ns_max) {
    return stamp_ns <= 0 || now_ns - stamp_ns > age_ns_max;
}

static int is_finite_state(const hr_gate_state *state) {
    return is_positive(state->index_usd) && isfinite(state->delta_coin) &&
           isfinite(state->vega_usd) && isfinite(state->gamma_coin_per_usd);
}

int32_t hr_gate_check_state(const hr_gate_limits *limits, const hr_gate_state *state) {
    if (state == NULL || !hr_gate_has_limits(limits)) {
        return HR_GATE_NO_LIMITS;
    }
    return hr_gate_check_moment(limits, state);
}

int32_t hr_gate_check_moment(const hr_gate_limits *limits, const hr_gate_state *state) {
    if (state->state != HR_STATE_ACTIVE && state->state != HR_STATE_REDUCING) {
        return HR_GATE_HALTED;
    }
    if (state->latches != 0) {
        return state->latches & HR_LATCH_EXCESS ? HR_GATE_EXCESS : HR_GATE_TRIPPED;
    }
    if (state->now_ns <= 0 || state->now_ns >= state->lease_expires_ns) {
        return HR_GATE_NO_LEASE;
    }
    if (is_stale(state->now_ns, state->surface_ns, limits->surface_age_ns_max)) {
        return HR_GATE_STALE_SURFACE;
    }
    if (is_stale(state->now_ns, state->tick_ns, limits->tick_age_ns_max)) {
        return HR_GATE_STALE_TICK;
    }
    if (state->now_ns < state->frozen_until_ns) {
        return HR_GATE_FROZEN;
    }
    return is_finite_state(state) ? HR_GATE_OK : HR_GATE_NOT_FINITE;
}

int32_t hr_gate_is_on_grid(int64_t price_ticks, int64_t step_above_ticks, int64_t step_ticks) {
    if (price_ticks <= 0) {
        return 0;
    }
    if (step_above_ticks <= 0 || price_ticks <= step_above_ticks) {
        return 1;
    }
    return step_ticks > 0 && hr_remainder((uint64_t)price_ticks, (uint64_t)step_ticks) == 0;
}

static int is_counted(int64_t value) {
    return (uint64_t)value + HR_GATE_COUNT_MAX <= (uint64_t)2 * HR_GATE_COUNT_MAX;
}

static int has_finite_order(const hr_gate_order *order) {
    return is_positive(order->tick_coin) && is_positive(order->lot_coin) &&
           is_positive(order->theo_coin) && isfinite(order->vega_coin) && order->vega_coin >= 0.0 &&
           isfinite(order->delta_coin) && isfinite(order->vega_usd) &&
           isfinite(order->gamma_coin_per_usd) && isfinite(order->price_coin_min) &&
           isfinite(order->price_coin_max) && isfinite(order->anchor_coin);
}

static int is_crossed(const hr_gate_order *order) {
    const int64_t price = order->price_ticks;
    const int64_t own = order->own_other_ticks;
    const int64_t market = order->market_ticks;
    if (order->is_buy) {
        return (own > 0 && price >= own) || (market > 0 && price >= market);
    }
    return (own > 0 && price <= own) || (market > 0 && price <= market);
}

static int32_t check_price(const hr_gate_limits *limits, const hr_gate_order *order) {
    const double price_coin = (double)order->price_ticks * order->tick_coin;
    const double by_vol = limits->collar_vol * order->vega_coin;
    const double collar = by_vol > limits->collar_coin ? by_vol : limits->collar_coin;
    if (is_crossed(order)) {
        return HR_GATE_CROSSED;
    }
    if (order->is_buy ? !(price_coin <= order->price_coin_max)
                      : !(price_coin >= order->price_coin_min)) {
        return HR_GATE_BOUNDS;
    }
    if (!(fabs(price_coin - order->theo_coin) <= collar)) {
        return HR_GATE_COLLAR;
    }
    if (order->anchor_coin > 0.0 &&
        !(fabs(price_coin - order->anchor_coin) <= limits->drift_coin_max)) {
        return HR_GATE_DRIFT;
    }
    return HR_GATE_OK;
}

/* A fill that brings an exposure nearer to zero passes whatever the bound; one that opens must fit
 * under it together with everything else that may be filled the same way. */
static int is_exposed(double now, double change, double up, double down, double most) {
    const double after = now + change;
    if (change > 0.0) {
        if (after + up <= most) {
            return 0;
        }
    } else if (after - down >= -most) {
        return 0;
    }
    return !(fabs(after) <= fabs(now));
}

static int32_t check_position(const hr_gate_limits *limits, const hr_gate_state *state,
                              const hr_gate_order *order) {
    const int64_t change = order->is_buy ? order->amount_lots : -order->amount_lots;
    const int64_t after = order->position_lots + change;
    const int64_t after_size = after < 0 ? -after : after;
    const int64_t now_size =
        order->position_lots < 0 ? -order->position_lots : order->position_lots;
    const int is_reducing = order->position_lots != 0 &&
                            (order->position_lots > 0) != (order->is_buy != 0) &&
                            order->amount_lots <= now_size;
    if (state->state == HR_STATE_REDUCING && !is_reducing) {
        return HR_GATE_REDUCING;
    }
    if (after_size > now_size && after_size > limits->position_lots_max) {
        return HR_GATE_POSITION;
    }
    return HR_GATE_OK;
}

static int32_t check_exposure(const hr_gate_limits *limits, const hr_gate_state *state,
                              const hr_gate_order *order) {
    const double signed_lots = (double)(order->is_buy ? order->amount_lots : -order->amount_lots);
    const double amount_coin = signed_lots * order->lot_coin;
    if (is_exposed(state->delta_coin, amount_coin * order->delta_coin,
                   state->delta_up_in_flight_coin, state->delta_down_in_flight_coin,
                   limits->delta_coin_max)) {
        return HR_GATE_DELTA;
    }
    if (is_exposed(state->vega_usd, amount_coin * order->vega_usd, state->vega_up_in_flight_usd,
                   state->vega_down_in_flight_usd, limits->vega_usd_max)) {
        return HR_GATE_VEGA;
    }
    if (is_exposed(state->gamma_coin_per_usd, amount_coin * order->gamma_coin_per_usd,
                   state->gamma_up_in_flight, state->gamma_down_in_flight,
                   limits->gamma_coin_per_usd_max)) {
        return HR_GATE_GAMMA;
    }
    return HR_GATE_OK;
}

int32_t hr_gate_check(const hr_gate_limits *limits, const hr_gate_state *state,
                      const hr_gate_order *order) {
    int32_t reason = hr_gate_check_state(limits, state);
    if (reason == HR_GATE_OK) {
        reason = hr_gate_check_numbers(state, order);
    }
    return reason == HR_GATE_OK ? hr_gate_check_side(limits, state, order) : reason;
}

int32_t hr_gate_check_numbers(const hr_gate_state *state, const hr_gate_order *order) {
    return order != NULL && is_finite_state(state) && has_finite_order(order) &&
                   is_counted(order->position_lots)
               ? HR_GATE_OK
               : HR_GATE_NOT_FINITE;
}

int32_t hr_gate_check_side(const hr_gate_limits *limits, const hr_gate_state *state,
                           const hr_gate_order *order) {
    if (!is_counted(order->price_ticks) || !is_counted(order->amount_lots)) {
        return HR_GATE_NOT_FINITE;
    }
    if (order->amount_lots <= 0 || order->amount_lots > limits->quote_lots_max) {
        return HR_GATE_SIZE;
    }
    if (!((double)order->amount_lots * order->lot_coin * state->index_usd <=
          limits->value_usd_max)) {
        return HR_GATE_VALUE;
    }
    if (!hr_gate_is_on_grid(order->price_ticks, order->step_above_ticks, order->step_ticks)) {
        return HR_GATE_GRID;
    }
    int32_t reason = check_price(limits, order);
    if (reason == HR_GATE_OK) {
        reason = check_position(limits, state, order);
    }
    if (reason == HR_GATE_OK) {
        reason = check_exposure(limits, state, order);
    }
    if (reason == HR_GATE_OK &&
        (order->is_latched || order->execution_count >= limits->executions_max)) {
        reason = HR_GATE_REPEATED;
    }
    return reason;
}

const char *hr_gate_reason_name(int32_t reason) {
    static const char *const names[HR_GATE_REASONS] = {
        "ok",     "halted",     "no_limits", "no_lease", "stale_surface", "stale_tick",
        "frozen", "not_finite", "size",      "value",    "grid",          "crossed",
        "bounds", "collar",     "drift",     "reducing", "position",      "delta",
        "vega",   "gamma",      "repeated",  "tripped",  "excess",        "rate",
    };
    return reason >= 0 && reason < HR_GATE_REASONS ? names[reason] : "unknown";
}
