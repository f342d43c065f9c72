/* hr_fix_write.h: FIX bytes written forward into room that is known to be enough.
 *
 * Constant parts are copied at their full size and numbers written four or eight digits at a time,
 * whatever their length: a few moves and no call. So HR_FIX_SLACK bytes beyond the end may be
 * overwritten.
 */
#ifndef HR_FIX_WRITE_H
#define HR_FIX_WRITE_H

#include "hr_divide.h"
#include "hr_fix_scan.h"

enum {
    HR_FIX_SLACK = 160,
    HR_FIX_SHORT = 48,
    HR_FIX_FRAME_MAX = 320, /* Header, checksum and slack. */
    HR_FIX_NUMBER_MAX = 32  /* A tag of three digits, its number and SOH. */
};

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

#define HR_FIX_EIGHT 100000000
#define HR_FIX_ZEROS 0x3030303030303030ULL

/* Returns the four digits of a number below 10^4, the first in the lowest byte: splits it by 100
 * and then by 10, both parts at once, by products that are divisions in this range. */
static inline uint32_t hr_fix_four_digits(uint32_t number) {
    const uint32_t hundreds = number * 10486 >> 20;
    const uint32_t pairs = hundreds | (number - hundreds * 100) << 16;
    const uint32_t tens = (pairs * 103 >> 10) & 0x000f000f;
    return tens | (pairs - tens * 10) << 8;
}

static inline uint64_t hr_fix_eight_digits(uint64_t number) {
    const uint64_t high = number / 10000;
    return hr_fix_four_digits((uint32_t)high) |
           (uint64_t)hr_fix_four_digits((uint32_t)(number - high * 10000)) << 32;
}

/* Writes `count` digits, at most four, of a number that has no more; and over what follows, up to
 * four bytes in all. */
static inline void hr_fix_put_digits(uint8_t *at, uint64_t number, int count) {
    const uint32_t text =
        (hr_fix_four_digits((uint32_t)number) | (uint32_t)HR_FIX_ZEROS) >> 8 * (4 - count);
    memcpy(at, &text, sizeof text);
}

static inline void hr_fix_put_eight(uint8_t *at, uint64_t number) {
    const uint64_t text = hr_fix_eight_digits(number) | HR_FIX_ZEROS;
    memcpy(at, &text, sizeof text);
}

static inline int hr_fix_digit_count(uint64_t number) {
    const int bits = 64 - __builtin_clzll(number | 1);
    const int count = bits * 1233 >> 12; /* log10(2): right, or one too few. */
    return count + (number >= hr_fix_powers[count] || count == 0);
}

/* Returns the bits of the leading zeros of eight digits, but the last. */
static inline int hr_fix_spare_bits(uint64_t digits) {
    return __builtin_ctzll(digits | 1ULL << 56) & 56;
}

/* Of a number below 10^8; writes over what follows, up to eight bytes in all. */
static inline uint8_t *hr_fix_put_short(uint8_t *at, uint64_t number) {
    const uint64_t digits = hr_fix_eight_digits(number);
    const int spare = hr_fix_spare_bits(digits);
    const uint64_t text = (digits | HR_FIX_ZEROS) >> spare;
    memcpy(at, &text, sizeof text);
    return at + 8 - spare / 8;
}

/* Of any number; apart, since few messages have one of nine digits. hr_fix_frame.c */
uint8_t *hr_fix_put_long(uint8_t *at, uint64_t number);

static inline uint8_t *hr_fix_put_integer(uint8_t *at, uint64_t number) {
    if (number < 10) {
        *at = (uint8_t)('0' + number);
        return at + 1;
    }
    return number < HR_FIX_EIGHT ? hr_fix_put_short(at, number) : hr_fix_put_long(at, number);
}

/* Writes over what follows, up to eight bytes in all. */
static inline uint8_t *hr_fix_put_counter(uint8_t *at, hr_fix_counter *counter, uint64_t number) {
    const int is_next = number == counter->number + 1 && counter->digits >> counter->shift != '9';
    if (!is_next) {
        if (number >= HR_FIX_EIGHT) {
            return hr_fix_put_long(at, number);
        }
        const uint64_t digits = hr_fix_eight_digits(number);
        const int spare = hr_fix_spare_bits(digits);
        counter->digits = (digits | HR_FIX_ZEROS) >> spare;
        counter->shift = 56 - spare;
    } else {
        counter->digits += 1ULL << counter->shift;
    }
    counter->number = number;
    memcpy(at, &counter->digits, sizeof counter->digits);
    return at + counter->shift / 8 + 1;
}

static inline uint8_t *hr_fix_put_split(uint8_t *at, uint64_t number, uint64_t power,
                                        int decimals) {
    const uint64_t whole = hr_quotient(number, power);
    uint64_t rest = number - whole * power;
    at = hr_fix_put_integer(at, whole);
    *at++ = '.';
    for (; decimals > 4; decimals -= 4, at += 4) {
        power = hr_fix_powers[decimals - 4];
        hr_fix_put_digits(at, rest / power, 4);
        rest %= power;
    }
    hr_fix_put_digits(at, rest, decimals);
    return at + decimals;
}

/* Writes number * 10^-decimals, all its decimals. The usual ones are spared a division. */
static inline uint8_t *hr_fix_put_decimal(uint8_t *at, uint64_t number, int decimals) {
    switch (decimals) {
    case 0:
        return hr_fix_put_integer(at, number);
    case 1: {
        const uint64_t whole = number / 10;
        at = hr_fix_put_integer(at, whole);
        at[0] = '.';
        at[1] = (uint8_t)('0' + (number - whole * 10));
        return at + 2;
    }
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

/* The same of a text in `room` bytes, which is copied whole: mostly it is short. */
static inline uint8_t *hr_fix_put_room(uint8_t *at, const uint8_t *bytes, int64_t count,
                                       int64_t room) {
    memcpy(at, bytes, HR_FIX_SHORT);
    if (count > HR_FIX_SHORT) {
        memcpy(at + HR_FIX_SHORT, bytes + HR_FIX_SHORT, (size_t)(room - HR_FIX_SHORT));
    }
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
