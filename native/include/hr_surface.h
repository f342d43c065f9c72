/* hr_surface.h: volatility surfaces in raw SVI, their joint fit, and their certificates.
 *
 * A slice is w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), w = vol^2 * years,
 * k = ln(strike / forward) (Gatheral 2004). Certificates hold on the whole real line: rounding is
 * accounted for, and "free" is only said when it is proved.
 */
#ifndef HR_SURFACE_H
#define HR_SURFACE_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_SURFACE_EXPIRIES_MAX 64
#define HR_SURFACE_QUOTES_MAX 4096

typedef struct {
    double a;
    double b;   /* >= 0 */
    double rho; /* (-1, 1) */
    double m;
    double sigma; /* > 0 */
} hr_svi;

/* One option as the market shows it. Prices are in units of the forward (coin). */
typedef struct {
    double log_moneyness; /* ln(strike / forward) */
    double bid;           /* 0: none */
    double ask;           /* 0: none */
    double mark_vol;      /* 0: none; a weak target where a side is missing */
    int32_t expiry;       /* index of its expiry; quotes stand in the order of expiries */
    int32_t is_call;
} hr_surface_quote;

/* How one slice was fitted. */
typedef struct {
    double rmse_vol;         /* model against mid volatility, two-sided options */
    int32_t option_count;    /* quotes that were of use */
    int32_t two_sided_count; /* with |delta| in 0.05-0.95 */
    int32_t inside_count;    /* of those, with the model inside bid-ask */
    int32_t is_butterfly_free;
    int32_t is_calendar_free; /* against the slice before it */
    int32_t is_repaired;      /* moved after the fit to make it certify */
} hr_slice_report;

typedef struct {
    double cost;
    int32_t iteration_count;
    int32_t round_count; /* of adding constraints where a certificate failed */
    int32_t is_butterfly_free;
    int32_t is_calendar_free;
} hr_surface_report;

/* Returns w(k). The slice is not checked. */
double hr_svi_total_variance(const hr_svi *slice, double log_moneyness);

/* Writes the volatility at each log-moneyness. HR_ERR_DOMAIN: total variance was not above 0. */
hr_status hr_svi_vols(const hr_svi *slice, double years, const double *log_moneyness, int32_t count,
                      double *vols_out);

/* Returns Durrleman's g(k), whose sign is that of the risk-neutral density. */
double hr_svi_density_factor(const hr_svi *slice, double log_moneyness);

/* HR_OK: w > 0 and g > 0 are proved for all real k, and both wings are below Lee's bound.
 * HR_ERR_DOMAIN: not proved; `witness_out` is where it failed. */
hr_status hr_svi_certify_butterfly(const hr_svi *slice, double *witness_out);

/* HR_OK: later >= earlier is proved for all real k. HR_ERR_DOMAIN: not proved, as above. */
hr_status hr_svi_certify_calendar(const hr_svi *earlier, const hr_svi *later, double *witness_out);

/* Finds the least g(k) numerically, for reports; it proves nothing. */
hr_status hr_svi_density_minimum(const hr_svi *slice, double *log_moneyness_out,
                                 double *minimum_out);

/* Returns the bytes of workspace for a fit; 0 for sizes out of range. */
int64_t hr_surface_workspace_bytes(int32_t quote_count, int32_t expiry_count);

/* Fits all expiries at once. `years` ascends; `previous` (or NULL) has one slice per expiry, a zero
 * b and a for none. `workspace` is 64-byte aligned. On HR_OK every slice and the whole are
 * certified. HR_ERR_NOT_CONVERGED: no certified surface was found, slices_out is not to be used. */
hr_status hr_surface_fit(const hr_surface_quote *quotes, int32_t quote_count, const double *years,
                         int32_t expiry_count, const hr_svi *previous, void *workspace,
                         int64_t workspace_bytes, hr_svi *slices_out,
                         hr_slice_report *slice_reports_out, hr_surface_report *report_out);
/* cdef: end */

_Static_assert(sizeof(hr_svi) == 40, "hr_svi crosses to Python");
_Static_assert(sizeof(hr_surface_quote) == 40, "hr_surface_quote crosses to Python");
_Static_assert(sizeof(hr_slice_report) == 32, "hr_slice_report crosses to Python");
_Static_assert(sizeof(hr_surface_report) == 24, "hr_surface_report crosses to Python");

#endif
