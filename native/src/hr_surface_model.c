/* The cost of a surface: targets, priors, and penalties where arbitrage would begin. */
#include "hr_surface_model.h"
#include "hr_surface_shape.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Cost of a target, in half-spreads: a weak pull to the middle, and a strong one back into the
 * inner part of bid-ask that is square near the edge and straight further out, so that few quotes
 * are far outside rather than many just outside. */
static const double middle_pull = 0.2;
static const double middle_straight = 1.5;
static const double edge_pull = 10.0;
static const double edge_inset = 0.15;
static const double edge_straight = 0.25;
static const double density_straight = 0.1;

static const double prior_pull[PARAMETERS] = {4e-4, 2e-3, 2e-3, 2e-3, 2e-3};

/* k / theta of the later slice where calendar order is asked for, before any cut. */
static const double calendar_points[] = {-14.0, -9.0, -6.0, -4.0, -2.8, -2.0, -1.3, -0.7, 0.0,
                                         0.7,   1.3,  2.0,  2.8,  4.0,  6.0,  9.0,  14.0};
#define CALENDAR_POINTS ((int)(sizeof(calendar_points) / sizeof(calendar_points[0])))

/* (x - centre) / exp(width) where g > 0 is asked for, before any cut. */
static const double density_points[] = {-45.0, -14.0, -5.5, -2.6, -1.3, -0.5, 0.0,
                                        0.5,   1.3,   2.6,  5.5,  14.0, 45.0};
#define DENSITY_POINTS ((int)(sizeof(density_points) / sizeof(density_points[0])))

/* Sums over the targets of a slice, lower halves row by row. */
typedef struct {
    double gradient[PARAMETERS];
    double hessian[PARAMETERS * (PARAMETERS + 1) / 2];
    double metric[PARAMETERS * (PARAMETERS + 1) / 2];
} target_sums;

static inline double target_cost(double scale, const shape *s, const surface_target *target,
                                 target_sums *sums) {
    double derivatives[PARAMETERS];
    const double variance = value_at(s, target->x, derivatives);
    const double vol = scale * sqrt(fmax(variance, 1e-6));
    const double distance = (vol - target->centre) * target->inverse_half;
    const double push = edge_pull * target->edge_weight;
    double slope = 0.0;
    double curvature = 0.0;
    double cost = bent_square(fabs(distance), middle_pull * target->centre_weight, middle_straight,
                              &slope, &curvature);
    slope = copysign(slope, distance);
    const double above = (vol - target->high) * target->inverse_half + edge_inset;
    const double below = (target->low - vol) * target->inverse_half + edge_inset;
    double edge_slope = 0.0;
    if (above > 0.0 && above > below) {
        cost += bent_square(above, push, edge_straight, &edge_slope, &curvature);
        slope += edge_slope;
    } else if (below > 0.0 && target->low > 0.0) {
        cost += bent_square(below, push, edge_straight, &edge_slope, &curvature);
        slope -= edge_slope;
    }
    if (sums != NULL) {
        const double chain = target->inverse_half * scale * scale / (2.0 * vol);
        const double first = slope * chain;
        const double second = curvature * chain * chain;
        const double most = push * chain * chain;
        int at = 0;
        for (int i = 0; i < PARAMETERS; i++) {
            sums->gradient[i] += first * derivatives[i];
            for (int j = 0; j <= i; j++) {
                const double product = derivatives[i] * derivatives[j];
                sums->hessian[at] += second * product;
                sums->metric[at] += most * product;
                at++;
            }
        }
    }
    return cost;
}

static double targets_cost(surface_slice *slice, const shape *s, const surface_target *targets,
                           bool with_derivatives) {
    const double scale = slice->scale;
    double cost = 0.0;
    if (!with_derivatives) {
        for (int32_t i = 0; i < slice->count; i++) {
            cost += target_cost(scale, s, &targets[i], NULL);
        }
        return cost;
    }
    target_sums sums = {.gradient = {0.0}};
    for (int32_t i = 0; i < slice->count; i++) {
        cost += target_cost(scale, s, &targets[i], &sums);
    }
    int at = 0;
    for (int i = 0; i < PARAMETERS; i++) {
        slice->gradient[i] += sums.gradient[i];
        for (int j = 0; j <= i; j++) {
            slice->hessian[i][j] += sums.hessian[at];
            slice->metric[i][j] += sums.metric[at];
            at++;
        }
    }
    return cost;
}

