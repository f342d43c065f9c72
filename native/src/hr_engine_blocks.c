/* hr_engine_blocks.c: the control plane: instruments and whole parameter blocks. */
#include "hr_engine_state.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define SECONDS_PER_YEAR (365.0 * 24.0 * 3600.0)

static int32_t slice_of(const hr_engine_surface *surface, int64_t expiry_ns) {
    for (int32_t i = 0; i < (int32_t)surface->slice_count; i++) {
        if (surface->slices[i].expiry_ns == expiry_ns) {
            return i;
        }
    }
    return HR_SLICE_NONE;
}

static int is_positive(double value) {
    return isfinite(value) && value > 0.0;
}

static int is_share(double value) {
    return value >= 0.0 && value <= 1.0;
}

hr_status hr_engine_set_instrument(hr_engine *engine, int64_t slot,
                                   const hr_engine_instrument *instrument) {
    hr_slot *target = NULL;
    const hr_status status = hr_engine_find_slot(engine, slot, &target);
    if (status != HR_OK) {
        return status;
    }
    if (instrument == NULL ||
        (instrument->is_listed &&
         (!is_positive(instrument->strike_usd) || !is_positive(instrument->tick_coin) ||
          !is_positive(instrument->lot_coin) || instrument->expiry_ns <= 0 ||
          instrument->step_above_ticks < 0 || instrument->step_ticks < 1))) {
        return HR_ERR_ARGUMENT;
    }
    const int is_same = target->spec.expiry_ns == instrument->expiry_ns &&
                        target->spec.is_call == instrument->is_call &&
                        fabs(target->spec.strike_usd - instrument->strike_usd) < 1e-9;
    if (!is_same) {
        hr_engine_unmark_slot(engine, slot);
        memset(target, 0, sizeof *target);
    }
    target->spec = *instrument;
    engine->is_stepped = 0;
    if (instrument->is_listed && slot >= engine->used_count) {
        engine->used_count = slot + 1;
    }
    target->slice = slice_of(&engine->surface, instrument->expiry_ns);
    return HR_OK;
}

hr_status hr_engine_set_barred(hr_engine *engine, int64_t slot, int32_t is_barred) {
    hr_slot *target = NULL;
    const hr_status status = hr_engine_find_slot(engine, slot, &target);
    if (status != HR_OK) {
        return status;
    }
    target->is_barred = is_barred;
    return hr_engine_mark(engine, slot);
}

hr_status hr_engine_set_surface(hr_engine *engine, const hr_engine_surface *surface) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (surface == NULL || surface->slice_count < 0 ||
        surface->slice_count > HR_ENGINE_SLICES_MAX) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t i = 0; i < surface->slice_count; i++) {
        const hr_engine_slice *slice = &surface->slices[i];
        if (!is_positive(slice->years) || !is_positive(slice->forward_ratio) ||
            !isfinite(slice->a) || !isfinite(slice->m) || !(slice->b >= 0.0) ||
            !isfinite(slice->b) || !(fabs(slice->rho) <= 1.0) || !is_positive(slice->sigma)) {
            return HR_ERR_NOT_FINITE;
        }
    }
    engine->surface = *surface;
    engine->is_stepped = 0;
    for (int64_t i = 0; i < engine->slot_count; i++) {
        engine->slots[i].slice = slice_of(surface, engine->slots[i].spec.expiry_ns);
    }
    return HR_OK;
}

