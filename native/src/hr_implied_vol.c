/* hr_implied_vol.c: the inverse of hr_black76 in vol. Symbols as in hr_black.h.
 *
 * Options go in blocks. One within |x| <= 1 and s <= 2 is guessed to 2e-5 (Bachelier's s, then a
 * polynomial from Bachelier's to Black's) and mended by one step of order four, all in lanes. The
 * rest, and any whose step was larger than a guess that good could need, go one by one. */
#include <stddef.h>

#include "hr_implied_vol.h"
#include "hr_lanes.h"

#define HR_CORE_DEVIATION_MAX 2.0
#define HR_CORE_PRICE_MIN 1e-290 /* over sqrt(FK) */
#define HR_CORE_STEP_MAX 6e-5    /* of s: its fourth power is far below one rounding */

/* One block, a column for each quantity. */
typedef struct {
    double price[HR_LANES]; /* out of the money */
    double low[HR_LANES];   /* min(F, K) */
    double high[HR_LANES];
    double x[HR_LANES];
    double log_price[HR_LANES]; /* over sqrt(FK) */
    double guess[HR_LANES];     /* of s; infinite where the core must not try */
    double rest[HR_LANES];      /* low - price */
    int64_t place[HR_LANES];    /* in the caller's arrays */
} hr_queue;

/* The lanes of one queue that share a form of Y(h+t) - Y(h-t). */
typedef struct {
    double x[HR_LANES];
    double log_price[HR_LANES];
    double s[HR_LANES];
    double step[HR_LANES];
    int32_t lane[HR_LANES];
    int32_t count;
} hr_group;

HR_INLINE void guess_lanes(hr_queue *queue, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const double low = queue->low[i];
        const double high = queue->high[i];
        const double inverse_scale = 1.0 / sqrt(low * high);
        const double raw = queue->price[i] * inverse_scale;
        const double price = raw < HR_CORE_PRICE_MIN ? HR_CORE_PRICE_MIN : raw;
        const double x = hr_log_ratio(low, high);
        const double wide = (high - low) * inverse_scale;
        const double gap = wide < 2.0 ? wide : 2.0;
        const double normal = hr_bachelier_deviation(price, gap);
        const double s = gap < 1e-9 ? normal : normal * (-x / gap);
        /* Black's s over Bachelier's: a fit, within 2e-5 on the core. */
        const double u = s * s;
        const double w = x * x;
        const double c1 =
            0.04157625674178153 + w * (-0.0003363225884844631 + w * -1.1396987811949755e-05);
        const double c2 =
            0.003947951476548147 + w * (-0.00015350659137639095 + w * 0.00012795135544976195);
        const double c3 =
            0.00010664593793201461 + w * (4.2544292132647043e-05 + w * -7.095209606081896e-05);
        const double c4 =
            0.0001422081830014198 + w * (-1.119015345067718e-05 + w * 1.1142328119923568e-05);
        const double mended = s * (1.0 + u * (c1 + u * (c2 + u * (c3 + u * c4))));
        const int32_t is_core = (x >= HR_SERIES_X_MIN) & (raw >= HR_CORE_PRICE_MIN);
        queue->x[i] = x;
        queue->log_price[i] = hr_log_ratio(price, 1.0);
        queue->guess[i] = is_core ? mended : 1e300;
    }
}

HR_INLINE void step_lanes(hr_group *group, int32_t is_series) {
    for (int32_t i = 0; i < group->count; i++) {
        const double s = group->s[i];
        const double inverse_s = 1.0 / s;
        const double h = group->x[i] * inverse_s;
        const double t = 0.5 * s;
        const double difference =
            is_series ? hr_mills_series(h, t).difference : hr_mills(h + t) - hr_mills(h - t);
        const double error = hr_log_ratio(difference, 1.0) - 0.5 * (h * h + t * t) -
                             HR_LN_SQRT_2PI - group->log_price[i];
        const double step = hr_householder_step(error, difference, h, inverse_s, s);
        group->s[i] = s + step;
        group->step[i] = fabs(step);
    }
}

static void group_lanes(const hr_queue *queue, int32_t count, hr_group groups[2]) {
    groups[0].count = 0;
    groups[1].count = 0;
    for (int32_t i = 0; i < count; i++) {
        const double guess = queue->guess[i];
        if (guess > HR_CORE_DEVIATION_MAX) {
            continue;
        }
        hr_group *group = &groups[guess <= 2.0 * HR_SERIES_T_MAX];
        const int32_t at = group->count++;
        group->x[at] = queue->x[i];
        group->log_price[at] = queue->log_price[i];
        group->s[at] = guess;
        group->lane[at] = i;
    }
}

HR_INLINE void core_solve(hr_queue *queue, int32_t count, hr_group groups[2]) {
    guess_lanes(queue, count);
    group_lanes(queue, count, groups);
    step_lanes(&groups[0], 0);
    step_lanes(&groups[1], 1);
}

