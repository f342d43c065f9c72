/* hr_engine_index.c: passes that decide only what can have moved: an index tick, a book tick. */
#include "hr_engine_state.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define COMMON_NS 5000000 /* How old the common stance of a book tick may be. */
#define LIMIT_SLACK 0.999999999

static double most(double one, double other) {
    return one > other ? one : other;
}

/* The price of a rival who is seen moves away from theo with the index: before he goes, note how
 * far he was at the last pass, as a full pass would have. */
void hr_engine_before_change(hr_engine *engine, int64_t slot_index) {
    if (!engine->is_stepped || hr_set_has(engine->owed, slot_index)) {
        return; /* Or he was noted when the slot was decided. */
    }
    const hr_step_block *from = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    hr_slot *slot = &engine->slots[slot_index];
    const double move = engine->pass_log_index - from->log_index[i];
    const double theo = hr_engine_stepped_theo(from, i, move);
    for (int32_t side = 0; side < 2; side++) {
        const double slope = (double)from->rival_slope[side][i];
        if (slope > 0.5 || slope < -0.5) {
            slot->rival_coin[side] = slope * (theo - (double)from->other_coin[side][i]);
            slot->rival_ns[side] = engine->pass_ns;
        }
    }
}

void hr_engine_after_change(hr_engine *engine, int64_t slot_index) {
    if (engine->is_stepped) {
        hr_engine_count_lane(engine, slot_index);
        hr_engine_mark_slot(engine, slot_index);
    }
}

/* Takes over the sums as the book. */
static void set_book(hr_engine *engine, const hr_step_sums *sums) {
    hr_book_greeks *book = &engine->book;
    const double hedge_coin = engine->hedge_usd / engine->index_usd;
    *book = (hr_book_greeks){
        .delta_coin = sums->delta + hedge_coin,
        .gamma_coin_per_usd = sums->gamma - hedge_coin / engine->index_usd,
    };
    for (int64_t slice = 0; slice < engine->surface.slice_count; slice++) {
        for (int64_t region = 0; region < HR_ENGINE_REGIONS; region++) {
            const double vega = sums->vega_of_cell[slice * HR_ENGINE_REGIONS + region];
            book->vega_usd += vega;
            book->vega_of_slice[slice] += vega;
            book->vega_of_region[region] += vega;
        }
    }
    engine->in_flight = (hr_in_flight){
        .delta = {sums->up_delta, sums->down_delta},
        .vega = {sums->up_vega, sums->down_vega},
        .gamma = {sums->up_gamma, sums->down_gamma},
        .gamma_most = sums->gamma_most,
    };
    engine->book_error = (hr_book_error){sums->delta_error, sums->vega_error, sums->gamma_error};
    hr_engine_weigh_book(engine);
}

/* Returns 1 if no quote, whichever is filled first, can bring the gate's sums near their limits. */
static int has_room(const hr_engine *engine, const hr_step_sums *sums) {
    const hr_gate_limits *limits = &engine->limits;
    const hr_engine_policy *policy = &engine->policy;
    const hr_gate_state *state = &engine->gate;
    const double amount = most(sums->live_most, (double)policy->amount_lots * engine->lot_coin_max);
    const double delta = amount * sums->delta_most + fabs(state->delta_coin) +
                         most(state->delta_up_in_flight_coin, state->delta_down_in_flight_coin);
    const double vega = amount * sums->vega_most + fabs(state->vega_usd) +
                        most(state->vega_up_in_flight_usd, state->vega_down_in_flight_usd);
    const double gamma = amount * sums->gamma_most + fabs(state->gamma_coin_per_usd) +
                         most(state->gamma_up_in_flight, state->gamma_down_in_flight);
    return policy->amount_lots <= limits->quote_lots_max &&
           amount * engine->index_usd <= LIMIT_SLACK * limits->value_usd_max &&
           delta <= LIMIT_SLACK * limits->delta_coin_max &&
           vega <= LIMIT_SLACK * limits->vega_usd_max &&
           gamma <= LIMIT_SLACK * limits->gamma_coin_per_usd_max;
}

/* Picks what is marked, and what left its reach or its time and cannot be screened anew. Afterwards
 * every slot can be stepped. Returns how many were valued anew and not picked. */
static int64_t pick_far(hr_engine *engine, const hr_screen *pass, int64_t now_ns) {
    const int64_t words = hr_engine_set_words(engine);
    int64_t renewed = 0;
    for (int64_t word = 0; word < words; word++) {
        for (uint64_t bits = engine->owed[word]; bits != 0; bits &= bits - 1) {
            hr_engine_rest(engine, word * HR_SET_BITS + __builtin_ctzll(bits), now_ns);
        }
        engine->owed[word] = 0;
    }
    renewed += hr_engine_refresh(engine, now_ns); /* What no idle turn has. */
    hr_engine_find_far(engine, pass);
    for (int64_t word = 0; word < words; word++) {
        engine->picks[word] |= engine->marks[word];
        for (uint64_t bits = engine->picks[word]; bits != 0; bits &= bits - 1) {
            const int64_t i = word * HR_SET_BITS + __builtin_ctzll(bits);
            if (hr_engine_come_along(engine, i, now_ns)) {
                hr_set_remove(engine->picks, i);
                renewed++;
            }
        }
    }
    return renewed;
}

