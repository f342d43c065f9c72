/* hr_engine_slot.c: what every part of the engine asks of one slot: its mark, its value, and
 * whether it may be quoted. */
#include "hr_engine_state.h"

#include <math.h>
#include <stddef.h>

#define ECHO_NS 1000000000
#define THEO_HYSTERESIS 0.75
#define GAMMA_HYSTERESIS 1.25
#define OPINION_RATIO 0.25

int hr_engine_is_valid(const hr_engine *engine) {
    return engine != NULL && engine->magic == HR_ENGINE_MAGIC;
}

void hr_engine_see_time(hr_engine *engine, int64_t now_ns) {
    if (now_ns > engine->now_ns) {
        engine->now_ns = now_ns;
    }
}

void hr_engine_mark_sides(hr_engine *engine, int64_t slot_index, int32_t sides) {
    engine->marked_count += !hr_set_has(engine->marks, slot_index);
    engine->slots[slot_index].due_sides |= sides;
    hr_set_add(engine->marks, slot_index);
}

void hr_engine_mark_slot(hr_engine *engine, int64_t slot_index) {
    hr_engine_mark_sides(engine, slot_index, HR_SIDES_BOTH);
}

void hr_engine_unmark_slot(hr_engine *engine, int64_t slot_index) {
    engine->marked_count -= hr_set_has(engine->marks, slot_index);
    engine->slots[slot_index].due_sides = 0;
    hr_set_remove(engine->marks, slot_index);
}

hr_status hr_engine_find_slot(hr_engine *engine, int64_t slot, hr_slot **slot_out) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (slot < 0 || slot >= engine->slot_count) {
        return HR_ERR_NOT_FOUND;
    }
    *slot_out = &engine->slots[slot];
    return HR_OK;
}

/* The first drift period of a slot is shorter by its place, so that never all end at one tick. */
static int64_t head_start_ns(const hr_engine *engine, const hr_slot *slot) {
    return engine->limits.drift_ns / engine->slot_count * (slot - engine->slots);
}

/* Somebody else's best price on a side, now or as far from the model as when last seen; 0: none. */
static double rival_price(const hr_slot *slot, int32_t side, double theo_coin, int64_t now_ns) {
    const int64_t ticks = hr_engine_others_ticks(slot, side);
    if (ticks > 0 && !hr_engine_is_echo(slot, side, ticks, now_ns)) {
        return (double)ticks * slot->spec.tick_coin;
    }
    const double away = slot->rival_coin[side];
    return slot->rival_ns[side] == 0 ? 0.0 : theo_coin + (side == HR_SIDE_BID ? -away : away);
}

/* What the half-spread must grow by so that no quote is better than the middle of the others'
 * market, and none inside it where the model is outside: these are two opinions, and which is wrong
 * is not known. The market's is no finer than its grid, and none at all where it is as wide as half
 * its price. */
static double miss_of(const hr_slot *slot, double theo_coin, int64_t now_ns) {
    const double bid = rival_price(slot, HR_SIDE_BID, theo_coin, now_ns);
    const double ask = rival_price(slot, HR_SIDE_ASK, theo_coin, now_ns);
    const double middle = 0.5 * (bid + ask);
    const double half = 0.5 * (ask - bid);
    if (!(bid > 0.0) || !(half > 0.0) || !(half < OPINION_RATIO * middle)) {
        return 0.0;
    }
    const double away = fabs(theo_coin - middle);
    const double miss = away - 0.5 * hr_engine_step_at(&slot->spec, ask);
    return away > half ? away + half : miss > 0.0 ? miss : 0.0;
}

void hr_engine_value_slot(hr_engine *engine, hr_slot *slot, int64_t now_ns) {
    slot->is_valued = 0;
    if (!slot->spec.is_listed || slot->slice == HR_SLICE_NONE) {
        return;
    }
    hr_engine_value value;
    if (hr_engine_revalue(&slot->spec, &engine->surface.slices[slot->slice], engine->index_usd,
                          now_ns, &value) != HR_OK) {
        return;
    }
    if (slot->surface_version != engine->surface.version) {
        slot->surface_version = engine->surface.version;
        slot->miss_coin = miss_of(slot, value.theo_coin, now_ns);
    }
    value.miss_coin = slot->miss_coin;
    slot->value = value;
    slot->spread = hr_engine_spread_of(&engine->policy, &slot->spec, &slot->value);
    slot->valued_usd = engine->index_usd;
    slot->valued_ns = now_ns;
    slot->is_valued = 1;
    slot->region = value.call_delta > 1.0 - HR_WING_DELTA ? 0
                   : value.call_delta >= HR_WING_DELTA    ? 1
                                                          : 2;
    if (slot->anchor_ns == 0 || now_ns - slot->anchor_ns > engine->limits.drift_ns) {
        slot->anchor_ns = now_ns - (slot->anchor_ns == 0 ? head_start_ns(engine, slot) : 0);
        slot->anchor_coin = value.theo_coin;
    }
}

int hr_engine_is_echo(const hr_slot *slot, int32_t side, int64_t ticks, int64_t now_ns) {
    return ticks == slot->left_ticks[side] && now_ns - slot->left_ns[side] < ECHO_NS;
}

int64_t hr_engine_echo_end(const hr_slot *slot, int32_t side) {
    return slot->left_ns[side] + ECHO_NS;
}

/* Notes how far from the model value somebody else's best price stands. A price that we have just
 * left may be our own, seen late. */
void hr_engine_see_rivals(hr_slot *slot, int64_t now_ns) {
    for (int32_t side = 0; side < 2; side++) {
        const int64_t ticks = hr_engine_others_ticks(slot, side);
        if (ticks > 0 && !hr_engine_is_echo(slot, side, ticks, now_ns) && slot->is_valued) {
            const double price = (double)ticks * slot->spec.tick_coin;
            const double theo = slot->value.theo_coin;
            slot->rival_coin[side] = side == HR_SIDE_BID ? theo - price : price - theo;
            slot->rival_ns[side] = now_ns;
        }
    }
}

double hr_engine_theo_min(const hr_engine *engine, const hr_slot *slot) {
    const double theo_ticks_min =
        engine->policy.theo_ticks_min * (slot->is_quotable ? THEO_HYSTERESIS : 1);
    return theo_ticks_min * slot->spec.tick_coin;
}

double hr_engine_gamma_max(const hr_engine *engine, const hr_slot *slot) {
    const double share =
        engine->policy.gamma_window_ratio * (slot->is_quotable ? GAMMA_HYSTERESIS : 1);
    return share * engine->limits.gamma_coin_per_usd_max / engine->policy.window_quantity_coin;
}

/* A quotable option leaves the range later than it entered, so that none flickers at the edge. */
int hr_engine_is_in_range(const hr_engine *engine, const hr_slot *slot, int64_t now_ns) {
    const hr_engine_policy *policy = &engine->policy;
    if (!slot->is_valued || slot->is_barred) {
        return 0;
    }
    const int64_t tenor_ns = slot->spec.expiry_ns - now_ns;
    const double delta = slot->spec.is_call ? slot->value.call_delta : 1.0 - slot->value.call_delta;
    const double slack = slot->is_quotable ? policy->range_hysteresis : 0.0;
    return tenor_ns >= policy->tenor_ns_min && tenor_ns <= policy->tenor_ns_max &&
           delta >= policy->delta_min - slack && delta <= policy->delta_max + slack &&
           slot->value.theo_coin >= hr_engine_theo_min(engine, slot) &&
           fabs(slot->value.gamma_coin_per_usd) <= hr_engine_gamma_max(engine, slot);
}
