/* Block-tridiagonal Cholesky: neighbours in time are the only slices that know each other. */
#include "hr_surface_model.h"

#include <math.h>
#include <string.h>

static bool factorise(double matrix[PARAMETERS][PARAMETERS]) {
    for (int i = 0; i < PARAMETERS; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = matrix[i][j];
            for (int k = 0; k < j; k++) {
                sum -= matrix[i][k] * matrix[j][k];
            }
            if (i == j) {
                if (!(sum > 0.0)) {
                    return false;
                }
                matrix[i][i] = sqrt(sum);
            } else {
                matrix[i][j] = sum / matrix[j][j];
            }
        }
    }
    return true;
}

/* x <- L^-1 x */
static void forward(const double factor[PARAMETERS][PARAMETERS], double *x) {
    for (int i = 0; i < PARAMETERS; i++) {
        for (int k = 0; k < i; k++) {
            x[i] -= factor[i][k] * x[k];
        }
        x[i] /= factor[i][i];
    }
}

/* x <- L^-T x */
static void backward(const double factor[PARAMETERS][PARAMETERS], double *x) {
    for (int i = PARAMETERS - 1; i >= 0; i--) {
        for (int k = i + 1; k < PARAMETERS; k++) {
            x[i] -= factor[k][i] * x[k];
        }
        x[i] /= factor[i][i];
    }
}

bool hr_surface_solve(surface_problem *problem) {
    surface_slice *slices = problem->slices;
    const int32_t count = problem->slice_count;
    double reduced[PARAMETERS][PARAMETERS]; /* columns: L^-1 coupling of the slice before */
    for (int32_t n = 0; n < count; n++) {
        surface_slice *slice = &slices[n];
        memcpy(slice->factor, slice->hessian, sizeof(slice->factor));
        for (int i = 0; i < PARAMETERS; i++) {
            for (int j = 0; j < PARAMETERS; j++) {
                slice->factor[i][j] += slice->damping * slice->metric[i][j];
            }
            slice->factor[i][i] += slice->damping * slice->hessian[i][i] + 1e-9;
            slice->step[i] = -slice->gradient[i];
        }
        if (n > 0) {
            const surface_slice *before = &slices[n - 1];
            for (int i = 0; i < PARAMETERS; i++) {
                for (int j = 0; j < PARAMETERS; j++) {
                    for (int k = 0; k < PARAMETERS; k++) {
                        slice->factor[i][j] -= reduced[i][k] * reduced[j][k];
                    }
                    slice->step[i] -= reduced[i][j] * before->step[j];
                }
            }
        }
        if (!factorise(slice->factor)) {
            return false;
        }
        forward((const double (*)[PARAMETERS])slice->factor, slice->step);
        for (int j = 0; j < PARAMETERS; j++) {
            for (int i = 0; i < PARAMETERS; i++) {
                reduced[j][i] = slice->coupling[i][j];
            }
            forward((const double (*)[PARAMETERS])slice->factor, reduced[j]);
        }
    }
    for (int32_t n = count - 1; n >= 0; n--) {
        surface_slice *slice = &slices[n];
        if (n + 1 < count) {
            double pull[PARAMETERS] = {0.0};
            for (int i = 0; i < PARAMETERS; i++) {
                for (int j = 0; j < PARAMETERS; j++) {
                    pull[i] += slice->coupling[i][j] * slices[n + 1].step[j];
                }
            }
            forward((const double (*)[PARAMETERS])slice->factor, pull);
            for (int i = 0; i < PARAMETERS; i++) {
                slice->step[i] -= pull[i];
            }
        }
        backward((const double (*)[PARAMETERS])slice->factor, slice->step);
        for (int i = 0; i < PARAMETERS; i++) {
            if (!isfinite(slice->step[i])) {
                return false;
            }
        }
    }
    return true;
}
