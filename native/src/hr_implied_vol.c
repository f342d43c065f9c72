/* hr_implied_vol.c: the inverse of hr_black76 in vol. Symbols as in hr_black.h.
 *
 * Solves for s on the out-of-the-money price, in logarithms (which need no exponential and make
 * the deep wing nearly quadratic): below the point where h + t = 1 on ln(price), above it on
 * ln(low - price), by Householder steps of order four inside a bracket. */
#include <math.h>
#include <stddef.h>

#include "hr_black.h"
#include "hr_pricing.h"

#define HR_STEPS_MAX 64

typedef struct {
    double x;          /* ln(low/high), <= 0 */
    double log_target; /* ln of the price, or of low - price, over sqrt(FK) */
    int32_t is_upper;  /* whether the target is low - price */
} hr_problem;

typedef struct {
    double error; /* ln(model) - ln(target) */
    double slope; /* its derivative by s */
    double bend;  /* second derivative over the first */
    double twist; /* third derivative over the first */
} hr_objective;

/* Value and derivatives of the objective at s > 0. */
static hr_objective objective_at(const hr_problem *problem, double s) {
    const double h = problem->x / s;
    const double t = 0.5 * s;
    double difference;
    if (problem->is_upper) {
        difference = hr_mills(-h - t) + hr_mills(h - t);
    } else if (t <= HR_SERIES_T_MAX && problem->x >= HR_SERIES_X_MIN) {
        difference = hr_mills_series(h, t).difference;
    } else {
        difference = hr_mills(h + t) - hr_mills(h - t);
    }
    const double log_model = log(difference) - 0.5 * (h * h + t * t) - HR_LN_SQRT_2PI;
    const double slope = (problem->is_upper ? -1.0 : 1.0) / difference;
    const double b2 = h * h / s - 0.5 * t; /* b''/b' of the price itself */
    const double b3 = b2 * b2 - 3.0 * (h / s) * (h / s) - 0.25;
    hr_objective objective;
    objective.error = log_model - problem->log_target;
    objective.slope = slope;
    objective.bend = b2 - slope;
    objective.twist = b3 - 3.0 * b2 * slope + 2.0 * slope * slope;
    return objective;
}

/* The step of Householder's third method, of order four; Newton's where it is not sane. */
static double step_from(const hr_objective *objective) {
    const double newton = -objective->error / objective->slope;
    const double a = newton * objective->bend;
    const double c = newton * newton * objective->twist;
    const double numerator = 1.0 + 0.5 * a;
    const double denominator = 1.0 + a + c * (1.0 / 6.0);
    const double factor = numerator / denominator;
    return factor > 0.25 && factor < 4.0 ? newton * factor : newton;
}

/* The root of x*x/(2q) + q/8 = level on the side asked for, as s = sqrt(q): where the exponent
 * alone explains the price. */
static double exponent_guess(double x, double level, int32_t is_upper) {
    const double inside = 16.0 * level * level - 4.0 * x * x;
    const double root = 4.0 * level + (inside > 0.0 ? sqrt(inside) : 0.0);
    return is_upper ? sqrt(root) : sqrt(4.0 * x * x / root);
}

/* Solves inside (low, high), of which high may be infinite. */
static hr_status deviation_solve(const hr_problem *problem, double low, double high, double guess,
                                 double *deviation_out) {
    double s = guess > low && guess < high ? guess : (isinf(high) ? 2.0 * low : 0.5 * (low + high));
    for (int32_t i = 0; i < HR_STEPS_MAX; i++) {
        const hr_objective objective = objective_at(problem, s);
        if (objective.error == 0.0) {
            break;
        }
        if ((objective.error > 0.0) == (objective.slope > 0.0)) {
            high = s;
        } else {
            low = s;
        }
        const double step = step_from(&objective);
        double next = s + step;
        if (fabs(step) <= 1e-5 * s) {
            s = next; /* The order is four: what is left is far below one rounding. */
            break;
        }
        if (!(next > low && next < high)) {
            next = isinf(high) ? 2.0 * s : (low > 0.0 ? 0.5 * (low + high) : 0.125 * s);
        }
        s = next;
    }
    *deviation_out = s;
    return isfinite(s) && s > 0.0 ? HR_OK : HR_ERR_NOT_CONVERGED;
}

/* Bachelier's implied s of an out-of-the-money price: a rational fit, within 1e-5, in the one
 * variable the problem has (Choi, Kim and Kwak 2009). Prices over sqrt(FK); gap = |F - K|. */
