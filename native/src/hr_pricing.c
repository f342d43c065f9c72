/* hr_pricing.c: Black-76 prices and greeks. Symbols as in hr_black.h. */
#include "hr_pricing.h"

#include <math.h>
#include <stddef.h>

#include "hr_black.h"

/* Below this s = vol sqrt(years) an option is priced as at s = 0. */
#define HR_DEVIATION_MIN 1e-100
/* Beyond this |h| or t the density is below 1e-321. */
#define HR_ARGUMENT_MAX 38.4

static int32_t in_range(double value, double low, double high) {
    return value >= low && value <= high;
}

static hr_status inputs_check(double forward, double strike, double years, double vol,
                              int32_t is_call) {
    if (!isfinite(forward) || !isfinite(strike) || !isfinite(years) || !isfinite(vol)) {
        return HR_ERR_NOT_FINITE;
    }
    if (!in_range(forward, HR_STRIKE_MIN, HR_STRIKE_MAX) ||
        !in_range(strike, HR_STRIKE_MIN, HR_STRIKE_MAX) || !in_range(years, 0.0, HR_YEARS_MAX) ||
        !in_range(vol, 0.0, HR_VOL_MAX) || (is_call != 0 && is_call != 1)) {
        return HR_ERR_ARGUMENT;
    }
    return HR_OK;
}

/* Everything about one option on checked inputs. `series` says which form of the difference to
 * use, and is a constant where this is inlined. */
HR_INLINE hr_greeks greeks_from_inputs(double forward, double strike, double years, double vol,
                                       int32_t is_call, int32_t series) {
    const double low = forward < strike ? forward : strike;
    const double high = forward < strike ? strike : forward;
    const double root_years = sqrt(years);
    const double deviation = vol * root_years;
    const int32_t is_limit = deviation < HR_DEVIATION_MIN;
    const double s = is_limit ? 1.0 : deviation;
    const double x = hr_log_ratio(low, high);
    const double h_far = is_limit ? x * 1e300 : x / s;
    const double t_far = is_limit ? 0.0 : 0.5 * s;
    const double h = h_far < -HR_ARGUMENT_MAX ? -HR_ARGUMENT_MAX : h_far;
    const double t = t_far > HR_ARGUMENT_MAX ? HR_ARGUMENT_MAX : t_far;
    const int32_t is_dead = (h_far < -HR_ARGUMENT_MAX) | (t_far > HR_ARGUMENT_MAX);
    const double density = hr_exp_negative(-0.5 * (h * h + t * t)) * HR_INV_SQRT_2PI;
    const double v = is_dead ? 0.0 : sqrt(forward * strike) * density; /* USD per unit of s */
    const double d_up = h + t;
    const double d_down = h - t;
    double up;
    double otm_price;
    double down;
    int32_t is_mostly; /* whether N(d1) of the call is near 1, and `tail` its complement */
    if (series) {
        const hr_mills_pair pair = hr_mills_series(h, t);
        up = pair.up;
        down = pair.down;
        otm_price = v * pair.difference;
        is_mostly = forward > strike;
    } else {
        const int32_t is_upper = d_up > 0.0;
        up = hr_mills(is_upper ? -d_up : d_up);
        down = hr_mills(d_down);
        otm_price = is_upper ? low - v * (up + down) : v * (up - down);
        is_mostly = (forward > strike) | is_upper;
    }
    const double tail = v * (forward > strike ? down : up) / forward;
    const double intrinsic = is_call ? forward - strike : strike - forward;
    const double call_delta = is_mostly ? 1.0 - tail : tail;
    const double put_delta = is_mostly ? -tail : tail - 1.0;
    const double d2 = forward > strike ? -d_up : d_down;
    const double vol_safe = is_limit ? 1.0 : vol;
    const double live = is_limit ? 0.0 : v; /* what is 0 in the limit, even at the money */
    const double years_safe = is_limit ? 1.0 : root_years;
    hr_greeks greeks;
    greeks.price = otm_price + (intrinsic > 0.0 ? intrinsic : 0.0);
    greeks.delta = is_call ? call_delta : put_delta;
    greeks.gamma = live / (forward * forward * s);
    greeks.vega = v * root_years;
    greeks.theta = -0.5 * live * vol_safe / years_safe;
    greeks.vanna = -live * d2 / (forward * vol_safe);
    greeks.volga = live * root_years * (d_up * d_down) / vol_safe;
    return greeks;
}

static int32_t series_applies(double forward, double strike, double years, double vol) {
    const double ratio = forward < strike ? forward / strike : strike / forward;
    return vol * sqrt(years) <= 2.0 * HR_SERIES_T_MAX && ratio >= HR_SERIES_RATIO_MIN;
}

hr_status hr_black76(double forward, double strike, double years, double vol, int32_t is_call,
                     hr_greeks *greeks_out) {
    if (greeks_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const hr_status status = inputs_check(forward, strike, years, vol, is_call);
    if (status != HR_OK) {
        return status;
    }
    *greeks_out = series_applies(forward, strike, years, vol)
                      ? greeks_from_inputs(forward, strike, years, vol, is_call, 1)
                      : greeks_from_inputs(forward, strike, years, vol, is_call, 0);
    return HR_OK;
}

hr_status hr_black76_batch(int64_t count, const double *forwards, const double *strikes,
                           const double *years, const double *vols, const int32_t *is_call,
                           hr_greeks *greeks_out) {
    if (count < 0 || (count > 0 && (forwards == NULL || strikes == NULL || years == NULL ||
                                    vols == NULL || is_call == NULL || greeks_out == NULL))) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t i = 0; i < count; i++) {
        const hr_status status =
            inputs_check(forwards[i], strikes[i], years[i], vols[i], is_call[i]);
        if (status != HR_OK) {
            return status;
        }
    }
    for (int64_t i = 0; i < count; i++) {
        (void)hr_black76(forwards[i], strikes[i], years[i], vols[i], is_call[i], &greeks_out[i]);
    }
    return HR_OK;
}