static void core_solve_plain(hr_queue *queue, int32_t count, hr_group groups[2]) {
    core_solve(queue, count, groups);
}

HR_WIDE static void core_solve_wide(hr_queue *queue, int32_t count, hr_group groups[2]) {
    core_solve(queue, count, groups);
}

/* Leaves s of every queued option in queue->guess; one that has none, 0. */
static void queue_solve(hr_queue *queue, int32_t count) {
    hr_group groups[2];
    if (hr_is_wide()) {
        core_solve_wide(queue, count, groups);
    } else {
        core_solve_plain(queue, count, groups);
    }
    for (int32_t i = 0; i < count; i++) {
        queue->guess[i] = 0.0;
    }
    for (int32_t form = 0; form < 2; form++) {
        for (int32_t i = 0; i < groups[form].count; i++) {
            const double s = groups[form].s[i];
            queue->guess[groups[form].lane[i]] =
                groups[form].step[i] <= HR_CORE_STEP_MAX * s ? s : 0.0;
        }
    }
    for (int32_t i = 0; i < count; i++) {
        if (queue->guess[i] == 0.0 &&
            hr_deviation_anywhere(queue->price[i], queue->rest[i], queue->low[i], queue->high[i],
                                  &queue->guess[i]) != HR_OK) {
            queue->guess[i] = 0.0;
        }
    }
}

/* Checks one option and puts it at `lane`. HR_OK with is_queued 0: the answer is vol 0. */
static hr_status option_queue(double price, double forward, double strike, double years,
                              int32_t is_call, hr_queue *queue, int32_t lane, int32_t *is_queued) {
    *is_queued = 0;
    if (!isfinite(price) || !isfinite(forward) || !isfinite(strike) || !isfinite(years)) {
        return HR_ERR_NOT_FINITE;
    }
    if (!(forward >= HR_STRIKE_MIN && forward <= HR_STRIKE_MAX) ||
        !(strike >= HR_STRIKE_MIN && strike <= HR_STRIKE_MAX) ||
        !(years >= 0.0 && years <= HR_YEARS_MAX) || (is_call != 0 && is_call != 1)) {
        return HR_ERR_ARGUMENT;
    }
    const double difference = is_call ? forward - strike : strike - forward;
    const double otm_price = price - (difference > 0.0 ? difference : 0.0);
    const double rest = (is_call ? forward : strike) - price;
    if (otm_price < 0.0 || rest <= 0.0 || years == 0.0) {
        return HR_ERR_DOMAIN;
    }
    queue->price[lane] = otm_price;
    queue->rest[lane] = rest;
    queue->low[lane] = forward < strike ? forward : strike;
    queue->high[lane] = forward < strike ? strike : forward;
    *is_queued = otm_price > 0.0;
    return HR_OK;
}

static hr_status vol_from_deviation(double deviation, double years, double *vol_out) {
    const double vol = deviation / sqrt(years);
    const int32_t is_known = deviation > 0.0;
    *vol_out = is_known && vol <= HR_VOL_MAX ? vol : 0.0;
    return !is_known ? HR_ERR_NOT_CONVERGED : vol <= HR_VOL_MAX ? HR_OK : HR_ERR_DOMAIN;
}

hr_status hr_implied_vol(double price, double forward, double strike, double years, int32_t is_call,
                         double *vol_out) {
    hr_status status;
    if (vol_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    (void)hr_implied_vol_batch(1, &price, &forward, &strike, &years, &is_call, vol_out, &status);
    return status;
}

hr_status hr_implied_vol_batch(int64_t count, const double *prices, const double *forwards,
                               const double *strikes, const double *years, const int32_t *is_call,
                               double *vols_out, hr_status *statuses_out) {
    if (count < 0 ||
        (count > 0 && (prices == NULL || forwards == NULL || strikes == NULL || years == NULL ||
                       is_call == NULL || vols_out == NULL || statuses_out == NULL))) {
        return HR_ERR_ARGUMENT;
    }
    hr_queue queue;
    hr_status first = HR_OK;
    for (int64_t start = 0; start < count; start += HR_LANES) {
        const int64_t end = count - start < HR_LANES ? count : start + HR_LANES;
        int32_t queued = 0;
        for (int64_t i = start; i < end; i++) {
            int32_t is_queued;
            vols_out[i] = 0.0;
            statuses_out[i] = option_queue(prices[i], forwards[i], strikes[i], years[i], is_call[i],
                                           &queue, queued, &is_queued);
            queue.place[queued] = i;
            queued += is_queued;
        }
        queue_solve(&queue, queued);
        for (int32_t lane = 0; lane < queued; lane++) {
            const int64_t i = queue.place[lane];
            statuses_out[i] = vol_from_deviation(queue.guess[lane], years[i], &vols_out[i]);
        }
        for (int64_t i = start; i < end && first == HR_OK; i++) {
            first = statuses_out[i];
        }
    }
    return first;
}
