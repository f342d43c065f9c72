/* hr_engine_screen.c: what may be left alone, sixteen slots at a time; see hr_engine_step.h.
 * Branch-free, so that the compiler runs it over lanes. */
#include "hr_engine_lanes.h"

#include <math.h>
#include <string.h>

#define HALF_SLACK 1e-7f
#define ROUNDED_FEE_MIN 0.25f

/* What a slot's numbers are now, and how wrong they can be. */
typedef struct {
    float theo;
    float theo_error;
    float half;
    float half_error;
    float half_most;
    float reservation;
    float error; /* Of the reservation price. */
    float shift;
    float collar;       /* At least; */
    float collar_error; /* at most that much more. */
    float patience;
} stepped;

HR_INLINE stepped step_lane(const hr_step_block *from, int i, const hr_screen *pass, float move,
                            float vol_shift) {
    const float size = fabsf(move);
    const float size2 = size * size;
    const float theo = from->theo[i] + move * (from->theo_slope[i] + move * from->theo_bend[i]);
    const float theo_error = from->theo_cubic[i] * size2 * size + from->theo_time[i];
    const float delta = from->delta[i] + move * from->delta_slope[i];
    const float delta_error = from->delta_square[i] * size2 + from->delta_time[i];
    const float vega = from->vega[i] + move * from->vega_slope[i];
    const float vega_error = from->vega_square[i] * size2 + from->vega_time[i];
    const float vol_half = (from->vol_half[i] + move * from->vol_half_slope[i]) * pass->widening;
    const float vol_half_error =
        (from->vol_half_square[i] * size2 + from->vol_half_time[i]) * pass->widening;
    const float fee = least(pass->fee_coin, pass->fee_ratio * theo);
    const float edge = least(pass->edge_coin, pass->edge_ratio * theo);
    const float certain = most(fee + edge - from->rounding_coin[i], ROUNDED_FEE_MIN * fee);
    const float half_whole =
        certain + vega * vol_half + fabsf(delta) * pass->spot_ratio + from->miss_coin[i];
    const float half = least(pass->half_max, most(half_whole, HALF_SLACK));
    const float half_error = (pass->fee_ratio + pass->edge_ratio) * theo_error +
                             vega_error * vol_half + (vega + vega_error) * vol_half_error +
                             delta_error * pass->spot_ratio;
    const float shift_max = pass->skew_max * half;
    const float wish = delta * pass->index_ratio + vega * vol_shift;
    const float wish_error = delta_error * fabsf(pass->index_ratio) +
                             vega_error * fabsf(vol_shift) +
                             (fabsf(delta) + delta_error) * pass->index_ratio_error +
                             (vega + vega_error) * pass->vol_shift_error;
    const float shift = most(-shift_max, least(shift_max, wish));
    const float patience = from->patience[i];
    const float half_most = most(half, least(pass->half_max, half * patience));
    return (stepped){
        .theo = theo,
        .theo_error = theo_error + ROUNDING * theo,
        .half = half,
        .half_error = half_error,
        .half_most = half_most,
        .reservation = theo + shift,
        .error = theo_error + wish_error + pass->skew_max * half_error +
                 ROUNDING * (theo + fabsf(shift) + half_most),
        .shift = fabsf(shift),
        .collar = most(pass->collar_coin, pass->collar_vol * (vega - vega_error)),
        .collar_error = 2.0f * pass->collar_vol * vega_error,
        .patience = most(patience, 1.0f),
    };
}

/* Returns how much room a resting side has before anything would be done about it; below 0: decide.
 */
