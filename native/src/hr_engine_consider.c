/* hr_engine_consider.c: whether anything may be quoted now; then of one quote where it should
 * stand, whether it may, and if it should move. */
#include "hr_engine_state.h"
#include "hr_inline.h"

#include <math.h>
#include <stddef.h>

#define SCORE_CANCEL 1e9 /* What may not rest goes before all else. */
#define SCORE_PASSIVE_RATIO 0.25
#define PRICE_SLACK 1e-9 /* Coin. */

static double most(double one, double other) {
    return one > other ? one : other;
}

void hr_engine_read_moment(const hr_engine *engine, int64_t now_ns, hr_gate_state *state_out) {
    state_out->now_ns = now_ns;
    state_out->surface_ns = engine->surface.slice_count > 0 ? engine->surface.market_ns : 0;
    state_out->tick_ns = engine->tick_ns;
    state_out->lease_expires_ns = engine->lease_expires_ns;
    state_out->frozen_until_ns = engine->frozen_until_ns;
    state_out->index_usd = engine->index_usd;
    state_out->delta_coin = engine->book.delta_coin;
    state_out->vega_usd = engine->book.vega_usd;
    state_out->gamma_coin_per_usd = engine->book.gamma_coin_per_usd;
    state_out->state = engine->is_halted ? HR_STATE_HALTED : engine->lease_state;
    state_out->latches = (engine->trip.is_tripped ? HR_LATCH_TRIPPED : 0) |
                         (engine->is_excess ? HR_LATCH_EXCESS : 0);
}

static int32_t judge_moment(const hr_engine *engine, int64_t now_ns, hr_gate_state *state) {
    if (engine->policy.version <= 0 || !engine->has_limits) {
        return HR_GATE_NO_LIMITS;
    }
    hr_engine_read_moment(engine, now_ns, state);
    return hr_gate_check_moment(&engine->limits, state);
}

int32_t hr_engine_blocked(const hr_engine *engine, int64_t now_ns) {
    hr_gate_state state;
    return hr_engine_is_valid(engine) ? judge_moment(engine, now_ns, &state) : HR_GATE_NO_LIMITS;
}

int32_t hr_engine_take_moment(hr_engine *engine, int64_t now_ns) {
    hr_engine_see_time(engine, now_ns);
    return judge_moment(engine, now_ns, &engine->gate);
}

/* Keep a target behind somebody else's other side: our quotes only ever rest. 0: there is none. */
static void stay_below(const hr_slot *slot, int64_t ask, hr_engine_target *target) {
    const hr_engine_instrument *spec = &slot->spec;
    if (ask > 0 && target->ticks[HR_SIDE_BID] >= ask) {
        target->ticks[HR_SIDE_BID] =
            hr_bid_floor_ticks((double)(ask - 1) * spec->tick_coin, spec->tick_coin,
                               spec->step_above_ticks, spec->step_ticks);
    }
    if (target->ticks[HR_SIDE_BID] <= 0) {
        target->lots[HR_SIDE_BID] = 0;
    }
}

static void stay_above(const hr_slot *slot, int64_t bid, hr_engine_target *target) {
    const hr_engine_instrument *spec = &slot->spec;
    if (bid > 0 && target->ticks[HR_SIDE_ASK] <= bid) {
        target->ticks[HR_SIDE_ASK] =
            hr_ask_ceil_ticks((double)(bid + 1) * spec->tick_coin, spec->tick_coin,
                              spec->step_above_ticks, spec->step_ticks);
    }
}

