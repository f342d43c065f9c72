/* hr_engine_sum.c: sums of the book at stepped values, sixteen slots at a time; see
 * hr_engine_step.h. Branch-free, so that the compiler runs it over lanes. */
#include "hr_engine_lanes.h"

#include <math.h>

/* Lanes that are not sums but would be if they were added up at the end. */
typedef struct {
    float sums[13][LANES];
    float mosts[4][LANES];
} lane_sums;

enum {
    DELTA,
    DELTA_ERROR,
    GAMMA,
    GAMMA_ERROR,
    VEGA_ERROR,
    UP_DELTA,
    DOWN_DELTA,
    UP_VEGA,
    DOWN_VEGA,
    UP_GAMMA,
    DOWN_GAMMA,
    TWO_SIDED,
    ONE_SIDED
};
enum { LIVE_MOST, DELTA_MOST, VEGA_MOST, GAMMA_MOST };

HR_INLINE void sum_block(const hr_step_block *from, const hr_screen *pass, const float moves[LANES],
                         lane_sums *to, float vegas[LANES]) {
    HR_OVER_LANES
    for (int i = 0; i < LANES; i++) {
        const float move = moves[i];
        const float size = fabsf(move);
        const float position = from->position_coin[i];
        const float bid = from->live_coin[HR_SIDE_BID][i];
        const float ask = from->live_coin[HR_SIDE_ASK][i];
        const float delta = from->delta[i] + move * from->delta_slope[i];
        const float usd = pass->index_usd * from->usd_ratio[i];
        const float vega = (from->vega[i] + move * from->vega_slope[i]) * usd;
        const float amount = fabsf(position) + bid + ask;
        const float live = most(bid, ask);
        const float size2 = size * size;
        to->sums[DELTA][i] += position * delta;
        to->sums[GAMMA][i] += position * from->gamma[i];
        vegas[i] = position * vega;
        to->sums[DELTA_ERROR][i] +=
            amount * (from->delta_square[i] * size2 + from->delta_time[i] + ROUNDING);
        to->sums[VEGA_ERROR][i] +=
            amount * usd * (from->vega_square[i] * size2 + from->vega_time[i] + ROUNDING);
        to->sums[GAMMA_ERROR][i] +=
            amount * (from->gamma_line[i] * size + ROUNDING * fabsf(from->gamma[i]));
        to->sums[UP_DELTA][i] += bid * most(delta, 0.0f) + ask * most(-delta, 0.0f);
        to->sums[DOWN_DELTA][i] += ask * most(delta, 0.0f) + bid * most(-delta, 0.0f);
        to->sums[UP_VEGA][i] += bid * vega;
        to->sums[DOWN_VEGA][i] += ask * vega;
        const float is_bid = least(1.0f, bid * 1e12f);
        const float is_ask = least(1.0f, ask * 1e12f);
        to->sums[TWO_SIDED][i] += is_bid * is_ask * from->is_quotable[i];
        to->sums[ONE_SIDED][i] += fabsf(is_bid - is_ask);
        const float gamma_now = from->gamma[i];
        to->sums[UP_GAMMA][i] += bid * most(gamma_now, 0.0f) + ask * most(-gamma_now, 0.0f);
        to->sums[DOWN_GAMMA][i] += ask * most(gamma_now, 0.0f) + bid * most(-gamma_now, 0.0f);
        to->mosts[LIVE_MOST][i] = most(to->mosts[LIVE_MOST][i], live);
        to->mosts[DELTA_MOST][i] = most(to->mosts[DELTA_MOST][i], fabsf(delta));
        to->mosts[VEGA_MOST][i] = most(to->mosts[VEGA_MOST][i], vega);
        const float gamma = (fabsf(from->gamma[i]) + from->gamma_line[i] * size) *
                            most(from->is_quotable[i], least(1.0f, live * 1e12f));
        to->mosts[GAMMA_MOST][i] = most(to->mosts[GAMMA_MOST][i], gamma);
    }
}

/* Vega by region of the slice whose blocks are being read. */
typedef struct {
    double lanes[HR_ENGINE_REGIONS][LANES];
    int32_t slice; /* HR_STEP_MIXED: none. */
    int32_t reserved;
} slice_vegas;

HR_INLINE void close_slice(slice_vegas *vegas, double *vega_of_cell) {
    for (int region = 0; region < HR_ENGINE_REGIONS && vegas->slice != HR_STEP_MIXED; region++) {
        double sum = 0.0;
        HR_OVER_LANES
        for (int i = 0; i < LANES; i++) {
            sum += vegas->lanes[region][i];
            vegas->lanes[region][i] = 0.0;
        }
        vega_of_cell[vegas->slice * HR_ENGINE_REGIONS + region] += sum;
    }
}

