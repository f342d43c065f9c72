/* hr_engine_stance.c: where inventory, flow and the tape put quotes: in common, and of one option.
 */
#include "hr_engine_state.h"

#include <math.h>

#define NS_PER_S 1e9
#define SECONDS_PER_YEAR (365.0 * 24.0 * 3600.0)

static double least(double one, double other) {
    return one < other ? one : other;
}

static double most(double one, double other) {
    return one > other ? one : other;
}

void hr_engine_set_common(hr_engine *engine, int64_t now_ns) {
    const hr_engine_policy *policy = &engine->policy;
    hr_common_stance *common = &engine->common;
    const double half_lives =
        (double)(now_ns - engine->flow_ns) / (NS_PER_S * policy->flow_half_life_s);
    engine->common_ns = now_ns;
    engine->flow_keep = half_lives > 0.0 ? exp2(-half_lives) : 1.0;
    const double realised_vol = sqrt(engine->realised_variance_per_s * SECONDS_PER_YEAR);
    const double vol = most(realised_vol, policy->spot_vol_floor);
    const double excess = vol / policy->spot_vol_floor - 1.0;
    const double age_s = most(0.0, (double)(now_ns - engine->surface.market_ns) / NS_PER_S);
    common->spot_ratio = policy->spot_sigmas * vol * engine->spot_root;
    common->vol_widening =
        least(policy->widen_max,
              (1.0 + policy->widen_ratio * excess) * (1.0 + policy->vol_age_ratio_per_s * age_s));
    hr_engine_weigh_book(engine);
}

void hr_engine_weigh_book(hr_engine *engine) {
    const hr_engine_policy *policy = &engine->policy;
    const hr_gate_limits *limits = &engine->limits;
    const hr_book_greeks *book = &engine->book;
    hr_common_stance *common = &engine->common;
    common->index_ratio = -policy->skew_delta_ratio * book->delta_coin -
                          policy->flow_delta_ratio * engine->flow_keep * engine->flow_delta_coin;
    common->vol_shift = -policy->skew_vega_vol * book->vega_usd -
                        policy->flow_vega_vol * engine->flow_keep * engine->flow_vega_usd;
    common->delta_usage = fabs(book->delta_coin) / limits->delta_coin_max;
    common->vega_usage = fabs(book->vega_usd) / limits->vega_usd_max;
    common->gamma_usage = fabs(book->gamma_coin_per_usd) / limits->gamma_coin_per_usd_max;
}

/* The usage of the limit whose sum is `now`, if a trade by `direction` adds to it. */
static double added_to(double usage, double now, double direction) {
    return (now > 0.0) == (direction > 0.0) ? usage : 0.0;
}

/* The largest usage that a bid (`way` 1) or an offer (-1) adds to. */
static double usage_of(const hr_engine *engine, const hr_slot *slot, double way) {
    const hr_common_stance *common = &engine->common;
    const hr_book_greeks *book = &engine->book;
    const double position = (double)slot->position_lots;
    const double own = fabs(position) / (double)engine->limits.position_lots_max;
    const double delta =
        added_to(common->delta_usage, book->delta_coin, way * slot->value.delta_coin);
    const double vega = added_to(common->vega_usage, book->vega_usd, way);
    const double gamma = added_to(common->gamma_usage, book->gamma_coin_per_usd,
                                  way * slot->value.gamma_coin_per_usd);
    return most(most(delta, vega), most(gamma, added_to(own, position, way)));
}

void hr_engine_take_stance(const hr_engine *engine, const hr_slot *slot, int32_t sides,
                           hr_engine_stance *stance_out) {
    const hr_engine_policy *policy = &engine->policy;
    const hr_common_stance *common = &engine->common;
    const int64_t now_ns = engine->gate.now_ns;
    stance_out->spot_ratio = common->spot_ratio;
    stance_out->vol_widening = common->vol_widening;
    stance_out->index_ratio = stance_out->vol_shift = 0.0;
    stance_out->collar_coin =
        most(engine->limits.collar_coin, engine->limits.collar_vol * slot->value.vega_coin);
    if (policy->is_skewed) {
        stance_out->index_ratio = common->index_ratio;
        stance_out->vol_shift = common->vol_shift -
                                policy->skew_term_vol * engine->book.vega_of_slice[slot->slice] -
                                policy->skew_region_vol * engine->book.vega_of_region[slot->region];
    }
    for (int32_t side = 0; side < 2; side++) {
        if (hr_has_side(sides, side)) {
            stance_out->usage[side] = usage_of(engine, slot, side == HR_SIDE_BID ? 1.0 : -1.0);
            stance_out->rival_coin[side] =
                slot->rival_ns[side] > 0 ? slot->rival_coin[side] : HUGE_VAL;
            stance_out->rival_age_s[side] = (double)(now_ns - slot->rival_ns[side]) / NS_PER_S;
        }
    }
}
