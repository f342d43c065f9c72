/* hr_engine_lanes.h: what the kernels over blocks of slots share; private. */
#ifndef HR_ENGINE_LANES_H
#define HR_ENGINE_LANES_H

#include "hr_engine_state.h"
#include "hr_lanes.h"
#include "hr_normal.h"

#define ROUNDING HR_STEP_ROUNDING
#define FAR ((float)HR_STEP_FAR)
#define LANES HR_STEP_LANES

HR_INLINE float least(float one, float other) {
    return one < other ? one : other;
}

HR_INLINE float most(float one, float other) {
    return one > other ? one : other;
}

/* Doubles as floats; the compiler does not see for itself that this runs over lanes. */
typedef double double_lanes __attribute__((vector_size(8 * sizeof(double)), aligned(8), may_alias));
typedef float float_lanes __attribute__((vector_size(8 * sizeof(float)), aligned(4), may_alias));

HR_INLINE void narrow(const double from[LANES], int first, int width, float out[LANES]) {
    for (int i = first; i < first + width; i += 8) {
        const double_lanes *wide = (const double_lanes *)&from[i];
        *(float_lanes *)&out[i] = __builtin_convertvector(*wide, float_lanes);
    }
}

/* How far the index has moved from the anchors. */
HR_INLINE void find_moves(const hr_step_block *from, int first, int width, double log_index,
                          float moves_out[LANES]) {
    double moves[LANES];
    HR_OVER_LANES
    for (int i = first; i < first + width; i++) {
        moves[i] = log_index - from->log_index[i];
    }
    narrow(moves, first, width, moves_out);
}

#endif