/* What both sides of a slot, and what rests there, have in common for the gate. */
static void set_order(const hr_slot *slot, hr_gate_order *order) {
    order->position_lots = slot->position_lots;
    order->execution_count = 0; /* Counted into the latch as fills arrive. */
    order->step_above_ticks = slot->spec.step_above_ticks;
    order->step_ticks = slot->spec.step_ticks;
    order->tick_coin = slot->spec.tick_coin;
    order->lot_coin = slot->spec.lot_coin;
    order->theo_coin = slot->value.theo_coin;
    order->vega_coin = slot->value.vega_coin;
    order->delta_coin = slot->value.delta_coin;
    order->vega_usd = slot->value.vega_usd;
    order->gamma_coin_per_usd = slot->value.gamma_coin_per_usd;
    order->price_coin_min = slot->value.price_coin_min;
    order->price_coin_max = slot->value.price_coin_max;
    order->anchor_coin = slot->anchor_coin;
}

/* Returns what the live price of a side earns against a value, coin per coin. */
static double live_edge(const hr_slot *slot, int32_t side, double value_coin) {
    const double price = (double)slot->live_ticks[side] * slot->spec.tick_coin;
    return side == HR_SIDE_BID ? value_coin - price : price - value_coin;
}

/* Why a side should move, if it should: for each reason 1 or 0. */
typedef struct {
    double half_coin;
    double edge_coin; /* Of what rests, against the reservation. */
    double step_coin;
    int is_urgent;  /* It earns too little, or nothing rests; */
    int is_passive; /* it earns more than it will get; */
    int is_resized; /* it is far from its size. */
} wish;

/* Without a branch: which way a tick turns out nobody can foretell, and all that follows waits. */
static inline wish wish_of(const hr_engine *engine, const hr_slot *slot, int32_t side,
                           const hr_engine_target *target) {
    const hr_engine_policy *policy = &engine->policy;
    const int64_t live = slot->live_ticks[side];
    const int64_t live_lots = slot->live_lots[side];
    const double half = target->half_spread_coin[side];
    const double edge = live_lots > 0 ? live_edge(slot, side, target->reservation_coin) : 0.0;
    const int64_t step = slot->spec.step_above_ticks > 0 && live > slot->spec.step_above_ticks
                             ? slot->spec.step_ticks
                             : 1;
    const double step_coin = (double)step * slot->spec.tick_coin;
    const int is_elsewhere = target->ticks[side] != live;
    const int is_low = edge < half * (1.0 - policy->move_urgent_ratio);
    const int is_high = edge >= half * (1.0 + policy->move_passive_ratio) + step_coin - PRICE_SLACK;
    return (wish){
        .half_coin = half,
        .edge_coin = edge,
        .step_coin = step_coin,
        .is_urgent = (live_lots == 0) | (is_elsewhere & is_low),
        .is_passive = is_elsewhere & is_high,
        .is_resized =
            (live_lots * 4 > target->lots[side] * 5) | (live_lots * 2 < target->lots[side]),
    };
}

/* Returns the edge at risk if a side that should move stays. */
static double score_of(const wish *move, double amount_coin) {
    if (move->is_urgent) {
        return (move->half_coin - move->edge_coin) * amount_coin;
    }
    const double less = move->is_passive ? move->edge_coin - move->half_coin : move->step_coin;
    return less * amount_coin * SCORE_PASSIVE_RATIO;
}

/* What the gate is asked about a slot. */
typedef struct {
    hr_gate_order order;
    int64_t others[2]; /* Somebody else's best prices. */
    int32_t numbers;   /* Its verdict on what both sides share. */
    int32_t is_unranked;
} question;

static int32_t ask_gate(const hr_engine *engine, const question *asked) {
    return asked->numbers == HR_GATE_OK
               ? hr_gate_check_side(&engine->limits, &engine->gate, &asked->order)
               : asked->numbers;
}

/* What became of a side: whether it should move, 2 where what rests would trade at a loss. */
typedef struct {
    double score;
    int32_t is_moved;
    int32_t reason; /* The gate's. */
} verdict;

static void limit_to_reducing(const hr_slot *slot, int32_t side, hr_engine_target *target) {
    const int64_t position = slot->position_lots;
    const int64_t reducible = side == HR_SIDE_BID ? -position : position;
    if (target->lots[side] > reducible) {
        target->lots[side] = reducible > 0 ? reducible : 0;
    }
}

