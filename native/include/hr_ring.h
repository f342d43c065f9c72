/* hr_ring.h: a ring of fixed-size slots between one producer and one consumer.
 *
 * Positions are 64-bit and only grow; each side keeps a copy of the other's and looks again only
 * when that copy says full or empty. Neither side ever waits: full and empty are answers.
 */
#ifndef HR_RING_H
#define HR_RING_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_RING_SLOT_BYTES_MAX 65536
#define HR_RING_CAPACITY_MAX 16777216

typedef struct hr_ring hr_ring;

/* Returns the bytes of a ring; 0 unless the capacity is a power of two and both are in range. */
int64_t hr_ring_size(int64_t slot_bytes, int64_t capacity);

/* Makes an empty ring in memory, 64-byte aligned. Before either thread starts. */
hr_status hr_ring_init(void *memory, int64_t bytes, int64_t slot_bytes, int64_t capacity,
                       hr_ring **ring_out);

/* Producer. Copies one slot in; HR_ERR_FULL leaves the ring as it was. */
hr_status hr_ring_push(hr_ring *ring, const void *slot);
/* Producer. Returns how many slots are free: at least so many, for the consumer only adds. */
int64_t hr_ring_room(hr_ring *ring);
/* Producer. Returns the slot `ahead` (0 first) of the next one published, to be filled in place;
 * NULL: full. */
void *hr_ring_claim(hr_ring *ring, int64_t ahead);
/* Producer. Has the processor fetch that slot, which is soon to be filled: a ring is larger than
 * its caches. */
void hr_ring_prefetch(const hr_ring *ring, int64_t ahead);
/* Producer. Publishes the first `count` claimed slots. */
void hr_ring_publish(hr_ring *ring, int64_t count);

/* Consumer. Copies at most `count_max` slots out, oldest first; returns how many. */
int64_t hr_ring_pop(hr_ring *ring, void *slots_out, int64_t count_max);
/* Consumer. Returns the oldest slot in place, which stays until it is released; NULL: empty. */
const void *hr_ring_front(hr_ring *ring);
/* Consumer. Releases the oldest slot. */
void hr_ring_release(hr_ring *ring);

/* Either side. Returns how many slots are taken, or were a moment ago. */
int64_t hr_ring_depth(const hr_ring *ring);
/* cdef: end */

#endif
