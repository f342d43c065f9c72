/* hr_trades.h: the trade ids seen lately, as hashes: a fill counts once, whoever tells of it.
 *
 * Remembers the last HR_TRADES_MAX; the oldest is forgotten for each one more.
 */
#ifndef HR_TRADES_H
#define HR_TRADES_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_TRADES_MAX 65536

typedef struct hr_trades hr_trades;

int64_t hr_trades_size(void);
/* Makes an empty set in memory, 64-byte aligned. */
hr_status hr_trades_init(void *memory, int64_t bytes, hr_trades **trades_out);
/* Adds the hash of a trade id; returns 1 if it is new, 0 if it was known. */
int32_t hr_trades_add(hr_trades *trades, uint64_t hash);
int32_t hr_trades_has(const hr_trades *trades, uint64_t hash);
/* cdef: end */

#endif