/* Judges one side against the gate; fills what should rest there. */
HR_INLINE verdict decide_side(const hr_engine *engine, const hr_slot *slot, int32_t side,
                              question *asked, hr_engine_target *target) {
    hr_gate_order *order = &asked->order;
    verdict out = {0.0, 0, HR_GATE_OK};
    const int64_t live_lots = slot->live_lots[side];
    order->is_buy = side == HR_SIDE_BID;
    order->is_latched = slot->is_latched[side];
    if (engine->gate.state == HR_STATE_REDUCING) {
        limit_to_reducing(slot, side, target);
    }
    if (target->lots[side] > 0) {
        order->price_ticks = target->ticks[side];
        order->amount_lots = target->lots[side];
        order->own_other_ticks = target->lots[!side] > 0 ? target->ticks[!side] : 0;
        order->market_ticks = asked->others[!side];
        out.reason = ask_gate(engine, asked);
        if (out.reason != HR_GATE_OK) {
            target->lots[side] = 0;
        }
    }
    if (target->lots[side] == 0) {
        out.score = live_lots > 0 ? SCORE_CANCEL : 0.0;
        out.is_moved = live_lots > 0;
        return out;
    }
    if (live_lots == 0 && engine->gate.now_ns < slot->hold_until_ns[side]) {
        target->lots[side] = 0;
        return out;
    }
    const wish move = wish_of(engine, slot, side, target);
    out.is_moved = move.is_urgent | move.is_passive | move.is_resized;
    if (out.is_moved && !asked->is_unranked) {
        out.score = score_of(&move, (double)target->lots[side] * slot->spec.lot_coin);
    }
    /* What rests must pass too, unless it is what has just passed, or goes anyway. */
    const int is_same =
        target->ticks[side] == slot->live_ticks[side] && target->lots[side] == live_lots;
    if (live_lots > 0 && !is_same && (!out.is_moved || !asked->is_unranked)) {
        order->price_ticks = slot->live_ticks[side];
        order->amount_lots = live_lots;
        order->own_other_ticks = 0;
        order->market_ticks = 0;
        if (ask_gate(engine, asked) != HR_GATE_OK) {
            out.score = SCORE_CANCEL;
            out.is_moved = 1;
        }
    }
    if (out.is_moved && live_lots > 0 && live_edge(slot, side, slot->value.theo_coin) < 0.0) {
        out.is_moved = 2;
    }
    return out;
}

/* Fills what should rest, the gate not asked; returns 0 where there is no saying. */
HR_INLINE int aim(const hr_engine *engine, const hr_slot *slot, const int64_t *others,
                  int32_t sides, hr_engine_target *target_out) {
    hr_engine_stance stance;
    hr_engine_take_stance(engine, slot, sides, &stance);
    if (hr_engine_aim(&engine->policy, &slot->spec, &slot->value, &slot->spread, &stance, sides,
                      target_out) != HR_OK) {
        return 0;
    }
    if (hr_has_side(sides, HR_SIDE_BID)) {
        stay_below(slot, others[HR_SIDE_ASK], target_out);
    }
    if (hr_has_side(sides, HR_SIDE_ASK)) {
        stay_above(slot, others[HR_SIDE_BID], target_out);
    }
    return 1;
}

/* The same of one side, the other staying where it is: returns 0 if it is not there, or should not
 * stay beside the one that is aimed, or beside somebody else's best price. */
static int aim_beside(const hr_engine *engine, const hr_slot *slot, const int64_t *others,
                      int32_t side, hr_engine_target *target_out) {
    const int64_t stays = slot->live_ticks[!side];
    *target_out = (hr_engine_target){0};
    target_out->ticks[!side] = stays;
    target_out->lots[!side] = slot->live_lots[!side];
    if (slot->live_lots[!side] == 0 || !aim(engine, slot, others, 1 << side, target_out)) {
        return 0;
    }
    const int64_t ours = target_out->lots[side] > 0 ? target_out->ticks[side] : 0;
    return side == HR_SIDE_BID
               ? ours < stays && others[side] < stays
               : (ours == 0 || ours > stays) && (others[side] == 0 || others[side] > stays);
}

