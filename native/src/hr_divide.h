/* hr_divide.h: whole quotients and remainders of what is mostly small. Many processors take several
 * times as long for a division of 64 bits as for one of 32, whatever the numbers; and for that
 * several times as long as for one by a constant, such as the ticks in an option's coarse step. */
#ifndef HR_DIVIDE_H
#define HR_DIVIDE_H

#include <stdint.h>

#define HR_USUAL_STEP 5

/* `by` is not 0. */
static inline uint64_t hr_quotient(uint64_t number, uint64_t by) {
    if (by == HR_USUAL_STEP) {
        return number / HR_USUAL_STEP;
    }
    return (number | by) >> 32 == 0 ? (uint32_t)number / (uint32_t)by : number / by;
}

/* The same for `number - hr_quotient(number, by) * by`. */
static inline uint64_t hr_remainder(uint64_t number, uint64_t by) {
    if (by == HR_USUAL_STEP) {
        return number % HR_USUAL_STEP;
    }
    return (number | by) >> 32 == 0 ? (uint32_t)number % (uint32_t)by : number % by;
}

#endif
