/* Goal: surfaces that come out are proved free of arbitrage, whatever quotes go in. */
#undef NDEBUG
#include "hr_pricing.h"
#include "hr_surface.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRIES 6
#define STRIKES 15
#define QUOTES (EXPIRIES * STRIKES * 2)

static uint64_t seed = 0x9e3779b97f4a7c15u;

/* Uniform on [0, 1): xorshift64. */
static double uniform(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) * 0x1p-53;
}

static double between(double low, double high) {
    return low + (high - low) * uniform();
}

typedef struct {
    hr_surface_quote quotes[QUOTES];
    double years[EXPIRIES];
    int32_t quote_count;
    int32_t expiry_count;
} market;

typedef struct {
    hr_svi slices[EXPIRIES];
    hr_slice_report slice_reports[EXPIRIES];
    hr_surface_report report;
} outcome;

/* Quotes both sides of a smile of one volatility and one skew, as wide as `half_vol`. */
static market make_market(double vol, double skew, double half_vol) {
    static const double years[EXPIRIES] = {0.0003, 0.003, 0.02, 0.08, 0.25, 1.0};
    market made = {.quote_count = 0, .expiry_count = EXPIRIES};
    memcpy(made.years, years, sizeof(years));
    for (int32_t n = 0; n < EXPIRIES; n++) {
        for (int32_t i = 0; i < STRIKES; i++) {
            const double x = (double)(i - STRIKES / 2) / 3.0;
            const double k = x * vol * sqrt(years[n]);
            const double smile = vol * (1.0 + skew * x + 0.03 * x * x);
            for (int32_t is_call = 0; is_call < 2; is_call++) {
                hr_greeks bid;
                hr_greeks ask;
                assert(hr_black76(1.0, exp(k), years[n], fmax(smile - half_vol, 1e-3), is_call,
                                  &bid) == HR_OK);
                assert(hr_black76(1.0, exp(k), years[n], smile + half_vol, is_call, &ask) == HR_OK);
                made.quotes[made.quote_count++] = (hr_surface_quote){.log_moneyness = k,
                                                                     .bid = bid.price,
                                                                     .ask = ask.price,
                                                                     .mark_vol = smile,
                                                                     .expiry = n,
                                                                     .is_call = is_call};
            }
        }
    }
    return made;
}

static hr_status fit(const market *given, const hr_svi *previous, outcome *out) {
    static _Alignas(64) unsigned char workspace[1 << 18];
    const int64_t bytes = hr_surface_workspace_bytes(given->quote_count, given->expiry_count);
    assert(bytes > 0 && bytes <= (int64_t)sizeof(workspace));
    /* What an earlier fit left behind must not matter. */
    memset(workspace, (int)(uniform() * 255.0), sizeof(workspace));
    return hr_surface_fit(given->quotes, given->quote_count, given->years, given->expiry_count,
                          previous, workspace, bytes, out->slices, out->slice_reports,
                          &out->report);
}

static void check_proved(const outcome *found, int32_t count) {
    double witness;
    assert(found->report.is_butterfly_free == 1);
    assert(found->report.is_calendar_free == 1);
    for (int32_t n = 0; n < count; n++) {
        assert(hr_svi_certify_butterfly(&found->slices[n], &witness) == HR_OK);
        assert(found->slice_reports[n].is_butterfly_free == 1);
        if (n > 0) {
            assert(hr_svi_certify_calendar(&found->slices[n - 1], &found->slices[n], &witness) ==
                   HR_OK);
        }
    }
}

