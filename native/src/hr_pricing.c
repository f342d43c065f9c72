/* hr_pricing.c: Black-76 prices and greeks. Symbols as in hr_black.h. */
#include "hr_pricing.h"

#include <math.h>
#include <stddef.h>

#include "hr_black.h"
#include "hr_lanes.h"

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

/* Everything about one option on checked inputs; is_call 1.0 or 0.0. `is_series` says which form
 * of the difference to use, and is a constant where this is inlined. */
HR_INLINE hr_greeks greeks_from_inputs(double forward, double strike, double years, double vol,
                                       double is_call, int32_t is_series) {
    const double low = forward < strike ? forward : strike;
    const double high = forward < strike ? strike : forward;
    const double root_years = sqrt(years);
    const double deviation = vol * root_years;
    const int32_t is_limit = deviation < HR_DEVIATION_MIN;
    const double s = is_limit ? 1.0 : deviation;
    const double inverse_s = 1.0 / s;
    const double inverse_forward = 1.0 / forward;
    const double x = hr_log_ratio(low, high);
    const double h_far = x * (is_limit ? 1e300 : inverse_s);
    const double t_far = is_limit ? 0.0 : 0.5 * s;
    const double h = h_far < -HR_ARGUMENT_MAX ? -HR_ARGUMENT_MAX : h_far;
    const double t = t_far > HR_ARGUMENT_MAX ? HR_ARGUMENT_MAX : t_far;
    const double density_near = hr_exp_negative(-0.5 * (h * h + t * t)) * HR_INV_SQRT_2PI;
    const double density_far = h_far < -HR_ARGUMENT_MAX ? 0.0 : density_near;
    const double density = t_far > HR_ARGUMENT_MAX ? 0.0 : density_far;
    const double root_product = sqrt(forward * strike);
    const double v = root_product * density;                        /* USD per unit of s */
    const double weight = root_product * inverse_forward * density; /* v/forward, not underflown */
    const double d_up = h + t;
    const double d_down = h - t;
    double up;
    double down;
    double otm_price;
    double side; /* -1 where `up` stands for the complement of N(h+t) */
    if (is_series) {
        const hr_mills_pair pair = hr_mills_series(h, t);
        up = pair.up;
        down = pair.down;
        otm_price = v * pair.difference;
        side = 1.0;
    } else {
        up = hr_mills(-fabs(d_up));
        down = hr_mills(d_down);
        side = d_up > 0.0 ? -1.0 : 1.0;
        otm_price = (d_up > 0.0 ? low : 0.0) + v * (side * up - down);
    }
    /* The call's delta is the tail, or 1 less the tail; the put's is 1 less than the call's. */
    const double tail = weight * (forward > strike ? down : up);
    const double sign = forward > strike ? -1.0 : side;
    const double signed_tail = sign * tail;
    const double whole = is_call - (sign < 0.0 ? 0.0 : 1.0);
    const double intrinsic = (2.0 * is_call - 1.0) * (forward - strike);
    const double d2 = forward > strike ? -d_up : d_down;
    /* Zero in the limit, even at the money. */
    const double live = is_limit ? 0.0 : v;
    const double live_weight = is_limit ? 0.0 : weight;
    const double inverse_vol = root_years * inverse_s;
    hr_greeks greeks;
    greeks.price = otm_price + (intrinsic > 0.0 ? intrinsic : 0.0);
    greeks.delta = whole + signed_tail;
    greeks.gamma = live_weight * (inverse_forward * inverse_s);
    greeks.vega = v * root_years;
    greeks.theta = 0.0 - 0.5 * live * (vol * vol * inverse_s);
    greeks.vanna = 0.0 - live_weight * d2 * inverse_vol;
    greeks.volga = live * root_years * (d_up * d_down) * inverse_vol;
    return greeks;
}

static int32_t series_applies(double forward, double strike, double years, double vol) {
    const double low = forward < strike ? forward : strike;
    const double high = forward < strike ? strike : forward;
    return (vol * vol * years <= 4.0 * HR_SERIES_T_MAX * HR_SERIES_T_MAX) &
           (low >= HR_SERIES_RATIO_MIN * high);
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

/* The options of one block that share a form of the difference, a column for each field. */
typedef struct {
    double forward[HR_LANES];
    double strike[HR_LANES];
    double years[HR_LANES];
    double vol[HR_LANES];
    double is_call[HR_LANES];
    double price[HR_LANES];
    double delta[HR_LANES];
    double gamma[HR_LANES];
    double vega[HR_LANES];
    double theta[HR_LANES];
    double vanna[HR_LANES];
    double volga[HR_LANES];
    int64_t place[HR_LANES]; /* in the caller's arrays */
    int32_t count;
} hr_group;

HR_INLINE void group_price(hr_group *group, int32_t is_series) {
    for (int32_t i = 0; i < group->count; i++) {
        const hr_greeks greeks =
            greeks_from_inputs(group->forward[i], group->strike[i], group->years[i], group->vol[i],
                               group->is_call[i], is_series);
        group->price[i] = greeks.price;
        group->delta[i] = greeks.delta;
        group->gamma[i] = greeks.gamma;
        group->vega[i] = greeks.vega;
        group->theta[i] = greeks.theta;
        group->vanna[i] = greeks.vanna;
        group->volga[i] = greeks.volga;
    }
}

static void groups_price_plain(hr_group groups[2]) {
    group_price(&groups[0], 0);
    group_price(&groups[1], 1);
}

HR_WIDE static void groups_price_wide(hr_group groups[2]) {
    group_price(&groups[0], 0);
    group_price(&groups[1], 1);
}

static void group_write(const hr_group *group, hr_greeks *greeks_out) {
    for (int32_t i = 0; i < group->count; i++) {
        greeks_out[group->place[i]] =
            (hr_greeks){group->price[i], group->delta[i], group->gamma[i], group->vega[i],
                        group->theta[i], group->vanna[i], group->volga[i]};
    }
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
    hr_group groups[2];
    for (int64_t start = 0; start < count; start += HR_LANES) {
        const int64_t end = count - start < HR_LANES ? count : start + HR_LANES;
        groups[0].count = 0;
        groups[1].count = 0;
        for (int64_t i = start; i < end; i++) {
            hr_group *group = &groups[series_applies(forwards[i], strikes[i], years[i], vols[i])];
            const int32_t at = group->count++;
            group->forward[at] = forwards[i];
            group->strike[at] = strikes[i];
            group->years[at] = years[i];
            group->vol[at] = vols[i];
            group->is_call[at] = is_call[i];
            group->place[at] = i;
        }
        if (hr_is_wide()) {
            groups_price_wide(groups);
        } else {
            groups_price_plain(groups);
        }
        group_write(&groups[0], greeks_out);
        group_write(&groups[1], greeks_out);
    }
    return HR_OK;
}
