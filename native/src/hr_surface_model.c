/* The cost of a surface: targets, priors, and penalties where arbitrage would begin. */
#include "hr_surface_model.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Cost of a target, in half-spreads: a weak pull to the middle, and a strong one back into the
 * inner part of bid-ask that is square near the edge and straight further out, so that few quotes
 * are far outside rather than many just outside. */
static const double middle_pull = 0.06;
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

typedef struct {
    double level;
    double lean; /* (right - left) / 2 */
    double bend; /* (right + left) / 2 */
    double centre;
    double width;
    double width_square;
    double tilt; /* centre / root at x = 0 */
    double root; /* at x = 0 */
} shape;

static shape shape_of(const double *parameters) {
    shape s = {.lean = 0.5 * (parameters[RIGHT] - parameters[LEFT]),
               .bend = 0.5 * (parameters[RIGHT] + parameters[LEFT])};
    s.tilt = (s.lean - parameters[SLOPE]) / s.bend;
    const double rest = 1.0 - s.tilt * s.tilt;
    s.root = s.bend * rest / exp(parameters[CURVATURE]);
    s.centre = s.tilt * s.root;
    s.width_square = rest * s.root * s.root;
    s.width = sqrt(s.width_square);
    s.level = parameters[VALUE] + s.lean * s.centre - s.bend * s.root;
    return s;
}

/* Rows: level, centre, log width, left, right (the model's own); columns: what the fit moves. */
static void jacobian_of(const shape *s, double out[PARAMETERS][PARAMETERS]) {
    static const double lean_by[PARAMETERS] = {[LEFT] = -0.5, [RIGHT] = 0.5};
    static const double bend_by[PARAMETERS] = {[LEFT] = 0.5, [RIGHT] = 0.5};
    const double rest = 1.0 - s->tilt * s->tilt;
    memset(out, 0, PARAMETERS * sizeof(*out));
    for (int i = 0; i < PARAMETERS; i++) {
        const double slope_by = i == SLOPE ? 1.0 : 0.0;
        const double tilt = (lean_by[i] - slope_by - s->tilt * bend_by[i]) / s->bend;
        const double rest_ratio = -2.0 * s->tilt * tilt / rest;
        const double root_ratio = bend_by[i] / s->bend + rest_ratio - (i == CURVATURE ? 1.0 : 0.0);
        const double root = s->root * root_ratio;
        out[CENTRE][i] = tilt * s->root + s->tilt * root;
        out[WIDTH][i] = root_ratio + 0.5 * rest_ratio;
        out[LEVEL][i] = (i == VALUE ? 1.0 : 0.0) + lean_by[i] * s->centre +
                        s->lean * out[CENTRE][i] - bend_by[i] * s->root - s->bend * root;
    }
    out[LEFT][LEFT] = 1.0;
    out[RIGHT][RIGHT] = 1.0;
}

void hr_surface_slice_to_svi(const surface_slice *slice, const double *parameters, hr_svi *out) {
    const shape s = shape_of(parameters);
    out->a = s.level * slice->theta * slice->theta;
    out->b = s.bend * slice->theta;
    out->rho = s.lean / s.bend;
    out->m = s.centre * slice->theta;
    out->sigma = s.width * slice->theta;
}

void hr_surface_slice_from_svi(surface_slice *slice, const hr_svi *svi) {
    const double bend = svi->b / slice->theta;
    const double centre = svi->m / slice->theta;
    const double width = svi->sigma / slice->theta;
    const double root = sqrt(centre * centre + width * width);
    slice->parameters[LEFT] = bend * (1.0 - svi->rho);
    slice->parameters[RIGHT] = bend * (1.0 + svi->rho);
    slice->parameters[VALUE] =
        svi->a / (slice->theta * slice->theta) + bend * (root - svi->rho * centre);
    slice->parameters[SLOPE] = bend * (svi->rho - centre / root);
    slice->parameters[CURVATURE] = log(bend * width * width / (root * root * root));
}

double hr_surface_least_value(const double *parameters) {
    const shape s = shape_of(parameters);
    return s.level + s.width * sqrt(parameters[LEFT] * parameters[RIGHT]);
}

