/* Between what the fit moves, the model's own parameters, and raw SVI. */
#include "hr_surface_shape.h"

#include <math.h>
#include <string.h>

void hr_surface_slice_to_svi(const surface_slice *slice, const double *parameters, hr_svi *out) {
    const shape s = shape_of(parameters);
    out->a = s.level * slice->theta * slice->theta;
    out->b = s.bend * slice->theta;
    out->rho = s.lean / s.bend;
    out->m = s.centre * slice->theta;
    out->sigma = s.width * slice->theta;
}

void hr_surface_slice_from_svi(surface_slice *slice, const hr_svi *svi) {
    const double bend = svi->b / slice->theta;
    const double centre = svi->m / slice->theta;
    const double width = svi->sigma / slice->theta;
    const double root = sqrt(centre * centre + width * width);
    slice->parameters[LEFT] = bend * (1.0 - svi->rho);
    slice->parameters[RIGHT] = bend * (1.0 + svi->rho);
    slice->parameters[VALUE] =
        svi->a / (slice->theta * slice->theta) + bend * (root - svi->rho * centre);
    slice->parameters[SLOPE] = bend * (svi->rho - centre / root);
    slice->parameters[CURVATURE] = log(bend * width * width / (root * root * root));
}

double hr_surface_least_value(const double *parameters) {
    const shape s = shape_of(parameters);
    return s.level + s.width * sqrt(parameters[LEFT] * parameters[RIGHT]);
}

/* Rows: level, centre, log width, left, right (the model's own); columns: what the fit moves. */
static void jacobian_of(const shape *s, double out[PARAMETERS][PARAMETERS]) {
    static const double lean_by[PARAMETERS] = {[LEFT] = -0.5, [RIGHT] = 0.5};
    static const double bend_by[PARAMETERS] = {[LEFT] = 0.5, [RIGHT] = 0.5};
    const double rest = 1.0 - s->tilt * s->tilt;
    memset(out, 0, PARAMETERS * sizeof(*out));
    for (int i = 0; i < PARAMETERS; i++) {
        const double slope_by = i == SLOPE ? 1.0 : 0.0;
        const double tilt = (lean_by[i] - slope_by - s->tilt * bend_by[i]) / s->bend;
        const double rest_ratio = -2.0 * s->tilt * tilt / rest;
        const double root_ratio = bend_by[i] / s->bend + rest_ratio - (i == CURVATURE ? 1.0 : 0.0);
        const double root = s->root * root_ratio;
        out[CENTRE][i] = tilt * s->root + s->tilt * root;
        out[WIDTH][i] = root_ratio + 0.5 * rest_ratio;
        out[LEVEL][i] = (i == VALUE ? 1.0 : 0.0) + lean_by[i] * s->centre +
                        s->lean * out[CENTRE][i] - bend_by[i] * s->root - s->bend * root;
    }
    out[LEFT][LEFT] = 1.0;
    out[RIGHT][RIGHT] = 1.0;
}

/* out = jacobian^T matrix jacobian; the matrix is symmetric, its lower half is given. */
static void turn_square(double matrix[PARAMETERS][PARAMETERS],
                        double jacobian[PARAMETERS][PARAMETERS]) {
    double half[PARAMETERS][PARAMETERS] = {{0.0}};
    for (int i = 0; i < PARAMETERS; i++) {
        for (int k = 0; k < PARAMETERS; k++) {
            const double known = i >= k ? matrix[i][k] : matrix[k][i];
            for (int j = 0; j < PARAMETERS; j++) {
                half[i][j] += known * jacobian[k][j];
            }
        }
    }
    memset(matrix, 0, PARAMETERS * sizeof(*matrix));
    for (int k = 0; k < PARAMETERS; k++) {
        for (int i = 0; i < PARAMETERS; i++) {
            for (int j = 0; j < PARAMETERS; j++) {
                matrix[i][j] += jacobian[k][i] * half[k][j];
            }
        }
    }
}

void hr_surface_turn(surface_slice *slices, const shape *shapes, int32_t count) {
    double jacobians[2][PARAMETERS][PARAMETERS];
    for (int32_t n = count - 1; n >= 0; n--) {
        surface_slice *slice = &slices[n];
        double (*own)[PARAMETERS] = jacobians[n % 2];
        double (*next)[PARAMETERS] = jacobians[(n + 1) % 2];
        jacobian_of(&shapes[n], own);
        turn_square(slice->hessian, own);
        turn_square(slice->metric, own);
        double gradient[PARAMETERS] = {0.0};
        double half[PARAMETERS][PARAMETERS] = {{0.0}};
        for (int i = 0; i < PARAMETERS; i++) {
            for (int j = 0; j < PARAMETERS; j++) {
                gradient[j] += own[i][j] * slice->gradient[i];
                for (int k = 0; k < PARAMETERS && n + 1 < count; k++) {
                    half[i][j] += slice->coupling[i][k] * next[k][j];
                }
            }
        }
        memcpy(slice->gradient, gradient, sizeof(gradient));
        memset(slice->coupling, 0, sizeof(slice->coupling));
        for (int k = 0; k < PARAMETERS; k++) {
            for (int i = 0; i < PARAMETERS; i++) {
                for (int j = 0; j < PARAMETERS; j++) {
                    slice->coupling[i][j] += own[k][i] * half[k][j];
                }
            }
        }
    }
}
