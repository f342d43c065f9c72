/* hr_gate.h: the last check before a quote leaves, in pure functions of plain structs.
 *
 * Numbers of the controls are those of the desk's control list: 1 collar, 2 drift, 3 value,
 * 4 volume, 5 messages, 6 and 12 exposure with what is in flight, 7 repeated execution, 14 fail
 * closed, 18 executed against sent, 19 sanity, 20 staleness, 21 own window, 22 the venue's
 * protection. A cancel never passes through here: it is always right; it only counts as a message.
 */
#ifndef HR_GATE_H
#define HR_GATE_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_STATE_ACTIVE 0
#define HR_STATE_REDUCING 1 /* Only what brings an instrument's own position nearer to zero. */
#define HR_STATE_HALTED 2   /* Latched: only a resume ends it. */

#define HR_GATE_OK 0
#define HR_GATE_HALTED 1
#define HR_GATE_NO_LIMITS 2 /* No limits block has arrived, or one of its bounds is 0. */
#define HR_GATE_NO_LEASE 3  /* The lease never came, or its deadline has passed. */
#define HR_GATE_STALE_SURFACE 4
#define HR_GATE_STALE_TICK 5
#define HR_GATE_FROZEN 6     /* The desk's own protection window has tripped. */
#define HR_GATE_NOT_FINITE 7 /* NaN, infinity, out of range, or not above 0 where it must be. */
#define HR_GATE_SIZE 8
#define HR_GATE_VALUE 9
#define HR_GATE_GRID 10    /* Not on the tick grid, or not above zero. */
#define HR_GATE_CROSSED 11 /* Against its own other side, or through the market's. */
#define HR_GATE_BOUNDS 12  /* Outside what no-arbitrage allows: an offer below intrinsic value. */
#define HR_GATE_COLLAR 13
#define HR_GATE_DRIFT 14
#define HR_GATE_REDUCING 15
#define HR_GATE_POSITION 16
#define HR_GATE_DELTA 17
#define HR_GATE_VEGA 18
#define HR_GATE_GAMMA 19
#define HR_GATE_REPEATED 20 /* Executed too often in a row: latched until it is re-armed. */
#define HR_GATE_TRIPPED 21  /* The venue's protection tripped: latched until it is reset. */
#define HR_GATE_EXCESS 22   /* More was executed than was sent: latched until it is re-armed. */
#define HR_GATE_RATE 23     /* As many messages as a second may carry. */
#define HR_GATE_REASONS 24

/* Latches of a state; each alone stops everything. */
#define HR_LATCH_TRIPPED 1
#define HR_LATCH_EXCESS 2

#define HR_GATE_MESSAGES_MAX 131072 /* A second; the most that a hr_gate_rate can allow. */

#define HR_GATE_COUNT_MAX 1000000000000 /* Ticks and lots beyond are no numbers to the gate. */

/* Bounds of one underlying; each must be above 0 or nothing is quoted. */
typedef struct {
    int64_t version;
    double delta_coin_max;
    double vega_usd_max; /* Per volatility point (0.01). */
    double gamma_coin_per_usd_max;
    double collar_vol;     /* 0.01 is one volatility point. */
    double collar_coin;    /* The collar is never narrower than this. */
    double value_usd_max;  /* Of one side of one quote: amount times index. */
    double drift_coin_max; /* From the instrument's anchor price of this period. */
    int64_t quote_lots_max;
    int64_t position_lots_max;
    int64_t surface_age_ns_max;
    int64_t tick_age_ns_max;
    int64_t executions_max; /* Of one side of one instrument in `executions_ns`. */
    int64_t executions_ns;
    int64_t drift_ns; /* How long an anchor price stands. */
} hr_gate_limits;

/* What the desk stands in at the moment of a decision. In-flight exposures are magnitudes: what
 * may still be filled, each way, before a decision can take it back. */
