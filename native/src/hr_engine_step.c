/* hr_engine_step.c: anchors of the step, with proven bounds; see hr_engine_step.h.
 *
 * With n the normal density, c(k, s) = N(d1) - e^k N(d2), d1 = -k/s + s/2, d2 = d1 - s (a put is
 * c - 1 + e^k: its k-derivatives differ by e^k, which turns N(d2) into -N(-d2)), the partial
 * derivatives are, net = -c_k being the net transaction delta,
 *     c_s = n(d1)              c_kk = n/s - net          c_ks = n d1/s        c_ss = n d1 d2/s
 *     c_kkk = c_kk + n d1/s^2  c_kks = n (d1/s + (d1 d2 - 1)/s^2)
 *     c_kss = n (d1^2 d2 - d2 - d1)/s^2      c_sss = n ((d1 d2)^2 - d1^2 - d2^2 - d1 d2)/s^2.
 * Every one is bounded over all d1 by sup |d|^m n(d) = A_m, with |d2| <= |d1| + s.
 *
 * Raw SVI has |w'| <= b (1 + |rho|), 0 <= w'' <= b/sigma, |w'''| <= 0.8587 b/sigma^2. The reach is
 * at most w0/8 over the first and time runs at most years/200, so s stays within [0.93, 1.07] s0.
 * From s^2 = w theta: s' = theta w'/(2s), s'' = (theta w''/2 - s'^2)/s and
 * s''' = (theta w'''/2 - 3 s's'')/s are bounded one after the other, and with them
 *     g''' = c_kkk + 3 c_kks s' + 3 c_kss s'^2 + c_sss s'^3 + 3 c_ks s'' + 3 c_ss s's'' + c_s s'''
 * and the second derivatives of net delta and of n(d1). In time s moves by s/(2 years):
 * |dc| <= A_0 s/(2 years), |d net| <= A_1/(2 years), |d vega| <= (A_0 + A_2 + A_1 s)/(2
 * sqrt(years)).
 */
#include "hr_engine_state.h"

#include <math.h>
#include <stddef.h>

#define A0 0.39895
#define A1 0.24198
#define A2 0.29356
#define A3 0.46259
#define A4 0.86387
#define REACH_MAX 0.01
#define REACH_DEVIATIONS 0.15
#define AGE_S_MAX 10.0
#define AGE_COIN 5e-7 /* Time decay that a step may leave out. */
#define NS_PER_S 1e9
#define NS_PER_US 1000
#define NS_PER_YEAR (365.0 * 24.0 * 3600.0 * 1e9)
#define STAMP_SLACK_NS 1024.0 /* A time in ns as a double is this good. */
#define ROUNDING 1e-13        /* Of the formulas, relative to a coin. */

static double least(double one, double other) {
    return one < other ? one : other;
}

static double most(double one, double other) {
    return one > other ? one : other;
}

/* The deviation s along the smile: its derivatives at the anchor, and bounds within reach. */
typedef struct {
    double s;
    double log_moneyness;
    double first;
    double second;
    double low;
    double high;
    double first_most;
    double second_most;
    double third_most;
    double reach;
} smile;

static smile smile_of(const hr_engine_slice *slice, const hr_engine_value *value, double strike) {
    const double theta = value->years / slice->years;
    const double log_moneyness = log(strike / value->forward_usd);
    const double z = log_moneyness - slice->m;
    const double square = z * z + slice->sigma * slice->sigma;
    const double root = sqrt(square);
    const double w = value->vol * value->vol * slice->years;
    const double w_first = slice->b * (slice->rho + z / root);
    const double w_second = slice->b * slice->sigma * slice->sigma / (square * root);
    const double w_second_most = slice->b / slice->sigma;
    const double w_third_most = 0.8587 * w_second_most / slice->sigma;
    smile one = {.s = value->vol * sqrt(value->years), .log_moneyness = log_moneyness};
    const double steepest = most(slice->b * (1.0 + fabs(slice->rho)), 1e-12);
    one.reach = least(least(REACH_MAX, REACH_DEVIATIONS * one.s), 0.125 * w / steepest);
    one.first = 0.5 * theta * w_first / one.s;
    one.second = (0.5 * theta * w_second - one.first * one.first) / one.s;
    one.low = 0.93 * one.s;
    one.high = 1.07 * one.s;
    one.first_most = 0.5 * theta * (fabs(w_first) + w_second_most * one.reach) / one.low;
    one.second_most = (0.5 * theta * w_second_most + one.first_most * one.first_most) / one.low;
    one.third_most =
        (0.5 * theta * w_third_most + 3.0 * one.first_most * one.second_most) / one.low;
    return one;
}

