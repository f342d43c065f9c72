/* hr_engine_rest.c: what rests, ours and others', as an index pass reads it. */
#include "hr_engine_state.h"

#include <math.h>
#include <stddef.h>

#define STAMP_SLACK_NS 1024.0
#define SHARE_SLACK 1e-5 /* Of the size, for the rounding of its taper. */
#define PRICE_SLACK 2e-7 /* Coin: what a float may be wrong. */

static double least(double one, double other) {
    return one < other ? one : other;
}

static void wait_until(hr_step_block *to, int64_t i, int64_t until_ns) {
    to->until_ns[i] = least(to->until_ns[i], (double)until_ns - STAMP_SLACK_NS);
}

/* Somebody else's price on a side: seen now, seen before, or never. */
static void set_rival(const hr_slot *slot, hr_step_block *to, int64_t i, int32_t side,
                      int64_t now_ns) {
    const hr_engine_instrument *spec = &slot->spec;
    const double sign = side == HR_SIDE_BID ? 1.0 : -1.0; /* A rival's bid is below theo. */
    const double boundary = (double)spec->step_above_ticks * spec->tick_coin;
    const int64_t ticks = hr_engine_others_ticks(slot, side);
    const int is_echo = hr_engine_is_echo(slot, side, ticks, now_ns);
    const double seen = (double)ticks * spec->tick_coin;
    to->other_coin[side][i] = (float)(ticks > 0 ? seen : -sign * HR_STEP_FAR);
    to->rival_since_ns[side][i] = (double)slot->rival_ns[side];
    to->rival_slope[side][i] = 0.0f;
    if (ticks > 0 && is_echo) {
        wait_until(to, i, hr_engine_echo_end(slot, side));
    }
    if (ticks > 0 && !is_echo) {
        if (ticks == spec->step_above_ticks) {
            to->reach[i] = -1.0; /* Which step is next to it hangs on a rounding. */
        }
        to->rival_slope[side][i] = (float)sign;
        to->rival_coin[side][i] = (float)(-sign * seen - hr_engine_step_at(spec, seen));
    } else if (slot->rival_ns[side] > 0) {
        const double price = slot->value.theo_coin - sign * slot->rival_coin[side];
        if (spec->step_above_ticks > 0) {
            const double room = fabs(price - boundary) - (double)to->theo_time[i] - PRICE_SLACK;
            to->reach[i] = least(to->reach[i], room / (double)to->theo_line[i]);
        }
        to->rival_coin[side][i] = (float)(slot->rival_coin[side] - hr_engine_step_at(spec, price));
    } else {
        to->rival_coin[side][i] = (float)HR_STEP_FAR;
        to->rival_since_ns[side][i] = (double)now_ns;
    }
}

/* Between which usages of the limits hr_engine_aim gives a size that what rests need not be changed
 * for: rests * 4 <= lots * 5 and rests * 2 >= lots. */
static void set_usage(const hr_engine *engine, const hr_slot *slot, hr_step_block *to, int64_t i,
                      int32_t side) {
    const hr_engine_policy *policy = &engine->policy;
    const double amount = (double)policy->amount_lots;
    const double rests = (double)slot->live_lots[side];
    const double fewest = ceil(0.8 * rests - 1e-9);
    const double span = 1.0 - policy->taper_ratio;
    const double share_most = 2.0 * rests / amount;
    const double low = share_most >= 1.0 ? -1.0 : 1.0 - span * (share_most - SHARE_SLACK);
    const double high = 1.0 - span * ((fewest - 1.0) / amount + SHARE_SLACK);
    const double sign = side == HR_SIDE_BID ? 1.0 : -1.0;
    const double position = sign * (double)slot->position_lots;
    const double own = (position > 0.0 ? position : 0.0) / (double)engine->limits.position_lots_max;
    if (fewest > amount || own > high) {
        to->reach[i] = -1.0;
    }
    to->usage_low[side][i] = (float)(own >= low ? -1.0 : low);
    to->usage_high[side][i] = (float)high;
}

