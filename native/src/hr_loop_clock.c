/* hr_loop_clock.c: desk time in some 20 ns. The kernel's clock costs twice that through the vDSO;
 * between two readings of it we count cycles, at the rate seen between earlier readings. */
#define _GNU_SOURCE
#include "hr_loop_state.h"

#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define NS_PER_S 1000000000
#define RATE_NS_MIN 50000000 /* A rate is taken over at least so long. */

static int64_t system_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

#if defined(__x86_64__)
static int64_t cycles(void) {
    return (int64_t)__rdtsc();
}
#else
static int64_t cycles(void) {
    return 0;
}
#endif

void hr_loop_anchor(hr_loop *loop) {
    const int64_t counted = cycles();
    const int64_t now_ns = system_ns() + loop->config.offset_ns;
    const int64_t elapsed_ns = now_ns - loop->rate_ns;
    const int64_t elapsed_cycles = counted - loop->rate_cycles;
    if (loop->rate_ns == 0 || elapsed_ns < 0 || elapsed_cycles < 0) {
        loop->rate_ns = now_ns;
        loop->rate_cycles = counted;
    } else if (elapsed_ns >= RATE_NS_MIN && elapsed_cycles > 0) {
        loop->ns_per_cycle = (double)elapsed_ns / (double)elapsed_cycles;
        loop->rate_ns = now_ns;
        loop->rate_cycles = counted;
    }
    loop->anchor_ns = now_ns;
    loop->anchor_cycles = counted;
}

int64_t hr_loop_now(void *argument) {
    const hr_loop *loop = argument;
    if (!(loop->ns_per_cycle > 0.0)) {
        return system_ns() + loop->config.offset_ns;
    }
    const int64_t elapsed = cycles() - loop->anchor_cycles;
    return loop->anchor_ns + (int64_t)((double)elapsed * loop->ns_per_cycle);
}