/* Bounds on the partial derivatives within reach. */
typedef struct {
    double kk;
    double ks;
    double ss;
    double kkk;
    double kks;
    double kss;
    double sss;
} partials;

static partials partials_of(const smile *one, double net_most) {
    const double h = one->high;
    const double inverse = 1.0 / one->low;
    const double square = inverse * inverse;
    return (partials){
        .kk = net_most + A0 * inverse,
        .ks = A1 * inverse,
        .ss = (A2 + A1 * h) * inverse,
        .kkk = net_most + A0 * inverse + A1 * square,
        .kks = A1 * inverse + (A2 + A1 * h + A0) * square,
        .kss = (A3 + A2 * h + 2.0 * A1 + A0 * h) * square,
        .sss =
            (A4 + 2.0 * A3 * h + A2 * h * h + A2 + A2 + 2.0 * A1 * h + A0 * h * h + A2 + A1 * h) *
            square,
    };
}

/* How fast the option's own numbers can move along ln(index) within reach. */
typedef struct {
    double theo;
    double call_delta;
    double call_delta_slope; /* At the anchor, */
    double call_delta_bend;  /* and most of its own derivative. */
    double gamma_time;       /* Not a speed: what time can do to gamma before the next anchor. */
} lines;

/* Steps and what they leave out. */
static lines derive(hr_step_block *to, int64_t i, const hr_engine_value *value, const smile *one,
                    double age_years) {
    const double root_years = sqrt(value->years);
    const double density = value->vega_coin / root_years;
    const double d1 = 0.5 * one->s - one->log_moneyness / one->s;
    const double d2 = d1 - one->s;
    const double net = value->delta_coin;
    const double c_kk = density / one->s - net;
    const double c_ks = density * d1 / one->s;
    const double c_ss = c_ks * d2;
    const double along = c_kk + c_ks * one->first; /* d net / d ln(index) */
    const double net_most = 1.1 * most(1.0, exp(one->log_moneyness));
    const partials most_of = partials_of(one, net_most);
    const double f1 = one->first_most;
    const double f2 = one->second_most;
    const double g3 = most_of.kkk + 3.0 * most_of.kks * f1 + 3.0 * most_of.kss * f1 * f1 +
                      most_of.sss * f1 * f1 * f1 + 3.0 * most_of.ks * f2 +
                      3.0 * most_of.ss * f1 * f2 + A0 * one->third_most;
    const double net2 =
        most_of.kkk + 2.0 * most_of.kks * f1 + most_of.kss * f1 * f1 + most_of.ks * f2;
    const double vega2 =
        most_of.kks + 2.0 * most_of.kss * f1 + most_of.sss * f1 * f1 + most_of.ss * f2;
    const double reach = one->reach;
    to->theo[i] = (float)(value->theo_coin);
    to->theo_slope[i] = (float)(net - density * one->first);
    to->theo_bend[i] = (float)(0.5 * (c_kk + 2.0 * c_ks * one->first +
                                      c_ss * one->first * one->first + density * one->second));
    to->theo_cubic[i] = (float)(g3 / 6.0);
    to->theo_time[i] = (float)(ROUNDING + 0.5 * A0 * one->high * age_years / value->years);
    to->delta[i] = (float)net;
    to->delta_slope[i] = (float)along;
    to->delta_square[i] = (float)(0.5 * net2);
    to->delta_time[i] = (float)(ROUNDING + 0.5 * A1 * age_years / value->years);
    to->vega[i] = (float)(value->vega_coin);
    to->vega_slope[i] = (float)(-root_years * (c_ks + c_ss * one->first));
    to->vega_square[i] = (float)(0.5 * root_years * vega2);
    to->vega_time[i] =
        (float)(ROUNDING + 0.5 * (A0 + A2 + A1 * one->high) * age_years / root_years);
    to->gamma[i] = (float)(value->gamma_coin_per_usd);
    to->gamma_line[i] = (float)(fabs(value->gamma_coin_per_usd / c_kk) *
                                (most_of.kkk + most_of.kks * f1 + 1.1 * most_of.kk));
    return (lines){
        .theo = fabs((double)to->theo_slope[i]) +
                reach * (2.0 * fabs((double)to->theo_bend[i]) + 0.5 * g3 * reach),
        .call_delta_slope = along + net - density * one->first, /* net delta and theo, or less 1 */
        .call_delta_bend = net2 + 2.0 * fabs((double)to->theo_bend[i]) + g3 * reach,
        .call_delta = (A0 + (A1 + A0 * one->high) * f1) / one->low,
        .gamma_time = fabs(value->gamma_coin_per_usd / c_kk) * 0.5 * age_years / value->years *
                      ((A0 + A2 + A1 * one->high) / one->low + A1),
    };
}

