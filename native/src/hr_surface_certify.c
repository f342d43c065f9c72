/* Certificates of no arbitrage, for every real log-moneyness.
 *
 * Butterfly: with k = m + sigma (t - 1/t) / 2, t > 0, the slice is w = W(t) / t with W quadratic,
 * and g(k) 16 W^2 (1 + t^2)^3 is a polynomial of degree 10 in t. It is positive on (0, inf) if its
 * Bernstein coefficients over s = t / (1 + t) are, on each part of a subdivision of [0, 1]. The end
 * coefficients are positive only where b (1 +- rho) < 2, Lee's bound, so the wings are included.
 *
 * Calendar: both slices are convex, so a tangent of the later less a chord of the earlier bounds
 * the difference from below on an interval; the wings are bounded by the asymptotes.
 *
 * Rounding: each coefficient carries a bound of its own error, and only a value above it counts.
 */
#include "hr_surface.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define DEGREE 10
#define COEFFICIENTS 11
#define DEPTH_MAX 100
#define NODES_MAX 4000

static const double unit = DBL_EPSILON; /* twice the unit roundoff: a margin of two everywhere */

typedef struct {
    double value[COEFFICIENTS];
    double error[COEFFICIENTS]; /* bounds |value - exact| */
    double start;               /* of the part of [0, 1] */
    double width;
} bernstein;

static bool is_usable(const hr_svi *slice) {
    return slice != NULL && isfinite(slice->a) && isfinite(slice->m) && fabs(slice->a) < 1e6 &&
           fabs(slice->m) < 1e6 && slice->b >= 0.0 && slice->b < 1e6 && slice->rho > -1.0 &&
           slice->rho < 1.0 && slice->sigma > 1e-9 && slice->sigma < 1e6;
}

static bool is_positive(const hr_svi *slice) {
    const double spread = slice->b * slice->sigma;
    const double floor = slice->a + spread * sqrt((1.0 - slice->rho) * (1.0 + slice->rho));
    return floor > 8.0 * unit * (fabs(slice->a) + spread);
}

/* out += factor * left * right, polynomials of the given degrees. */
static void multiply_add(double factor, const double *left, int left_degree, const double *right,
                         int right_degree, double *out) {
    for (int i = 0; i <= left_degree; i++) {
        for (int j = 0; j <= right_degree; j++) {
            out[i + j] += factor * left[i] * right[j];
        }
    }
}

/* The polynomial's monomial coefficients. With every input and sign made positive (`negative` = 1)
 * the same sums bound the absolute values of their terms. */
static void density_polynomial(const double *variance, const double *slope, const double *moneyness,
                               double b, double sigma, double negative, double *out) {
    static const double one[3] = {1.0, 0.0, 1.0}; /* 1 + t^2 */
    static const double cube[4] = {0.0, 0.0, 0.0, 1.0};
    double inner[5] = {0.0}; /* 2 W D - b U K */
    multiply_add(2.0, variance, 2, one, 2, inner);
    double slope_moneyness[5] = {0.0};
    multiply_add(b, slope, 2, moneyness, 2, slope_moneyness);
    for (int i = 0; i < 5; i++) {
        inner[i] += negative * slope_moneyness[i];
    }
    double square[9] = {0.0};
    multiply_add(1.0, inner, 4, inner, 4, square);
    memset(out, 0, COEFFICIENTS * sizeof(*out));
    multiply_add(4.0, square, 8, one, 2, out);
    double variance_square[5] = {0.0};
    multiply_add(1.0, variance, 2, variance, 2, variance_square);
    double slope_square[5] = {0.0};
    multiply_add(b * b, slope, 2, slope, 2, slope_square);
    double last[5]; /* 4 t W + W^2 */
    memcpy(last, variance_square, sizeof(last));
    for (int i = 0; i < 3; i++) {
        last[i + 1] += 4.0 * variance[i];
    }
    double slope_square_one[7] = {0.0};
    multiply_add(1.0, slope_square, 4, one, 2, slope_square_one);
    multiply_add(negative, slope_square_one, 6, last, 4, out);
    double curvature[8] = {0.0};
    multiply_add(64.0 * b / sigma, variance_square, 4, cube, 3, curvature);
    for (int i = 0; i < 8; i++) {
        out[i] += curvature[i];
    }
}

