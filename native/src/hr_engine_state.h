/* hr_engine_state.h: what an engine remembers; private to the hr_engine*.c files. */
#ifndef HR_ENGINE_STATE_H
#define HR_ENGINE_STATE_H

#include "hr_engine.h"

#define HR_ENGINE_MAGIC 0x48524551554f5431u /* "HREQUOT1" */
#define HR_SLICE_NONE (-1)

typedef struct {
    int64_t start_ns;
    int64_t count;
} hr_execution;

typedef struct {
    hr_engine_instrument spec;
    hr_engine_value value; /* Newest; greeks stay for the position when quoting stops. */
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
    double anchor_coin; /* Model price at the start of the drift period. */
    int64_t anchor_ns;
    hr_gate_account accounts[2]; /* Executed against sent. */
    int32_t is_latched[2];
    int32_t is_marked; /* The next pass decides it, whatever its numbers. */
    int32_t slice;     /* Index in the surface, or HR_SLICE_NONE. */
    int32_t region;
    int32_t is_valued;
    int32_t is_quotable;
    int32_t is_barred; /* Not to be quoted, whatever it is worth. */
} hr_slot;

/* Exposures that may be filled before a decision can take them back: sums over live quotes. */
typedef struct {
    double delta[2]; /* Up, down; magnitudes. */
    double vega[2];
    double gamma[2];
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

struct hr_engine {
    uint64_t magic;
    int64_t slot_count;
    int64_t used_count; /* Slots from 0 that have ever held an instrument. */
    hr_engine_policy policy;
    hr_gate_limits limits;
    hr_engine_surface surface;
    hr_book_greeks book;
    hr_in_flight in_flight;
    hr_window window;
    hr_gate_trip trip;
    double index_usd;
    double realised_variance_per_s;
    double hedge_usd;
    double flow_delta_coin;
    double flow_vega_usd;
    double flow_keep;    /* What is left of the flow at this pass. */
    double realised_vol; /* Annual, at this pass. */
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
    int32_t is_excess; /* Latched. */
    int32_t reserved;
    hr_slot *slots;
    hr_engine_decision *candidates; /* (slot_count) scratch of one pass. */
    int32_t *heap;                  /* (slot_count) scratch: the candidates that matter most. */
};

/* Returns 1 if the memory holds an engine of this version. */
int hr_engine_is_valid(const hr_engine *engine);

/* Notes the newest time. */
void hr_engine_see_time(hr_engine *engine, int64_t now_ns);

/* Has the next pass decide a slot. */
void hr_engine_mark_slot(hr_engine *engine, hr_slot *slot);

/* Finds a slot; HR_ERR_MAGIC or HR_ERR_NOT_FOUND if there is none. */
hr_status hr_engine_find_slot(hr_engine *engine, int64_t slot, hr_slot **slot_out);

/* Returns the engine's state as the gate wants it, with what is in flight bounded by the window. */
hr_gate_state hr_engine_gate_state(const hr_engine *engine, int64_t now_ns);

/* Returns somebody else's best price on a side; 0 where none is known, as when the best is ours. */
int64_t hr_engine_others_ticks(const hr_slot *slot, int32_t side);

/* Adds (sign +1) or takes away (-1) what one side of one slot may still be filled. */
void hr_engine_count_in_flight(hr_engine *engine, const hr_slot *slot, int32_t side, int64_t lots,
                               double sign);

/* Decides one slot; returns 1 and fills the candidate if something should move. */
int hr_engine_consider(hr_engine *engine, hr_slot *slot, int64_t slot_index, int64_t now_ns,
                       hr_engine_decision *candidate_out, int64_t *refused_out);

#endif