/* Keeps the reach inside a threshold that would change the formulas, `drift` of it left to time. */
static double within(double reach, double from, double threshold, double line, double drift) {
    return least(reach, (fabs(from - threshold) - drift) / line);
}

static double reach_of(const hr_engine *engine, const hr_slot *slot, double reach,
                       const lines *line, double gamma_line, double age_years) {
    const hr_engine_policy *policy = &engine->policy;
    const hr_engine_instrument *spec = &slot->spec;
    const double call_delta = slot->value.call_delta;
    const double delta = spec->is_call ? call_delta : 1.0 - call_delta;
    const double slack = slot->is_quotable ? policy->range_hysteresis : 0.0;
    const double theo = slot->value.theo_coin;
    const double theo_min = hr_engine_theo_min(engine, slot);
    const double drift = 0.5 * A1 * age_years / slot->value.years; /* N(d1), as net delta does. */
    const double decay = AGE_COIN + ROUNDING;
    reach = within(reach, delta, policy->delta_min - slack, line->call_delta, drift);
    reach = within(reach, delta, policy->delta_max + slack, line->call_delta, drift);
    reach = within(reach, delta, policy->improve_delta_max, line->call_delta, drift);
    reach = within(reach, call_delta, HR_WING_DELTA, line->call_delta, drift);
    reach = within(reach, call_delta, 1.0 - HR_WING_DELTA, line->call_delta, drift);
    reach = within(reach, theo, theo_min, line->theo, decay);
    reach = within(reach, fabs(slot->value.gamma_coin_per_usd), hr_engine_gamma_max(engine, slot),
                   gamma_line, line->gamma_time);
    if (spec->step_above_ticks > 0) {
        reach = within(reach, theo, (double)spec->step_above_ticks * spec->tick_coin, line->theo,
                       decay);
    }
    return reach;
}

static int64_t until_of(const hr_engine *engine, const hr_slot *slot, int64_t now_ns,
                        int64_t age_ns) {
    const hr_engine_policy *policy = &engine->policy;
    const int64_t contested_ns =
        slot->spec.expiry_ns - (int64_t)(policy->improve_years_max * NS_PER_YEAR);
    const int64_t events[] = {
        slot->spec.expiry_ns - policy->tenor_ns_min,
        slot->spec.expiry_ns - policy->tenor_ns_max,
        slot->anchor_ns + engine->limits.drift_ns,
        contested_ns,
    };
    int64_t until_ns = now_ns + age_ns;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i] >= now_ns - NS_PER_US && events[i] < until_ns) {
            until_ns = events[i];
        }
    }
    return until_ns;
}

/* The spread's uncertainty of volatility is vol_half_middle (1 + ratio (2 call_delta - 1)^2). */
static void set_spread(const hr_engine *engine, const hr_slot *slot, hr_step_block *to, int64_t i,
                       const lines *line, double age_years) {
    const hr_engine_policy *policy = &engine->policy;
    const hr_engine_value *value = &slot->value;
    const hr_engine_spread *spread = &slot->spread;
    const double ratio = policy->vol_wing_ratio;
    const double from_middle = 2.0 * value->call_delta - 1.0;
    const double middle = spread->vol_half / (1.0 + ratio * from_middle * from_middle);
    to->vol_half[i] = (float)(spread->vol_half);
    to->vol_half_slope[i] = (float)(4.0 * middle * ratio * from_middle * line->call_delta_slope);
    to->vol_half_square[i] =
        (float)(4.0 * middle * ratio *
                (line->call_delta * line->call_delta + 0.5 * line->call_delta_bend));
    to->vol_half_time[i] = (float)(spread->vol_half * age_years / value->years);
    to->miss_coin[i] = (float)value->miss_coin;
    to->rounding_coin[i] = (float)(spread->rounding_coin);
    to->patience[i] = (float)(spread->is_contested ? policy->patience_ratio : 1.0);
    to->is_contested[i] = (float)(spread->is_contested ? 1.0 : 0.0);
}

