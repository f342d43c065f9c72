/* hr_divide.h: whole quotients and remainders of what is mostly small. Many processors take several
 * times as long for a division of 64 bits as for one of 32, whatever the numbers. */
#ifndef HR_DIVIDE_H
#define HR_DIVIDE_H

#include <stdint.h>

/* `by` is not 0. */
static inline uint64_t hr_quotient(uint64_t number, uint64_t by) {
    return (number | by) >> 32 == 0 ? (uint32_t)number / (uint32_t)by : number / by;
}

/* The same for `number - hr_quotient(number, by) * by`. */
static inline uint64_t hr_remainder(uint64_t number, uint64_t by) {
    return (number | by) >> 32 == 0 ? (uint32_t)number % (uint32_t)by : number % by;
}

#endif
