/* hr_engine_screen_set.c: what the screen asks of policy, limits and book, the same for all slots.
 */
#include "hr_engine_state.h"

#include <math.h>

#define NS_PER_S 1e9

static double most(double one, double other) {
    return one > other ? one : other;
}

void hr_engine_set_screen(const hr_engine *engine, hr_screen *pass, int64_t now_ns) {
    const hr_engine_policy *policy = &engine->policy;
    pass->log_index = engine->log_index;
    pass->index_usd = (float)(engine->index_usd);
    pass->now_ns = (double)now_ns;
    pass->spot_ratio = (float)(engine->common.spot_ratio);
    pass->widening = (float)(engine->common.vol_widening);
    pass->fee_coin = (float)(policy->fee_coin);
    pass->fee_ratio = (float)(policy->fee_price_ratio);
    pass->edge_coin = (float)(policy->edge_coin);
    pass->edge_ratio = (float)(policy->edge_price_ratio);
    pass->half_max = (float)(policy->half_spread_coin_max);
    pass->skew_max = (float)(policy->skew_half_spreads_max);
    pass->relax_per_ns = 1.0 / (policy->rival_relax_s * NS_PER_S);
    pass->urgent_below = (float)(1.0 - policy->move_urgent_ratio);
    pass->passive_above = (float)(1.0 + policy->move_passive_ratio);
    pass->collar_coin = (float)(engine->limits.collar_coin);
    pass->collar_vol = (float)(engine->limits.collar_vol);
    pass->drift_max = (float)(engine->limits.drift_coin_max);
}

static void set_stance(const hr_engine *engine, hr_screen *pass) {
    const hr_engine_policy *policy = &engine->policy;
    const hr_book_greeks *book = &engine->book;
    if (!policy->is_skewed) {
        return;
    }
    pass->index_ratio = (float)(engine->common.index_ratio);
    pass->index_ratio_error = (float)(policy->skew_delta_ratio * engine->book_error.delta_coin);
    pass->vol_shift_error =
        (float)((policy->skew_vega_vol + policy->skew_term_vol + policy->skew_region_vol) *
                engine->book_error.vega_usd);
    for (int64_t slice = 0; slice < engine->surface.slice_count; slice++) {
        for (int64_t region = 0; region < HR_ENGINE_REGIONS; region++) {
            pass->vol_shift[slice * HR_ENGINE_REGIONS + region] =
                (float)(engine->common.vol_shift -
                        policy->skew_term_vol * book->vega_of_slice[slice] -
                        policy->skew_region_vol * book->vega_of_region[region]);
        }
    }
}

static void set_usage(const hr_engine *engine, hr_screen *pass) {
    const hr_gate_limits *limits = &engine->limits;
    const hr_book_greeks *book = &engine->book;
    const hr_book_error *error = &engine->book_error;
    const double delta_error = error->delta_coin / limits->delta_coin_max;
    const double vega_error = error->vega_usd / limits->vega_usd_max;
    const double gamma = (fabs(book->gamma_coin_per_usd) + error->gamma_coin_per_usd) /
                         limits->gamma_coin_per_usd_max;
    for (int side = 0; side < 2; side++) {
        const double sign = side == HR_SIDE_BID ? 1.0 : -1.0;
        const double vega = most(0.0, sign * book->vega_usd) / limits->vega_usd_max;
        for (int is_call = 0; is_call < 2; is_call++) {
            const double way = is_call ? sign : -sign;
            const double delta = most(0.0, way * book->delta_coin) / limits->delta_coin_max;
            pass->usage_low[side][is_call] = (float)(most(delta - delta_error, vega - vega_error));
            pass->usage_high[side][is_call] =
                (float)(most(most(delta + delta_error, vega + vega_error), gamma));
        }
    }
}

void hr_engine_set_screen_book(const hr_engine *engine, hr_screen *pass) {
    set_stance(engine, pass);
    set_usage(engine, pass);
}