HR_INLINE float room_of_side(const hr_step_block *from, int i, int side, const hr_screen *pass,
                             float relax, const stepped *now) {
    const float sign = side == HR_SIDE_BID ? 1.0f : -1.0f;
    const float slope = from->rival_slope[side][i];
    const float seen = fabsf(slope);
    const float rival = from->rival_coin[side][i] + slope * now->theo + relax * now->half;
    const float half = most(now->half, least(now->half_most, rival));
    const float half_error = (now->patience + relax) * now->half_error + seen * now->theo_error;
    const float price = from->price_coin[side][i];
    const float edge = sign * (now->reservation - price);
    const float error = now->error + pass->passive_above * half_error;
    const float target = now->reservation - sign * half;
    const float is_call = from->is_call[i];
    const float usage_low =
        is_call * pass->usage_low[side][1] + (1.0f - is_call) * pass->usage_low[side][0];
    const float usage_high =
        is_call * pass->usage_high[side][1] + (1.0f - is_call) * pass->usage_high[side][0];
    /* Either the target is lawful wherever it stands, and what rests is near enough to it; */
    float near = edge - half * pass->urgent_below - error;
    near = least(near, half * pass->passive_above + from->live_step_coin[side][i] - error - edge);
    near = least(near, now->collar - now->shift - half - error - from->step_coin[i]);
    near = least(near, pass->drift_max - fabsf(target - from->drift_coin[i]) - error -
                           from->step_coin[i]);
    near = least(near, side == HR_SIDE_BID ? target - from->tick_coin[i] - error : FAR);
    /* or the target is what rests: the collar keeps it from going further away. */
    const float reach = most(from->tick_coin[i], now->collar - from->step_coin[i]);
    const float clamped = most(sign * (target - now->theo), -reach) + sign * (now->theo - price);
    const float collar_error = error + now->collar_error;
    const float same = least(clamped, from->hold_step_coin[side][i] - clamped) - collar_error;
    float room = most(near, same);
    room = least(room, now->collar - now->theo_error - fabsf(price - now->theo));
    room = least(room, usage_low - from->usage_low[side][i]);
    room = least(room, from->usage_high[side][i] - usage_high);
    room = least(room, sign * (from->other_coin[!side][i] - target) - error);
    return room + from->absent[side][i];
}

/* What of the least half-spread an unseen rival has moved away by now. */
HR_INLINE void find_relaxations(const hr_step_block *from, int first, int width, int side,
                                const hr_screen *pass, float relax_out[LANES]) {
    double relax[LANES];
    HR_OVER_LANES
    for (int i = first; i < first + width; i++) {
        relax[i] = (pass->now_ns - from->rival_since_ns[side][i]) * pass->relax_per_ns;
    }
    narrow(relax, first, width, relax_out);
}

HR_INLINE void find_vol_shifts(const hr_step_block *from, int first, int width,
                               const hr_screen *pass, float shift_out[LANES]) {
    if (from->slice == HR_STEP_MIXED) {
        HR_OVER_LANES
        for (int i = first; i < first + width; i++) {
            shift_out[i] = pass->vol_shift[from->cell[i]];
        }
        return;
    }
    const float *shifts = &pass->vol_shift[from->slice * HR_ENGINE_REGIONS];
    const float low = shifts[0];
    const float middle = shifts[1];
    const float high = shifts[2];
    HR_OVER_LANES
    for (int i = first; i < first + width; i++) {
        const float upper = from->region[i] < 1.5f ? middle : high;
        shift_out[i] = from->region[i] < 0.5f ? low : upper;
    }
}

/* Screens `width` lanes of a block, a constant where this is inlined. */
HR_INLINE void screen_block(const hr_step_block *from, int first, int width, const hr_screen *pass,
                            float room_out[LANES]) {
    float moves[LANES];
    float vol_shift[LANES];
    float relax[2][LANES];
    find_moves(from, first, width, pass->log_index, moves);
    find_vol_shifts(from, first, width, pass, vol_shift);
    find_relaxations(from, first, width, HR_SIDE_BID, pass, relax[HR_SIDE_BID]);
    find_relaxations(from, first, width, HR_SIDE_ASK, pass, relax[HR_SIDE_ASK]);
    HR_OVER_LANES
    for (int i = first; i < first + width; i++) {
        const stepped now = step_lane(from, i, pass, moves[i], vol_shift[i]);
        const float bid_relax =
            (1.0f - fabsf(from->rival_slope[HR_SIDE_BID][i])) * relax[HR_SIDE_BID][i];
        const float ask_relax =
            (1.0f - fabsf(from->rival_slope[HR_SIDE_ASK][i])) * relax[HR_SIDE_ASK][i];
        const float bid_room = room_of_side(from, i, HR_SIDE_BID, pass, bid_relax, &now);
        const float ask_room = room_of_side(from, i, HR_SIDE_ASK, pass, ask_relax, &now);
        const float intrinsic = from->intrinsic_coin[i] + from->bound_slope[i] * fabsf(moves[i]);
        const float ask_least = now.reservation + now.half - now.error - now.half_error;
        const float bid_most = now.reservation + now.error;
        float room = least(bid_room, ask_room);
        room = least(room, ask_least - intrinsic - ROUNDING);
        room = least(room, from->ceiling_coin[i] - bid_most - ROUNDING);
        const float nothing = now.reservation - now.reservation; /* NaN if it is no number. */
        room_out[i] = room + nothing + (1.0f - from->is_quotable[i]) * FAR;
    }
}

