/* hr_engine_screen.c: sums of the book and what may be left alone, eight slots at a time; see
 * hr_engine_step.h. Branch-free, so that the compiler runs it over lanes. */
#include "hr_engine_state.h"
#include "hr_lanes.h"
#include "hr_normal.h"

#include <math.h>

#define HALF_SLACK 1e-7
#define PRICE_SLACK 2e-9 /* Coin; what rounding of prices and of these formulas may do. */
#define ROUNDED_FEE_MIN 0.25

#define LANES HR_STEP_LANES

HR_INLINE double least(double one, double other) {
    return one < other ? one : other;
}

HR_INLINE double most(double one, double other) {
    return one > other ? one : other;
}

/* Lanes that are not sums but would be if they were added up at the end. */
typedef struct {
    double sums[13][LANES];
    double mosts[4][LANES];
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

HR_INLINE void sum_block(const hr_step_block *from, const hr_screen *pass, lane_sums *to,
                         double vegas[LANES]) {
    for (int i = 0; i < LANES; i++) {
        const double move = pass->log_index - from->log_index[i];
        const double size = fabs(move);
        const double position = from->position_coin[i];
        const double bid = from->live_coin[HR_SIDE_BID][i];
        const double ask = from->live_coin[HR_SIDE_ASK][i];
        const double delta = from->delta[i] + move * from->delta_slope[i];
        const double usd = pass->index_usd * from->usd_ratio[i];
        const double vega = (from->vega[i] + move * from->vega_slope[i]) * usd;
        const double amount = fabs(position) + bid + ask;
        const double live = most(bid, ask);
        const double size2 = size * size;
        to->sums[DELTA][i] += position * delta;
        to->sums[GAMMA][i] += position * from->gamma[i];
        vegas[i] = position * vega;
        to->sums[DELTA_ERROR][i] += amount * (from->delta_square[i] * size2 + from->delta_time[i]);
        to->sums[VEGA_ERROR][i] +=
            amount * usd * (from->vega_square[i] * size2 + from->vega_time[i]);
        to->sums[GAMMA_ERROR][i] += amount * from->gamma_line[i] * size;
        to->sums[UP_DELTA][i] += bid * most(delta, 0.0) + ask * most(-delta, 0.0);
        to->sums[DOWN_DELTA][i] += ask * most(delta, 0.0) + bid * most(-delta, 0.0);
        to->sums[UP_VEGA][i] += bid * vega;
        to->sums[DOWN_VEGA][i] += ask * vega;
        const double is_bid = least(1.0, bid * 1e12);
        const double is_ask = least(1.0, ask * 1e12);
        to->sums[TWO_SIDED][i] += is_bid * is_ask * from->is_quotable[i];
        to->sums[ONE_SIDED][i] += fabs(is_bid - is_ask);
        const double gamma_now = from->gamma[i];
        to->sums[UP_GAMMA][i] += bid * most(gamma_now, 0.0) + ask * most(-gamma_now, 0.0);
        to->sums[DOWN_GAMMA][i] += ask * most(gamma_now, 0.0) + bid * most(-gamma_now, 0.0);
        to->mosts[LIVE_MOST][i] = most(to->mosts[LIVE_MOST][i], live);
        to->mosts[DELTA_MOST][i] = most(to->mosts[DELTA_MOST][i], fabs(delta));
        to->mosts[VEGA_MOST][i] = most(to->mosts[VEGA_MOST][i], vega);
        const double gamma = (fabs(from->gamma[i]) + from->gamma_line[i] * size) *
                             most(from->is_quotable[i], least(1.0, live * 1e12));
        to->mosts[GAMMA_MOST][i] = most(to->mosts[GAMMA_MOST][i], gamma);
    }
}

HR_INLINE void sum_blocks(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                          lane_sums *sums_out, double *vega_of_cell) {
    lane_sums sums = {0}; /* Our own: what is added here cannot be what is read there. */
    for (int64_t at = 0; at < count; at++) {
        double vegas[LANES];
        sum_block(&blocks[at], pass, &sums, vegas);
        for (int i = 0; i < LANES; i++) {
            vega_of_cell[blocks[at].cell[i]] += vegas[i];
        }
    }
    *sums_out = sums;
}

static void sum_plain(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                      lane_sums *to, double *vega_of_cell) {
    sum_blocks(blocks, count, pass, to, vega_of_cell);
}

HR_WIDE static void sum_wide(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                             lane_sums *to, double *vega_of_cell) {
    sum_blocks(blocks, count, pass, to, vega_of_cell);
}

static double total(const double lanes[LANES]) {
    double sum = 0.0;
    for (int i = 0; i < LANES; i++) {
        sum += lanes[i];
    }
    return sum;
}

static double largest(const double lanes[LANES]) {
    double found = 0.0;
    for (int i = 0; i < LANES; i++) {
        found = most(found, lanes[i]);
    }
    return found;
}

void hr_engine_sum_steps(const hr_engine *engine, const hr_screen *pass, hr_step_sums *out) {
    lane_sums lanes;
    *out = (hr_step_sums){0};
    (hr_is_wide() ? sum_wide : sum_plain)(engine->blocks, hr_engine_block_count(engine), pass,
                                          &lanes, out->vega_of_cell);
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

/* What a slot's numbers are now, and how wrong they can be. */
typedef struct {
    double theo;
    double theo_error;
    double half;
    double half_error;
    double half_most;
    double reservation;
    double error; /* Of the reservation price. */
    double shift;
    double collar;       /* At least; */
    double collar_error; /* at most that much more. */
    double patience;
} stepped;

HR_INLINE stepped step_lane(const hr_step_block *from, int i, const hr_screen *pass,
                            double vol_shift) {
    const double move = pass->log_index - from->log_index[i];
    const double size = fabs(move);
    const double size2 = size * size;
    const double theo = from->theo[i] + move * (from->theo_slope[i] + move * from->theo_bend[i]);
    const double theo_error = from->theo_cubic[i] * size2 * size + from->theo_time[i];
    const double delta = from->delta[i] + move * from->delta_slope[i];
    const double delta_error = from->delta_square[i] * size2 + from->delta_time[i];
    const double vega = from->vega[i] + move * from->vega_slope[i];
    const double vega_error = from->vega_square[i] * size2 + from->vega_time[i];
    const double vol_half = from->vol_half[i] * pass->widening;
    const double vol_half_error =
        (from->vol_half_line[i] * size + from->vol_half_time[i]) * pass->widening;
    const double fee = least(pass->fee_coin, pass->fee_ratio * theo);
    const double edge = least(pass->edge_coin, pass->edge_ratio * theo);
    const double certain = most(fee + edge - from->rounding_coin[i], ROUNDED_FEE_MIN * fee);
    const double half_whole = certain + vega * vol_half + fabs(delta) * pass->spot_ratio;
    const double half = least(pass->half_max, most(half_whole, HALF_SLACK));
    const double half_error = (pass->fee_ratio + pass->edge_ratio) * theo_error +
                              vega_error * vol_half + (vega + vega_error) * vol_half_error +
                              delta_error * pass->spot_ratio;
    const double shift_max = pass->skew_max * half;
    const double wish = delta * pass->index_ratio + vega * vol_shift;
    const double wish_error = delta_error * fabs(pass->index_ratio) + vega_error * fabs(vol_shift) +
                              (fabs(delta) + delta_error) * pass->index_ratio_error +
                              (vega + vega_error) * pass->vol_shift_error;
    const double shift = most(-shift_max, least(shift_max, wish));
    const double patience = from->patience[i];
    return (stepped){
        .theo = theo,
        .theo_error = theo_error,
        .half = half,
        .half_error = half_error,
        .half_most = most(half, least(pass->half_max, half * patience)),
        .reservation = theo + shift,
        .error = theo_error + wish_error + pass->skew_max * half_error,
        .shift = fabs(shift),
        .collar = most(pass->collar_coin, pass->collar_vol * (vega - vega_error)),
        .collar_error = 2.0 * pass->collar_vol * vega_error,
        .patience = most(patience, 1.0),
    };
}

/* Returns how much room a resting side has before anything would be done about it; below 0: decide.
 */
HR_INLINE double room_of_side(const hr_step_block *from, int i, int side, const hr_screen *pass,
                              const stepped *now) {
    const double sign = side == HR_SIDE_BID ? 1.0 : -1.0;
    const double slope = from->rival_slope[side][i];
    const double seen = fabs(slope);
    const double relax =
        (1.0 - seen) * (pass->now_ns - from->rival_since_ns[side][i]) * pass->relax_per_ns;
    const double rival = from->rival_coin[side][i] + slope * now->theo + relax * now->half;
    const double half = most(now->half, least(now->half_most, rival));
    const double half_error = (now->patience + relax) * now->half_error + seen * now->theo_error;
    const double price = from->price_coin[side][i];
    const double edge = sign * (now->reservation - price);
    const double error = now->error + pass->passive_above * half_error + PRICE_SLACK;
    const double target = now->reservation - sign * half;
    const double is_call = from->is_call[i];
    const double usage_low =
        is_call * pass->usage_low[side][1] + (1.0 - is_call) * pass->usage_low[side][0];
    const double usage_high =
        is_call * pass->usage_high[side][1] + (1.0 - is_call) * pass->usage_high[side][0];
    /* Either the target is lawful wherever it stands, and what rests is near enough to it; */
    double near = edge - half * pass->urgent_below - error;
    near = least(near, half * pass->passive_above + from->live_step_coin[side][i] - error - edge);
    near = least(near, now->collar - now->shift - half - error - from->step_coin[i]);
    near = least(near,
                 pass->drift_max - fabs(target - from->drift_coin[i]) - error - from->step_coin[i]);
    near = least(near, side == HR_SIDE_BID ? target - from->tick_coin[i] - error : HR_STEP_FAR);
    /* or the target is what rests: the collar keeps it from going further away. */
    const double reach = most(from->tick_coin[i], now->collar - from->step_coin[i]);
    const double clamped = most(sign * (target - now->theo), -reach) + sign * (now->theo - price);
    const double collar_error = error + now->collar_error;
    const double same = least(clamped, from->hold_step_coin[side][i] - clamped) - collar_error;
    double room = most(near, same);
    room = least(room, now->collar - now->theo_error - fabs(price - now->theo) - PRICE_SLACK);
    room = least(room, usage_low - from->usage_low[side][i]);
    room = least(room, from->usage_high[side][i] - usage_high);
    room = least(room, sign * (from->other_coin[!side][i] - target) - error);
    return room + from->absent[side][i];
}

HR_INLINE void screen_block(const hr_step_block *from, const hr_screen *pass,
                            const double vol_shift[LANES], double room_out[LANES]) {
    for (int i = 0; i < LANES; i++) {
        const stepped now = step_lane(from, i, pass, vol_shift[i]);
        const double bid_room = room_of_side(from, i, HR_SIDE_BID, pass, &now);
        const double ask_room = room_of_side(from, i, HR_SIDE_ASK, pass, &now);
        const double size = fabs(pass->log_index - from->log_index[i]);
        const double intrinsic = from->intrinsic_coin[i] + from->bound_slope[i] * size;
        const double ask_least = now.reservation + now.half - now.error - now.half_error;
        const double bid_most = now.reservation + now.error;
        double room = least(bid_room, ask_room);
        room = least(room, ask_least - intrinsic - PRICE_SLACK);
        room = least(room, from->ceiling_coin[i] - bid_most - PRICE_SLACK);
        const double nothing = now.reservation - now.reservation; /* NaN if it is no number. */
        room_out[i] = room + nothing + (1.0 - from->is_quotable[i]) * HR_STEP_FAR;
    }
}

HR_INLINE void screen_blocks(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                             uint8_t *picks) {
    for (int64_t at = 0; at < count; at++) {
        double vol_shift[LANES];
        double room[LANES];
        for (int i = 0; i < LANES; i++) {
            vol_shift[i] = pass->vol_shift[blocks[at].cell[i]];
        }
        screen_block(&blocks[at], pass, vol_shift, room);
        uint32_t bits = 0;
        for (int i = 0; i < LANES; i++) {
            bits |= (uint32_t)!(room[i] >= 0.0) << i;
        }
        picks[at] |= (uint8_t)bits;
    }
}

static void screen_plain(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                         uint8_t *picks) {
    screen_blocks(blocks, count, pass, picks);
}

HR_WIDE static void screen_wide(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                                uint8_t *picks) {
    screen_blocks(blocks, count, pass, picks);
}

void hr_engine_screen(hr_engine *engine, const hr_screen *pass) {
    (hr_is_wide() ? screen_wide : screen_plain)(engine->blocks, hr_engine_block_count(engine), pass,
                                                engine->picks);
}

HR_INLINE void find_far_blocks(const hr_step_block *blocks, int64_t count, double log_index,
                               double now_ns, uint8_t *picks) {
    for (int64_t at = 0; at < count; at++) {
        double room[LANES];
        for (int i = 0; i < LANES; i++) {
            const double reach = blocks[at].reach[i] - fabs(log_index - blocks[at].log_index[i]);
            room[i] = least(reach, blocks[at].until_ns[i] - now_ns);
        }
        uint32_t bits = 0;
        for (int i = 0; i < LANES; i++) {
            bits |= (uint32_t)!(room[i] >= 0.0) << i;
        }
        picks[at] = (uint8_t)bits;
    }
}

static void find_far_plain(const hr_step_block *blocks, int64_t count, double log_index,
                           double now_ns, uint8_t *picks) {
    find_far_blocks(blocks, count, log_index, now_ns, picks);
}

HR_WIDE static void find_far_wide(const hr_step_block *blocks, int64_t count, double log_index,
                                  double now_ns, uint8_t *picks) {
    find_far_blocks(blocks, count, log_index, now_ns, picks);
}

void hr_engine_find_far(hr_engine *engine, const hr_screen *pass) {
    (hr_is_wide() ? find_far_wide : find_far_plain)(engine->blocks, hr_engine_block_count(engine),
                                                    pass->log_index, pass->now_ns, engine->picks);
}