/* Everything in full, and every anchor anew: after a new block, or where sums stand near a limit.
 */
static hr_status decide_whole(hr_engine *engine, int64_t now_ns, int64_t capacity,
                              hr_engine_decision *decisions_out, hr_engine_pass *pass_out) {
    const hr_status status = hr_engine_decide(engine, now_ns, capacity, decisions_out, pass_out);
    if (status != HR_OK || !(engine->index_usd > 0.0)) {
        return status;
    }
    engine->quotable_count = 0;
    engine->lot_coin_max = 0.0;
    for (int64_t i = 0; i < engine->used_count; i++) {
        const hr_slot *slot = &engine->slots[i];
        hr_engine_anchor(engine, i, now_ns);
        hr_engine_rest(engine, i, now_ns);
        engine->quotable_count += slot->is_quotable;
        engine->lot_coin_max = most(engine->lot_coin_max, slot->spec.lot_coin);
    }
    memset(engine->owed, 0, (size_t)hr_engine_set_words(engine) * sizeof *engine->owed);
    engine->pass_log_index = engine->log_index;
    engine->pass_ns = engine->refreshed_ns = now_ns;
    engine->is_stepped = 1;
    pass_out->revalued_count = engine->used_count;
    return HR_OK;
}

/* Adds a slot to the counts of a pass, or takes it away. */
static void count_slot(const hr_slot *slot, hr_engine_pass *pass, int64_t sign) {
    const int is_bid = slot->live_lots[HR_SIDE_BID] > 0;
    const int is_ask = slot->live_lots[HR_SIDE_ASK] > 0;
    pass->two_sided_count += sign * (slot->is_quotable && is_bid && is_ask);
    pass->one_sided_count += sign * (is_bid != is_ask);
}

static int64_t picked_count(const hr_engine *engine) {
    int64_t count = 0;
    for (int64_t word = 0; word < hr_engine_set_words(engine); word++) {
        count += __builtin_popcountll(engine->picks[word]);
    }
    return count;
}

/* Considers what is picked, in the order of slots; returns how many should move. Ranks cost
 * more questions to the gate, and count only where perhaps not all can be sent. */
static int64_t consider_picked(hr_engine *engine, int64_t now_ns, int64_t capacity,
                               int64_t *refused_out) {
    const int32_t is_unranked = picked_count(engine) <= hr_engine_budget(engine, now_ns, capacity);
    const int64_t words = hr_engine_set_words(engine);
    int64_t found = 0;
    for (int64_t word = 0; word < words; word++) {
        for (uint64_t bits = engine->picks[word]; bits != 0; bits &= bits - 1) {
            const int64_t i = word * HR_SET_BITS + __builtin_ctzll(bits);
            hr_slot *slot = &engine->slots[i];
            if (slot->is_quotable || slot->live_lots[0] > 0 || slot->live_lots[1] > 0) {
                found += hr_engine_consider(engine, slot, i, HR_SIDES_BOTH, is_unranked,
                                            &engine->candidates[found], refused_out);
            }
        }
    }
    return found;
}

/* Decides what is picked and takes over what rests then. `far` are those picked for another reason
 * than their numbers. */
static void decide_picked(hr_engine *engine, int64_t now_ns, int64_t capacity, const uint64_t *far,
                          hr_engine_decision *decisions_out, hr_engine_pass *pass_out) {
    const int64_t words = hr_engine_set_words(engine);
    for (int64_t word = 0; word < words; word++) {
        for (uint64_t bits = engine->picks[word]; bits != 0; bits &= bits - 1) {
            const int64_t i = word * HR_SET_BITS + __builtin_ctzll(bits);
            hr_slot *slot = &engine->slots[i];
            pass_out->revalued_count += hr_engine_value_near(engine, i, now_ns);
            hr_engine_see_rivals(slot, now_ns);
            hr_engine_unmark_slot(engine, i);
            count_slot(slot, pass_out, -1);
        }
    }
    const int64_t found = consider_picked(engine, now_ns, capacity, &pass_out->refused_count);
    hr_engine_send_best(engine, now_ns, capacity, found, decisions_out, pass_out);
    for (int64_t word = 0; word < words; word++) {
        for (uint64_t bits = engine->picks[word]; bits != 0; bits &= bits - 1) {
            const int64_t i = word * HR_SET_BITS + __builtin_ctzll(bits);
            count_slot(&engine->slots[i], pass_out, 1);
            if (hr_set_has(far, i)) {
                hr_engine_rest(engine, i, now_ns);
            }
        }
    }
    for (int64_t i = 0; i < pass_out->decision_count; i++) {
        hr_engine_rest(engine, decisions_out[i].slot, now_ns);
    }
}

