/* hr_swap.h: the newest of a series of whole blocks, from one writer to one reader.
 *
 * Three buffers: the writer fills one, the reader reads one, the third holds the newest whole
 * block. Each side exchanges its own for the third in one atomic step, so neither ever waits and
 * the reader never sees half of one block and half of the next.
 */
#ifndef HR_SWAP_H
#define HR_SWAP_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_SWAP_BYTES_MAX 1048576

typedef struct hr_swap hr_swap;

/* Returns the bytes of a swap of blocks of this size; 0 if that is out of range. */
int64_t hr_swap_size(int64_t block_bytes);

/* Makes a swap, 64-byte aligned, that has no block yet. Before either thread starts. */
hr_status hr_swap_init(void *memory, int64_t bytes, int64_t block_bytes, hr_swap **swap_out);

/* Writer. Copies a block in and makes it the newest; one not yet taken is gone. */
void hr_swap_put(hr_swap *swap, const void *block);
/* Writer. Returns the buffer to fill in place before hr_swap_publish. */
void *hr_swap_draft(hr_swap *swap);
void hr_swap_publish(hr_swap *swap);

/* Reader. Returns the newest block if it was not taken before, else NULL. It stays whole and
 * unchanged until the next call. */
const void *hr_swap_take(hr_swap *swap);
/* cdef: end */

#endif
