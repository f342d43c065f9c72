/* Quotes into targets: what each says of volatility, and how loudly. */
#include "hr_pricing.h"
#include "hr_surface_model.h"

#include <math.h>

static const double half_vol_min = 2e-4; /* no quote is known better than this */
static const double vol_max = 10.0;
static const double measured_d1 = 1.6449; /* |delta| 0.05 */
static const double far_d1 = 3.0;
static const double far_weight = 0.03;
static const double no_high = 1e9;

static bool is_quote(const hr_surface_quote *quote, int32_t expiry_count, int32_t last) {
    return isfinite(quote->log_moneyness) && fabs(quote->log_moneyness) < 20.0 &&
           isfinite(quote->bid) && quote->bid >= 0.0 && isfinite(quote->ask) && quote->ask >= 0.0 &&
           isfinite(quote->mark_vol) && quote->mark_vol >= 0.0 && quote->expiry >= last &&
           quote->expiry < expiry_count;
}

/* The volatility of a price; 0 below intrinsic value, -1 where there is none. */
static double vol_of(double price, const hr_surface_quote *quote, double years) {
    const double strike = exp(quote->log_moneyness);
    const double intrinsic = fmax(quote->is_call != 0 ? 1.0 - strike : strike - 1.0, 0.0);
    if (!(price > 0.0)) {
        return -1.0;
    }
    if (price <= intrinsic) {
        return 0.0;
    }
    double vol = 0.0;
    if (hr_implied_vol(price, 1.0, strike, years, quote->is_call, &vol) != HR_OK || vol > vol_max) {
        return -1.0;
    }
    return vol;
}

/* Returns |d1| at a volatility: 1.64 at |delta| 0.05 or 0.95. */
static double distance_of(double log_moneyness, double deviation) {
    return fabs(0.5 * deviation - log_moneyness / deviation);
}

static void lean_on_mark(surface_target *target, double mark) {
    target->centre = mark;
    target->inverse_half = 1.0 / fmax(0.08 * mark, 0.01);
    target->centre_weight = 0.5;
    target->edge_weight = 0.5;
}

static bool read_quote(const hr_surface_quote *quote, double years, surface_target *target) {
    const double mark = quote->mark_vol <= vol_max ? quote->mark_vol : 0.0;
    *target = (surface_target){.log_moneyness = quote->log_moneyness,
                               .low = -1.0,
                               .high = no_high,
                               .is_call = quote->is_call};
    const double root = sqrt(years);
    if (mark > 0.0 && distance_of(quote->log_moneyness, mark * root) > far_d1) {
        lean_on_mark(target, mark); /* Its price is all spread: the mark is as good. */
        target->centre_weight = far_weight;
        target->edge_weight = far_weight;
        return true;
    }
    const bool is_crossed = quote->bid > 0.0 && quote->ask > 0.0 && quote->bid >= quote->ask;
    const double low = is_crossed ? -1.0 : vol_of(quote->bid, quote, years);
    const double high = is_crossed ? -1.0 : vol_of(quote->ask, quote, years);
    target->low = low;
    target->high = high > 0.0 ? high : no_high; /* At 0 the ask was below intrinsic value. */
    if (low > 0.0 && high > 0.0) {
        target->centre = 0.5 * (low + high);
        target->inverse_half = 1.0 / fmax(0.5 * (high - low), half_vol_min);
        target->centre_weight = 1.0;
        target->edge_weight = 1.0;
    } else if (mark > 0.0) {
        lean_on_mark(target, mark);
    } else {
        return false;
    }
    const double distance = distance_of(quote->log_moneyness, target->centre * root);
    target->is_two_sided = high > 0.0 && low >= 0.0 && distance <= measured_d1;
    const double weight = distance <= measured_d1 ? 1.0 : distance <= far_d1 ? 0.2 : far_weight;
    target->centre_weight *= weight;
    target->edge_weight *= weight;
    return true;
}

hr_status hr_surface_read_quotes(const hr_surface_quote *quotes, int32_t quote_count,
                                 const double *years, surface_problem *problem) {
    int32_t last = 0;
    problem->target_count = 0;
    for (int32_t n = 0; n < problem->slice_count; n++) {
        problem->slices[n].count = 0;
    }
    for (int32_t i = 0; i < quote_count; i++) {
        if (!is_quote(&quotes[i], problem->slice_count, last)) {
            return HR_ERR_ARGUMENT;
        }
        last = quotes[i].expiry;
        surface_slice *slice = &problem->slices[last];
        surface_target *target = &problem->targets[problem->target_count];
        if (slice->count == 0) {
            slice->first = problem->target_count;
        }
        if (read_quote(&quotes[i], years[last], target)) {
            slice->count++;
            problem->target_count++;
        }
    }
    return problem->target_count > 0 ? HR_OK : HR_ERR_NOT_FOUND;
}
