/* The joint fit: Levenberg-Marquardt, then rounds of certify-and-constrain until all is proved. */
#include "hr_surface_model.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define COLD_ITERATIONS_MAX 60
#define WARM_ITERATIONS_MAX 10
#define ROUND_ITERATIONS_MAX 6
#define ROUNDS_MAX 8

static const double damping_start = 1e-2;
static const double damping_up = 6.0;
static const double damping_down = 0.3;
static const double step_max = 0.5; /* of any parameter; all are of order one */
static const double damping_min = 1e-4;
static const double damping_max = 1e3;
/* A sharper kink, log of the second derivative at the forward, is a corner that a descent was
 * caught in and would not leave: the slice starts anew. */
static const double start_curvature_max = 2.0;
static const double wing_slope_max = 1.98; /* Lee's bound is 2 */

static bool is_aligned(const void *memory) {
    return ((uintptr_t)memory & 63U) == 0U;
}

int64_t hr_surface_workspace_bytes(int32_t quote_count, int32_t expiry_count) {
    if (quote_count < 1 || quote_count > HR_SURFACE_QUOTES_MAX || expiry_count < 1 ||
        expiry_count > HR_SURFACE_EXPIRIES_MAX) {
        return 0;
    }
    const int64_t a_quote = (int64_t)sizeof(surface_target) + 2 * (5 * (int64_t)sizeof(double) + 8);
    return (int64_t)sizeof(surface_slice) * expiry_count + a_quote * quote_count;
}

/* Cuts the workspace into its arrays; doubles first, so that all are aligned. */
static void lay_out(surface_problem *problem, void *workspace, int32_t quote_count) {
    const int32_t price_count = 2 * quote_count;
    surface_inversions *list = &problem->inversions;
    problem->slices = workspace;
    problem->targets = (void *)(problem->slices + problem->slice_count);
    list->prices = (void *)(problem->targets + quote_count);
    list->forwards = list->prices + price_count;
    list->strikes = list->forwards + price_count;
    list->years = list->strikes + price_count;
    list->vols = list->years + price_count;
    list->is_call = (void *)(list->vols + price_count);
    list->statuses = list->is_call + price_count;
}

/* Volatility at the forward: a kernel average over the slice's targets; 0 where there are none. */
static double vol_at_forward(const surface_problem *problem, const surface_slice *slice) {
    const surface_target *targets = problem->targets + slice->first;
    double nearest = INFINITY;
    double guess = 0.0;
    for (int32_t i = 0; i < slice->count; i++) {
        if (fabs(targets[i].log_moneyness) < nearest) {
            nearest = fabs(targets[i].log_moneyness);
            guess = targets[i].centre;
        }
    }
    const double reach = 0.3 * guess * sqrt(slice->years) + nearest;
    double total = 0.0;
    double weight = 0.0;
    for (int32_t i = 0; i < slice->count; i++) {
        const double distance = targets[i].log_moneyness / reach;
        const double kernel = exp(-0.5 * distance * distance) *
                              fmin(targets[i].inverse_half, 1000.0) * targets[i].centre_weight;
        total += kernel * targets[i].centre;
        weight += kernel;
    }
    return weight > 0.0 ? total / weight : guess;
}

/* Total variance at the forward of a slice without targets: in line with its neighbours. */
static double variance_between(const surface_problem *problem, const double *variances, int32_t n) {
    int32_t before = n - 1;
    int32_t after = n + 1;
    while (before >= 0 && !(variances[before] > 0.0)) {
        before--;
    }
    while (after < problem->slice_count && !(variances[after] > 0.0)) {
        after++;
    }
    const double years = problem->slices[n].years;
    if (before < 0) {
        return variances[after] * years / problem->slices[after].years;
    }
    if (after >= problem->slice_count) {
        return variances[before] * years / problem->slices[before].years;
    }
    const double share = (years - problem->slices[before].years) /
                         (problem->slices[after].years - problem->slices[before].years);
    return variances[before] + share * (variances[after] - variances[before]);
}

