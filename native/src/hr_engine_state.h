/* hr_engine_state.h: what an engine remembers; private to the hr_engine*.c files. */
#ifndef HR_ENGINE_STATE_H
#define HR_ENGINE_STATE_H

#include "hr_engine.h"
#include "hr_engine_step.h"

#define HR_WING_DELTA 0.3                   /* Where the strike regions meet. */
#define HR_ENGINE_MAGIC 0x48524551554f5431u /* "HREQUOT1" */
#define HR_SLICE_NONE (-1)

#define HR_SET_BITS 64 /* Slots in a word of a set. */
#define HR_SET_WORDS_MAX (HR_ENGINE_INSTRUMENTS_MAX / HR_SET_BITS)

typedef struct {
    int64_t start_ns;
    int64_t count;
} hr_execution;

typedef struct {
    hr_engine_instrument spec;
    hr_engine_value value;   /* Newest; greeks stay for the position when quoting stops. */
    hr_engine_spread spread; /* Of that value. */
    hr_engine_book market;
    int64_t live_ticks[2];
    int64_t live_lots[2];
    int64_t hold_until_ns[2];
    hr_execution executions[2];
    int64_t position_lots;
    double rival_coin[2];  /* Model value to somebody else's best price when last seen. */
    int64_t rival_ns[2];   /* When that was; 0: never. */
    int64_t left_ticks[2]; /* Our price before the last move, which ticks may still show. */
    int64_t left_ns[2];
    double valued_usd;       /* The index that the value is of, */
    int64_t valued_ns;       /* and the time, where it was not stepped. */
    int64_t surface_version; /* That the market was last compared with, */
    double miss_coin;        /* and what came of it: hr_engine_value's. */
    double anchor_coin;      /* Model price at the start of the drift period. */
    int64_t anchor_ns;
    hr_gate_account accounts[2]; /* Executed against sent. */
    int32_t is_latched[2];
    int32_t slice; /* Index in the surface, or HR_SLICE_NONE. */
    int32_t region;
    int32_t is_valued;
    int32_t is_quotable;
    int32_t is_barred; /* Not to be quoted, whatever it is worth. */
    int32_t due_sides; /* Bits: what a mark is for. A market that moved concerns one side. */
} hr_slot;

typedef double hr_pair __attribute__((vector_size(16))); /* Two that are reckoned with together. */

/* Exposures that may be filled before a decision can take them back: sums over live quotes. */
typedef struct {
    hr_pair delta; /* Up, down; magnitudes. */
    hr_pair vega;
    hr_pair gamma;
    double gamma_most; /* Largest |gamma| of a live quote, per coin of amount. */
} hr_in_flight;

typedef struct {
    double delta_coin;
    double vega_usd;
    double gamma_coin_per_usd;
    double vega_of_slice[HR_ENGINE_SLICES_MAX];
    double vega_of_region[HR_ENGINE_REGIONS];
} hr_book_greeks;

typedef struct {
    int64_t start_ns;
    double quantity_coin;
    double delta_coin;
    double vega_usd;
    int64_t count;
} hr_window;

/* How wrong the book's sums can be after stepped passes. */
typedef struct {
    double delta_coin;
    double vega_usd;
    double gamma_coin_per_usd;
} hr_book_error;

/* What the stances of all options have in common. */
typedef struct {
    double spot_ratio;
    double vol_widening;
    double index_ratio;
    double vol_shift; /* All but that of slice and region. */
    double delta_usage;
    double vega_usage;
    double gamma_usage;
} hr_common_stance;

struct hr_engine {
    uint64_t magic;
    int64_t slot_count;
    int64_t used_count; /* Slots from 0 that have ever held an instrument. */
    hr_engine_policy policy;
    hr_gate_limits limits;
    hr_engine_surface surface;
    hr_book_greeks book;
    hr_in_flight in_flight;
    hr_book_error book_error;
    hr_window window;
    hr_gate_trip trip;
    hr_gate_state gate;      /* What the gate is asked with in this pass. */
    hr_common_stance common; /* Of now, or some milliseconds ago. */
    double index_usd;
    double log_index;
    double realised_variance_per_s;
    double hedge_usd;
    double flow_delta_coin;
    double flow_vega_usd;
    double flow_keep; /* What is left of the flow at this moment. */
    double quote_tokens;
    int64_t tick_ns;
    int64_t flow_ns;
    int64_t tokens_ns;
    int64_t lease_expires_ns;
    int64_t frozen_until_ns;
    int64_t fill_count;
    int64_t freeze_count;
    int64_t marked_count;
    int64_t now_ns; /* The newest time that any call carried. */
    int32_t lease_state;
    int32_t is_halted;
    int32_t is_excess;  /* Latched. */
    int32_t is_stepped; /* The blocks stand for what the slots hold. */
    int32_t has_limits; /* All that the gate wants: judged when they came. */
    int32_t reserved;
    int64_t refresh_at;   /* The slot whose anchor was last renewed in its turn, */
    int64_t refreshed_ns; /* and the time that the turns have come to. */
    int64_t common_ns;
    int64_t quotable_count;
    int64_t pass_ns;       /* Of the last stepped pass, */
    double pass_log_index; /* and its index. */
    double lot_coin_max;
    double spot_root; /* Of the horizon, in years. */
    hr_slot *slots;
    hr_engine_decision *candidates; /* (slot_count) scratch of one pass. */
    int32_t *heap;                  /* (slot_count) scratch: the candidates that matter most. */
    hr_step_block *blocks;          /* (slot_count / 8, upwards) */
    uint64_t *marks; /* Sets of slots: what the next pass decides whatever its numbers, */
    uint64_t *owed;  /* what was decided since and whose block does not show it yet, */
    uint64_t *picks; /* and what this pass decides in full. */
};

