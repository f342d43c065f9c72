/* Raw SVI: its value, its density factor, and where that is least. */
#include "hr_surface.h"

#include <math.h>
#include <stddef.h>

double hr_svi_total_variance(const hr_svi *slice, double log_moneyness) {
    const double z = log_moneyness - slice->m;
    return slice->a + slice->b * (slice->rho * z + sqrt(z * z + slice->sigma * slice->sigma));
}

hr_status hr_svi_vols(const hr_svi *slice, double years, const double *log_moneyness, int32_t count,
                      double *vols_out) {
    if (slice == NULL || log_moneyness == NULL || vols_out == NULL || count < 0 || !(years > 0.0)) {
        return HR_ERR_ARGUMENT;
    }
    for (int32_t i = 0; i < count; i++) {
        const double variance = hr_svi_total_variance(slice, log_moneyness[i]);
        if (!isfinite(variance)) {
            return HR_ERR_NOT_FINITE;
        }
        if (variance <= 0.0) {
            return HR_ERR_DOMAIN;
        }
        vols_out[i] = sqrt(variance / years);
    }
    return HR_OK;
}

double hr_svi_density_factor(const hr_svi *slice, double log_moneyness) {
    const double z = log_moneyness - slice->m;
    const double root = sqrt(z * z + slice->sigma * slice->sigma);
    const double w = slice->a + slice->b * (slice->rho * z + root);
    const double first = slice->b * (slice->rho + z / root);
    const double second = slice->b * slice->sigma * slice->sigma / (root * root * root);
    const double drift = 1.0 - log_moneyness * first / (2.0 * w);
    return drift * drift - 0.25 * first * first * (1.0 / w + 0.25) + 0.5 * second;
}

hr_status hr_svi_density_minimum(const hr_svi *slice, double *log_moneyness_out,
                                 double *minimum_out) {
    if (slice == NULL || log_moneyness_out == NULL || minimum_out == NULL ||
        !(slice->sigma > 0.0)) {
        return HR_ERR_ARGUMENT;
    }
    /* k = m + sigma sinh(u): even steps in u see the vertex and both wings. */
    const double reach = asinh((20.0 + fabs(slice->m)) / slice->sigma);
    const int32_t steps = 240;
    double best_u = 0.0;
    double best = INFINITY;
    for (int32_t i = 0; i <= steps; i++) {
        const double u = reach * (2.0 * i / steps - 1.0);
        const double g = hr_svi_density_factor(slice, slice->m + slice->sigma * sinh(u));
        if (g < best) {
            best = g;
            best_u = u;
        }
    }
    double left = best_u - 2.0 * reach / steps;
    double right = best_u + 2.0 * reach / steps;
    for (int32_t i = 0; i < 60; i++) {
        const double low = left + (right - left) * 0.381966011250105;
        const double high = left + (right - left) * 0.618033988749895;
        if (hr_svi_density_factor(slice, slice->m + slice->sigma * sinh(low)) <
            hr_svi_density_factor(slice, slice->m + slice->sigma * sinh(high))) {
            right = high;
        } else {
            left = low;
        }
    }
    *log_moneyness_out = slice->m + slice->sigma * sinh(0.5 * (left + right));
    *minimum_out = hr_svi_density_factor(slice, *log_moneyness_out);
    return isfinite(*minimum_out) ? HR_OK : HR_ERR_NOT_FINITE;
}