/* A side that stays must not be met by the one that moves: then both move. */
static void keep_apart(const hr_slot *slot, int32_t side, const hr_engine_target *target,
                       verdict *stays) {
    if (stays->is_moved || slot->live_lots[side] == 0 || target->lots[!side] == 0) {
        return;
    }
    const int64_t live = slot->live_ticks[side];
    const int64_t moved = target->ticks[!side];
    stays->is_moved = side == HR_SIDE_ASK ? moved >= live : moved <= live;
}

int hr_engine_consider(hr_engine *engine, hr_slot *slot, int64_t slot_index, int32_t sides,
                       int32_t is_unranked, hr_engine_decision *candidate_out,
                       int64_t *refused_out) {
    hr_engine_target target;
    question asked;
    set_order(slot, &asked.order);
    asked.others[HR_SIDE_BID] = hr_engine_others_ticks(slot, HR_SIDE_BID);
    asked.others[HR_SIDE_ASK] = hr_engine_others_ticks(slot, HR_SIDE_ASK);
    asked.is_unranked = is_unranked;
    asked.numbers = hr_gate_check_numbers(&engine->gate, &asked.order);
    if (!slot->is_quotable || sides == HR_SIDES_BOTH ||
        !aim_beside(engine, slot, asked.others, sides >> 1, &target)) {
        sides = HR_SIDES_BOTH;
        if (!slot->is_quotable || !aim(engine, slot, asked.others, sides, &target)) {
            target = (hr_engine_target){0};
        }
    }
    /* A bid and an ask work in opposite directions, whichever the greek: what one side may bring is
     * in no sum that the other is judged by. */
    const hr_in_flight live = hr_engine_in_flight_of(slot, slot->live_lots);
    hr_in_flight others = hr_engine_in_flight_without(&engine->in_flight, &live);
    hr_engine_set_flight(engine, &others);
    verdict bid = {0.0, 0, HR_GATE_OK};
    verdict ask = bid;
    if (hr_has_side(sides, HR_SIDE_BID)) {
        bid = decide_side(engine, slot, HR_SIDE_BID, &asked, &target);
    }
    if (hr_has_side(sides, HR_SIDE_ASK)) {
        ask = decide_side(engine, slot, HR_SIDE_ASK, &asked, &target);
    }
    const int64_t rests[2] = {
        bid.is_moved ? target.lots[HR_SIDE_BID] : slot->live_lots[HR_SIDE_BID],
        ask.is_moved ? target.lots[HR_SIDE_ASK] : slot->live_lots[HR_SIDE_ASK],
    };
    if (rests[0] != slot->live_lots[0] || rests[1] != slot->live_lots[1]) {
        const hr_in_flight now = hr_engine_in_flight_of(slot, rests);
        hr_engine_add_in_flight(&others, &now);
        engine->in_flight = others;
    } else {
        engine->in_flight.gamma_most = most(engine->in_flight.gamma_most, live.gamma_most);
    }
    *refused_out += (bid.reason != HR_GATE_OK) + (ask.reason != HR_GATE_OK);
    if (!bid.is_moved && !ask.is_moved) {
        return 0;
    }
    keep_apart(slot, HR_SIDE_BID, &target, &bid);
    keep_apart(slot, HR_SIDE_ASK, &target, &ask);
    *candidate_out = (hr_engine_decision){
        .slot = slot_index,
        .ticks = {target.ticks[HR_SIDE_BID], target.ticks[HR_SIDE_ASK]},
        .lots = {target.lots[HR_SIDE_BID], target.lots[HR_SIDE_ASK]},
        .theo_coin = slot->value.theo_coin,
        .score = bid.score + ask.score,
        .is_moved = {bid.is_moved, ask.is_moved},
        .reasons = {bid.reason, ask.reason},
    };
    return 1;
}
