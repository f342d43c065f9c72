/* hr_normal.h: exp, log and the Mills ratio of the normal law, branch-free, for pricing only.
 *
 * Every function is plain arithmetic without branches, tables or library calls, so the compiler
 * can run it over four lanes at once, and one lane or four give the same bits on every machine
 * (the build forbids contraction). Coefficients: minimax fits made at 50 digits; the error of each
 * fit, before rounding, stands beside it.
 */
#ifndef HR_NORMAL_H
#define HR_NORMAL_H

#include "hr_inline.h"

#include <stdint.h>
#include <string.h>

static const double HR_INV_SQRT_2PI = 0.3989422804014326779;
static const double HR_LN_SQRT_2PI = 0.9189385332046727418;

HR_INLINE uint64_t hr_bits_from_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

HR_INLINE double hr_double_from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ln(numerator/denominator) for positive normal doubles whose ratio is in [1e-300, 1e300).
 * Relative error < 1e-15 even where the two nearly agree: their difference is exact there. */
HR_INLINE double hr_log_ratio(double numerator, double denominator) {
    const uint64_t sqrt_half = 0x3fe6a09e667f3bcdu;
    const uint64_t ratio = hr_bits_from_double(numerator / denominator);
    const uint64_t biased = (ratio - sqrt_half + (UINT64_C(1023) << 52)) >> 52;
    const double scaled = numerator * hr_double_from_bits((UINT64_C(2046) - biased) << 52);
    const double exponent =
        hr_double_from_bits(biased | UINT64_C(0x4330000000000000)) - (4503599627370496.0 + 1023.0);
    const double r = (scaled - denominator) / (scaled + denominator);
    const double r2 = r * r;
    /* (atanh(r)/r - 1)/r2 on |r| < 0.1716, error 3e-20. */
    const double r4 = r2 * r2;
    double even = 0.06634379834280306;
    even = even * r4 + 0.09090897815442377;
    even = even * r4 + 0.14285714285401616;
    even = even * r4 + 0.3333333333333333;
    double odd = 0.06543383504974087;
    odd = odd * r4 + 0.07693120102906739;
    odd = odd * r4 + 0.11111111195900235;
    odd = odd * r4 + 0.2000000000000044;
    const double tail = 2.0 * (r * r2) * (even + r2 * odd);
    return exponent * 0x1.62e42fefa3800p-1 +
           (2.0 * r + (tail + exponent * 5.4979230187083711747e-14));
}

/* exp(value) for value <= 0, relative error < 3e-16; 0 below -708. */
HR_INLINE double hr_exp_negative(double value) {
    const double clamped = value < -708.0 ? -708.0 : value;
    const double shifted = clamped * 1.4426950408889634074 + 6755399441055744.0;
    const double k = shifted - 6755399441055744.0;
    const double r = (clamped - k * 0x1.62e42fefa3800p-1) - k * 5.4979230187083711747e-14;
    const uint64_t scale = (hr_bits_from_double(shifted) + UINT64_C(1023)) << 52;
    const double r2 = r * r;
    /* (exp(r) - 1 - r)/r2 on |r| < 0.3467, error 2e-19. */
    double even = 2.0914686968086876e-09;
    even = even * r2 + 2.75572736431103e-07;
    even = even * r2 + 2.4801587325547743e-05;
    even = even * r2 + 0.0013888888888883748;
    even = even * r2 + 0.04166666666666667;
    even = even * r2 + 0.5;
    double odd = 2.5105217004720745e-08;
    odd = odd * r2 + 2.7557255400206422e-06;
    odd = odd * r2 + 0.00019841269874820627;
    odd = odd * r2 + 0.008333333333326136;
    odd = odd * r2 + 0.1666666666666667;
    const double result = (1.0 + (r + r2 * (even + r * odd))) * hr_double_from_bits(scale);
    return value < -708.0 ? 0.0 : result;
}

/* N(z)/n(z), cumulative over density of the normal law, for z <= 1: a rational function of
 * w = 1 - z with positive coefficients, error of the fit 1.5e-17, relative error < 2e-15. Even and
 * odd powers go apart, which halves the chain of dependent operations. */
HR_INLINE double hr_mills(double z) {
    const double w = 1.0 - z;
    const double w2 = w * w;
    double above_even = 2.5366408113254106e-05;
    above_even = above_even * w2 + 0.0032410541670315164;
    above_even = above_even * w2 + 0.10997428141798357;
    above_even = above_even * w2 + 1.304285882067145;
    above_even = above_even * w2 + 5.085434748428616;
    above_even = above_even * w2 + 3.4770518117036944;
    double above_odd = 9.396990168378754e-07;
    above_odd = above_odd * w2 + 0.00035228895311061194;
    above_odd = above_odd * w2 + 0.021678231907596685;
    above_odd = above_odd * w2 + 0.43075025180253296;
    above_odd = above_odd * w2 + 3.007872586973981;
    above_odd = above_odd * w2 + 5.782079907165931;
    double below_even = 9.396990168378755e-07;
    below_even = below_even * w2 + 0.0003278622440142204;
    below_even = below_even * w2 + 0.018813893403353737;
    below_even = below_even * w2 + 0.3452151975054301;
    below_even = below_even * w2 + 2.206907245906607;
    below_even = below_even * w2 + 4.117868071913375;
    below_even = below_even * w2 + 1.0;
    double below_odd = 2.4426709096416187e-05;
    below_odd = below_odd * w2 + 0.0029150713210457477;
    below_odd = below_odd * w2 + 0.09185932768831216;
    below_odd = below_odd * w2 + 1.0001893541370426;
    below_odd = below_odd * w2 + 3.602885952598129;
    below_odd = below_odd * w2 + 2.9505259842081033;
    return (above_even + w * above_odd) / (below_even + w * below_odd);
}

#endif
