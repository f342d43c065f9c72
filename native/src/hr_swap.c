/* hr_swap.c: see hr_swap.h. */
#include "hr_swap.h"
#include "hr_shared_order.h"

#include <stddef.h>
#include <string.h>

#define ALIGNMENT 64
#define SEPARATION 128
#define BUFFERS 3
#define INDEX_MASK 3u
#define IS_NEW 4u

struct hr_swap {
    int64_t block_bytes;
    int64_t stride;
    unsigned char *buffers;
    unsigned char apart[SEPARATION - 24];
    _Atomic uint32_t newest; /* Index of the third buffer; IS_NEW: not yet taken. */
    unsigned char between[SEPARATION - 4];
    uint32_t writing; /* The writer's own, */
    unsigned char beyond[SEPARATION - 4];
    uint32_t reading; /* and the reader's. */
    unsigned char after[SEPARATION - 4];
};

static int64_t stride_of(int64_t block_bytes) {
    return (block_bytes + SEPARATION - 1) / SEPARATION * SEPARATION;
}

int64_t hr_swap_size(int64_t block_bytes) {
    if (block_bytes < 1 || block_bytes > HR_SWAP_BYTES_MAX) {
        return 0;
    }
    return (int64_t)sizeof(hr_swap) + BUFFERS * stride_of(block_bytes);
}

hr_status hr_swap_init(void *memory, int64_t bytes, int64_t block_bytes, hr_swap **swap_out) {
    const int64_t needed = hr_swap_size(block_bytes);
    if (memory == NULL || swap_out == NULL || needed == 0 || bytes < needed ||
        (uintptr_t)memory % ALIGNMENT != 0) {
        return HR_ERR_ARGUMENT;
    }
    memset(memory, 0, (size_t)needed);
    hr_swap *swap = memory;
    swap->block_bytes = block_bytes;
    swap->stride = stride_of(block_bytes);
    swap->buffers = (unsigned char *)memory + sizeof(hr_swap);
    swap->writing = 1;
    swap->reading = 2;
    *swap_out = swap;
    return HR_OK;
}

static void *buffer_at(const hr_swap *swap, uint32_t index) {
    return swap->buffers + (int64_t)index * swap->stride;
}

void *hr_swap_draft(hr_swap *swap) {
    return buffer_at(swap, swap->writing);
}

void hr_swap_publish(hr_swap *swap) {
    const uint32_t before =
        atomic_exchange_explicit(&swap->newest, swap->writing | IS_NEW, HR_ORDER_EXCHANGE);
    swap->writing = before & INDEX_MASK;
}

void hr_swap_put(hr_swap *swap, const void *block) {
    memcpy(hr_swap_draft(swap), block, (size_t)swap->block_bytes);
    hr_swap_publish(swap);
}

const void *hr_swap_take(hr_swap *swap) {
    if ((atomic_load_explicit(&swap->newest, memory_order_relaxed) & IS_NEW) == 0) {
        return NULL;
    }
    const uint32_t before =
        atomic_exchange_explicit(&swap->newest, swap->reading, HR_ORDER_EXCHANGE);
    swap->reading = before & INDEX_MASK;
    return buffer_at(swap, swap->reading);
}
