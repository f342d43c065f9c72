/* hr_trades.c: see hr_trades.h. Open addressing at half load; what leaves is filled from behind. */
#include "hr_trades.h"

#include <stddef.h>
#include <string.h>

#define ALIGNMENT 64
#define TABLE (2 * HR_TRADES_MAX)
#define SPREAD 0x9e3779b97f4a7c15u /* 2^64 over the golden ratio: spreads the hashes' low bits. */

struct hr_trades {
    int64_t count; /* Ever. */
    uint64_t queue[HR_TRADES_MAX];
    uint64_t table[TABLE]; /* 0: free. */
};

int64_t hr_trades_size(void) {
    return ((int64_t)sizeof(hr_trades) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

hr_status hr_trades_init(void *memory, int64_t bytes, hr_trades **trades_out) {
    if (memory == NULL || trades_out == NULL || bytes < hr_trades_size() ||
        (uintptr_t)memory % ALIGNMENT != 0) {
        return HR_ERR_ARGUMENT;
    }
    memset(memory, 0, sizeof(hr_trades));
    *trades_out = memory;
    return HR_OK;
}

static uint32_t home_of(uint64_t hash) {
    return (uint32_t)(hash * SPREAD >> 32) & (TABLE - 1);
}

/* Returns where a hash is, or the free place where it would be. */
static uint32_t place_of(const hr_trades *trades, uint64_t hash) {
    uint32_t at = home_of(hash);
    while (trades->table[at] != 0 && trades->table[at] != hash) {
        at = (at + 1) & (TABLE - 1);
    }
    return at;
}

static void drop(hr_trades *trades, uint64_t hash) {
    uint32_t hole = place_of(trades, hash);
    trades->table[hole] = 0;
    for (uint32_t at = (hole + 1) & (TABLE - 1); trades->table[at] != 0;
         at = (at + 1) & (TABLE - 1)) {
        const uint32_t from_home = (at - home_of(trades->table[at])) & (TABLE - 1);
        const uint32_t from_hole = (at - hole) & (TABLE - 1);
        if (from_home >= from_hole) {
            trades->table[hole] = trades->table[at];
            trades->table[at] = 0;
            hole = at;
        }
    }
}

int32_t hr_trades_has(const hr_trades *trades, uint64_t hash) {
    const uint64_t key = hash == 0 ? 1 : hash;
    return trades->table[place_of(trades, key)] == key;
}

int32_t hr_trades_add(hr_trades *trades, uint64_t hash) {
    const uint64_t key = hash == 0 ? 1 : hash;
    if (trades->table[place_of(trades, key)] == key) {
        return 0;
    }
    uint64_t *oldest = &trades->queue[trades->count & (HR_TRADES_MAX - 1)];
    if (trades->count >= HR_TRADES_MAX) {
        drop(trades, *oldest);
    }
    *oldest = key;
    trades->table[place_of(trades, key)] = key;
    trades->count++;
    return 1;
}