static double density_cost(surface_slice *slice, const shape *s, double x, bool with_derivatives) {
    const double z = x - s->centre;
    double d[PARAMETERS];
    const double v = fmax(value_at(s, x, d), 1e-6);
    const double root = sqrt(z * z + s->width_square);
    const double ratio = z / root;
    const double first = s->lean + s->bend * ratio;
    const double second = s->bend * s->width_square / (root * root * root);
    const double w_atm = slice->theta * slice->theta;
    const double drift = 1.0 - 0.5 * x * first / v;
    const double g = drift * drift - 0.25 * first * first * (1.0 / v + 0.25 * w_atm) + 0.5 * second;
    const double lack = slice->density_margin - g;
    if (!(lack > 0.0)) {
        return 0.0;
    }
    double derivatives[PARAMETERS];
    double curvature_slope = 0.0;
    double curvature = 0.0;
    if (with_derivatives) {
        const double bend_ratio = s->width_square / (root * root); /* 1 - ratio^2 */
        const double d_first[PARAMETERS] = {[LEFT] = -0.5 + 0.5 * ratio,
                                            [RIGHT] = 0.5 + 0.5 * ratio,
                                            [CENTRE] = -second,
                                            [WIDTH] = -s->bend * ratio * bend_ratio};
        const double unit_second = bend_ratio / root;
        const double d_second[PARAMETERS] = {0.0, 0.5 * unit_second, 0.5 * unit_second,
                                             3.0 * second * ratio / root,
                                             second * (2.0 - 3.0 * bend_ratio)};
        for (int i = 0; i < PARAMETERS; i++) {
            const double d_drift = -0.5 * x * (d_first[i] / v - first * d[i] / (v * v));
            const double d_g = 2.0 * drift * d_drift -
                               0.5 * first * d_first[i] * (1.0 / v + 0.25 * w_atm) +
                               0.25 * first * first * d[i] / (v * v) + 0.5 * d_second[i];
            derivatives[i] = -d_g;
        }
    }
    const double cost =
        bent_square(lack, slice->density_weight, density_straight, &curvature_slope, &curvature);
    if (with_derivatives) {
        add(slice, curvature_slope, curvature, derivatives);
    }
    return cost;
}

/* One inequality between neighbours: residual r of both parameter sets, cost weight r^2. */
static void add_pair(surface_slice *earlier, surface_slice *later, double residual, double weight,
                     const double *early, const double *late) {
    add(earlier, weight * residual, weight, early);
    add(later, weight * residual, weight, late);
    for (int i = 0; i < PARAMETERS; i++) {
        for (int j = 0; j < PARAMETERS; j++) {
            earlier->coupling[i][j] += weight * early[i] * late[j];
        }
    }
}

static double calendar_cost(surface_slice *earlier, surface_slice *later, const shape *shapes,
                            double k, bool with_derivatives) {
    double early[PARAMETERS];
    double late[PARAMETERS];
    const double ratio = (earlier->theta * earlier->theta) / (later->theta * later->theta);
    const double x = k / later->theta;
    const double scale = 1.0 / (0.3 + 0.4 * fabs(x));
    const double early_scale = scale * ratio * (1.0 + earlier->calendar_margin);
    const double residual = early_scale * value_at(&shapes[0], k / earlier->theta, early) -
                            scale * value_at(&shapes[1], x, late);
    if (!(residual > 0.0)) {
        return 0.0;
    }
    if (with_derivatives) {
        for (int i = 0; i < PARAMETERS; i++) {
            early[i] *= early_scale;
            late[i] *= -scale;
        }
        add_pair(earlier, later, residual, earlier->calendar_weight, early, late);
    }
    return earlier->calendar_weight * residual * residual;
}

