/* hr_fix_scan.h: fields and numbers out of FIX bytes, bounds first. */
#ifndef HR_FIX_SCAN_H
#define HR_FIX_SCAN_H

#include "hr_fix.h"

#include <stddef.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define HR_FIX_UNITS_MAX 1000000000000000000 /* No number has more than 18 digits. */

enum { HR_FIX_SOH = 1 };

typedef struct {
    hr_fix_text value;
    int32_t tag;
} hr_fix_field;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the scan looks at eight bytes as a little-endian number"
#endif

/* Returns the first SOH at or after `at`, or `end`. */
static inline const uint8_t *hr_fix_soh_find(const uint8_t *at, const uint8_t *end) {
    const uint64_t ones = 0x0101010101010101ULL;
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        word ^= ones * HR_FIX_SOH;
        const uint64_t zeros = (word - ones) & ~word & (ones << 7);
        if (zeros != 0) {
            return at + __builtin_ctzll(zeros) / 8;
        }
        at += 8;
    }
    while (at < end && *at != HR_FIX_SOH) {
        at++;
    }
    return at;
}

/* Reads tag=value and its SOH at `at`; returns the byte after it, or NULL where there is no field:
 * no tag of 1 to 9 digits without leading zeros, an empty value, no SOH before `end`. */
static inline const uint8_t *hr_fix_field_read(const uint8_t *at, const uint8_t *end,
                                               hr_fix_field *field) {
    int32_t tag = 0;
    const uint8_t *const tag_begin = at;
    while (at < end && *at >= '0' && *at <= '9') {
        if (at - tag_begin == 9) {
            return NULL;
        }
        tag = tag * 10 + (*at - '0');
        at++;
    }
    if (at == tag_begin || *tag_begin == '0' || at == end || *at != '=') {
        return NULL;
    }
    const uint8_t *const value = ++at;
    at = hr_fix_soh_find(at, end);
    if (at == end || at == value) {
        return NULL;
    }
    field->tag = tag;
    field->value.bytes = value;
    field->value.count = at - value;
    return at + 1;
}

/* Reads digits only, at most 18 that count; -1 for any other text. */
static inline int64_t hr_fix_integer_read(const hr_fix_text *text) {
    int64_t number = 0;
    if (text->bytes == NULL || text->count < 1) {
        return -1;
    }
    for (int64_t k = 0; k < text->count; k++) {
        const uint8_t digit = (uint8_t)(text->bytes[k] - '0');
        if (digit > 9 || number >= HR_FIX_UNITS_MAX / 10) {
            return -1;
        }
        number = number * 10 + digit;
    }
    return number;
}

/* As hr_fix_integer_read, of at most 9 digits. */
static inline int32_t hr_fix_small_read(const hr_fix_text *text) {
    const int64_t number = hr_fix_integer_read(text);
    return number > 999999999 ? -1 : (int32_t)number;
}

/* Returns the one character of a text, 0 where it has more. */
static inline int32_t hr_fix_char_read(const hr_fix_text *text) {
    return text->count == 1 ? text->bytes[0] : 0;
}

static inline int32_t hr_fix_is_yes(const hr_fix_text *text) {
    return text->count == 1 && text->bytes[0] == 'Y';
}

/* Returns a MsgType of one or two characters, 0 for any other. */
static inline int32_t hr_fix_type_read(const hr_fix_text *text) {
    if (text->count < 1 || text->count > 2) {
        return 0;
    }
    return text->bytes[0] | (text->count == 2 ? text->bytes[1] << 8 : 0);
}

static inline int32_t hr_fix_is_same(const hr_fix_text *text, const uint8_t *bytes, int64_t count) {
    return text->bytes != NULL && text->count == count &&
           memcmp(text->bytes, bytes, (size_t)count) == 0;
}

#if defined(__SSE2__)
static inline __m128i hr_fix_load(const uint8_t *bytes) {
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}
#endif

/* Sums bytes as the CheckSum does, modulo 256. */
static inline uint8_t hr_fix_sum(const uint8_t *bytes, int64_t count) {
    const uint8_t *const end = bytes + count;
    uint32_t sum = 0;
#if defined(__SSE2__)
    if (count >= 32) { /* So many at a time; of the last, those that were in none before. */
        static const uint64_t late[8] = {0, 0, 0, 0, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
        const __m128i zero = _mm_setzero_si128();
        __m128i sums = zero;
        for (; end - bytes >= 32; bytes += 32) {
            const __m128i first = _mm_sad_epu8(hr_fix_load(bytes), zero);
            const __m128i second = _mm_sad_epu8(hr_fix_load(bytes + 16), zero);
            sums = _mm_add_epi64(sums, _mm_add_epi64(first, second));
        }
        const uint8_t *mask = (const uint8_t *)late + (end - bytes);
        const __m128i first = _mm_and_si128(hr_fix_load(end - 32), hr_fix_load(mask));
        const __m128i second = _mm_and_si128(hr_fix_load(end - 16), hr_fix_load(mask + 16));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(first, zero));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(second, zero));
        sums = _mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums));
        return (uint8_t)_mm_cvtsi128_si32(sums);
    }
#endif
    for (; bytes < end; bytes++) {
        sum += *bytes;
    }
    return (uint8_t)sum;
}

/* Writes the 18 bytes of YYYYMMDD-HH:MM:SS. of a second from 1970 on and before 2200.
 * hr_fix_time.c */
void hr_fix_time_write(int64_t second, uint8_t *out);

#define HR_FIX_SECOND_MAX 7258118400 /* 2200-01-01 */

/* Reads a number without exponent, of 18 significant digits at most. hr_fix_number.c */
hr_status hr_fix_decimal_read(const hr_fix_text *text, hr_fix_decimal *decimal_out);

#endif
