/* hr_black.h: the normalised Black function that pricing and implied volatility share.
 *
 * With m = min(F, K), M = max(F, K), x = ln(m/M) <= 0, s = vol sqrt(years), h = x/s, t = s/2 the
 * out-of-the-money option is worth sqrt(FK) v (Y(h+t) - Y(h-t)), where Y = N/n (hr_mills) and
 * v = exp(-(h*h + t*t)/2)/sqrt(2pi); sqrt(FK) v is its derivative by s (Jaeckel, "Let's be
 * rational").
 */
#ifndef HR_BLACK_H
#define HR_BLACK_H

#include "hr_normal.h"
#include "hr_pricing.h"

#define HR_STRIKE_MIN 1e-50
#define HR_STRIKE_MAX 1e50
#define HR_YEARS_MAX 1e4
#define HR_VOL_MAX 1e10
/* Where t is below and m/M above these, Y(h+t) - Y(h-t) would cancel and its series in t is used.
 */
#define HR_SERIES_T_MAX 0.25
#define HR_SERIES_X_MIN -1.0
#define HR_SERIES_RATIO_MIN 0.37 /* m/M, a little above exp(x_min) */

typedef struct {
    double up;         /* Y(h+t) */
    double down;       /* Y(h-t) */
    double difference; /* up - down, without cancellation */
} hr_mills_pair;

/* Taylor series of Y(h+t) and Y(h-t) from Y'(z) = 1 + z Y(z), hence Y[n+1] = h Y[n] + n Y[n-1],
 * taken two at a time; the first term left out is below 1e-17 of the difference. */
HR_INLINE hr_mills_pair hr_mills_series(double h, double t) {
    const double g = h * h;
    const double y0 = hr_mills(h);
    const double y1 = 1.0 + h * y0;
    const double y2 = h * y1 + y0;
    const double y3 = h * y2 + 2.0 * y1;
    const double y4 = (g + 5.0) * y2 - 2.0 * y0;
    const double y5 = (g + 7.0) * y3 - 6.0 * y1;
    const double y6 = (g + 9.0) * y4 - 12.0 * y2;
    const double y7 = (g + 11.0) * y5 - 20.0 * y3;
    const double y8 = (g + 13.0) * y6 - 30.0 * y4;
    const double y9 = (g + 15.0) * y7 - 42.0 * y5;
    const double y10 = (g + 17.0) * y8 - 56.0 * y6;
    const double y11 = (g + 19.0) * y9 - 72.0 * y7;
    const double y12 = (g + 21.0) * y10 - 90.0 * y8;
    const double y13 = (g + 23.0) * y11 - 110.0 * y9;
    const double y14 = (g + 25.0) * y12 - 132.0 * y10;
    const double y15 = (g + 27.0) * y13 - 156.0 * y11;
    const double q = t * t;
    const double q2 = q * q;
    const double odd =
        t * ((y1 + q * (y3 * (1.0 / 6.0))) +
             q2 * ((y5 * (1.0 / 120.0) + q * (y7 * (1.0 / 5040.0))) +
                   q2 * ((y9 * (1.0 / 362880.0) + q * (y11 * (1.0 / 39916800.0))) +
                         q2 * (y13 * (1.0 / 6227020800.0) + q * (y15 * (1.0 / 1307674368000.0))))));
    const double even =
        (y0 + q * (y2 * (1.0 / 2.0))) +
        q2 * ((y4 * (1.0 / 24.0) + q * (y6 * (1.0 / 720.0))) +
              q2 * ((y8 * (1.0 / 40320.0) + q * (y10 * (1.0 / 3628800.0))) +
                    q2 * (y12 * (1.0 / 479001600.0) + q * (y14 * (1.0 / 87178291200.0)))));
    return (hr_mills_pair){even + odd, even - odd, 2.0 * odd};
}

#endif