static int fits_position(const hr_engine *engine, const hr_slot *slot, int32_t side, int64_t lots) {
    const int64_t after = slot->position_lots + (side == HR_SIDE_BID ? lots : -lots);
    return after <= engine->limits.position_lots_max && after >= -engine->limits.position_lots_max;
}

/* What of the gate does not hang on the index is settled here, once. */
static void set_live(const hr_engine *engine, const hr_slot *slot, hr_step_block *to, int64_t i,
                     int32_t side) {
    const hr_gate_limits *limits = &engine->limits;
    const hr_engine_instrument *spec = &slot->spec;
    const int64_t ticks = slot->live_ticks[side];
    const int64_t lots = slot->live_lots[side];
    const double price = (double)ticks * spec->tick_coin;
    const int64_t step =
        spec->step_above_ticks > 0 && ticks > spec->step_above_ticks ? spec->step_ticks : 1;
    to->price_coin[side][i] = (float)price;
    to->live_step_coin[side][i] = (float)((double)step * spec->tick_coin);
    const int is_held_coarsely =
        side == HR_SIDE_BID ? ticks >= spec->step_above_ticks : ticks > spec->step_above_ticks;
    to->hold_step_coin[side][i] =
        (float)(spec->step_above_ticks > 0 && is_held_coarsely ? (double)to->step_coin[i]
                                                               : spec->tick_coin);
    set_usage(engine, slot, to, i, side);
    const int is_lawful =
        slot->is_latched[side] == 0 && lots <= limits->quote_lots_max &&
        hr_gate_is_on_grid(ticks, spec->step_above_ticks, spec->step_ticks) &&
        fits_position(engine, slot, side, lots) &&
        fits_position(engine, slot, side, engine->policy.amount_lots) &&
        fabs(price - slot->anchor_coin) <= limits->drift_coin_max - PRICE_SLACK &&
        (side == HR_SIDE_ASK || price <= (double)to->ceiling_coin[i] - PRICE_SLACK);
    if (!is_lawful) {
        to->reach[i] = -1.0;
    }
    if (side == HR_SIDE_ASK) {
        const double room = price - (double)to->intrinsic_coin[i] - PRICE_SLACK;
        to->reach[i] = least(to->reach[i], room / (double)to->bound_slope[i]);
    }
}

void hr_engine_count_lane(hr_engine *engine, int64_t slot_index) {
    const hr_slot *slot = &engine->slots[slot_index];
    hr_step_block *to = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    to->position_coin[i] = (float)((double)slot->position_lots * slot->spec.lot_coin);
    for (int32_t side = 0; side < 2; side++) {
        to->live_coin[side][i] = (float)((double)slot->live_lots[side] * slot->spec.lot_coin);
        to->absent[side][i] = (float)(slot->live_lots[side] > 0 ? 0.0 : HR_STEP_FAR);
    }
}

void hr_engine_rest(hr_engine *engine, int64_t slot_index, int64_t now_ns) {
    const hr_slot *slot = &engine->slots[slot_index];
    hr_step_block *to = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    to->reach[i] = to->value_reach[i];
    to->until_ns[i] = to->value_until_ns[i];
    hr_engine_count_lane(engine, slot_index);
    for (int32_t side = 0; side < 2; side++) {
        const int is_live = slot->live_lots[side] > 0;
        if (is_live && slot->is_quotable) {
            set_live(engine, slot, to, i, side);
        } else if (slot->is_quotable && now_ns < slot->hold_until_ns[side]) {
            wait_until(to, i, slot->hold_until_ns[side]);
        } else if (is_live || slot->is_quotable) {
            to->reach[i] = -1.0;
        }
        if (slot->is_quotable) {
            set_rival(slot, to, i, side, now_ns);
        }
    }
}