HR_INLINE double bachelier_guess(double price, double gap) {
    const double straddle = 2.0 * price + gap;
    const double v = gap / straddle;
    const double raw = 2.0 * v / log((price + gap) / price);
    const double eta = v < 1e-5 ? 1.0 : raw;
    const double numerator =
        0.3991614191727681 +
        eta * (48.553540295308515 +
               eta * (598.5145813687186 +
                      eta * (952.5191976401061 +
                             eta * (3316.668633940328 + eta * 5381.657705721352))));
    const double denominator =
        1.0 + eta * (118.63163109975686 +
                     eta * (1243.1195895064025 +
                            eta * (359.2239481874814 +
                                   eta * (6967.613328271736 + eta * 1608.7990463912838))));
    return 1.2533141373155003 * straddle * sqrt(eta) * numerator / denominator;
}

/* Any inputs inside the ranges: price in (0, low), rest = low - price exactly rounded. */
static hr_status solve_anywhere(double price, double rest, double low, double high,
                                double *deviation_out) {
    hr_problem problem = {.x = hr_log_ratio(low, high)};
    const double scale = sqrt(low) * sqrt(high);
    const double split = 1.0 + sqrt(1.0 - 2.0 * problem.x); /* where h + t = 1 */
    const double h = problem.x / split;
    const double t = 0.5 * split;
    const double split_price =
        scale * (hr_mills(1.0) - hr_mills(h - t)) * exp(-0.5 * (h * h + t * t)) * HR_INV_SQRT_2PI;
    problem.is_upper = price > split_price;
    problem.log_target = log((problem.is_upper ? rest : price) / scale);
    if (problem.is_upper) {
        const double guess = exponent_guess(problem.x, -problem.log_target, 1);
        return deviation_solve(&problem, split, HUGE_VAL, guess, deviation_out);
    }
    double guess = bachelier_guess(price / scale, (high - low) / scale);
    if (problem.x < -1.0) {
        double level = -problem.log_target;
        for (int32_t i = 0; i < 3; i++) { /* The factor before the exponential, by fixed point. */
            guess = exponent_guess(problem.x, level, 0);
            const double difference = hr_mills(problem.x / guess + 0.5 * guess) -
                                      hr_mills(problem.x / guess - 0.5 * guess);
            level = -problem.log_target + log(difference) - HR_LN_SQRT_2PI;
        }
    }
    return deviation_solve(&problem, 0.0, split, guess, deviation_out);
}

static hr_status inputs_check(double price, double forward, double strike, double years,
                              int32_t is_call) {
    if (!isfinite(price) || !isfinite(forward) || !isfinite(strike) || !isfinite(years)) {
        return HR_ERR_NOT_FINITE;
    }
    if (!(forward >= HR_STRIKE_MIN && forward <= HR_STRIKE_MAX) ||
        !(strike >= HR_STRIKE_MIN && strike <= HR_STRIKE_MAX) ||
        !(years >= 0.0 && years <= HR_YEARS_MAX) || (is_call != 0 && is_call != 1)) {
        return HR_ERR_ARGUMENT;
    }
    return HR_OK;
}

hr_status hr_implied_vol(double price, double forward, double strike, double years, int32_t is_call,
                         double *vol_out) {
    if (vol_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    *vol_out = 0.0;
    const hr_status refused = inputs_check(price, forward, strike, years, is_call);
    if (refused != HR_OK) {
        return refused;
    }
    const double low = forward < strike ? forward : strike;
    const double high = forward < strike ? strike : forward;
    const double intrinsic = fmax(is_call ? forward - strike : strike - forward, 0.0);
    const double otm_price = price - intrinsic;
    const double rest = (is_call ? forward : strike) - price;
    if (otm_price < 0.0 || rest <= 0.0 || years == 0.0) {
        return HR_ERR_DOMAIN;
    }
    if (otm_price == 0.0) {
        return HR_OK;
    }
    double deviation;
    const hr_status status = solve_anywhere(otm_price, rest, low, high, &deviation);
    if (status != HR_OK) {
        return status;
    }
    const double vol = deviation / sqrt(years);
    if (!(vol <= HR_VOL_MAX)) {
        return HR_ERR_DOMAIN;
    }
    *vol_out = vol;
    return HR_OK;
}

hr_status hr_implied_vol_batch(int64_t count, const double *prices, const double *forwards,
                               const double *strikes, const double *years, const int32_t *is_call,
                               double *vols_out, hr_status *statuses_out) {
    if (count < 0 ||
        (count > 0 && (prices == NULL || forwards == NULL || strikes == NULL || years == NULL ||
                       is_call == NULL || vols_out == NULL || statuses_out == NULL))) {
        return HR_ERR_ARGUMENT;
    }
    hr_status first = HR_OK;
    for (int64_t i = 0; i < count; i++) {
        statuses_out[i] =
            hr_implied_vol(prices[i], forwards[i], strikes[i], years[i], is_call[i], &vols_out[i]);
        if (first == HR_OK) {
            first = statuses_out[i];
        }
    }
    return first;
}