/* An option without a value adds its last greeks to the book as they are. */
static void keep_still(hr_step_block *to, int64_t i, const hr_slot *slot) {
    const int is_counted = slot->slice != HR_SLICE_NONE;
    to->value_reach[i] = HR_STEP_FAR;
    to->value_until_ns[i] = HR_STEP_FAR;
    to->delta[i] = (float)(is_counted ? slot->value.delta_coin : 0.0);
    to->vega[i] = (float)(is_counted ? slot->value.vega_coin : 0.0);
    to->gamma[i] = (float)(is_counted ? slot->value.gamma_coin_per_usd : 0.0);
    to->delta_slope[i] = 0.0f;
    to->delta_square[i] = 0.0f;
    to->vega_slope[i] = 0.0f;
    to->vega_square[i] = 0.0f;
    to->gamma_line[i] = 0.0f;
}

static void set_cell(hr_step_block *to, int64_t i, int32_t slice, int32_t region) {
    const int32_t cell = slice * HR_ENGINE_REGIONS + region;
    if (to->cell[i] == cell) {
        return;
    }
    to->cell[i] = cell;
    to->region[i] = (float)region;
    to->slice = slice;
    for (int lane = 0; lane < HR_STEP_LANES; lane++) {
        to->slice = to->cell[lane] / HR_ENGINE_REGIONS == slice ? to->slice : HR_STEP_MIXED;
    }
}

void hr_engine_anchor(hr_engine *engine, int64_t slot_index, int64_t now_ns) {
    const hr_slot *slot = &engine->slots[slot_index];
    hr_step_block *to = hr_engine_block(engine, slot_index);
    const int64_t i = hr_engine_lane(slot_index);
    const hr_engine_value *value = &slot->value;
    to->is_quotable[i] = (float)(slot->is_quotable ? 1.0 : 0.0);
    to->log_index[i] = engine->log_index;
    if (!slot->is_valued) {
        keep_still(to, i, slot);
        return;
    }
    const hr_engine_slice *slice = &engine->surface.slices[slot->slice];
    const smile one = smile_of(slice, value, slot->spec.strike_usd);
    const double decay = 0.5 * A0 * one.high / value->years; /* Coin per year, at most. */
    const double age_years =
        least(least(AGE_COIN / decay, value->years / 200.0), AGE_S_MAX * NS_PER_S / NS_PER_YEAR);
    const int64_t age_ns = (int64_t)(age_years * NS_PER_YEAR);
    const lines line = derive(to, i, value, &one, 1.02 * age_years);
    const double moneyness = slot->spec.strike_usd / value->forward_usd;
    to->value_reach[i] =
        reach_of(engine, slot, one.reach, &line, (double)to->gamma_line[i], age_years);
    to->value_until_ns[i] = (double)until_of(engine, slot, now_ns, age_ns) - STAMP_SLACK_NS;
    to->usd_ratio[i] = (float)(0.01 * slice->forward_ratio);
    to->intrinsic_coin[i] = (float)(value->price_coin_min);
    to->bound_slope[i] = (float)(1.02 * moneyness);
    to->ceiling_coin[i] = (float)(slot->spec.is_call ? 1.0 : moneyness * (1.0 - 1.02 * one.reach));
    to->drift_coin[i] = (float)(slot->anchor_coin);
    to->tick_coin[i] = (float)(slot->spec.tick_coin);
    to->step_coin[i] = (float)(slot->spec.tick_coin * (double)slot->spec.step_ticks);
    to->is_call[i] = (float)(slot->spec.is_call ? 1.0 : 0.0);
    to->theo_line[i] = (float)(line.theo);
    set_cell(to, i, slot->slice, slot->region);
    set_spread(engine, slot, to, i, &line, age_years);
}