HR_INLINE void sum_vegas(const hr_step_block *from, const float vegas[LANES], slice_vegas *to,
                         double *vega_of_cell) {
    if (from->slice == HR_STEP_MIXED) {
        HR_OVER_LANES
        for (int i = 0; i < LANES; i++) {
            vega_of_cell[from->cell[i]] += (double)vegas[i];
        }
        return;
    }
    if (from->slice != to->slice) {
        close_slice(to, vega_of_cell);
        to->slice = from->slice;
    }
    HR_OVER_LANES
    for (int i = 0; i < LANES; i++) {
        const double vega = (double)vegas[i];
        to->lanes[0][i] += from->region[i] < 0.5f ? vega : 0.0;
        to->lanes[1][i] += from->region[i] > 0.5f && from->region[i] < 1.5f ? vega : 0.0;
        to->lanes[2][i] += from->region[i] > 1.5f ? vega : 0.0;
    }
}

HR_INLINE void sum_blocks(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                          lane_sums *sums_out, double *vega_of_cell) {
    lane_sums sums = {0}; /* Our own: what is added here cannot be what is read there. */
    slice_vegas by_slice = {.slice = HR_STEP_MIXED};
    for (int64_t at = 0; at < count; at++) {
        float moves[LANES];
        float vegas[LANES];
        find_moves(&blocks[at], 0, LANES, pass->log_index, moves);
        sum_block(&blocks[at], pass, moves, &sums, vegas);
        sum_vegas(&blocks[at], vegas, &by_slice, vega_of_cell);
    }
    close_slice(&by_slice, vega_of_cell);
    *sums_out = sums;
}

typedef void sum_kernel(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                        lane_sums *to, double *vega_of_cell);

static void sum_plain(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                      lane_sums *to, double *vega_of_cell) {
    sum_blocks(blocks, count, pass, to, vega_of_cell);
}

HR_WIDE static void sum_wide(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                             lane_sums *to, double *vega_of_cell) {
    sum_blocks(blocks, count, pass, to, vega_of_cell);
}

HR_WIDEST static void sum_widest(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                                 lane_sums *to, double *vega_of_cell) {
    sum_blocks(blocks, count, pass, to, vega_of_cell);
}

static double total(const float lanes[LANES]) {
    double sum = 0.0;
    HR_OVER_LANES
    for (int i = 0; i < LANES; i++) {
        sum += (double)lanes[i];
    }
    return sum;
}

static double largest(const float lanes[LANES]) {
    double found = 0.0;
    HR_OVER_LANES
    for (int i = 0; i < LANES; i++) {
        found = (double)lanes[i] > found ? (double)lanes[i] : found;
    }
    return found;
}

void hr_engine_sum_steps(const hr_engine *engine, const hr_screen *pass, hr_step_sums *out) {
    lane_sums lanes;
    *out = (hr_step_sums){0};
    sum_kernel *kernel = hr_is_widest() ? sum_widest : hr_is_wide() ? sum_wide : sum_plain;
    kernel(engine->blocks, hr_engine_block_count(engine), pass, &lanes, out->vega_of_cell);
    out->delta = total(lanes.sums[DELTA]);
    out->delta_error = total(lanes.sums[DELTA_ERROR]);
    out->gamma = total(lanes.sums[GAMMA]);
    out->gamma_error = total(lanes.sums[GAMMA_ERROR]);
    out->vega_error = total(lanes.sums[VEGA_ERROR]);
    out->up_delta = total(lanes.sums[UP_DELTA]);
    out->down_delta = total(lanes.sums[DOWN_DELTA]);
    out->up_vega = total(lanes.sums[UP_VEGA]);
    out->down_vega = total(lanes.sums[DOWN_VEGA]);
    out->two_sided = total(lanes.sums[TWO_SIDED]);
    out->one_sided = total(lanes.sums[ONE_SIDED]);
    out->up_gamma = total(lanes.sums[UP_GAMMA]);
    out->down_gamma = total(lanes.sums[DOWN_GAMMA]);
    out->live_most = largest(lanes.mosts[LIVE_MOST]);
    out->delta_most = largest(lanes.mosts[DELTA_MOST]);
    out->vega_most = largest(lanes.mosts[VEGA_MOST]);
    out->gamma_most = largest(lanes.mosts[GAMMA_MOST]);
}