static void start(surface_problem *problem, const hr_svi *previous) {
    static const double typical[PARAMETERS] = {1.0, -0.05, -1.4, 0.7, 0.6};
    double variances[HR_SURFACE_EXPIRIES_MAX];
    for (int32_t n = 0; n < problem->slice_count; n++) {
        const double vol = vol_at_forward(problem, &problem->slices[n]);
        variances[n] = vol * vol * problem->slices[n].years;
    }
    for (int32_t n = 0; n < problem->slice_count; n++) {
        surface_slice *slice = &problem->slices[n];
        const double variance =
            variances[n] > 0.0 ? variances[n] : variance_between(problem, variances, n);
        slice->theta = sqrt(variance);
        slice->scale = sqrt(variance / slice->years);
        for (int32_t i = 0; i < slice->count; i++) {
            surface_target *target = &problem->targets[slice->first + i];
            target->x = target->log_moneyness / slice->theta;
        }
        memcpy(slice->prior, typical, sizeof(typical));
        memcpy(slice->parameters, slice->prior, sizeof(slice->prior));
        double witness = 0.0; /* A slice that proves itself is a good place to start from. */
        if (previous != NULL && previous[n].b > 0.0 &&
            hr_svi_certify_butterfly(&previous[n], &witness) == HR_OK) {
            hr_surface_slice_from_svi(slice, &previous[n]);
            if (slice->parameters[CURVATURE] > start_curvature_max) {
                memcpy(slice->parameters, slice->prior, sizeof(slice->prior));
            }
        }
        slice->damping = damping_start;
        slice->density_cut_count = 0;
        slice->calendar_cut_count = 0;
        slice->density_weight = 300.0;
        slice->density_margin = 0.01;
        slice->calendar_weight = 100;
        slice->calendar_margin = 1e-3;
    }
}

static double clamp(double value, double low, double high) {
    return fmin(fmax(value, low), high);
}

static void keep_lawful(const surface_slice *slice, double *parameters) {
    const double slope_max = fmin(wing_slope_max / slice->theta, 60.0);
    parameters[LEFT] = clamp(parameters[LEFT], 1e-4, slope_max);
    parameters[RIGHT] = clamp(parameters[RIGHT], 1e-4, slope_max);
    const double bend = 0.5 * (parameters[LEFT] + parameters[RIGHT]);
    parameters[SLOPE] =
        clamp(parameters[SLOPE], -parameters[LEFT] + 0.01 * bend, parameters[RIGHT] - 0.01 * bend);
    parameters[CURVATURE] = clamp(parameters[CURVATURE], -9.0, 5.0);
    parameters[VALUE] = clamp(parameters[VALUE], 0.05, 20.0);
    parameters[VALUE] += fmax(5e-3 - hr_surface_least_value(parameters), 0.0);
}

static void make_trial(surface_problem *problem) {
    for (int32_t n = 0; n < problem->slice_count; n++) {
        surface_slice *slice = &problem->slices[n];
        double longest = step_max;
        for (int i = 0; i < PARAMETERS; i++) {
            longest = fmax(longest, fabs(slice->step[i]));
        }
        for (int i = 0; i < PARAMETERS; i++) {
            slice->trial[i] = slice->parameters[i] + slice->step[i] * (step_max / longest);
        }
        keep_lawful(slice, slice->trial);
    }
}

/* After a step that made the whole dearer: slices that got dearer stay and are damped more. */
static void hold_back(surface_problem *problem) {
    for (int32_t n = 0; n < problem->slice_count; n++) {
        surface_slice *slice = &problem->slices[n];
        if (slice->trial_cost > slice->cost) {
            memcpy(slice->trial, slice->parameters, sizeof(slice->trial));
            slice->damping = fmin(slice->damping * damping_up, damping_max);
        }
    }
}

/* Returns the iterations spent; leaves the best parameters in place and their cost in cost_out. */
static int32_t descend(surface_problem *problem, int32_t iterations_max, double *cost_out) {
    double cost = hr_surface_cost(problem);
    int32_t quiet = 0;
    int32_t refused = 0;
    int32_t iteration = 0;
    for (; iteration < iterations_max && quiet < 2 && refused < 5; iteration++) {
        double trial = INFINITY;
        if (hr_surface_solve(problem)) {
            make_trial(problem);
            trial = hr_surface_trial_cost(problem);
        } else {
            for (int32_t n = 0; n < problem->slice_count; n++) {
                problem->slices[n].damping *= damping_up;
            }
        }
        const bool is_whole = trial < cost;
        if (!is_whole && isfinite(trial)) {
            hold_back(problem);
            trial = hr_surface_trial_cost(problem);
        }
        if (!(trial < cost)) {
            refused++;
            continue;
        }
        refused = 0;
        quiet = cost - trial < 3e-3 * cost ? quiet + 1 : 0;
        for (int32_t n = 0; n < problem->slice_count; n++) {
            surface_slice *slice = &problem->slices[n];
            if (is_whole || slice->trial_cost <= slice->cost) {
                slice->damping = fmax(slice->damping * damping_down, damping_min);
            }
            memcpy(slice->parameters, slice->trial, sizeof(slice->trial));
        }
        cost = hr_surface_cost(problem);
    }
    *cost_out = cost;
    return iteration;
}

