/* hr_fix_write.h: FIX bytes written forward into room that is known to be enough.
 *
 * Constant parts are copied at their full size, whatever their length: a few moves and no call. So
 * HR_FIX_SLACK bytes beyond the end may be overwritten.
 */
#ifndef HR_FIX_WRITE_H
#define HR_FIX_WRITE_H

#include "hr_fix_scan.h"

enum {
    HR_FIX_SLACK = 160,
    HR_FIX_FRAME_MAX = 320, /* Header, checksum and slack. */
    HR_FIX_NUMBER_MAX = 32  /* A tag of three digits, its number and SOH. */
};

static const char hr_fix_pairs[] = "00010203040506070809101112131415161718192021222324"
                                   "25262728293031323334353637383940414243444546474849"
                                   "50515253545556575859606162636465666768697071727374"
                                   "75767778798081828384858687888990919293949596979899";

static const uint64_t hr_fix_powers[20] = {1ULL,
                                           10ULL,
                                           100ULL,
                                           1000ULL,
                                           10000ULL,
                                           100000ULL,
                                           1000000ULL,
                                           10000000ULL,
                                           100000000ULL,
                                           1000000000ULL,
                                           10000000000ULL,
                                           100000000000ULL,
                                           1000000000000ULL,
                                           10000000000000ULL,
                                           100000000000000ULL,
                                           1000000000000000ULL,
                                           10000000000000000ULL,
                                           100000000000000000ULL,
                                           1000000000000000000ULL,
                                           10000000000000000000ULL};

/* Writes exactly `count` digits. */
static inline uint8_t *hr_fix_put_digits(uint8_t *at, uint64_t number, int count) {
    uint8_t *place = at + count;
    while (count >= 2) {
        place -= 2;
        memcpy(place, hr_fix_pairs + 2 * (number % 100), 2);
        number /= 100;
        count -= 2;
    }
    if (count == 1) {
        place[-1] = (uint8_t)('0' + number % 10);
        return place;
    }
    return place;
}

static inline int hr_fix_digit_count(uint64_t number) {
    const int bits = 64 - __builtin_clzll(number | 1);
    const int count = bits * 1233 >> 12; /* log10(2): right, or one too few. */
    return count + (number >= hr_fix_powers[count] || count == 0);
}

static inline uint8_t *hr_fix_put_integer(uint8_t *at, uint64_t number) {
    if (number < 10) {
        *at = (uint8_t)('0' + number);
        return at + 1;
    }
    const int count = hr_fix_digit_count(number);
    hr_fix_put_digits(at, number, count);
    return at + count;
}

static inline uint8_t *hr_fix_put_split(uint8_t *at, uint64_t number, uint64_t power,
                                        int decimals) {
    const uint64_t whole = number / power;
    at = hr_fix_put_integer(at, whole);
    *at++ = '.';
    hr_fix_put_digits(at, number - whole * power, decimals);
    return at + decimals;
}

/* Writes number * 10^-decimals, all its decimals. The usual ones are spared a division. */
static inline uint8_t *hr_fix_put_decimal(uint8_t *at, uint64_t number, int decimals) {
    switch (decimals) {
    case 0:
        return hr_fix_put_integer(at, number);
    case 1:
        return hr_fix_put_split(at, number, 10, 1);
    case 2:
        return hr_fix_put_split(at, number, 100, 2);
    case 4:
        return hr_fix_put_split(at, number, 10000, 4);
    default:
        return hr_fix_put_split(at, number, hr_fix_powers[decimals], decimals);
    }
}

static inline uint8_t *hr_fix_put_text(uint8_t *at, const uint8_t *bytes, int64_t count) {
    memcpy(at, bytes, (size_t)count);
    return at + count;
}

/* A constant such as "132=". */
#define HR_FIX_PUT(at, constant)                                                                   \
    (memcpy((at), (constant), sizeof(constant) - 1), (at) + sizeof(constant) - 1)

static inline uint8_t *hr_fix_put_soh(uint8_t *at) {
    *at = HR_FIX_SOH;
    return at + 1;
}

typedef struct {
    uint8_t *out;
    int32_t length_digits; /* What BodyLength is expected to need. */
    int32_t reserved;
} hr_fix_frame;

/* Begins a message: all of its header. `now_ns` has been checked. hr_fix_frame.c */
uint8_t *hr_fix_frame_begin(hr_fix_frame *frame, hr_fix_lane *lane, int32_t type, int64_t sequence,
                            int64_t now_ns);
/* Ends it: BodyLength and CheckSum; returns its bytes. */
int64_t hr_fix_frame_end(const hr_fix_frame *frame, uint8_t *at);
/* Writes YYYYMMDD-HH:MM:SS.mmm and SOH. */
uint8_t *hr_fix_put_stamp(uint8_t *at, hr_fix_lane *lane, int64_t now_ns);
/* Printable, and no longer than HR_FIX_NAME_BYTES_MAX. hr_fix_quotes.c */
int hr_fix_is_name(const uint8_t *bytes, int64_t count);
/* A lane that was initialised, and a time of day that can be written. */
int32_t hr_fix_is_ready(const hr_fix_lane *lane, int64_t now_ns);

#endif