static int is_policy(const hr_engine_policy *policy) {
    const double bounded[] = {
        policy->fee_coin,
        policy->edge_coin,
        policy->vol_half,
        policy->vol_wing_ratio,
        policy->vol_age_ratio_per_s,
        policy->spot_sigmas,
        policy->spot_horizon_s,
        policy->widen_ratio,
        policy->skew_delta_ratio,
        policy->skew_vega_vol,
        policy->skew_term_vol,
        policy->skew_region_vol,
        policy->skew_half_spreads_max,
        policy->flow_delta_ratio,
        policy->flow_vega_vol,
        policy->move_passive_ratio,
        policy->theo_ticks_min,
        policy->improve_delta_max,
        policy->improve_years_max,
    };
    const double positive[] = {
        policy->vol_years,         policy->spot_vol_floor,       policy->realised_half_life_s,
        policy->widen_max,         policy->half_spread_coin_max, policy->flow_half_life_s,
        policy->rival_relax_s,     policy->patience_ratio,       policy->away_ratio,
        policy->quotes_per_s,      policy->quotes_burst,         policy->window_quantity_coin,
        policy->window_delta_coin, policy->window_vega_usd,      policy->gamma_window_ratio,
    };
    for (size_t i = 0; i < sizeof bounded / sizeof bounded[0]; i++) {
        if (!isfinite(bounded[i]) || bounded[i] < 0.0) {
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof positive / sizeof positive[0]; i++) {
        if (!is_positive(positive[i])) {
            return 0;
        }
    }
    return is_share(policy->fee_price_ratio) && is_share(policy->rounding_ratio) &&
           is_share(policy->edge_price_ratio) && is_share(policy->move_urgent_ratio) &&
           is_share(policy->delta_min) && is_share(policy->delta_max) &&
           is_share(policy->range_hysteresis) && policy->taper_ratio >= 0.0 &&
           policy->taper_ratio < 1.0 &&
           policy->fee_coin + policy->edge_coin + policy->vol_half > 0.0 &&
           policy->window_count > 0 && policy->window_ns > 0 && policy->freeze_ns >= 0 &&
           policy->amount_lots > 0 && policy->amount_lots <= HR_GATE_COUNT_MAX &&
           policy->quoted_max > 0 && policy->tenor_ns_min >= 0;
}

hr_status hr_engine_set_policy(hr_engine *engine, const hr_engine_policy *policy) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (policy == NULL || !is_policy(policy)) {
        return HR_ERR_ARGUMENT;
    }
    if (engine->policy.version == 0 || engine->quote_tokens > policy->quotes_burst) {
        engine->quote_tokens = policy->quotes_burst;
    }
    engine->policy = *policy;
    engine->spot_root = sqrt(policy->spot_horizon_s / SECONDS_PER_YEAR);
    engine->is_stepped = 0;
    return HR_OK;
}

hr_status hr_engine_set_limits(hr_engine *engine, const hr_gate_limits *limits) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (limits == NULL) {
        return HR_ERR_ARGUMENT;
    }
    engine->limits = *limits;
    engine->has_limits = hr_gate_has_limits(limits);
    engine->is_stepped = 0;
    return HR_OK;
}

hr_status hr_engine_set_lease(hr_engine *engine, int32_t state, int64_t expires_ns) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (state < HR_STATE_ACTIVE || state > HR_STATE_HALTED) {
        return HR_ERR_ARGUMENT;
    }
    engine->lease_state = state;
    engine->lease_expires_ns = expires_ns;
    return HR_OK;
}

hr_status hr_engine_set_halted(hr_engine *engine, int32_t is_halted) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    engine->is_halted = is_halted;
    return HR_OK;
}

hr_status hr_engine_set_hedge(hr_engine *engine, double hedge_usd) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (!isfinite(hedge_usd)) {
        return HR_ERR_NOT_FINITE;
    }
    engine->hedge_usd = hedge_usd;
    return HR_OK;
}

hr_status hr_engine_latch(hr_engine *engine, int64_t slot, int32_t side) {
    if (slot == HR_LATCH_SLOT_ALL && hr_engine_is_valid(engine)) {
        engine->is_excess = 1;
        return HR_OK;
    }
    hr_slot *target = NULL;
    const hr_status status = hr_engine_find_slot(engine, slot, &target);
    if (status != HR_OK) {
        return status;
    }
    if (side != HR_SIDE_BID && side != HR_SIDE_ASK) {
        return HR_ERR_ARGUMENT;
    }
    target->is_latched[side] = 1;
    return hr_engine_mark(engine, slot);
}

int32_t hr_engine_is_latched(const hr_engine *engine, int64_t slot, int32_t side) {
    if (!hr_engine_is_valid(engine)) {
        return 1;
    }
    if (slot == HR_LATCH_SLOT_ALL) {
        return engine->is_excess;
    }
    return slot >= 0 && slot < engine->slot_count && (side == HR_SIDE_BID || side == HR_SIDE_ASK) &&
           engine->slots[slot].is_latched[side];
}

hr_status hr_engine_rearm(hr_engine *engine) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    engine->is_excess = 0;
    engine->is_stepped = 0;
    for (int64_t i = 0; i < engine->slot_count; i++) {
        for (int32_t side = 0; side < 2; side++) {
            engine->slots[i].is_latched[side] = 0;
            engine->slots[i].executions[side].count = 0;
        }
    }
    return HR_OK;
}