/* v and its derivatives by LEVEL, CENTRE, WIDTH, LEFT and RIGHT. */
static inline double value_at(const shape *s, double x, double *derivatives_out) {
    const double z = x - s->centre;
    const double root = sqrt(z * z + s->width_square);
    const double inverse = s->bend / root;
    derivatives_out[LEVEL] = 1.0;
    derivatives_out[LEFT] = 0.5 * (root - z);
    derivatives_out[RIGHT] = 0.5 * (root + z);
    derivatives_out[CENTRE] = -s->lean - z * inverse;
    derivatives_out[WIDTH] = s->width_square * inverse;
    return s->level + s->lean * z + s->bend * root;
}

/* Adds one residual's square, with curvature weight; the gradient is of half the cost. */
static void add(surface_slice *slice, double slope, double curvature, const double *derivatives) {
    for (int i = 0; i < PARAMETERS; i++) {
        slice->gradient[i] += slope * derivatives[i];
        const double row = curvature * derivatives[i];
        for (int j = 0; j <= i; j++) {
            slice->hessian[i][j] += row * derivatives[j];
        }
    }
}

/* weight e^2 near zero, straight beyond `straight`; slope and curvature are of half of it. */
static double bent_square(double excess, double weight, double straight, double *slope_out,
                          double *curvature_out) {
    if (excess <= straight) {
        *slope_out += weight * excess;
        *curvature_out += weight;
        return weight * excess * excess;
    }
    *slope_out += weight * straight;
    *curvature_out += weight * straight / excess;
    return weight * straight * (2.0 * excess - straight);
}

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

/* out = jacobian^T matrix jacobian; the matrix is symmetric, its lower half is given. */
static void turn_square(double matrix[PARAMETERS][PARAMETERS],
                        double jacobian[PARAMETERS][PARAMETERS]) {
    double half[PARAMETERS][PARAMETERS] = {{0.0}};
    for (int i = 0; i < PARAMETERS; i++) {
        for (int k = 0; k < PARAMETERS; k++) {
            const double known = i >= k ? matrix[i][k] : matrix[k][i];
            for (int j = 0; j < PARAMETERS; j++) {
                half[i][j] += known * jacobian[k][j];
            }
        }
    }
    memset(matrix, 0, PARAMETERS * sizeof(*matrix));
    for (int k = 0; k < PARAMETERS; k++) {
        for (int i = 0; i < PARAMETERS; i++) {
            for (int j = 0; j < PARAMETERS; j++) {
                matrix[i][j] += jacobian[k][i] * half[k][j];
            }
        }
    }
}

/* Turns derivatives by the model's own parameters into those by what the fit moves. */
static void turn(surface_slice *slices, const shape *shapes, int32_t count) {
    double jacobians[2][PARAMETERS][PARAMETERS];
    for (int32_t n = count - 1; n >= 0; n--) {
        surface_slice *slice = &slices[n];
        double (*own)[PARAMETERS] = jacobians[n % 2];
        double (*next)[PARAMETERS] = jacobians[(n + 1) % 2];
        jacobian_of(&shapes[n], own);
        turn_square(slice->hessian, own);
        turn_square(slice->metric, own);
        double gradient[PARAMETERS] = {0.0};
        double half[PARAMETERS][PARAMETERS] = {{0.0}};
        for (int i = 0; i < PARAMETERS; i++) {
            for (int j = 0; j < PARAMETERS; j++) {
                gradient[j] += own[i][j] * slice->gradient[i];
                for (int k = 0; k < PARAMETERS && n + 1 < count; k++) {
                    half[i][j] += slice->coupling[i][k] * next[k][j];
                }
            }
        }
        memcpy(slice->gradient, gradient, sizeof(gradient));
        memset(slice->coupling, 0, sizeof(slice->coupling));
        for (int k = 0; k < PARAMETERS; k++) {
            for (int i = 0; i < PARAMETERS; i++) {
                for (int j = 0; j < PARAMETERS; j++) {
                    slice->coupling[i][j] += own[k][i] * half[k][j];
                }
            }
        }
    }
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
        turn(slices, shapes, problem->slice_count);
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
