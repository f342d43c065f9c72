/* hr_requote.h: which of a maker's many quotes should move, and where to. */
#ifndef HR_REQUOTE_H
#define HR_REQUOTE_H

#include "hr_book.h"

/* cdef: begin */
/* Prices move in steps of 1 tick up to fine_ticks_max, above it of coarse_step_ticks. */
typedef struct {
    int64_t fine_ticks_max;
    int64_t coarse_step_ticks; /* [1, 1000000] */
    double lean_in;  /* A quote stays while its exact price is past it by at most this, in steps, */
    double lean_out; /* and short of it by less than this. */
} hr_requote_grid;

#define HR_REQUOTE_ASK_TICKS_MAX 100000000000 /* An exact ask beyond it is none. */

/* A maker's view and what it has resting, by row. `bid` and `ask` are exact prices in ticks, a bid
 * below 1 and an ask beyond HR_REQUOTE_ASK_TICKS_MAX mean that the side has no quote; `lots` is its
 * usual size, 0 where it has no quote. A rest below a third of that is renewed. */
typedef struct {
    const double *bid;
    const double *ask;
    const int64_t *lots;
    const int32_t *instruments;
    int64_t *bid_ticks; /* As last sent; moved on by this call as if all were accepted. */
    int64_t *bid_lots;
    int64_t *ask_ticks;
    int64_t *ask_lots;
} hr_requote_maker;

/* Best prices by instrument, as from hr_book_best. */
typedef struct {
    const int64_t *bid_ticks;
    const int64_t *bid_lots;
    const int64_t *ask_ticks;
    const int64_t *ask_lots;
    int64_t count;
} hr_requote_best;

/* Writes the quotes that move to quotes_out[count] and their rows to rows_out[count]: rounded
 * outward to the grid and held off the other side's best. HR_ERR_ARGUMENT for an instrument
 * outside the best prices, HR_ERR_NOT_FINITE for a price that is no number. */
hr_status hr_requote(const hr_requote_grid *grid, const hr_requote_maker *maker, int64_t count,
                     const hr_requote_best *best, hr_book_quote *quotes_out, int64_t *rows_out,
                     int64_t *count_out);
/* cdef: end */

_Static_assert(sizeof(hr_requote_grid) == 32, "hr_requote_grid crosses to Python");
_Static_assert(sizeof(hr_requote_maker) == 64, "hr_requote_maker crosses to Python");
_Static_assert(sizeof(hr_requote_best) == 40, "hr_requote_best crosses to Python");

#endif