/* Returns a bit for each lane that has no room; a NaN has none. */
HR_INLINE uint64_t bits_of(const float room[LANES]) {
    int32_t bad = 0;
    HR_OVER_LANES
    for (int i = 0; i < LANES; i++) {
        bad += room[i] >= 0.0f ? 0 : 1;
    }
    if (bad == 0) {
        return 0;
    }
    uint64_t bits = 0;
    HR_OVER_LANES
    for (int i = 0; i < LANES; i++) {
        bits |= (uint64_t)!(room[i] >= 0.0f) << i;
    }
    return bits;
}

/* Adds the slots of a block to a set. */
HR_INLINE void pick(uint64_t *picks, int64_t block, uint64_t bits) {
    picks[block * LANES / HR_SET_BITS] |= bits << (block * LANES % HR_SET_BITS);
}

HR_INLINE void screen_blocks(const hr_step_block *blocks, int64_t count, int width,
                             const hr_screen *pass, uint64_t *picks) {
    for (int64_t at = 0; at < count; at++) {
        float room[LANES];
        for (int first = 0; first < LANES; first += width) {
            screen_block(&blocks[at], first, width, pass, room);
        }
        pick(picks, at, bits_of(room));
    }
}

HR_INLINE void find_far_blocks(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                               uint64_t *picks) {
    for (int64_t at = 0; at < count; at++) {
        int64_t far[LANES];
        int64_t is_any = 0;
        HR_OVER_LANES
        for (int i = 0; i < LANES; i++) {
            const double move = fabs(pass->log_index - blocks[at].log_index[i]);
            const double reach = blocks[at].reach[i] - move;
            const double time = blocks[at].until_ns[i] - pass->now_ns;
            far[i] = 1 - ((reach >= 0.0) & (time >= 0.0)); /* A NaN is far. */
            is_any += far[i];
        }
        for (int i = 0; i < LANES && is_any; i++) {
            pick(picks, at, (uint64_t)far[i] << i);
        }
    }
}

typedef void pick_kernel(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                         uint64_t *picks);

static void screen_plain(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                         uint64_t *picks) {
    screen_blocks(blocks, count, LANES / 2, pass, picks);
}

HR_WIDE static void screen_wide(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                                uint64_t *picks) {
    screen_blocks(blocks, count, LANES / 2, pass, picks);
}

HR_WIDEST static void screen_widest(const hr_step_block *blocks, int64_t count,
                                    const hr_screen *pass, uint64_t *picks) {
    screen_blocks(blocks, count, LANES, pass, picks);
}

static void find_far_plain(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                           uint64_t *picks) {
    find_far_blocks(blocks, count, pass, picks);
}

HR_WIDE static void find_far_wide(const hr_step_block *blocks, int64_t count, const hr_screen *pass,
                                  uint64_t *picks) {
    find_far_blocks(blocks, count, pass, picks);
}

HR_WIDEST static void find_far_widest(const hr_step_block *blocks, int64_t count,
                                      const hr_screen *pass, uint64_t *picks) {
    find_far_blocks(blocks, count, pass, picks);
}

void hr_engine_screen(hr_engine *engine, const hr_screen *pass) {
    pick_kernel *kernel = hr_is_widest() ? screen_widest
                          : hr_is_wide() ? screen_wide
                                         : screen_plain;
    kernel(engine->blocks, hr_engine_block_count(engine), pass, engine->picks);
}

void hr_engine_find_far(hr_engine *engine, const hr_screen *pass) {
    pick_kernel *kernel = hr_is_widest() ? find_far_widest
                          : hr_is_wide() ? find_far_wide
                                         : find_far_plain;
    memset(engine->picks, 0, (size_t)hr_engine_set_words(engine) * sizeof *engine->picks);
    kernel(engine->blocks, hr_engine_block_count(engine), pass, engine->picks);
}
