/* hr_lanes.h: running branch-free code over four lanes where the processor can.
 *
 * A kernel is an HR_INLINE function over a block; it is compiled twice, plainly and HR_WIDE, and
 * hr_is_wide() picks. Both give the same bits: neither contracts nor reorders. */
#ifndef HR_LANES_H
#define HR_LANES_H

#include <stdint.h>

#define HR_LANES 64 /* options in a block */

#if defined(__x86_64__) && defined(__GNUC__)
#define HR_WIDE __attribute__((target("avx2")))
static inline int32_t hr_is_wide(void) {
    return __builtin_cpu_supports("avx2") != 0;
}
#else
#define HR_WIDE
static inline int32_t hr_is_wide(void) {
    return 0;
}
#endif

#endif