static void density_bernstein(const hr_svi *slice, bernstein *out) {
    static const double binomial[COEFFICIENTS] = {1, 10, 45, 120, 210, 252, 210, 120, 45, 10, 1};
    const double half = 0.5 * slice->b * slice->sigma;
    const double up = 1.0 + slice->rho;
    const double down = 1.0 - slice->rho;
    const double variance[3] = {half * down, slice->a, half * up};
    const double slope[3] = {-down, 0.0, up};
    const double moneyness[3] = {-0.5 * slice->sigma, slice->m, 0.5 * slice->sigma};
    double absolute[3][3];
    for (int i = 0; i < 3; i++) {
        absolute[0][i] = fabs(variance[i]);
        absolute[1][i] = fabs(slope[i]);
        absolute[2][i] = fabs(moneyness[i]);
    }
    double magnitude[COEFFICIENTS];
    density_polynomial(variance, slope, moneyness, slice->b, slice->sigma, -1.0, out->value);
    density_polynomial(absolute[0], absolute[1], absolute[2], slice->b, slice->sigma, 1.0,
                       magnitude);
    for (int i = 0; i < COEFFICIENTS; i++) {
        out->value[i] /= binomial[i];
        /* Under 60 roundings lead to any term. */
        out->error[i] = 64.0 * unit * magnitude[i] / binomial[i];
    }
    out->start = 0.0;
    out->width = 1.0;
}

static bool is_above(const bernstein *part) {
    for (int i = 0; i < COEFFICIENTS; i++) {
        if (!(part->value[i] > part->error[i])) {
            return false;
        }
    }
    return true;
}

/* De Casteljau at the middle; both values and error bounds are averaged, each sum rounds once. */
static void split(const bernstein *whole, bernstein *left, bernstein *right) {
    double value[COEFFICIENTS];
    double error[COEFFICIENTS];
    memcpy(value, whole->value, sizeof(value));
    memcpy(error, whole->error, sizeof(error));
    for (int level = 0; level < COEFFICIENTS; level++) {
        left->value[level] = value[0];
        left->error[level] = error[0];
        right->value[DEGREE - level] = value[DEGREE - level];
        right->error[DEGREE - level] = error[DEGREE - level];
        for (int i = 0; i < DEGREE - level; i++) {
            value[i] = 0.5 * (value[i] + value[i + 1]);
            error[i] = 0.5 * (error[i] + error[i + 1]) * (1.0 + 2.0 * unit) + unit * fabs(value[i]);
        }
    }
    left->start = whole->start;
    left->width = right->width = 0.5 * whole->width;
    right->start = whole->start + left->width;
}

static double log_moneyness_at(const hr_svi *slice, double share) {
    const double t = fmax(share, 1e-12) / fmax(1.0 - share, 1e-12);
    return slice->m + 0.5 * slice->sigma * (t - 1.0 / t);
}

