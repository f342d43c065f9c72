/* hr_implied_vol_anywhere.c: implied deviation for any input, wings and near-certainty included.
 *
 * Below the point where h + t = 1 it solves on ln(price), above it on ln(low - price), inside a
 * bracket. */
#include "hr_implied_vol.h"

#define HR_STEPS_MAX 64

typedef struct {
    double x;          /* ln(low/high), <= 0 */
    double log_target; /* ln of the price, or of low - price, over sqrt(FK) */
    int32_t is_upper;  /* whether the target is low - price */
} hr_problem;

/* The model over its derivative by s: Y(h+t) - Y(h-t), or for low - price its like, negative. */
static double difference_at(const hr_problem *problem, double h, double t) {
    if (problem->is_upper) {
        return -(hr_mills(-h - t) + hr_mills(h - t));
    }
    if (t <= HR_SERIES_T_MAX && problem->x >= HR_SERIES_X_MIN) {
        return hr_mills_series(h, t).difference;
    }
    return hr_mills(h + t) - hr_mills(h - t);
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
        const double h = problem->x / s;
        const double t = 0.5 * s;
        const double difference = difference_at(problem, h, t);
        const double error =
            log(fabs(difference)) - 0.5 * (h * h + t * t) - HR_LN_SQRT_2PI - problem->log_target;
        if (error == 0.0) {
            break;
        }
        if ((error > 0.0) == (difference > 0.0)) {
            high = s;
        } else {
            low = s;
        }
        const double step = hr_householder_step(error, difference, h, 1.0 / s, s);
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

hr_status hr_deviation_anywhere(double price, double rest, double low, double high,
                                double *deviation_out) {
    hr_problem problem = {.x = hr_log_ratio(low, high)};
    const double scale = sqrt(low) * sqrt(high);
    const double split = 1.0 + sqrt(1.0 - 2.0 * problem.x); /* where h + t = 1 */
    const double h = problem.x / split;
    const double t = 0.5 * split;
    const double density = hr_exp_negative(-0.5 * (h * h + t * t)) * HR_INV_SQRT_2PI;
    problem.is_upper = price > scale * (hr_mills(1.0) - hr_mills(h - t)) * density;
    problem.log_target = log(problem.is_upper ? rest : price) - log(scale);
    if (problem.is_upper) {
        const double guess = exponent_guess(problem.x, -problem.log_target, 1);
        return deviation_solve(&problem, split, HUGE_VAL, guess, deviation_out);
    }
    double guess = 0.0;
    if (problem.x >= HR_SERIES_X_MIN) {
        guess = hr_bachelier_deviation(fmax(price / scale, 1e-290), (high - low) / scale);
    } else {
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
