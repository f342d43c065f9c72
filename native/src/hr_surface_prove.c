/* What is done where a certificate fails: a harder constraint in the fit, a repair after it. */
#include "hr_surface_model.h"

#include <math.h>
#include <string.h>

#define REPAIRS_MAX 60

/* Keeps the newest cuts; the oldest one is overwritten when there is no room. */
static void add_cut(double *cuts, int32_t *count, double point) {
    if (*count == CUTS_MAX) {
        memmove(cuts, cuts + 1, (CUTS_MAX - 1) * sizeof(*cuts));
        *count -= 1;
    }
    cuts[(*count)++] = point;
}

/* Looks along the difference for its worst place relative to its size, for the next cut. */
static double worst_calendar_point(const hr_svi *earlier, const hr_svi *later, double witness) {
    double worst = INFINITY;
    double point = witness;
    const double scale = later->sigma + sqrt(hr_svi_total_variance(later, 0.0));
    for (int i = -60; i <= 60; i++) {
        const double k = later->m + scale * sinh(0.13 * i);
        const double late = hr_svi_total_variance(later, k);
        const double gap = (late - hr_svi_total_variance(earlier, k)) / late;
        if (gap < worst) {
            worst = gap;
            point = k;
        }
    }
    return point;
}

int32_t hr_surface_constrain(surface_problem *problem) {
    hr_svi svi[HR_SURFACE_EXPIRIES_MAX];
    int32_t failed = 0;
    for (int32_t n = 0; n < problem->slice_count; n++) {
        surface_slice *slice = &problem->slices[n];
        double witness = 0.0;
        hr_surface_slice_to_svi(slice, slice->parameters, &svi[n]);
        if (hr_svi_certify_butterfly(&svi[n], &witness) != HR_OK) {
            double minimum = 0.0;
            double place = witness;
            (void)hr_svi_density_minimum(&svi[n], &place, &minimum);
            add_cut(slice->density_cuts, &slice->density_cut_count, place / slice->theta);
            slice->density_weight *= 3.0;
            slice->density_margin = fmin(slice->density_margin * 1.3, 0.05);
            failed++;
        }
        if (n > 0 && hr_svi_certify_calendar(&svi[n - 1], &svi[n], &witness) != HR_OK) {
            surface_slice *before = &problem->slices[n - 1];
            const double place = worst_calendar_point(&svi[n - 1], &svi[n], witness);
            add_cut(before->calendar_cuts, &before->calendar_cut_count, place);
            if (place != witness) {
                add_cut(before->calendar_cuts, &before->calendar_cut_count, witness);
            }
            before->calendar_weight *= 4.0;
            before->calendar_margin = fmin(before->calendar_margin * 2.0, 0.01);
            failed++;
        }
    }
    return failed;
}

/* Makes a slice butterfly-free by flattening it about the forward, as little as will do. */
static bool flatten(hr_svi *slice) {
    const hr_svi whole = *slice;
    const double at_forward = hr_svi_total_variance(&whole, 0.0);
    double witness = 0.0;
    for (int i = 0; i < REPAIRS_MAX; i++) {
        if (hr_svi_certify_butterfly(slice, &witness) == HR_OK) {
            return true;
        }
        const double keep =
            1.0 - (double)(i + 1) * (double)(i + 1) / (double)(REPAIRS_MAX * REPAIRS_MAX);
        slice->b = whole.b * keep;
        slice->a = at_forward - keep * (at_forward - whole.a);
    }
    return false;
}

/* Lifts a slice above the one before it: first its wings' slopes, then its level. */
static bool lift(const hr_svi *earlier, hr_svi *later) {
    double witness = 0.0;
    double margin = 1e-5;
    for (int i = 0; i < REPAIRS_MAX; i++) {
        if (hr_svi_certify_calendar(earlier, later, &witness) == HR_OK) {
            return true;
        }
        const double up =
            fmax(later->b * (1.0 + later->rho), earlier->b * (1.0 + earlier->rho) * (1.0 + margin));
        const double down =
            fmax(later->b * (1.0 - later->rho), earlier->b * (1.0 - earlier->rho) * (1.0 + margin));
        later->b = 0.5 * (up + down);
        later->rho = later->b > 0.0 ? (up - down) / (up + down) : 0.0;
        const double place = worst_calendar_point(earlier, later, witness);
        const double gap =
            hr_svi_total_variance(earlier, place) - hr_svi_total_variance(later, place);
        later->a += fmax(gap, 0.0) + margin * hr_svi_total_variance(later, 0.0);
        margin *= 1.4;
    }
    return false;
}

bool hr_surface_repair(hr_svi *slices, int32_t count, hr_slice_report *reports) {
    for (int32_t n = 0; n < count; n++) {
        const hr_svi before = slices[n];
        bool is_proved = false;
        for (int i = 0; i < 8 && !is_proved; i++) {
            double witness = 0.0;
            is_proved = flatten(&slices[n]) && (n == 0 || lift(&slices[n - 1], &slices[n])) &&
                        hr_svi_certify_butterfly(&slices[n], &witness) == HR_OK;
        }
        if (!is_proved) {
            return false;
        }
        reports[n].is_repaired = memcmp(&before, &slices[n], sizeof(before)) != 0;
    }
    return true;
}
