/* hr_engine_follow.c: values and anchors that go along with the index: of one slot, and in turn. */
#include "hr_engine_state.h"
#include "hr_inline.h"

#include <math.h>

/* In so long all anchors are renewed (hr_engine_step.c: their age), and so many at most at once. */
#define REFRESH_NS 8000000000
#define REFRESHED_MAX 32
#define NEAR_COIN                                                                                  \
    1e-8 /* What a step may leave out where it decides: of a tick the ten thousandth. */

static double most(double one, double other) {
    return one > other ? one : other;
}

double hr_engine_stepped_theo(const hr_step_block *from, int64_t i, double move) {
    return (double)from->theo[i] +
           move * ((double)from->theo_slope[i] + move * (double)from->theo_bend[i]);
}

/* Values a slot anew and anchors it there. */
HR_APART static void renew(hr_engine *engine, int64_t slot_index, int64_t now_ns) {
    hr_slot *slot = &engine->slots[slot_index];
    hr_engine_value_slot(engine, slot, now_ns);
    if (engine->is_stepped) {
        engine->quotable_count -= slot->is_quotable;
        slot->is_quotable = hr_engine_is_in_range(engine, slot, now_ns);
        engine->quotable_count += slot->is_quotable;
        hr_engine_anchor(engine, slot_index, now_ns);
    }
}

int hr_engine_is_elsewhere(const hr_engine *engine, const hr_slot *slot) {
    return engine->index_usd > slot->valued_usd || engine->index_usd < slot->valued_usd;
}

int64_t hr_engine_follow(hr_engine *engine, int64_t slot_index, int64_t now_ns) {
    const hr_step_block *from = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    hr_slot *slot = &engine->slots[slot_index];
    hr_engine_value *value = &slot->value;
    const double move = engine->log_index - from->log_index[i];
    if (!engine->is_stepped || !slot->is_valued || !(fabs(move) <= from->value_reach[i]) ||
        !((double)now_ns <= from->value_until_ns[i])) {
        renew(engine, slot_index, now_ns);
        return 1;
    }
    const int is_elsewhere = hr_engine_is_elsewhere(engine, slot);
    if (is_elsewhere) {
        const hr_engine_slice *slice = &engine->surface.slices[slot->slice];
        slot->valued_usd = engine->index_usd;
        slot->valued_ns = 0;
        value->forward_usd = engine->index_usd * slice->forward_ratio;
        value->theo_coin = hr_engine_stepped_theo(from, i, move);
        value->delta_coin = (double)from->delta[i] + move * (double)from->delta_slope[i];
        value->vega_coin = (double)from->vega[i] + move * (double)from->vega_slope[i];
        value->vega_usd = value->vega_coin * value->forward_usd * 0.01;
        value->call_delta = value->delta_coin + value->theo_coin + (slot->spec.is_call ? 0.0 : 1.0);
        const double moneyness = slot->spec.strike_usd / value->forward_usd;
        value->price_coin_min = most(0.0, slot->spec.is_call ? 1.0 - moneyness : moneyness - 1.0);
        value->price_coin_max = slot->spec.is_call ? 1.0 : moneyness;
        slot->spread = hr_engine_spread_of(&engine->policy, &slot->spec, value);
    }
    /* At the same value, before its end, only a bar makes a difference. */
    const int may_differ = is_elsewhere || slot->is_barred == slot->is_quotable;
    if (may_differ && slot->is_quotable != hr_engine_is_in_range(engine, slot, now_ns)) {
        renew(engine, slot_index, now_ns); /* Barred, or free again. */
    }
    return 0;
}

int64_t hr_engine_value_near(hr_engine *engine, int64_t slot_index, int64_t now_ns) {
    const hr_step_block *from = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    hr_slot *slot = &engine->slots[slot_index];
    const double move = fabs(engine->log_index - from->log_index[i]);
    if (slot->is_valued && slot->valued_ns == now_ns && !hr_engine_is_elsewhere(engine, slot)) {
        return 0;
    }
    if (slot->is_valued && (double)from->theo_cubic[i] * move * move * move <= NEAR_COIN) {
        return hr_engine_follow(engine, slot_index, now_ns);
    }
    hr_engine_value_slot(engine, slot, now_ns);
    return 1;
}

/* Anchors the next slot in its turn anew, for the screen to judge it from there; it is decided only
 * if it entered or left the quoted range. */
static void refresh_next(hr_engine *engine, int64_t now_ns) {
    const int64_t next = engine->refresh_at + 1;
    engine->refresh_at = next < engine->used_count ? next : 0;
    hr_slot *slot = &engine->slots[engine->refresh_at];
    const int32_t was_quotable = slot->is_quotable;
    renew(engine, engine->refresh_at, now_ns);
    hr_engine_rest(engine, engine->refresh_at, now_ns);
    if (slot->is_quotable != was_quotable) {
        hr_engine_mark_slot(engine, engine->refresh_at);
    }
}

int64_t hr_engine_refresh(hr_engine *engine, int64_t now_ns) {
    if (!hr_engine_is_valid(engine) || !engine->is_stepped || engine->used_count == 0) {
        return 0;
    }
    const int64_t turn_ns = REFRESH_NS / engine->used_count;
    const int64_t due = (now_ns - engine->refreshed_ns) / turn_ns;
    const int64_t count = due < 0 || due > REFRESHED_MAX ? REFRESHED_MAX : due;
    for (int64_t i = 0; i < count; i++) {
        refresh_next(engine, now_ns);
    }
    /* Who comes too late leaves the rest to their age: a pass sees it. */
    engine->refreshed_ns = count == due ? engine->refreshed_ns + due * turn_ns : now_ns;
    return count;
}

int hr_engine_come_along(hr_engine *engine, int64_t slot_index, int64_t now_ns) {
    const hr_step_block *at = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    const int32_t was_quotable = engine->slots[slot_index].is_quotable;
    if (hr_set_has(engine->marks, slot_index) || at->reach[i] < 0.0) {
        hr_engine_follow(engine, slot_index, now_ns);
        return 0;
    }
    renew(engine, slot_index, now_ns);
    hr_engine_rest(engine, slot_index, now_ns);
    return engine->slots[slot_index].is_quotable == was_quotable && at->reach[i] >= 0.0 &&
           at->until_ns[i] >= (double)now_ns;
}