hr_status hr_svi_certify_butterfly(const hr_svi *slice, double *witness_out) {
    if (!is_usable(slice) || witness_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    *witness_out = slice->m;
    if (!is_positive(slice)) {
        *witness_out =
            slice->m - slice->rho * slice->sigma / sqrt((1.0 - slice->rho) * (1.0 + slice->rho));
        return HR_ERR_DOMAIN;
    }
    if (slice->b == 0.0) {
        return HR_OK; /* Flat: g = 1. */
    }
    bernstein stack[DEPTH_MAX + 1];
    density_bernstein(slice, &stack[0]);
    int depth = 1;
    for (int nodes = 0; depth > 0; nodes++) {
        const bernstein part = stack[--depth];
        if (is_above(&part)) {
            continue;
        }
        bernstein left;
        bernstein right;
        split(&part, &left, &right);
        const bool is_negative = !(part.value[0] > part.error[0]) ||
                                 !(part.value[DEGREE] > part.error[DEGREE]) ||
                                 !(right.value[0] > right.error[0]);
        if (is_negative || depth + 2 > DEPTH_MAX || nodes > NODES_MAX) {
            *witness_out = log_moneyness_at(slice, right.start);
            return HR_ERR_DOMAIN;
        }
        stack[depth++] = right;
        stack[depth++] = left;
    }
    return HR_OK;
}

/* Bounds the rounding error of w(k), and of a tangent or asymptote through the same terms. */
static double rounding(const hr_svi *slice, double log_moneyness) {
    const double reach = fabs(log_moneyness) + fabs(slice->m) + slice->sigma;
    return 16.0 * unit * (fabs(slice->a) + 2.0 * slice->b * reach);
}

/* side = 1: for all k >= edge, side = -1: for all k <= edge, beyond both vertices. */
static bool wing_is_above(const hr_svi *earlier, const hr_svi *later, double edge, double side) {
    const double early_slope = earlier->b * (1.0 + side * earlier->rho);
    const double late_slope = later->b * (1.0 + side * later->rho);
    const double early_reach = side * (edge - earlier->m);
    const double late_reach = side * (edge - later->m);
    const double remainder = 0.5 * earlier->b * earlier->sigma * earlier->sigma / early_reach;
    const double difference =
        (later->a + late_slope * late_reach) - (earlier->a + early_slope * early_reach + remainder);
    return difference > rounding(earlier, edge) + rounding(later, edge) + 8.0 * unit * remainder;
}

static bool find_edge(const hr_svi *earlier, const hr_svi *later, double side, double *edge_out) {
    const double early_slope = earlier->b * (1.0 + side * earlier->rho);
    const double late_slope = later->b * (1.0 + side * later->rho);
    const double centre = side * fmax(side * earlier->m, side * later->m);
    double reach = fmax(earlier->sigma, later->sigma);
    *edge_out = centre + side * reach;
    if (!(late_slope >= early_slope * (1.0 + 8.0 * unit))) {
        return false;
    }
    for (int i = 0; i < 60; i++) {
        *edge_out = centre + side * reach;
        if (wing_is_above(earlier, later, *edge_out, side)) {
            return true;
        }
        reach *= 2.0;
    }
    *edge_out = centre;
    return false;
}

static bool interval_is_above(const hr_svi *earlier, const hr_svi *later, double left,
                              double right) {
    const double middle = 0.5 * (left + right);
    const double z = middle - later->m;
    const double root = sqrt(z * z + later->sigma * later->sigma);
    const double slope = later->b * (later->rho + z / root);
    const double value = later->a + later->b * (later->rho * z + root);
    const double early[2] = {hr_svi_total_variance(earlier, left),
                             hr_svi_total_variance(earlier, right)};
    const double late[2] = {value + slope * (left - middle), value + slope * (right - middle)};
    const double reach = fmax(fabs(left), fabs(right));
    const double error = rounding(earlier, reach) + 2.0 * rounding(later, reach);
    return late[0] - early[0] > error && late[1] - early[1] > error;
}

hr_status hr_svi_certify_calendar(const hr_svi *earlier, const hr_svi *later, double *witness_out) {
    if (!is_usable(earlier) || !is_usable(later) || witness_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    double edges[2];
    if (!find_edge(earlier, later, -1.0, &edges[0])) {
        *witness_out = edges[0];
        return HR_ERR_DOMAIN;
    }
    if (!find_edge(earlier, later, 1.0, &edges[1])) {
        *witness_out = edges[1];
        return HR_ERR_DOMAIN;
    }
    double stack[DEPTH_MAX + 1][2];
    stack[0][0] = edges[0];
    stack[0][1] = edges[1];
    int depth = 1;
    for (int nodes = 0; depth > 0; nodes++) {
        const double left = stack[--depth][0];
        const double right = stack[depth][1];
        if (interval_is_above(earlier, later, left, right)) {
            continue;
        }
        const double middle = 0.5 * (left + right);
        const double difference =
            hr_svi_total_variance(later, middle) - hr_svi_total_variance(earlier, middle);
        if (!(difference > 0.0) || depth + 2 > DEPTH_MAX || nodes > NODES_MAX) {
            *witness_out = middle;
            return HR_ERR_DOMAIN;
        }
        stack[depth][0] = middle;
        stack[depth++][1] = right;
        stack[depth][0] = left;
        stack[depth++][1] = middle;
    }
    return HR_OK;
}