/* The wings' slopes must not fall with time either. */
static double slope_cost(surface_slice *earlier, surface_slice *later, const double *early_values,
                         const double *late_values, int side, bool with_derivatives) {
    const double ratio = earlier->theta / later->theta * (1.0 + earlier->calendar_margin + 1e-6);
    const double residual = ratio * early_values[side] - late_values[side];
    if (!(residual > 0.0)) {
        return 0.0;
    }
    if (with_derivatives) {
        double early[PARAMETERS] = {0.0};
        double late[PARAMETERS] = {0.0};
        early[side] = ratio;
        late[side] = -1.0;
        add_pair(earlier, later, residual, earlier->calendar_weight, early, late);
    }
    return earlier->calendar_weight * residual * residual;
}

static double prior_cost(surface_slice *slice, const double *parameters, bool with_derivatives) {
    double cost = 0.0;
    for (int i = 0; i < PARAMETERS; i++) {
        const double distance = parameters[i] - slice->prior[i];
        cost += prior_pull[i] * distance * distance;
        if (with_derivatives) {
            slice->gradient[i] += prior_pull[i] * distance;
            slice->hessian[i][i] += prior_pull[i];
        }
    }
    return cost;
}

static double slice_cost(surface_problem *problem, surface_slice *slice, const shape *s,
                         bool with_derivatives) {
    double cost = targets_cost(slice, s, problem->targets + slice->first, with_derivatives);
    for (int i = 0; i < DENSITY_POINTS; i++) {
        const double x = s->centre + s->width * density_points[i];
        cost += density_cost(slice, s, x, with_derivatives);
    }
    for (int32_t i = 0; i < slice->density_cut_count; i++) {
        cost += density_cost(slice, s, slice->density_cuts[i], with_derivatives);
    }
    return cost;
}

static double pair_cost(surface_slice *earlier, surface_slice *later, const shape *shapes,
                        const double *early, const double *late, bool with_derivatives) {
    double cost = slope_cost(earlier, later, early, late, LEFT, with_derivatives) +
                  slope_cost(earlier, later, early, late, RIGHT, with_derivatives);
    for (int i = 0; i < CALENDAR_POINTS; i++) {
        const double k = calendar_points[i] * later->theta;
        cost += calendar_cost(earlier, later, shapes, k, with_derivatives);
    }
    for (int32_t i = 0; i < earlier->calendar_cut_count; i++) {
        cost += calendar_cost(earlier, later, shapes, earlier->calendar_cuts[i], with_derivatives);
    }
    return cost;
}

static double cost_of(surface_problem *problem, bool is_trial) {
    surface_slice *slices = problem->slices;
    shape shapes[HR_SURFACE_EXPIRIES_MAX];
    double total = 0.0;
    for (int32_t n = 0; n < problem->slice_count; n++) {
        surface_slice *slice = &slices[n];
        const double *now = is_trial ? slice->trial : slice->parameters;
        double *own = is_trial ? &slice->trial_cost : &slice->cost;
        shapes[n] = shape_of(now);
        *own = slice_cost(problem, slice, &shapes[n], !is_trial);
        total += *own;
        if (n > 0) {
            const double *before = is_trial ? slices[n - 1].trial : slices[n - 1].parameters;
            const double shared =
                pair_cost(&slices[n - 1], slice, &shapes[n - 1], before, now, !is_trial);
            *own += shared;
            *(is_trial ? &slices[n - 1].trial_cost : &slices[n - 1].cost) += shared;
            total += shared;
        }
    }
    if (!is_trial) {
        hr_surface_turn(slices, shapes, problem->slice_count);
    }
    for (int32_t n = 0; n < problem->slice_count; n++) {
        const double prior =
            prior_cost(&slices[n], is_trial ? slices[n].trial : slices[n].parameters, !is_trial);
        *(is_trial ? &slices[n].trial_cost : &slices[n].cost) += prior;
        total += prior;
    }
    return total;
}

double hr_surface_cost(surface_problem *problem) {
    for (int32_t n = 0; n < problem->slice_count; n++) {
        surface_slice *slice = &problem->slices[n];
        memset(slice->gradient, 0, sizeof(slice->gradient));
        memset(slice->hessian, 0, sizeof(slice->hessian));
        memset(slice->metric, 0, sizeof(slice->metric));
        memset(slice->coupling, 0, sizeof(slice->coupling));
    }
    return cost_of(problem, false);
}

double hr_surface_trial_cost(surface_problem *problem) {
    return cost_of(problem, true);
}
