/* hr_engine_pass.c: a pass over the quotes: revalue, sum the book, consider each, send the best. */
#include "hr_engine_state.h"

#include <stddef.h>

#define NS_PER_S 1e9

/* Sums the greeks of positions, and what live quotes may still add to them. */
static void sum_book(hr_engine *engine) {
    engine->book = (hr_book_greeks){0};
    engine->in_flight = (hr_in_flight){0};
    engine->book_error = (hr_book_error){0};
    for (int64_t i = 0; i < engine->used_count; i++) {
        const hr_slot *slot = &engine->slots[i];
        if (slot->position_lots != 0 && slot->slice != HR_SLICE_NONE) {
            const double coin = (double)slot->position_lots * slot->spec.lot_coin;
            const double vega = coin * slot->value.vega_usd;
            engine->book.delta_coin += coin * slot->value.delta_coin;
            engine->book.gamma_coin_per_usd += coin * slot->value.gamma_coin_per_usd;
            engine->book.vega_usd += vega;
            engine->book.vega_of_slice[slot->slice] += vega;
            engine->book.vega_of_region[slot->region] += vega;
        }
        const hr_in_flight live = hr_engine_in_flight_of(slot, slot->live_lots);
        hr_engine_add_in_flight(&engine->in_flight, &live);
    }
    const double hedge_coin = engine->hedge_usd / engine->index_usd;
    engine->book.delta_coin += hedge_coin;
    engine->book.gamma_coin_per_usd -= hedge_coin / engine->index_usd;
}

static void refill(hr_engine *engine, int64_t now_ns) {
    const double elapsed_s = (double)(now_ns - engine->tokens_ns) / NS_PER_S;
    if (engine->tokens_ns > 0 && elapsed_s > 0.0) {
        const double refilled = engine->quote_tokens + elapsed_s * engine->policy.quotes_per_s;
        const double burst = engine->policy.quotes_burst;
        engine->quote_tokens = refilled < burst ? refilled : burst;
    }
    engine->tokens_ns = now_ns;
}

void hr_engine_send(hr_engine *engine, const hr_engine_decision *decision, int64_t now_ns) {
    hr_slot *slot = &engine->slots[decision->slot];
    for (int32_t side = 0; side < 2; side++) {
        if (decision->is_moved[side]) {
            slot->left_ticks[side] = slot->live_lots[side] > 0 ? slot->live_ticks[side] : 0;
            slot->left_ns[side] = now_ns;
            slot->live_ticks[side] = decision->lots[side] > 0 ? decision->ticks[side] : 0;
            slot->live_lots[side] = decision->lots[side];
            hr_gate_account_sent(&slot->accounts[side], decision->lots[side], now_ns);
        }
    }
    engine->quote_tokens -= 1.0;
}

static int is_exposed(const hr_engine_decision *decision) {
    return decision->is_moved[HR_SIDE_BID] == 2 || decision->is_moved[HR_SIDE_ASK] == 2;
}

static void sift_down(const hr_engine_decision *candidates, int32_t *heap, int64_t count,
                      int64_t at) {
    for (;;) {
        int64_t least_at = at;
        for (int64_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (candidates[heap[child]].score < candidates[heap[least_at]].score) {
                least_at = child;
            }
        }
        if (least_at == at) {
            return;
        }
        const int32_t moved = heap[at];
        heap[at] = heap[least_at];
        heap[least_at] = moved;
        at = least_at;
    }
}

/* Leaves the `keep` candidates of highest score in the heap, in the order of their slots where all
 * fit. Returns how many there are. */
static int64_t select_best(hr_engine *engine, int64_t candidate_count, int64_t keep) {
    const int64_t kept = candidate_count < keep ? candidate_count : keep;
    for (int64_t i = 0; i < kept; i++) {
        engine->heap[i] = (int32_t)i;
    }
    if (kept == candidate_count || kept == 0) {
        return kept;
    }
    for (int64_t at = kept / 2 - 1; at >= 0; at--) {
        sift_down(engine->candidates, engine->heap, kept, at);
    }
    for (int64_t i = kept; i < candidate_count; i++) {
        if (engine->candidates[i].score > engine->candidates[engine->heap[0]].score) {
            engine->heap[0] = (int32_t)i;
            sift_down(engine->candidates, engine->heap, kept, 0);
        }
    }
    return kept;
}