typedef struct {
    int64_t now_ns;
    int64_t surface_ns; /* Market time of the surface; 0: none yet. */
    int64_t tick_ns;    /* Time of the newest index; 0: none yet. */
    int64_t lease_expires_ns;
    int64_t frozen_until_ns;
    double index_usd;
    double delta_coin;
    double vega_usd;
    double gamma_coin_per_usd;
    double delta_up_in_flight_coin;
    double delta_down_in_flight_coin;
    double vega_up_in_flight_usd;
    double vega_down_in_flight_usd;
    double gamma_up_in_flight;
    double gamma_down_in_flight;
    int32_t state;   /* HR_STATE_ */
    int32_t latches; /* HR_LATCH_ bits. */
} hr_gate_state;

/* One side of one quote; greeks are per coin of amount. */
typedef struct {
    int64_t price_ticks;
    int64_t amount_lots;
    int64_t own_other_ticks; /* The other side of the same quote; 0: one-sided. */
    int64_t market_ticks;    /* Somebody else's best price across; 0: none known. */
    int64_t position_lots;
    int64_t execution_count;  /* In the current period of `executions_ns`. */
    int64_t step_above_ticks; /* 0: one grid for all prices. */
    int64_t step_ticks;
    double tick_coin;
    double lot_coin;
    double theo_coin;
    double vega_coin;  /* Price in coin per 1.0 of volatility. */
    double delta_coin; /* Net transaction delta. */
    double vega_usd;   /* Per volatility point. */
    double gamma_coin_per_usd;
    double price_coin_min; /* No-arbitrage bounds. */
    double price_coin_max;
    double anchor_coin; /* Price at the start of the drift period; 0: none. */
    int32_t is_buy;
    int32_t is_latched; /* The repeated-execution latch of this side. */
} hr_gate_order;

/* Control 5: when messages left, newest last, in a ring. Every window of a second carries at most
 * `messages_max`; what is not a cancel leaves `reserved` of them free. */
typedef struct {
    int64_t messages_max;
    int64_t reserved;
    int64_t sent_count; /* Ever. */
    int64_t stamps_ns[HR_GATE_MESSAGES_MAX];
} hr_gate_rate;

/* The account's credits at the venue: requests, and the quotes in them. Each refills by the second
 * up to its burst; what is not a cancel leaves `requests_reserved` free. */
typedef struct {
    double requests;
    double requests_per_s;
    double requests_burst;
    double requests_reserved;
    double quotes;
    double quotes_per_s;
    double quotes_burst;
    int64_t refilled_ns; /* 0: not used yet. */
} hr_gate_budget;

/* Control 18: what one side of one instrument can have executed at most. A quote that was replaced
 * or cancelled can still be reported as filled until `left_until_ns`. */
typedef struct {
    int64_t live_lots;
    int64_t left_lots;
    int64_t left_until_ns;
} hr_gate_account;

/* Control 22: the venue's protection has tripped and frozen us, until an explicit reset; resets are
 * spaced by a wait that doubles with each trip in a row. */
typedef struct {
    int64_t tripped_ns; /* Of the newest trip; 0: never. */
    int64_t open_ns;    /* Before, a reset is refused. */
    int64_t row_count;  /* Trips in a row. */
    int64_t trip_count; /* Ever. */
    int32_t is_tripped;
    int32_t reserved;
} hr_gate_trip;

/* Returns why nothing at all may be quoted now, or HR_GATE_OK. */
int32_t hr_gate_check_state(const hr_gate_limits *limits, const hr_gate_state *state);

/* The two halves of it: is every limit there and a limit, which is so until others are put, and may
 * anything be quoted at this moment, given that they are. */
int32_t hr_gate_has_limits(const hr_gate_limits *limits);
int32_t hr_gate_check_moment(const hr_gate_limits *limits, const hr_gate_state *state);