/* hr_engine_slot.c: one slot, as every part asks of it. */
/* Returns 1 if the memory holds an engine of this version. */
int hr_engine_is_valid(const hr_engine *engine);

/* Notes the newest time. */
void hr_engine_see_time(hr_engine *engine, int64_t now_ns);

/* Has the next pass decide a slot. */
void hr_engine_mark_slot(hr_engine *engine, int64_t slot_index);
/* The same where only `sides` can have moved. */
void hr_engine_mark_sides(hr_engine *engine, int64_t slot_index, int32_t sides);

void hr_engine_unmark_slot(hr_engine *engine, int64_t slot_index);

/* Finds a slot; HR_ERR_MAGIC or HR_ERR_NOT_FOUND if there is none. */
hr_status hr_engine_find_slot(hr_engine *engine, int64_t slot, hr_slot **slot_out);

void hr_engine_value_slot(hr_engine *engine, hr_slot *slot, int64_t now_ns);
void hr_engine_see_rivals(hr_slot *slot, int64_t now_ns);
int hr_engine_is_in_range(const hr_engine *engine, const hr_slot *slot, int64_t now_ns);

/* Returns the least price at which an option is quoted two-sided, or goes on to be. */
double hr_engine_theo_min(const hr_engine *engine, const hr_slot *slot);
/* Returns the largest |gamma| at which it is: the gate counts it for all that a window lets
 * through, and a few options hours from expiry must not use up the limit of the whole chain. */
double hr_engine_gamma_max(const hr_engine *engine, const hr_slot *slot);

/* Returns 1 if the price on a side may be our own that we have just left, seen late; until when. */
int hr_engine_is_echo(const hr_slot *slot, int32_t side, int64_t ticks, int64_t now_ns);
int64_t hr_engine_echo_end(const hr_slot *slot, int32_t side);

/* hr_engine_consider.c: the moment, and one quote in it. */
/* Fills what the gate wants to know of the moment, all but what is in flight: as much as
 * hr_gate_check_moment looks at. */
void hr_engine_read_moment(const hr_engine *engine, int64_t now_ns, hr_gate_state *state_out);
/* Notes the time and the moment for the gate; returns why nothing may be quoted now, or HR_GATE_OK.
 */
int32_t hr_engine_take_moment(hr_engine *engine, int64_t now_ns);
/* Tells the gate what is in flight, bounded by the window. */
void hr_engine_set_flight(hr_engine *engine, const hr_in_flight *sums);

/* hr_engine_flight.c: what so many lots of a slot, bid and ask, may still bring; sums with it and
 * without. */
hr_in_flight hr_engine_in_flight_of(const hr_slot *slot, const int64_t *side_lots);
void hr_engine_add_in_flight(hr_in_flight *sums, const hr_in_flight *more);
hr_in_flight hr_engine_in_flight_without(const hr_in_flight *sums, const hr_in_flight *less);

/* Decides one slot, with engine->gate set to the moment; returns 1 and fills the candidate
 * if something should move. `sides`: only these, unless what they do concerns the other.
 * `is_unranked`: it is sent whatever its score, which is not to be used. */
int hr_engine_consider(hr_engine *engine, hr_slot *slot, int64_t slot_index, int32_t sides,
                       int32_t is_unranked, hr_engine_decision *candidate_out,
                       int64_t *refused_out);

/* hr_engine_pass.c: the steps of a pass. */
hr_status hr_engine_begin(hr_engine *engine, int64_t now_ns, const void *decisions,
                          hr_engine_pass *pass);
/* Sends what matters most of `found` candidates; marks the others. */
void hr_engine_send_best(hr_engine *engine, int64_t now_ns, int64_t capacity, int64_t found,
                         hr_engine_decision *decisions_out, hr_engine_pass *pass_out);

void hr_engine_send(hr_engine *engine, const hr_engine_decision *decision, int64_t now_ns);
int64_t hr_engine_budget(hr_engine *engine, int64_t now_ns, int64_t capacity);

void hr_engine_count_live(const hr_engine *engine, hr_engine_pass *pass);

