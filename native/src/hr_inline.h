/* hr_inline.h: what the compiler is not asked about: what stands in a tick's way, and what does
 * not.
 */
#ifndef HR_INLINE_H
#define HR_INLINE_H

#define HR_INLINE static inline __attribute__((always_inline))

/* Called and not inlined: much, seldom or from many places, and where it stood it took registers
 * and cache from a tick's way. */
#define HR_APART __attribute__((noinline))

#endif
