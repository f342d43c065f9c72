/* hr_implied_vol.h: what the two solvers of hr_implied_vol share. Symbols as in hr_black.h.
 *
 * Both solve for s on the out-of-the-money price, in logarithms: they need no exponential and
 * make the deep wing nearly quadratic. Steps are Householder's, of order four.
 */
#ifndef HR_IMPLIED_VOL_H
#define HR_IMPLIED_VOL_H

#include <math.h>

#include "hr_black.h"

/* hr_deviation_anywhere: s of any out-of-the-money price in (0, low); rest = low - price, exactly
 * rounded; low <= high are the forward and the strike. Bracketed, so it always ends. */
hr_status hr_deviation_anywhere(double price, double rest, double low, double high,
                                double *deviation_out);

/* The step for s where ln(model) - ln(target) is `error` and the model over its derivative by s
 * is `difference` (negative where the model falls with s). */
HR_INLINE double hr_householder_step(double error, double difference, double h, double inverse_s,
                                     double s) {
    const double newton = -error * difference;
    const double hs = h * inverse_s;
    const double b2 = h * hs - 0.25 * s; /* v'/v, and below v''/v */
    const double b3 = b2 * b2 - 3.0 * hs * hs - 0.25;
    const double bend = newton * b2;
    const double a = bend + error;
    const double c = newton * newton * b3 + error * (3.0 * bend + 2.0 * error);
    const double factor = (1.0 + 0.5 * a) / (1.0 + a + c * (1.0 / 6.0));
    return factor > 0.25 && factor < 4.0 ? newton * factor : newton;
}

/* Bachelier's s, within 1e-5, of an out-of-the-money price: a rational fit in the one variable
 * that problem has (Choi, Kim and Kwak 2009). price and gap = |F - K| are over sqrt(FK). */
HR_INLINE double hr_bachelier_deviation(double price, double gap) {
    const double straddle = 2.0 * price + gap;
    const double v = gap / straddle;
    const double raw = 2.0 * v / hr_log_ratio(price + gap, price);
    const double eta = v < 1e-5 ? 1.0 : raw;
    double numerator = 5381.657705721352;
    numerator = numerator * eta + 3316.668633940328;
    numerator = numerator * eta + 952.5191976401061;
    numerator = numerator * eta + 598.5145813687186;
    numerator = numerator * eta + 48.553540295308515;
    numerator = numerator * eta + 0.3991614191727681;
    double denominator = 1608.7990463912838;
    denominator = denominator * eta + 6967.613328271736;
    denominator = denominator * eta + 359.2239481874814;
    denominator = denominator * eta + 1243.1195895064025;
    denominator = denominator * eta + 118.63163109975686;
    denominator = denominator * eta + 1.0;
    return 1.2533141373155003 * straddle * sqrt(eta) * numerator / denominator;
}

#endif
