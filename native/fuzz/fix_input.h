/* fix_input.h: arguments for the FIX functions out of a fuzz input. */
#ifndef FIX_INPUT_H
#define FIX_INPUT_H

#include "hr_fix_scan.h"

enum { NAMES = 160 };

/* Arguments out of the input, zeros after its end. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} source;

static inline uint8_t take(source *from) {
    return from->at == from->end ? 0 : *from->at++;
}

/* A number near one of the bounds that matter, or any. */
static inline int64_t take_number(source *from) {
    static const int64_t bases[] = {0, 1, 5, 505, 1000, HR_FIX_COUNT_MAX, INT64_MAX, INT64_MIN};
    const uint8_t kind = take(from);
    uint64_t number = kind & 0x80 ? 0 : (uint64_t)bases[kind & 7];
    for (int k = 0; k < (kind >> 3 & 7); k++) {
        number = (number << (kind & 0x80 ? 8 : 0)) + take(from);
    }
    return (int64_t)(number - (kind >> 6 & 1));
}

static inline hr_fix_text take_text(source *from) {
    static uint8_t texts[8][NAMES];
    static unsigned next;
    uint8_t *into = texts[next++ % 8];
    const uint8_t kind = take(from);
    hr_fix_text text = {into, kind & 0x7f};
    memset(into, 'a' + (kind & 15), NAMES);
    if (kind == 0) {
        text.bytes = NULL;
    } else if (kind & 0x80) {
        into[0] = take(from);
    }
    return text;
}

/* Any pointer, or NULL. */
#define TAKE_POINTER(FROM, POINTER) ((take(FROM) & 7) == 7 ? NULL : (POINTER))

#endif
