/* hr_engine_step.h: what an index pass reads of each slot, sixteen slots to a block; private.
 *
 * The step. At fixed time the coin price of an option on a slice is a function of y = ln(index)
 * alone, c(y) = g(k) with k = ln(strike/forward), s(k) = sqrt(w(k) years/slice years) and w the raw
 * SVI total variance. From an anchor y0 we step theo by its first two derivatives, net delta and
 * vega by their first, gamma not at all. With D = |y - y0| <= reach, the remainders are
 *     |theo error| <= theo_cubic D^3 + theo_time,    |delta error| <= delta_square D^2 +
 * delta_time, |vega error| <= vega_square D^2 + vega_time,   |gamma error| <= gamma_line D, by
 * Taylor's theorem; hr_engine_step.c bounds the derivatives. Beyond `reach` or `until_ns` the slot
 * is valued anew.
 *
 * The screen. hr_engine_consider leaves a side alone if its live edge against the reservation price
 * lies in [half (1 - urgent), half (1 + passive) + step), its size is about right and both what
 * rests and what would replace it pass the gate. hr_engine_screen.c computes the same from stepped
 * values and leaves a slot alone only where each of these holds with the error of its terms to
 * spare. Every other slot is decided in full, at a value that is stepped only where the step leaves
 * out next to nothing (hr_engine_value_near), so a pass differs from a full one only through that
 * and the sums of book greeks, whose error is bounded too and counted against the limits.
 *
 * Lanes are floats, up to sixteen to a register: numbers are below 4 coin and go through less than
 * 16 roundings of 2^-24, so that HR_STEP_ROUNDING of their size is room enough.
 */
#ifndef HR_ENGINE_STEP_H
#define HR_ENGINE_STEP_H

#include "hr_engine.h"

#include <stdint.h>

#define HR_STEP_LANES 16
#define HR_STEP_ROUNDING 1e-6f
#define HR_STEP_FAR 1e30 /* Coin, or ns: beyond every number that occurs. */
#define HR_STEP_MIXED (-1)
#define HR_STEP_CELLS (HR_ENGINE_SLICES_MAX * HR_ENGINE_REGIONS)

typedef struct {
    /* Value, by its anchor. */
    double log_index[HR_STEP_LANES]; /* y0 */
    double reach[HR_STEP_LANES];     /* Below 0: always decided in full. */
    double until_ns[HR_STEP_LANES];
    double value_reach[HR_STEP_LANES]; /* The same by the value alone, whatever rests. */
    double value_until_ns[HR_STEP_LANES];
    float theo[HR_STEP_LANES];
    float theo_slope[HR_STEP_LANES];
    float theo_bend[HR_STEP_LANES]; /* Half the second derivative. */
    float theo_cubic[HR_STEP_LANES];
    float theo_time[HR_STEP_LANES];
    float theo_line[HR_STEP_LANES]; /* Most that theo moves by D. */
    float delta[HR_STEP_LANES];     /* Net transaction delta. */
    float delta_slope[HR_STEP_LANES];
    float delta_square[HR_STEP_LANES];
    float delta_time[HR_STEP_LANES];
    float vega[HR_STEP_LANES]; /* Coin per 1.0 of volatility. */
    float vega_slope[HR_STEP_LANES];
    float vega_square[HR_STEP_LANES];
    float vega_time[HR_STEP_LANES];
    float gamma[HR_STEP_LANES]; /* Coin per USD. */
    float gamma_line[HR_STEP_LANES];
    float usd_ratio[HR_STEP_LANES];      /* USD vega per point = vega * index * this. */
    float intrinsic_coin[HR_STEP_LANES]; /* At the anchor; moves by less than */
    float bound_slope[HR_STEP_LANES];    /* this times D, as the upper bound does. */
    float ceiling_coin[HR_STEP_LANES];   /* Upper no-arbitrage bound, least within reach. */
    float drift_coin[HR_STEP_LANES];     /* The drift bound's anchor price. */
    float vol_half[HR_STEP_LANES];       /* Uncertainty of volatility before widening. */
    float vol_half_slope[HR_STEP_LANES];
    float vol_half_square[HR_STEP_LANES];
    float vol_half_time[HR_STEP_LANES];
    float miss_coin[HR_STEP_LANES];
    float rounding_coin[HR_STEP_LANES];
    float patience[HR_STEP_LANES]; /* 1 where we do not contest. */
    float tick_coin[HR_STEP_LANES];
    float step_coin[HR_STEP_LANES]; /* The widest step of the grid. */
    float is_contested[HR_STEP_LANES];
    float is_call[HR_STEP_LANES];
    float is_quotable[HR_STEP_LANES];
    /* What rests, and who else does, by side. */
    float position_coin[HR_STEP_LANES];
    float live_coin[2][HR_STEP_LANES]; /* Amount. */
    float absent[2][HR_STEP_LANES];    /* 0 where something rests, else far. */
    float price_coin[2][HR_STEP_LANES];
    float live_step_coin[2][HR_STEP_LANES];
    float hold_step_coin[2][HR_STEP_LANES]; /* Targets within it are rounded to what rests. */
    float rival_coin[2][HR_STEP_LANES];  /* rival = rival_coin + rival_slope * theo, less a step; */
    float rival_slope[2][HR_STEP_LANES]; /* 0 where it is remembered, not seen; and */
    double rival_since_ns[2][HR_STEP_LANES]; /* then it moves away with time from here. */
    float other_coin[2][HR_STEP_LANES];      /* Somebody else's best price; far away: none. */
    float usage_low[2][HR_STEP_LANES];       /* The size is right while the limits' usage */
    float usage_high[2][HR_STEP_LANES];      /* is between. */
    int32_t cell[HR_STEP_LANES];             /* Slice and region, for the vega skew. */
    float region[HR_STEP_LANES];
    int32_t slice; /* Of all lanes, or HR_STEP_MIXED. */
    int32_t reserved[15];
} hr_step_block;

/* What is the same for all slots in one pass. */
typedef struct {
    double log_index;
    float index_usd;
    double now_ns;
    float index_ratio; /* Reservation shift of the index, as in hr_engine_stance; */
    float index_ratio_error;
    float vol_shift[HR_STEP_CELLS]; /* and of volatility, by slice and region. */
    float vol_shift_error;
    float spot_ratio;
    float widening;
    float fee_coin;
    float fee_ratio;
    float edge_coin;
    float edge_ratio;
    float half_max;
    float skew_max;
    double relax_per_ns;
    float urgent_below;  /* 1 - move_urgent_ratio */
    float passive_above; /* 1 + move_passive_ratio */
    float collar_coin;
    float collar_vol;
    float drift_max;
    float usage_low[2][2];  /* [side][is_call]: usage of the limits at least, */
    float usage_high[2][2]; /* and at most. */
} hr_screen;

/* Sums over all slots at stepped values, and the largest of what one quote can add. */
typedef struct {
    double delta;
    double delta_error;
    double gamma;
    double gamma_error;
    double vega_error;
    double vega_of_cell[HR_STEP_CELLS];
    double up_delta;
    double down_delta;
    double up_vega;
    double down_vega;
    double up_gamma;
    double down_gamma;
    double two_sided; /* Slots. */
    double one_sided;
    double live_most;
    double delta_most;
    double vega_most;
    double gamma_most;
} hr_step_sums;

#endif
