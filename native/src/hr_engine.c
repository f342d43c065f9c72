/* hr_engine.c: memory, what comes in and what can be read; blocks are in hr_engine_blocks.c,
 * decisions in hr_engine_pass.c. */
#include "hr_engine_state.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define ALIGNMENT 64
#define NS_PER_S 1e9
#define SECONDS_PER_YEAR (365.0 * 24.0 * 3600.0)
#define RETURN_INTERVAL_S_MIN 1e-3

static int64_t aligned(int64_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int64_t blocks_of(int64_t slot_count) {
    return (slot_count + HR_STEP_LANES - 1) / HR_STEP_LANES;
}

static int64_t set_bytes(int64_t slot_count) {
    return aligned((slot_count + HR_SET_BITS - 1) / HR_SET_BITS * (int64_t)sizeof(uint64_t));
}

int64_t hr_engine_size(int64_t slot_count) {
    if (slot_count < 1 || slot_count > HR_ENGINE_INSTRUMENTS_MAX) {
        return 0;
    }
    return aligned((int64_t)sizeof(hr_engine)) + aligned(slot_count * (int64_t)sizeof(hr_slot)) +
           aligned(slot_count * (int64_t)sizeof(hr_engine_decision)) +
           aligned(slot_count * (int64_t)sizeof(int32_t)) +
           aligned(blocks_of(slot_count) * (int64_t)sizeof(hr_step_block)) +
           3 * set_bytes(slot_count);
}

hr_status hr_engine_init(void *memory, int64_t bytes, int64_t slot_count, hr_engine **engine_out) {
    const int64_t needed = hr_engine_size(slot_count);
    if (memory == NULL || engine_out == NULL || needed == 0 || bytes < needed ||
        (uintptr_t)memory % ALIGNMENT != 0) {
        return HR_ERR_ARGUMENT;
    }
    memset(memory, 0, (size_t)needed);
    hr_engine *engine = memory;
    unsigned char *next = (unsigned char *)memory + aligned((int64_t)sizeof(hr_engine));
    engine->slots = (void *)next;
    next += aligned(slot_count * (int64_t)sizeof(hr_slot));
    engine->candidates = (void *)next;
    next += aligned(slot_count * (int64_t)sizeof(hr_engine_decision));
    engine->heap = (void *)next;
    next += aligned(slot_count * (int64_t)sizeof(int32_t));
    engine->blocks = (void *)next;
    next += aligned(blocks_of(slot_count) * (int64_t)sizeof(hr_step_block));
    engine->picks = (void *)next;
    engine->marks = (void *)(next + set_bytes(slot_count));
    engine->owed = (void *)(next + 2 * set_bytes(slot_count));
    for (int64_t i = 0; i < blocks_of(slot_count) * HR_STEP_LANES; i++) {
        engine->blocks[i / HR_STEP_LANES].reach[i % HR_STEP_LANES] = HR_STEP_FAR;
        engine->blocks[i / HR_STEP_LANES].until_ns[i % HR_STEP_LANES] = HR_STEP_FAR;
    }
    engine->slot_count = slot_count;
    engine->lease_state = HR_STATE_HALTED;
    for (int64_t i = 0; i < slot_count; i++) {
        engine->slots[i].slice = HR_SLICE_NONE;
    }
    engine->magic = HR_ENGINE_MAGIC;
    *engine_out = engine;
    return HR_OK;
}

hr_status hr_engine_set_live(hr_engine *engine, int64_t slot, int32_t side, int64_t ticks,
                             int64_t lots, int64_t hold_until_ns) {
    hr_slot *target = NULL;
    const hr_status status = hr_engine_find_slot(engine, slot, &target);
    if (status != HR_OK) {
        return status;
    }
    if ((side != HR_SIDE_BID && side != HR_SIDE_ASK) || ticks < 0 || lots < 0) {
        return HR_ERR_ARGUMENT;
    }
    hr_engine_before_change(engine, slot);
    target->live_ticks[side] = ticks;
    target->live_lots[side] = lots;
    target->hold_until_ns[side] = hold_until_ns;
    hr_gate_account_sent(&target->accounts[side], lots, engine->now_ns);
    hr_engine_after_change(engine, slot);
    return HR_OK;
}

hr_status hr_engine_clear_live(hr_engine *engine) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    for (int64_t i = 0; i < engine->slot_count; i++) {
        hr_engine_before_change(engine, i);
        for (int32_t side = 0; side < 2; side++) {
            engine->slots[i].live_lots[side] = 0;
            hr_gate_account_sent(&engine->slots[i].accounts[side], 0, engine->now_ns);
        }
        hr_engine_after_change(engine, i);
    }
    return HR_OK;
}

