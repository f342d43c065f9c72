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

static double mark_of(const hr_surface_quote *quote) {
    return quote->mark_vol <= vol_max ? quote->mark_vol : 0.0;
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

/* Far from the money a price is all spread, and the mark is as good. */
static bool is_far(const hr_surface_quote *quote, double root_years) {
    const double mark = mark_of(quote);
    return mark > 0.0 && distance_of(quote->log_moneyness, mark * root_years) > far_d1;
}

static bool is_crossed(const hr_surface_quote *quote) {
    return quote->bid > 0.0 && quote->ask > 0.0 && quote->bid >= quote->ask;
}

/* Lists a price for inversion. */
static void ask_for(surface_inversions *list, double price, const hr_surface_quote *quote,
                    double years) {
    list->prices[list->count] = price;
    list->forwards[list->count] = 1.0;
    list->strikes[list->count] = exp(quote->log_moneyness);
    list->years[list->count] = years;
    list->is_call[list->count] = quote->is_call != 0;
    list->count++;
}

/* The volatility of the next price listed; 0 at or below intrinsic value, -1 where there is none.
 */
static double answer(const surface_inversions *list, int32_t *next) {
    const int32_t i = (*next)++;
    const double strike = list->strikes[i];
    const double intrinsic = fmax(list->is_call[i] != 0 ? 1.0 - strike : strike - 1.0, 0.0);
    if (list->prices[i] <= intrinsic) {
        return 0.0;
    }
    return list->statuses[i] == HR_OK && list->vols[i] <= vol_max ? list->vols[i] : -1.0;
}

static bool read_quote(const hr_surface_quote *quote, double root_years,
                       const surface_inversions *list, int32_t *next, surface_target *target) {
    const double mark = mark_of(quote);
    *target = (surface_target){.log_moneyness = quote->log_moneyness, .low = -1.0, .high = no_high};
    if (is_far(quote, root_years)) {
        lean_on_mark(target, mark);
        target->centre_weight = far_weight;
        target->edge_weight = far_weight;
        return true;
    }
    const bool is_read = !is_crossed(quote);
    const double low = is_read && quote->bid > 0.0 ? answer(list, next) : -1.0;
    const double high = is_read && quote->ask > 0.0 ? answer(list, next) : -1.0;
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
    const double distance = distance_of(quote->log_moneyness, target->centre * root_years);
    target->is_two_sided = high > 0.0 && low >= 0.0 && distance <= measured_d1;
    const double weight = distance <= measured_d1 ? 1.0 : distance <= far_d1 ? 0.2 : far_weight;
    target->centre_weight *= weight;
    target->edge_weight *= weight;
    return true;
}

hr_status hr_surface_read_quotes(const hr_surface_quote *quotes, int32_t quote_count,
                                 const double *years, surface_problem *problem) {
    surface_inversions *list = &problem->inversions;
    double root_years[HR_SURFACE_EXPIRIES_MAX];
    int32_t last = 0;
    list->count = 0;
    for (int32_t n = 0; n < problem->slice_count; n++) {
        problem->slices[n].count = 0;
        problem->slices[n].first = 0;
        root_years[n] = sqrt(years[n]);
    }
    for (int32_t i = 0; i < quote_count; i++) {
        const hr_surface_quote *quote = &quotes[i];
        if (!is_quote(quote, problem->slice_count, last)) {
            return HR_ERR_ARGUMENT;
        }
        last = quote->expiry;
        if (is_far(quote, root_years[last]) || is_crossed(quote)) {
            continue;
        }
        if (quote->bid > 0.0) {
            ask_for(list, quote->bid, quote, years[last]);
        }
        if (quote->ask > 0.0) {
            ask_for(list, quote->ask, quote, years[last]);
        }
    }
    /* Its status is the first refusal; each has its own. */
    (void)hr_implied_vol_batch(list->count, list->prices, list->forwards, list->strikes,
                               list->years, list->is_call, list->vols, list->statuses);
    problem->target_count = 0;
    int32_t next = 0;
    for (int32_t i = 0; i < quote_count; i++) {
        surface_slice *slice = &problem->slices[quotes[i].expiry];
        surface_target *target = &problem->targets[problem->target_count];
        if (slice->count == 0) {
            slice->first = problem->target_count;
        }
        if (read_quote(&quotes[i], root_years[quotes[i].expiry], list, &next, target)) {
            slice->count++;
            problem->target_count++;
        }
    }
    return problem->target_count > 0 ? HR_OK : HR_ERR_NOT_FOUND;
}
