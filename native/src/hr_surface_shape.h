/* The shape of a slice at given parameters, and the two sums that every cost is made of. */
#ifndef HR_SURFACE_SHAPE_H
#define HR_SURFACE_SHAPE_H

#include "hr_surface_model.h"

#include <math.h>

typedef struct {
    double level;
    double lean; /* (right - left) / 2 */
    double bend; /* (right + left) / 2 */
    double centre;
    double width;
    double width_square;
    double tilt; /* centre / root at x = 0 */
    double root; /* at x = 0 */
} shape;

static inline shape shape_of(const double *parameters) {
    shape s = {.lean = 0.5 * (parameters[RIGHT] - parameters[LEFT]),
               .bend = 0.5 * (parameters[RIGHT] + parameters[LEFT])};
    s.tilt = (s.lean - parameters[SLOPE]) / s.bend;
    const double rest = 1.0 - s.tilt * s.tilt;
    s.root = s.bend * rest / exp(parameters[CURVATURE]);
    s.centre = s.tilt * s.root;
    s.width_square = rest * s.root * s.root;
    s.width = sqrt(s.width_square);
    s.level = parameters[VALUE] + s.lean * s.centre - s.bend * s.root;
    return s;
}

/* v and its derivatives by LEVEL, CENTRE, WIDTH, LEFT and RIGHT. */
static inline double value_at(const shape *s, double x, double *derivatives_out) {
    const double z = x - s->centre;
    const double root = sqrt(z * z + s->width_square);
    const double inverse = s->bend / root;
    derivatives_out[LEVEL] = 1.0;
    derivatives_out[LEFT] = 0.5 * (root - z);
    derivatives_out[RIGHT] = 0.5 * (root + z);
    derivatives_out[CENTRE] = -s->lean - z * inverse;
    derivatives_out[WIDTH] = s->width_square * inverse;
    return s->level + s->lean * z + s->bend * root;
}

/* Adds one residual's square, with curvature weight; the gradient is of half the cost. */
static inline void add(surface_slice *slice, double slope, double curvature,
                       const double *derivatives) {
    for (int i = 0; i < PARAMETERS; i++) {
        slice->gradient[i] += slope * derivatives[i];
        const double row = curvature * derivatives[i];
        for (int j = 0; j <= i; j++) {
            slice->hessian[i][j] += row * derivatives[j];
        }
    }
}

/* weight e^2 near zero, straight beyond `straight`; slope and curvature are of half of it. */
static inline double bent_square(double excess, double weight, double straight, double *slope_out,
                                 double *curvature_out) {
    if (excess <= straight) {
        *slope_out += weight * excess;
        *curvature_out += weight;
        return weight * excess * excess;
    }
    *slope_out += weight * straight;
    *curvature_out += weight * straight / excess;
    return weight * straight * (2.0 * excess - straight);
}

/* Turns derivatives by the model's own parameters into those by what the fit moves. */
void hr_surface_turn(surface_slice *slices, const shape *shapes, int32_t count);

#endif