hr_status hr_engine_on_index(hr_engine *engine, double index_usd, int64_t tick_ns) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (!isfinite(index_usd) || !(index_usd > 0.0)) {
        engine->tick_ns = 0; /* Fail closed: no good index is a stale one. */
        return HR_ERR_NOT_FINITE;
    }
    const double elapsed_s = (double)(tick_ns - engine->tick_ns) / NS_PER_S;
    if (engine->tick_ns > 0 && elapsed_s >= RETURN_INTERVAL_S_MIN &&
        engine->policy.realised_half_life_s > 0.0) {
        const double change = log(index_usd / engine->index_usd);
        const double keep = exp2(-elapsed_s / engine->policy.realised_half_life_s);
        engine->realised_variance_per_s =
            keep * engine->realised_variance_per_s + (1.0 - keep) * change * change / elapsed_s;
    }
    engine->index_usd = index_usd;
    engine->log_index = log(index_usd);
    if (tick_ns > engine->tick_ns) {
        engine->tick_ns = tick_ns;
    }
    return HR_OK;
}

/* Returns the sides that differ. */
static int32_t moved_sides(const hr_engine_book *one, const hr_engine_book *other) {
    const int is_bid = one->bid_ticks != other->bid_ticks || one->bid_lots != other->bid_lots;
    const int is_ask = one->ask_ticks != other->ask_ticks || one->ask_lots != other->ask_lots;
    return is_bid << HR_SIDE_BID | is_ask << HR_SIDE_ASK;
}

hr_status hr_engine_on_books(hr_engine *engine, const hr_engine_book *books, int64_t book_count) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (book_count < 0 || (books == NULL && book_count > 0)) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t i = 0; i < book_count; i++) {
        if (books[i].slot < 0 || books[i].slot >= engine->slot_count) {
            return HR_ERR_NOT_FOUND;
        }
        hr_engine_before_change(engine, books[i].slot);
        hr_slot *slot = &engine->slots[books[i].slot];
        const int32_t sides = moved_sides(&slot->market, &books[i]);
        slot->market = books[i];
        if (engine->is_stepped) {
            hr_engine_mark_sides(engine, books[i].slot, sides);
        }
    }
    return HR_OK;
}

static void open_window(hr_engine *engine, const hr_engine_fill *fill, const hr_slot *slot,
                        double signed_coin, int64_t now_ns) {
    const hr_engine_policy *policy = &engine->policy;
    hr_window *window = &engine->window;
    if (window->start_ns == 0 || now_ns - window->start_ns > policy->window_ns) {
        *window = (hr_window){.start_ns = now_ns};
    }
    window->quantity_coin += fabs(signed_coin);
    window->delta_coin += signed_coin * slot->value.delta_coin;
    window->vega_usd += signed_coin * slot->value.vega_usd;
    window->count++;
    if (window->quantity_coin >= policy->window_quantity_coin ||
        fabs(window->delta_coin) >= policy->window_delta_coin ||
        fabs(window->vega_usd) >= policy->window_vega_usd ||
        window->count >= policy->window_count) {
        engine->frozen_until_ns = now_ns + policy->freeze_ns;
        engine->freeze_count++;
        *window = (hr_window){0};
    }
    hr_execution *execution = &((hr_slot *)slot)->executions[!fill->is_buy];
    if (now_ns - execution->start_ns > engine->limits.executions_ns) {
        *execution = (hr_execution){.start_ns = now_ns};
    }
    execution->count++;
    if (engine->limits.executions_max > 0 && execution->count >= engine->limits.executions_max) {
        ((hr_slot *)slot)->is_latched[!fill->is_buy] = 1;
    }
}

