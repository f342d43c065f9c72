/* hr_lanes.h: running branch-free code over four or eight lanes where the processor can.
 *
 * A kernel is an HR_INLINE function over a block; it is compiled plainly, HR_WIDE and, where that
 * pays, HR_WIDEST; hr_is_wide() and hr_is_widest() pick. All give the same bits: none contracts or
 * reorders. */
#ifndef HR_LANES_H
#define HR_LANES_H

#include <stdint.h>

/* Before a loop over lanes: gcc would unroll it, and then no longer see what can go together. */
#if defined(__GNUC__) && !defined(__clang__)
#define HR_OVER_LANES _Pragma("GCC unroll 1")
#else
#define HR_OVER_LANES
#endif

#define HR_LANES 64 /* options in a block */

#if defined(__x86_64__) && defined(__GNUC__)
#define HR_WIDE __attribute__((target("avx2")))
#if defined(__clang__) /* It knows no such preference. */
#define HR_WIDEST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define HR_WIDEST                                                                                  \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
static inline int32_t hr_is_wide(void) {
    return __builtin_cpu_supports("avx2") != 0;
}
static inline int32_t hr_is_widest(void) {
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#else
#define HR_WIDE
#define HR_WIDEST
static inline int32_t hr_is_wide(void) {
    return 0;
}
static inline int32_t hr_is_widest(void) {
    return 0;
}
#endif

#endif
