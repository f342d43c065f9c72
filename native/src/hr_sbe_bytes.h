/* hr_sbe_bytes.h: little-endian numbers at any address. */
#ifndef HR_SBE_BYTES_H
#define HR_SBE_BYTES_H

#include "hr_sbe.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they lie");

/* Where the feed finds what it needs of a block or an entry without copying it whole. */
enum {
    SBE_BOOK_TIMESTAMP = 4,
    SBE_BOOK_PREV_CHANGE_ID = 12,
    SBE_BOOK_CHANGE_ID = 20,
    SBE_BOOK_IS_LAST = 28,
    SBE_CHANGE_SIDE = 0,
    SBE_CHANGE_CHANGE = 1,
    SBE_CHANGE_PRICE = 2,
    SBE_CHANGE_AMOUNT = 10,
    SBE_SNAPSHOT_TIMESTAMP = 4,
    SBE_SNAPSHOT_CHANGE_ID = 12,
    SBE_SNAPSHOT_IS_COMPLETE = 20,
    SBE_SNAPSHOT_IS_LAST = 21,
    SBE_LEVEL_SIDE = 0,
    SBE_LEVEL_PRICE = 1,
    SBE_LEVEL_AMOUNT = 9,
    SBE_TRADE_TIMESTAMP = 17,
    SBE_TICKER_STATE = 4,
    SBE_TICKER_TIMESTAMP = 5,
    SBE_TICKER_PRICE_MIN = 21,
    SBE_TICKER_PRICE_MAX = 29,
    SBE_TICKER_MARK = 53,
    SBE_INDEX_PRICE = 16,
    SBE_INDEX_TIMESTAMP = 24,
};

static inline uint16_t sbe_u16(const uint8_t *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t sbe_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t sbe_u64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline double sbe_f64(const uint8_t *bytes) {
    double value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline void sbe_put_u16(uint8_t *bytes, uint16_t value) {
    memcpy(bytes, &value, sizeof value);
}

#endif