void hr_engine_count_live(const hr_engine *engine, hr_engine_pass *pass) {
    for (int64_t i = 0; i < engine->used_count; i++) {
        const hr_slot *slot = &engine->slots[i];
        const int sides = (slot->live_lots[0] > 0) + (slot->live_lots[1] > 0);
        pass->quotable_count += slot->is_quotable;
        pass->two_sided_count += slot->is_quotable && sides == 2;
        pass->one_sided_count += sides == 1;
    }
}

int64_t hr_engine_budget(hr_engine *engine, int64_t now_ns, int64_t capacity) {
    refill(engine, now_ns);
    const int64_t tokens = engine->quote_tokens > 0.0 ? (int64_t)engine->quote_tokens : 0;
    return tokens < capacity ? tokens : capacity;
}

void hr_engine_send_best(hr_engine *engine, int64_t now_ns, int64_t capacity, int64_t found,
                         hr_engine_decision *decisions_out, hr_engine_pass *pass_out) {
    for (int64_t i = 0; i < found; i++) {
        pass_out->exposed_count += is_exposed(&engine->candidates[i]);
        hr_engine_mark_slot(engine, engine->candidates[i].slot);
    }
    const int64_t kept = select_best(engine, found, hr_engine_budget(engine, now_ns, capacity));
    for (int64_t i = 0; i < kept; i++) {
        decisions_out[i] = engine->candidates[engine->heap[i]];
        pass_out->exposed_count -= is_exposed(&decisions_out[i]);
        hr_engine_send(engine, &decisions_out[i], now_ns);
        hr_engine_unmark_slot(engine, decisions_out[i].slot);
    }
    pass_out->candidate_count = found;
    pass_out->decision_count = kept;
}

hr_status hr_engine_begin(hr_engine *engine, int64_t now_ns, const void *decisions,
                          hr_engine_pass *pass) {
    if (engine == NULL || engine->magic != HR_ENGINE_MAGIC) {
        return HR_ERR_MAGIC;
    }
    if (decisions == NULL || pass == NULL) {
        return HR_ERR_ARGUMENT;
    }
    *pass = (hr_engine_pass){.blocked_reason = hr_engine_take_moment(engine, now_ns)};
    hr_engine_set_common(engine, now_ns);
    return HR_OK;
}

hr_status hr_engine_decide(hr_engine *engine, int64_t now_ns, int64_t capacity,
                           hr_engine_decision *decisions_out, hr_engine_pass *pass_out) {
    const hr_status status = hr_engine_begin(engine, now_ns, decisions_out, pass_out);
    if (status != HR_OK) {
        return status;
    }
    engine->is_stepped = 0;
    if (engine->index_usd > 0.0) {
        int64_t quotable = 0;
        for (int64_t i = 0; i < engine->used_count; i++) {
            hr_slot *slot = &engine->slots[i];
            hr_engine_value_slot(engine, slot, now_ns);
            hr_engine_see_rivals(slot, now_ns);
            slot->is_quotable =
                quotable < engine->policy.quoted_max && hr_engine_is_in_range(engine, slot, now_ns);
            quotable += slot->is_quotable;
        }
        sum_book(engine);
        hr_engine_weigh_book(engine);
    }
    if (pass_out->blocked_reason == HR_GATE_OK) {
        int64_t found = 0;
        hr_engine_read_moment(engine, now_ns, &engine->gate);
        for (int64_t i = 0; i < engine->used_count; i++) {
            hr_slot *slot = &engine->slots[i];
            hr_engine_unmark_slot(engine, i);
            if (slot->is_quotable || slot->live_lots[0] > 0 || slot->live_lots[1] > 0) {
                found += hr_engine_consider(engine, slot, i, HR_SIDES_BOTH, 0,
                                            &engine->candidates[found], &pass_out->refused_count);
            }
        }
        hr_engine_send_best(engine, now_ns, capacity, found, decisions_out, pass_out);
    }
    hr_engine_count_live(engine, pass_out);
    return HR_OK;
}
