/* hr_ring.c: see hr_ring.h. */
#include "hr_ring.h"
#include "hr_shared_order.h"

#include <stddef.h>
#include <string.h>

#define ALIGNMENT 64
#define SEPARATION 128 /* Two cache lines: the adjacent-line prefetcher fetches pairs. */
#define MAGIC 0x48525249u

struct hr_ring {
    int64_t slot_bytes;
    int64_t capacity;
    unsigned char *slots;
    uint64_t magic;
    unsigned char apart[SEPARATION - 32];
    _Atomic int64_t head; /* Published by the producer; */
    int64_t tail_seen;    /* its copy of the tail. */
    unsigned char between[SEPARATION - 16];
    _Atomic int64_t tail; /* Released by the consumer; */
    int64_t head_seen;    /* its copy of the head. */
    unsigned char after[SEPARATION - 16];
};

int64_t hr_ring_size(int64_t slot_bytes, int64_t capacity) {
    if (slot_bytes < 1 || slot_bytes > HR_RING_SLOT_BYTES_MAX || capacity < 1 ||
        capacity > HR_RING_CAPACITY_MAX || (capacity & (capacity - 1)) != 0) {
        return 0;
    }
    const int64_t bytes = (int64_t)sizeof(hr_ring) + slot_bytes * capacity;
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

hr_status hr_ring_init(void *memory, int64_t bytes, int64_t slot_bytes, int64_t capacity,
                       hr_ring **ring_out) {
    const int64_t needed = hr_ring_size(slot_bytes, capacity);
    if (memory == NULL || ring_out == NULL || needed == 0 || bytes < needed ||
        (uintptr_t)memory % ALIGNMENT != 0) {
        return HR_ERR_ARGUMENT;
    }
    memset(memory, 0, (size_t)needed);
    hr_ring *ring = memory;
    ring->slot_bytes = slot_bytes;
    ring->capacity = capacity;
    ring->slots = (unsigned char *)memory + sizeof(hr_ring);
    ring->magic = MAGIC;
    *ring_out = ring;
    return HR_OK;
}

static void *slot_at(const hr_ring *ring, int64_t position) {
    return ring->slots + (position & (ring->capacity - 1)) * ring->slot_bytes;
}

void *hr_ring_claim(hr_ring *ring, int64_t ahead) {
    const int64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head + ahead - ring->tail_seen >= ring->capacity) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head + ahead - ring->tail_seen >= ring->capacity) {
            return NULL;
        }
    }
    return slot_at(ring, head + ahead);
}

void hr_ring_prefetch(const hr_ring *ring, int64_t ahead) {
    const int64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    const unsigned char *slot = slot_at(ring, head + ahead);
    for (int64_t at = 0; at < ring->slot_bytes; at += ALIGNMENT) {
        __builtin_prefetch(slot + at, 1);
    }
}

void hr_ring_publish(hr_ring *ring, int64_t count) {
    const int64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    atomic_store_explicit(&ring->head, head + count, HR_ORDER_PUBLISH);
}

hr_status hr_ring_push(hr_ring *ring, const void *slot) {
    void *free_slot = hr_ring_claim(ring, 0);
    if (free_slot == NULL) {
        return HR_ERR_FULL;
    }
    memcpy(free_slot, slot, (size_t)ring->slot_bytes);
    hr_ring_publish(ring, 1);
    return HR_OK;
}

int64_t hr_ring_room(hr_ring *ring) {
    const int64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return ring->capacity - (head - ring->tail_seen);
}

const void *hr_ring_front(hr_ring *ring) {
    const int64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->head_seen) {
            return NULL;
        }
    }
    return slot_at(ring, tail);
}

void hr_ring_release(hr_ring *ring) {
    const int64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + 1, HR_ORDER_PUBLISH);
}

int64_t hr_ring_pop(hr_ring *ring, void *slots_out, int64_t count_max) {
    const int64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    const int64_t ready = ring->head_seen - tail;
    const int64_t count = ready < count_max ? ready : count_max;
    if (count <= 0) {
        return 0;
    }
    const int64_t first = tail & (ring->capacity - 1);
    const int64_t before_wrap = count < ring->capacity - first ? count : ring->capacity - first;
    memcpy(slots_out, slot_at(ring, tail), (size_t)(before_wrap * ring->slot_bytes));
    memcpy((unsigned char *)slots_out + before_wrap * ring->slot_bytes, ring->slots,
           (size_t)((count - before_wrap) * ring->slot_bytes));
    atomic_store_explicit(&ring->tail, tail + count, HR_ORDER_PUBLISH);
    return count;
}

int64_t hr_ring_depth(const hr_ring *ring) {
    const int64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return atomic_load_explicit(&ring->head, memory_order_acquire) - tail;
}