static void test_bad_arguments_are_refused(void) {
    const market good = make_market(0.5, -0.05, 0.01);
    outcome out;
    static _Alignas(64) unsigned char workspace[1 << 18];
    const int64_t bytes = hr_surface_workspace_bytes(good.quote_count, good.expiry_count);
    assert(hr_surface_workspace_bytes(0, 1) == 0);
    assert(hr_surface_workspace_bytes(1, 0) == 0);
    assert(hr_surface_workspace_bytes(HR_SURFACE_QUOTES_MAX + 1, 1) == 0);
    assert(hr_surface_workspace_bytes(1, HR_SURFACE_EXPIRIES_MAX + 1) == 0);
    for (int wrong = 0; wrong < 9; wrong++) {
        const hr_status status =
            hr_surface_fit(wrong == 0 ? NULL : good.quotes, wrong == 1 ? 0 : good.quote_count,
                           wrong == 2 ? NULL : good.years, good.expiry_count, NULL,
                           wrong == 3 ? NULL : workspace + (wrong == 4 ? 8 : 0),
                           wrong == 5 ? bytes - 1 : bytes, wrong == 6 ? NULL : out.slices,
                           wrong == 7 ? NULL : out.slice_reports, wrong == 8 ? NULL : &out.report);
        assert(status == HR_ERR_ARGUMENT);
    }
    const double bad_years[] = {0.0, -1.0, (double)NAN, HUGE_VAL, 0.003, 200.0};
    for (size_t i = 0; i < sizeof(bad_years) / sizeof(bad_years[0]); i++) {
        market given = good;
        given.years[0] = bad_years[i];
        assert(fit(&given, NULL, &out) == HR_ERR_ARGUMENT);
    }
}

static void test_bad_quotes_are_refused(void) {
    const market good = make_market(0.5, -0.05, 0.01);
    const double bad[] = {(double)NAN, HUGE_VAL, -1.0};
    outcome out;
    for (size_t i = 0; i < 3; i++) {
        market given[4] = {good, good, good, good};
        given[0].quotes[7].bid = bad[i];
        given[1].quotes[7].ask = bad[i];
        given[2].quotes[7].mark_vol = bad[i];
        given[3].quotes[7].log_moneyness = bad[i] * 30.0;
        for (size_t j = 0; j < 4; j++) {
            assert(fit(&given[j], NULL, &out) == HR_ERR_ARGUMENT);
        }
    }
    market given = good;
    given.quotes[QUOTES - 1].expiry = EXPIRIES;
    assert(fit(&given, NULL, &out) == HR_ERR_ARGUMENT);
    given.quotes[QUOTES - 1].expiry = 0; /* Out of order. */
    assert(fit(&given, NULL, &out) == HR_ERR_ARGUMENT);
    for (int32_t i = 0; i < QUOTES; i++) {
        given.quotes[i] = (hr_surface_quote){.expiry = good.quotes[i].expiry};
    }
    assert(fit(&given, NULL, &out) == HR_ERR_NOT_FOUND);
}

static void test_a_fit_goes_through_its_quotes_and_again_from_its_end(void) {
    const market given = make_market(0.5, -0.05, 0.01);
    outcome cold;
    outcome warm;
    assert(fit(&given, NULL, &cold) == HR_OK);
    check_proved(&cold, EXPIRIES);
    assert(fit(&given, cold.slices, &warm) == HR_OK);
    check_proved(&warm, EXPIRIES);
    for (int32_t n = 0; n < EXPIRIES; n++) {
        assert(cold.slice_reports[n].two_sided_count > 10);
        assert(cold.slice_reports[n].inside_count == cold.slice_reports[n].two_sided_count);
        assert(cold.slice_reports[n].rmse_vol < 0.01);
        const double k[] = {-0.1 * sqrt(given.years[n]), 0.0, 0.1 * sqrt(given.years[n])};
        double first[3];
        double again[3];
        assert(hr_svi_vols(&cold.slices[n], given.years[n], k, 3, first) == HR_OK);
        assert(hr_svi_vols(&warm.slices[n], given.years[n], k, 3, again) == HR_OK);
        for (int i = 0; i < 3; i++) {
            assert(fabs(first[i] - again[i]) < 2e-3);
        }
    }
}

static void test_nonsense_to_start_from_does_no_harm(void) {
    const market given = make_market(0.6, 0.0, 0.01);
    const double bad[] = {(double)NAN, HUGE_VAL, -HUGE_VAL, 1e300, -1.0, 0.0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        hr_svi previous[EXPIRIES];
        for (int32_t n = 0; n < EXPIRIES; n++) {
            previous[n] = (hr_svi){.a = bad[i], .b = bad[i], .rho = 0.0, .m = bad[i], .sigma = 0.1};
        }
        outcome out;
        assert(fit(&given, previous, &out) == HR_OK);
        check_proved(&out, EXPIRIES);
    }
}

