/* The fit's inner model: slices scaled to their own at-the-money deviation, and its cost.
 *
 * With theta^2 = w_atm and x = k / theta a slice is w = theta^2 v(x),
 *     v = level + (right - left) / 2 (x - centre) + (right + left) / 2 root,
 *     root = sqrt((x - centre)^2 + width^2).
 * The fit moves what can be seen of it: v, its slope and the logarithm of its curvature at x = 0,
 * and the slopes of both wings. They are of order one for an hour and for a year alike and hardly
 * pull on one another, while level, centre and width do; those follow from them.
 */
#ifndef HR_SURFACE_MODEL_H
#define HR_SURFACE_MODEL_H

#include "hr_surface.h"

#include <stdbool.h>

#define PARAMETERS 5
#define CUTS_MAX 12 /* points that a failed certificate added */

/* What the fit moves, and (LEVEL, CENTRE, WIDTH; LEFT and RIGHT are both) what the model is in. */
enum { VALUE, SLOPE, CURVATURE, LEFT, RIGHT };
enum { LEVEL, CENTRE, WIDTH }; /* WIDTH: its logarithm */

/* What a quote asks of the model: a volatility near `centre`, and inside [low, high]. */
typedef struct {
    double log_moneyness;
    double x;    /* log_moneyness / theta */
    double low;  /* vol; -1: no bound */
    double high; /* vol; a huge one: no bound */
    double centre;
    double inverse_half; /* 1 / half-spread in vol */
    double centre_weight;
    double edge_weight;
    int32_t is_two_sided;
    int32_t reserved;
} surface_target;

typedef struct {
    double years;
    double scale; /* volatility = scale sqrt(v) */
    double theta; /* sqrt of total variance at the money, fixed through the fit */
    double parameters[PARAMETERS];
    double trial[PARAMETERS];
    double prior[PARAMETERS];
    double step[PARAMETERS];
    double gradient[PARAMETERS];
    double hessian[PARAMETERS][PARAMETERS];
    double metric[PARAMETERS][PARAMETERS];   /* the hessian if every quote were outside its edges */
    double coupling[PARAMETERS][PARAMETERS]; /* rows: this slice, columns: the next */
    double factor[PARAMETERS][PARAMETERS];
    double density_cuts[CUTS_MAX];  /* x of this slice */
    double calendar_cuts[CUTS_MAX]; /* k; against the next slice */
    double damping;
    double cost; /* own, and shared with both neighbours */
    double trial_cost;
    double density_weight;
    double density_margin;
    double calendar_weight;
    double calendar_margin;
    int32_t density_cut_count;
    int32_t calendar_cut_count;
    int32_t first; /* target */
    int32_t count;
} surface_slice;

/* Prices to be turned into volatilities, a bid and an ask a quote at most. */
typedef struct {
    double *prices;
    double *forwards;
    double *strikes;
    double *years;
    double *vols;
    int32_t *is_call;
    hr_status *statuses;
    int32_t count;
} surface_inversions;

typedef struct {
    surface_slice *slices;
    surface_target *targets;
    surface_inversions inversions;
    int32_t slice_count;
    int32_t target_count;
} surface_problem;

/* hr_surface_targets.c: turns quotes into targets; HR_ERR_ARGUMENT on a broken quote. */
hr_status hr_surface_read_quotes(const hr_surface_quote *quotes, int32_t quote_count,
                                 const double *years, surface_problem *problem);

/* hr_surface_shape.c */
void hr_surface_slice_to_svi(const surface_slice *slice, const double *parameters, hr_svi *out);
void hr_surface_slice_from_svi(surface_slice *slice, const hr_svi *svi);

/* Returns the least v(x) over all x. */
double hr_surface_least_value(const double *parameters);

/* hr_surface_model.c: returns the cost at the parameters, with derivatives and each slice's `cost`.
 */
double hr_surface_cost(surface_problem *problem);

/* Returns the cost at the trial parameters, with each slice's `trial_cost`. */
double hr_surface_trial_cost(surface_problem *problem);

/* hr_surface_solve.c: solves the damped block-tridiagonal normal equations into `step`; false when
 * they are not positive definite. */
bool hr_surface_solve(surface_problem *problem);

/* hr_surface_prove.c: certifies everything and constrains what failed; returns how many
 * certificates did. */
int32_t hr_surface_constrain(surface_problem *problem);

/* Moves slices until they certify, as little as it can, and reports which; false where it cannot.
 */
bool hr_surface_repair(hr_svi *slices, int32_t count, hr_slice_report *reports);

#endif