/* Everything that moved is decided; what the screen found room for is left alone. */
static hr_status decide_stepped(hr_engine *engine, int64_t now_ns, int64_t capacity,
                                hr_engine_decision *decisions_out, hr_engine_pass *pass_out) {
    hr_screen pass = {0};
    hr_step_sums sums;
    uint64_t far[HR_SET_WORDS_MAX];
    hr_engine_set_screen(engine, &pass, now_ns);
    pass_out->revalued_count = pick_far(engine, &pass, now_ns);
    hr_engine_sum_steps(engine, &pass, &sums);
    set_book(engine, &sums);
    hr_engine_read_moment(engine, now_ns, &engine->gate);
    hr_engine_set_flight(engine, &engine->in_flight);
    if (engine->quotable_count > engine->policy.quoted_max || !has_room(engine, &sums)) {
        return decide_whole(engine, now_ns, capacity, decisions_out, pass_out);
    }
    hr_engine_set_screen_book(engine, &pass);
    memcpy(far, engine->picks, (size_t)hr_engine_set_words(engine) * sizeof *far);
    hr_engine_screen(engine, &pass);
    pass_out->quotable_count = engine->quotable_count;
    pass_out->two_sided_count = (int64_t)sums.two_sided;
    pass_out->one_sided_count = (int64_t)sums.one_sided;
    decide_picked(engine, now_ns, capacity, far, decisions_out, pass_out);
    engine->pass_log_index = engine->log_index;
    engine->pass_ns = now_ns;
    return HR_OK;
}

hr_status hr_engine_decide_index(hr_engine *engine, int64_t now_ns, int64_t capacity,
                                 hr_engine_decision *decisions_out, hr_engine_pass *pass_out) {
    const hr_status status = hr_engine_begin(engine, now_ns, decisions_out, pass_out);
    if (status != HR_OK) {
        return status;
    }
    if (pass_out->blocked_reason != HR_GATE_OK && engine->is_stepped) {
        hr_engine_count_live(engine, pass_out);
        return HR_OK;
    }
    if (!engine->is_stepped || engine->lease_state != HR_STATE_ACTIVE) {
        return decide_whole(engine, now_ns, capacity, decisions_out, pass_out);
    }
    return decide_stepped(engine, now_ns, capacity, decisions_out, pass_out);
}

/* As hr_engine_begin; what stances have in common may be some milliseconds old. */
static hr_status begin_slot(hr_engine *engine, int64_t now_ns, const void *decision,
                            hr_engine_pass *pass) {
    if (!hr_engine_is_valid(engine)) {
        return HR_ERR_MAGIC;
    }
    if (decision == NULL || pass == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (!engine->is_stepped || now_ns - engine->common_ns >= COMMON_NS) {
        return hr_engine_begin(engine, now_ns, decision, pass);
    }
    *pass = (hr_engine_pass){.blocked_reason = hr_engine_take_moment(engine, now_ns)};
    return HR_OK;
}

/* Returns the sides that may have to move: that of the market that moved alone where the last pass
 * left both as they should be, and nothing else has happened since. */
static int32_t due_sides(const hr_engine *engine, const hr_slot *slot) {
    const int is_settled = engine->is_stepped && engine->lease_state == HR_STATE_ACTIVE &&
                           slot->is_quotable && !hr_engine_is_elsewhere(engine, slot);
    return is_settled && slot->due_sides != 0 ? slot->due_sides : HR_SIDES_BOTH;
}

hr_status hr_engine_decide_slot(hr_engine *engine, int64_t slot, int64_t now_ns,
                                hr_engine_decision *decision_out, hr_engine_pass *pass_out) {
    const hr_status status = begin_slot(engine, now_ns, decision_out, pass_out);
    if (status != HR_OK) {
        return status;
    }
    if (slot < 0 || slot >= engine->slot_count) {
        return HR_ERR_NOT_FOUND;
    }
    hr_slot *target = &engine->slots[slot];
    if (pass_out->blocked_reason != HR_GATE_OK) {
        return HR_OK;
    }
    if (hr_engine_budget(engine, now_ns, 1) < 1) {
        hr_engine_mark_slot(engine, slot);
        pass_out->candidate_count = 1;
        return HR_OK;
    }
    int32_t sides = due_sides(engine, target);
    pass_out->revalued_count = hr_engine_follow(engine, slot, now_ns);
    sides = pass_out->revalued_count > 0 ? HR_SIDES_BOTH : sides;
    hr_engine_see_rivals(target, now_ns);
    if (!engine->is_stepped) {
        target->is_quotable = target->is_quotable && hr_engine_is_in_range(engine, target, now_ns);
    }
    hr_engine_unmark_slot(engine, slot);
    if (hr_engine_consider(engine, target, slot, sides, 1, decision_out,
                           &pass_out->refused_count)) {
        hr_engine_send(engine, decision_out, now_ns);
        pass_out->candidate_count = 1;
        pass_out->decision_count = 1;
    }
    hr_set_add(engine->owed, slot);
    return HR_OK;
}
