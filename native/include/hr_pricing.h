/* hr_pricing.h: Black-76 on a forward, undiscounted: price, greeks and implied volatility.
 *
 * Prices are in the forward's currency (USD). Ranges, everywhere: forward and strike
 * [1e-50, 1e50], years [0, 1e4], vol [0, 1e10]; is_call 0 or 1. Outputs are always finite.
 * Reentrant: any thread, no state. Arrays are the caller's and must not overlap outputs. */
#ifndef HR_PRICING_H
#define HR_PRICING_H

#include "hedgerow.h"

/* cdef: begin */
/* At vol 0 or years 0, and where vol*sqrt(years) < 1e-100: price is intrinsic value, delta 0 or 1
 * (one half at the money), vega at the money its limit forward*sqrt(years/2pi), everything else 0.
 */
typedef struct {
    double price; /* USD */
    double delta; /* dprice/dforward: N(d1) for calls, N(d1) - 1 for puts */
    double gamma; /* ddelta/dforward, per USD */
    double vega;  /* dprice/dvol, USD per 1.0 of vol */
    double theta; /* dprice/dtime passing, USD per year, never positive */
    double vanna; /* ddelta/dvol, per 1.0 of vol */
    double volga; /* dvega/dvol, USD per 1.0 of vol squared */
} hr_greeks;

/* hr_black76: prices one option. Relative error of price and greeks < 1e-11 where they come from
 * a price above 1e-290 forwards and 1e-300. */
hr_status hr_black76(double forward, double strike, double years, double vol, int32_t is_call,
                     hr_greeks *greeks_out);

/* hr_black76_batch: the same over arrays of `count`, to the same bits; all inputs are checked
 * first, and nothing is written if one is refused. */
hr_status hr_black76_batch(int64_t count, const double *forwards, const double *strikes,
                           const double *years, const double *vols, const int32_t *is_call,
                           hr_greeks *greeks_out);

/* hr_implied_vol: the vol at which hr_black76 gives `price`. A price of exactly intrinsic value
 * gives 0. HR_ERR_DOMAIN below intrinsic value, at or above the forward (call) or strike (put),
 * at years 0, or where the answer is above 1e10; vol_out is then 0. */
hr_status hr_implied_vol(double price, double forward, double strike, double years, int32_t is_call,
                         double *vol_out);

/* hr_implied_vol_batch: the same over arrays of `count`, each with its own status and, where
 * refused, vol 0. Returns the first status that is not HR_OK, all elements being done. */
hr_status hr_implied_vol_batch(int64_t count, const double *prices, const double *forwards,
                               const double *strikes, const double *years, const int32_t *is_call,
                               double *vols_out, hr_status *statuses_out);
/* cdef: end */

_Static_assert(sizeof(hr_greeks) == 56, "hr_greeks is seven doubles");

#endif
