/* Judges recorded orders: gate_cases FILE reads limits, state, order and the oracle's verdict, over
 * and over; prints the first that the gate judges otherwise and ends with 1. */
#undef NDEBUG
#include "hr_gate.h"

#include <assert.h>
#include <stdio.h>

typedef struct {
    hr_gate_limits limits;
    hr_gate_state state;
    hr_gate_order order;
    int64_t verdict;
} gate_case;

int main(int argc, char **argv) {
    assert(argc == 2);
    FILE *file = fopen(argv[1], "rb");
    assert(file != NULL);
    gate_case one;
    long count = 0;
    while (fread(&one, sizeof one, 1, file) == 1) {
        const int32_t actual = hr_gate_check(&one.limits, &one.state, &one.order);
        const int32_t is_on_grid = hr_gate_is_on_grid(
            one.order.price_ticks, one.order.step_above_ticks, one.order.step_ticks);
        if (actual != one.verdict || (is_on_grid & ~1) != 0) {
            printf("order %ld: %s\n", count, hr_gate_reason_name(actual));
            return 1;
        }
        count++;
    }
    fclose(file);
    assert(count > 0);
    return 0;
}
