/* Must fail: shows that a target which reads one byte too many is caught. */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count > 0 && bytes[0] == '!') {
        volatile uint8_t beyond = bytes[count];
        (void)beyond;
    }
    return 0;
}