static void test_equal_vols_few_quotes_and_empty_expiries_are_fitted(void) {
    outcome out;
    market flat = make_market(0.4, 0.0, 0.005);
    for (int32_t i = 0; i < QUOTES; i++) {
        flat.quotes[i].bid = 0.0;
        flat.quotes[i].ask = 0.0;
        flat.quotes[i].mark_vol = 0.4;
    }
    assert(fit(&flat, NULL, &out) == HR_OK);
    check_proved(&out, EXPIRIES);
    double vol;
    for (int32_t n = 0; n < EXPIRIES; n++) {
        assert(hr_svi_vols(&out.slices[n], flat.years[n], &(double){0.0}, 1, &vol) == HR_OK);
        assert(fabs(vol - 0.4) < 0.02);
    }
    market single = make_market(0.4, 0.0, 0.005);
    single.quotes[0] = single.quotes[14];
    single.quote_count = 1;
    assert(fit(&single, NULL, &out) == HR_OK); /* Five expiries have no quote at all. */
    check_proved(&out, EXPIRIES);
    single.expiry_count = 1;
    assert(fit(&single, NULL, &out) == HR_OK);
    check_proved(&out, 1);
}

/* Prices as they come in bad moments: any side missing, crossed, huge, below intrinsic value. */
static void test_wild_quotes_end_proved_or_refused(void) {
    int proved = 0;
    for (int round = 0; round < 300; round++) {
        market given = make_market(between(0.05, 3.0), between(-0.3, 0.3), between(1e-4, 0.3));
        for (int32_t i = 0; i < QUOTES; i++) {
            hr_surface_quote *quote = &given.quotes[i];
            const double dice = uniform();
            if (dice < 0.1) {
                quote->bid = 0.0;
            } else if (dice < 0.2) {
                quote->ask = 0.0;
            } else if (dice < 0.25) {
                quote->bid = quote->ask * between(0.5, 3.0);
            } else if (dice < 0.3) {
                quote->ask *= pow(10.0, between(-3.0, 3.0));
            } else if (dice < 0.35) {
                quote->mark_vol = pow(10.0, between(-6.0, 6.0));
            } else if (dice < 0.4) {
                quote->mark_vol = 0.0;
            }
        }
        outcome out;
        const hr_status status = fit(&given, NULL, &out);
        assert(status == HR_OK || status == HR_ERR_NOT_CONVERGED);
        if (status == HR_OK) {
            check_proved(&out, EXPIRIES);
            proved++;
        }
    }
    assert(proved >= 290);
}

static void test_certificates_refuse_what_is_no_slice(void) {
    double witness;
    const hr_svi good = {.a = 0.04, .b = 0.1, .rho = -0.3, .m = 0.0, .sigma = 0.2};
    assert(hr_svi_certify_butterfly(&good, &witness) == HR_OK);
    assert(hr_svi_certify_butterfly(NULL, &witness) == HR_ERR_ARGUMENT);
    assert(hr_svi_certify_butterfly(&good, NULL) == HR_ERR_ARGUMENT);
    assert(hr_svi_certify_calendar(&good, NULL, &witness) == HR_ERR_ARGUMENT);
    assert(hr_svi_certify_calendar(NULL, &good, &witness) == HR_ERR_ARGUMENT);
    assert(hr_svi_certify_calendar(&good, &good, NULL) == HR_ERR_ARGUMENT);
    hr_svi bad[] = {good, good, good, good, good, good};
    bad[0].rho = 1.0;
    bad[1].sigma = 0.0;
    bad[2].b = -0.1;
    bad[3].a = (double)NAN;
    bad[4].m = HUGE_VAL;
    bad[5].b = 1e9;
    for (size_t i = 0; i < 6; i++) {
        assert(hr_svi_certify_butterfly(&bad[i], &witness) == HR_ERR_ARGUMENT);
        assert(hr_svi_certify_calendar(&good, &bad[i], &witness) == HR_ERR_ARGUMENT);
        assert(hr_svi_certify_calendar(&bad[i], &good, &witness) == HR_ERR_ARGUMENT);
    }
    hr_svi below = good;
    below.a = -0.1;
    assert(hr_svi_certify_butterfly(&below, &witness) == HR_ERR_DOMAIN);
    assert(hr_svi_certify_calendar(&good, &good, &witness) == HR_ERR_DOMAIN);
}

