/* hr_gate.h: the last check before a quote leaves, in pure functions of plain structs.
 *
 * Numbers of the controls are those of the desk's control list: 1 collar, 2 drift, 3 value,
 * 4 volume, 6 and 12 exposure with what is in flight, 7 repeated execution, 14 fail closed,
 * 19 sanity, 20 staleness, 21 own window. A cancel never passes through here: it is always right.
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
#define HR_GATE_REASONS 21

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
    int32_t state; /* HR_STATE_ */
    int32_t reserved;
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

/* Returns why nothing at all may be quoted now, or HR_GATE_OK. */
int32_t hr_gate_check_state(const hr_gate_limits *limits, const hr_gate_state *state);

/* Returns why one side of a quote may not go out, or HR_GATE_OK; checks the state first. */
int32_t hr_gate_check(const hr_gate_limits *limits, const hr_gate_state *state,
                      const hr_gate_order *order);

/* Returns 1 if a price lies on an instrument's grid: whole ticks, above `step_above_ticks`
 * multiples of `step_ticks`. */
int32_t hr_gate_is_on_grid(int64_t price_ticks, int64_t step_above_ticks, int64_t step_ticks);

/* Returns the name of a reason, "stale_tick"; "unknown" for any other number. */
const char *hr_gate_reason_name(int32_t reason);
/* cdef: end */

_Static_assert(sizeof(hr_gate_limits) == 120, "hr_gate_limits crosses: no padding");
_Static_assert(sizeof(hr_gate_state) == 128, "hr_gate_state crosses: no padding");
_Static_assert(sizeof(hr_gate_order) == 152, "hr_gate_order crosses: no padding");

#endif