/* What a fill of this moment changes besides the position. */
static void take_news(hr_engine *engine, const hr_engine_fill *fill, hr_slot *slot,
                      int64_t signed_lots, int64_t now_ns) {
    const double signed_coin = (double)signed_lots * slot->spec.lot_coin;
    const int32_t side = fill->is_buy ? HR_SIDE_BID : HR_SIDE_ASK;
    hr_engine_see_time(engine, now_ns);
    if (hr_gate_account_filled(&slot->accounts[side], fill->amount_lots, now_ns) != HR_GATE_OK) {
        engine->is_excess = 1;
    }
    if (slot->live_ticks[side] == fill->price_ticks) {
        const int64_t left = slot->live_lots[side] - fill->amount_lots;
        slot->live_lots[side] = left > 0 ? left : 0;
    }
    engine->book.delta_coin += signed_coin * slot->value.delta_coin;
    engine->book.vega_usd += signed_coin * slot->value.vega_usd;
    engine->book.gamma_coin_per_usd += signed_coin * slot->value.gamma_coin_per_usd;
    if (engine->policy.version > 0) {
        const double elapsed_s = (double)(now_ns - engine->flow_ns) / NS_PER_S;
        const double keep =
            elapsed_s > 0.0 ? exp2(-elapsed_s / engine->policy.flow_half_life_s) : 1.0;
        engine->flow_delta_coin =
            keep * engine->flow_delta_coin + signed_coin * slot->value.delta_coin;
        engine->flow_vega_usd = keep * engine->flow_vega_usd + signed_coin * slot->value.vega_usd;
        engine->flow_ns = now_ns;
        open_window(engine, fill, slot, signed_coin, now_ns);
        hr_engine_set_common(engine, now_ns);
    }
}

hr_status hr_engine_on_fill(hr_engine *engine, const hr_engine_fill *fill, int64_t now_ns) {
    hr_slot *slot = NULL;
    const hr_status status =
        fill == NULL ? HR_ERR_ARGUMENT : hr_engine_find_slot(engine, fill->slot, &slot);
    if (status != HR_OK) {
        return status;
    }
    if (fill->amount_lots <= 0 || fill->amount_lots > HR_GATE_COUNT_MAX) {
        return HR_ERR_ARGUMENT;
    }
    hr_engine_before_change(engine, fill->slot);
    const int64_t signed_lots = fill->is_buy ? fill->amount_lots : -fill->amount_lots;
    slot->position_lots += signed_lots;
    engine->fill_count++;
    if (!fill->is_replayed) {
        take_news(engine, fill, slot, signed_lots, now_ns);
    }
    hr_engine_after_change(engine, fill->slot);
    return HR_OK;
}

hr_status hr_engine_on_trip(hr_engine *engine, int64_t now_ns) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    hr_engine_see_time(engine, now_ns);
    hr_gate_trip_on(&engine->trip, now_ns);
    return HR_OK;
}

hr_status hr_engine_reset_trip(hr_engine *engine, int64_t now_ns) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    return hr_gate_trip_reset(&engine->trip, now_ns);
}

hr_status hr_engine_mark(hr_engine *engine, int64_t slot) {
    hr_slot *target = NULL;
    const hr_status status = hr_engine_find_slot(engine, slot, &target);
    if (status == HR_OK) {
        hr_engine_mark_slot(engine, slot);
    }
    return status;
}

int64_t hr_engine_marked_count(const hr_engine *engine) {
    return hr_engine_is_valid(engine) ? engine->marked_count : 0;
}

hr_status hr_engine_read_risk(const hr_engine *engine, hr_engine_risk *risk_out) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (risk_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const double hedge_coin = engine->index_usd > 0.0 ? engine->hedge_usd / engine->index_usd : 0.0;
    *risk_out = (hr_engine_risk){
        .delta_coin = engine->book.delta_coin,
        .option_delta_coin = engine->book.delta_coin - hedge_coin,
        .vega_usd = engine->book.vega_usd,
        .gamma_coin_per_usd = engine->book.gamma_coin_per_usd,
        .realised_vol = sqrt(engine->realised_variance_per_s * SECONDS_PER_YEAR),
        .flow_delta_coin = engine->flow_delta_coin,
        .flow_vega_usd = engine->flow_vega_usd,
        .fill_count = engine->fill_count,
        .freeze_count = engine->freeze_count,
        .frozen_until_ns = engine->frozen_until_ns,
    };
    return HR_OK;
}

hr_status hr_engine_read_quote(const hr_engine *engine, int64_t slot, hr_engine_book *live_out,
                               hr_engine_value *value_out, int64_t *position_lots_out) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (slot < 0 || slot >= engine->slot_count) {
        return HR_ERR_NOT_FOUND;
    }
    if (live_out == NULL || value_out == NULL || position_lots_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const hr_slot *source = &engine->slots[slot];
    *live_out =
        (hr_engine_book){slot, source->live_ticks[HR_SIDE_BID], source->live_lots[HR_SIDE_BID],
                         source->live_ticks[HR_SIDE_ASK], source->live_lots[HR_SIDE_ASK]};
    *value_out = source->value;
    *position_lots_out = source->position_lots;
    return HR_OK;
}