/* hr_decide.c */
double hr_engine_step_at(const hr_engine_instrument *instrument, double price_coin);

/* hr_engine_stance.c: what is common; of it what hangs on the book; and one option's, of `sides`.
 */
void hr_engine_set_common(hr_engine *engine, int64_t now_ns);
void hr_engine_weigh_book(hr_engine *engine);
void hr_engine_take_stance(const hr_engine *engine, const hr_slot *slot, int32_t sides,
                           hr_engine_stance *stance_out);

/* hr_engine_step.c: anchors a slot at its value of now. */
void hr_engine_anchor(hr_engine *engine, int64_t slot_index, int64_t now_ns);

/* hr_engine_follow.c: theo by the step of a lane. */
double hr_engine_stepped_theo(const hr_step_block *from, int64_t i, double move);
/* Returns 1 if a slot's value is of another index than now's. */
int hr_engine_is_elsewhere(const hr_engine *engine, const hr_slot *slot);
/* Brings a slot's value to now: as it is, by a step, or anew; returns 1 if anew. */
int64_t hr_engine_follow(hr_engine *engine, int64_t slot_index, int64_t now_ns);
/* The same where the step is a short one, and anew where it is not. */
int64_t hr_engine_value_near(hr_engine *engine, int64_t slot_index, int64_t now_ns);
/* Anchors a slot that left its reach or its time where it stands now; returns 1 if it can be
 * screened from there, 0 if it has to be decided. */
int hr_engine_come_along(hr_engine *engine, int64_t slot_index, int64_t now_ns);

/* hr_engine_rest.c: takes over what rests; and only the amounts, for the sums. */
void hr_engine_rest(hr_engine *engine, int64_t slot_index, int64_t now_ns);
void hr_engine_count_lane(hr_engine *engine, int64_t slot_index);

/* hr_engine_screen_set.c: policy and limits; then, once it is summed, the book. */
void hr_engine_set_screen(const hr_engine *engine, hr_screen *pass, int64_t now_ns);
void hr_engine_set_screen_book(const hr_engine *engine, hr_screen *pass);

/* hr_engine_sum.c */
void hr_engine_sum_steps(const hr_engine *engine, const hr_screen *pass, hr_step_sums *out);

/* hr_engine_screen.c */
void hr_engine_find_far(hr_engine *engine, const hr_screen *pass);
void hr_engine_screen(hr_engine *engine, const hr_screen *pass);

/* hr_engine_index.c: before what rests in a slot changes, and after. */
void hr_engine_before_change(hr_engine *engine, int64_t slot_index);
void hr_engine_after_change(hr_engine *engine, int64_t slot_index);

static inline int64_t hr_engine_block_count(const hr_engine *engine) {
    return (engine->used_count + HR_STEP_LANES - 1) / HR_STEP_LANES;
}

static inline int64_t hr_engine_set_words(const hr_engine *engine) {
    return (engine->used_count + HR_SET_BITS - 1) / HR_SET_BITS;
}

static inline void hr_set_add(uint64_t *set, int64_t slot_index) {
    const uint64_t at = (uint64_t)slot_index;
    set[at / HR_SET_BITS] |= UINT64_C(1) << (at % HR_SET_BITS);
}

static inline void hr_set_remove(uint64_t *set, int64_t slot_index) {
    const uint64_t at = (uint64_t)slot_index;
    set[at / HR_SET_BITS] &= ~(UINT64_C(1) << (at % HR_SET_BITS));
}

static inline int hr_set_has(const uint64_t *set, int64_t slot_index) {
    const uint64_t at = (uint64_t)slot_index;
    return (int)(set[at / HR_SET_BITS] >> (at % HR_SET_BITS) & 1);
}

/* Says whether a side is among these. */
static inline int hr_has_side(int32_t sides, int32_t side) {
    return sides >> side & 1;
}

/* Returns the block of a slot; its lane is hr_engine_lane. */
static inline hr_step_block *hr_engine_block(const hr_engine *engine, int64_t slot_index) {
    return &engine->blocks[(uint64_t)slot_index / HR_STEP_LANES];
}

static inline int64_t hr_engine_lane(int64_t slot_index) {
    return (int64_t)((uint64_t)slot_index % HR_STEP_LANES);
}

/* Returns somebody else's best price on a side; 0 where none is known, as when the best is ours. */
static inline int64_t hr_engine_others_ticks(const hr_slot *slot, int32_t side) {
    const int64_t ticks = side == HR_SIDE_BID ? slot->market.bid_ticks : slot->market.ask_ticks;
    const int64_t lots = side == HR_SIDE_BID ? slot->market.bid_lots : slot->market.ask_lots;
    if (lots <= 0 || ticks <= 0) {
        return 0;
    }
    /* No more than ours is there: what rests at no price has no lots. */
    const int is_ours = slot->live_ticks[side] == ticks && lots <= slot->live_lots[side];
    return is_ours ? 0 : ticks;
}

#endif