static void test_the_vogt_slice_is_found_out(void) {
    const hr_svi vogt = {.a = -0.0410, .b = 0.1331, .rho = 0.3060, .m = 0.3586, .sigma = 0.4153};
    double witness;
    double minimum;
    assert(hr_svi_certify_butterfly(&vogt, &witness) == HR_ERR_DOMAIN);
    assert(witness > 0.6424 && witness < 1.2569);
    assert(hr_svi_density_factor(&vogt, witness) < 0.0);
    assert(hr_svi_density_minimum(&vogt, &witness, &minimum) == HR_OK);
    assert(fabs(witness - 0.8793) < 1e-4);
    assert(fabs(minimum + 0.032864) < 1e-6);
}

/* On the edge of Lee's bound, and of a density that touches zero. */
static void test_certificates_are_sharp(void) {
    double witness;
    hr_svi steep = {.a = 2.0, .b = 1.2, .rho = 0.0, .m = -1.0, .sigma = 1.0};
    for (int i = 0; i < 2; i++) {
        steep.rho = 2.0 / steep.b - 1.0 + (i == 0 ? 1e-6 : -1e-6);
        const hr_status status = hr_svi_certify_butterfly(&steep, &witness);
        assert(status == (i == 0 ? HR_ERR_DOMAIN : HR_OK));
    }
    hr_svi touching = {.a = 0.0, .b = 0.1331, .rho = 0.3060, .m = 0.3586, .sigma = 0.4153};
    double low = -0.041;
    double high = 0.0;
    for (int i = 0; i < 60; i++) { /* The level at which the least density is zero. */
        double minimum;
        touching.a = 0.5 * (low + high);
        assert(hr_svi_density_minimum(&touching, &witness, &minimum) == HR_OK);
        if (minimum < 0.0) {
            low = touching.a;
        } else {
            high = touching.a;
        }
    }
    touching.a = high + 1e-9;
    assert(hr_svi_certify_butterfly(&touching, &witness) == HR_OK);
    touching.a = low - 1e-9;
    assert(hr_svi_certify_butterfly(&touching, &witness) == HR_ERR_DOMAIN);
    hr_svi later = touching;
    later.a += 1e-5;
    later.b *= 1.0 + 1e-9;
    assert(hr_svi_certify_calendar(&touching, &later, &witness) == HR_OK);
    later.b = touching.b * (1.0 - 1e-9);
    assert(hr_svi_certify_calendar(&touching, &later, &witness) == HR_ERR_DOMAIN);
}

static void test_vols_are_checked(void) {
    const hr_svi below = {.a = -0.1, .b = 0.1, .rho = 0.0, .m = 0.0, .sigma = 0.1};
    const hr_svi flat = {.a = 0.04, .b = 0.0, .rho = 0.0, .m = 0.0, .sigma = 0.1};
    const double points[] = {-1.0, 0.0, (double)NAN};
    double vols[3];
    assert(hr_svi_vols(NULL, 1.0, points, 1, vols) == HR_ERR_ARGUMENT);
    assert(hr_svi_vols(&flat, 0.0, points, 1, vols) == HR_ERR_ARGUMENT);
    assert(hr_svi_vols(&flat, 1.0, NULL, 1, vols) == HR_ERR_ARGUMENT);
    assert(hr_svi_vols(&flat, 1.0, points, -1, vols) == HR_ERR_ARGUMENT);
    assert(hr_svi_vols(&flat, 1.0, points, 1, NULL) == HR_ERR_ARGUMENT);
    assert(hr_svi_vols(&flat, 1.0, points, 3, vols) == HR_ERR_NOT_FINITE);
    assert(hr_svi_vols(&below, 1.0, points, 2, vols) == HR_ERR_DOMAIN);
    assert(hr_svi_vols(&flat, 4.0, points, 2, vols) == HR_OK);
    assert(fabs(vols[0] - 0.1) < 1e-15);
}

int main(void) {
    test_bad_arguments_are_refused();
    test_bad_quotes_are_refused();
    test_a_fit_goes_through_its_quotes_and_again_from_its_end();
    test_nonsense_to_start_from_does_no_harm();
    test_equal_vols_few_quotes_and_empty_expiries_are_fitted();
    test_wild_quotes_end_proved_or_refused();
    test_certificates_refuse_what_is_no_slice();
    test_the_vogt_slice_is_found_out();
    test_certificates_are_sharp();
    test_vols_are_checked();
    (void)puts("test_surface: ok");
    return 0;
}