static void report_slice(const surface_problem *problem, int32_t n, const hr_svi *svi,
                         hr_slice_report *out) {
    const surface_slice *slice = &problem->slices[n];
    double squares = 0.0;
    out->option_count = slice->count;
    for (int32_t i = 0; i < slice->count; i++) {
        const surface_target *target = &problem->targets[slice->first + i];
        if (target->is_two_sided == 0) {
            continue;
        }
        const double variance = hr_svi_total_variance(svi, target->log_moneyness);
        const double vol = sqrt(fmax(variance, 0.0) / slice->years);
        squares += (vol - target->centre) * (vol - target->centre);
        out->two_sided_count++;
        out->inside_count += vol >= target->low && vol <= target->high;
    }
    out->rmse_vol = out->two_sided_count > 0 ? sqrt(squares / out->two_sided_count) : 0.0;
}

/* Certifies what goes out, whatever came before. */
static hr_status certify(const hr_svi *slices, int32_t count, hr_slice_report *reports,
                         hr_surface_report *report) {
    report->is_butterfly_free = 1;
    report->is_calendar_free = 1;
    for (int32_t n = 0; n < count; n++) {
        double witness = 0.0;
        reports[n].is_butterfly_free = hr_svi_certify_butterfly(&slices[n], &witness) == HR_OK;
        reports[n].is_calendar_free =
            n == 0 || hr_svi_certify_calendar(&slices[n - 1], &slices[n], &witness) == HR_OK;
        report->is_butterfly_free &= reports[n].is_butterfly_free;
        report->is_calendar_free &= reports[n].is_calendar_free;
    }
    return report->is_butterfly_free && report->is_calendar_free ? HR_OK : HR_ERR_NOT_CONVERGED;
}

static bool are_years(const double *years, int32_t count) {
    for (int32_t n = 0; n < count; n++) {
        if (!isfinite(years[n]) || !(years[n] > (n > 0 ? years[n - 1] : 0.0)) || years[n] > 100.0) {
            return false;
        }
    }
    return true;
}

hr_status hr_surface_fit(const hr_surface_quote *quotes, int32_t quote_count, const double *years,
                         int32_t expiry_count, const hr_svi *previous, void *workspace,
                         int64_t workspace_bytes, hr_svi *slices_out,
                         hr_slice_report *slice_reports_out, hr_surface_report *report_out) {
    const int64_t needed = hr_surface_workspace_bytes(quote_count, expiry_count);
    if (quotes == NULL || years == NULL || workspace == NULL || slices_out == NULL ||
        slice_reports_out == NULL || report_out == NULL || needed == 0 ||
        workspace_bytes < needed || !is_aligned(workspace) || !are_years(years, expiry_count)) {
        return HR_ERR_ARGUMENT;
    }
    surface_problem problem = {.slice_count = expiry_count};
    lay_out(&problem, workspace, quote_count);
    memset(slice_reports_out, 0, (size_t)expiry_count * sizeof(*slice_reports_out));
    memset(report_out, 0, sizeof(*report_out));
    for (int32_t n = 0; n < expiry_count; n++) {
        problem.slices[n].years = years[n];
    }
    const hr_status status = hr_surface_read_quotes(quotes, quote_count, years, &problem);
    if (status != HR_OK) {
        return status;
    }
    start(&problem, previous);
    for (int32_t n = 0; n < expiry_count; n++) {
        keep_lawful(&problem.slices[n], problem.slices[n].parameters);
    }
    report_out->iteration_count = descend(
        &problem, previous != NULL ? WARM_ITERATIONS_MAX : COLD_ITERATIONS_MAX, &report_out->cost);
    while (hr_surface_constrain(&problem) > 0 && report_out->round_count < ROUNDS_MAX) {
        report_out->iteration_count += descend(&problem, ROUND_ITERATIONS_MAX, &report_out->cost);
        report_out->round_count++;
    }
    for (int32_t n = 0; n < expiry_count; n++) {
        hr_surface_slice_to_svi(&problem.slices[n], problem.slices[n].parameters, &slices_out[n]);
    }
    if (!hr_surface_repair(slices_out, expiry_count, slice_reports_out)) {
        return HR_ERR_NOT_CONVERGED;
    }
    for (int32_t n = 0; n < expiry_count; n++) {
        report_slice(&problem, n, &slices_out[n], &slice_reports_out[n]);
    }
    return certify(slices_out, expiry_count, slice_reports_out, report_out);
}