/* Returns why one side of a quote may not go out, or HR_GATE_OK; checks the state first. */
int32_t hr_gate_check(const hr_gate_limits *limits, const hr_gate_state *state,
                      const hr_gate_order *order);

/* The two halves of it, for a state that has passed and many sides: are the numbers that a state
 * and the sides of an instrument share fit to be compared, and may one side go out, given that they
 * are.
 */
int32_t hr_gate_check_numbers(const hr_gate_state *state, const hr_gate_order *order);
int32_t hr_gate_check_side(const hr_gate_limits *limits, const hr_gate_state *state,
                           const hr_gate_order *order);

/* Returns 1 if a price lies on an instrument's grid: whole ticks, above `step_above_ticks`
 * multiples of `step_ticks`. */
int32_t hr_gate_is_on_grid(int64_t price_ticks, int64_t step_above_ticks, int64_t step_ticks);

/* Control 5. Without a limit in [1, HR_GATE_MESSAGES_MAX] and above `reserved`: HR_ERR_ARGUMENT,
 * and nothing may be sent. */
hr_status hr_gate_rate_set(hr_gate_rate *rate, int64_t messages_max, int64_t reserved);
/* Returns HR_GATE_OK if a message may leave at `now_ns`, or HR_GATE_RATE; a cancel always may. */
int32_t hr_gate_rate_check(const hr_gate_rate *rate, int64_t now_ns, int32_t is_cancel);
/* Counts a message that leaves, before it leaves. */
void hr_gate_rate_sent(hr_gate_rate *rate, int64_t now_ns);

/* Takes the account's rates; a smaller burst takes what is held beyond it. HR_ERR_ARGUMENT where a
 * rate is not above 0 or a burst is below 1; then nothing may be sent. */
hr_status hr_gate_budget_set(hr_gate_budget *budget, const hr_gate_budget *rates);
/* Returns how many requests may leave at `now_ns`, cancels apart; refills first. */
int64_t hr_gate_budget_requests(hr_gate_budget *budget, int64_t now_ns);
/* Returns how many quotes may leave in them. */
int64_t hr_gate_budget_quotes(hr_gate_budget *budget, int64_t now_ns);
/* Pays for what leaves, cancels too: these may take the last of it and go below. */
void hr_gate_budget_pay(hr_gate_budget *budget, int64_t requests, int64_t quotes);

/* Control 18. A quote of so many lots leaves (0: a cancel) in place of what rests. */
void hr_gate_account_sent(hr_gate_account *account, int64_t lots, int64_t now_ns);
/* Returns HR_GATE_OK, or HR_GATE_EXCESS if more is executed than can rest. */
int32_t hr_gate_account_filled(hr_gate_account *account, int64_t lots, int64_t now_ns);

/* Control 22. */
void hr_gate_trip_on(hr_gate_trip *trip, int64_t now_ns);
/* Ends a trip; HR_ERR_STALE while it is too early, and nothing changes. */
hr_status hr_gate_trip_reset(hr_gate_trip *trip, int64_t now_ns);

/* Returns the name of a reason, "stale_tick"; "unknown" for any other number. */
const char *hr_gate_reason_name(int32_t reason);
/* cdef: end */

_Static_assert(sizeof(hr_gate_limits) == 120, "hr_gate_limits crosses: no padding");
_Static_assert(sizeof(hr_gate_state) == 128, "hr_gate_state crosses: no padding");
_Static_assert(sizeof(hr_gate_order) == 152, "hr_gate_order crosses: no padding");
_Static_assert(sizeof(hr_gate_rate) == 24 + 8 * HR_GATE_MESSAGES_MAX, "no padding");
_Static_assert(sizeof(hr_gate_budget) == 64, "hr_gate_budget crosses: no padding");
_Static_assert(sizeof(hr_gate_account) == 24, "hr_gate_account crosses: no padding");
_Static_assert(sizeof(hr_gate_trip) == 40, "hr_gate_trip crosses: no padding");

#endif
