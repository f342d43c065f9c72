/* Goal: a ring hands over every slot once, in order and whole, between two threads or in one. */
#include "hr_ring.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 8, CAPACITY = 64, BATCH = 24 };
#define COUNT 200000

typedef struct {
    int64_t words[WORDS];
} slot;

static hr_ring *open_ring(void **memory_out, int64_t capacity) {
    const int64_t bytes = hr_ring_size(sizeof(slot), capacity);
    hr_ring *ring = NULL;
    *memory_out = aligned_alloc(64, (size_t)bytes);
    assert(hr_ring_init(*memory_out, bytes, sizeof(slot), capacity, &ring) == HR_OK);
    return ring;
}

static slot numbered(int64_t number) {
    slot one;
    for (int64_t i = 0; i < WORDS; i++) {
        one.words[i] = number * WORDS + i;
    }
    return one;
}

static void assert_numbered(const slot *one, int64_t number) {
    for (int64_t i = 0; i < WORDS; i++) {
        assert(one->words[i] == number * WORDS + i);
    }
}

static void test_bad_arguments_are_refused(void) {
    assert(hr_ring_size(0, 8) == 0);
    assert(hr_ring_size(8, 0) == 0);
    assert(hr_ring_size(8, 12) == 0);
    assert(hr_ring_size(8, 2 * (int64_t)HR_RING_CAPACITY_MAX) == 0);
    assert(hr_ring_size(HR_RING_SLOT_BYTES_MAX + 1, 8) == 0);
    const int64_t bytes = hr_ring_size(8, 8);
    hr_ring *ring = NULL;
    unsigned char *memory = aligned_alloc(64, (size_t)bytes + 64);
    assert(hr_ring_init(NULL, bytes, 8, 8, &ring) == HR_ERR_ARGUMENT);
    assert(hr_ring_init(memory + 1, bytes, 8, 8, &ring) == HR_ERR_ARGUMENT);
    assert(hr_ring_init(memory, bytes - 1, 8, 8, &ring) == HR_ERR_ARGUMENT);
    assert(hr_ring_init(memory, bytes, 8, 8, NULL) == HR_ERR_ARGUMENT);
    free(memory);
}

static void test_full_and_empty_are_answers(void) {
    void *memory = NULL;
    hr_ring *ring = open_ring(&memory, 4);
    slot out[8];
    assert(hr_ring_pop(ring, out, 8) == 0);
    assert(hr_ring_front(ring) == NULL);
    for (int64_t i = 0; i < 4; i++) {
        const slot one = numbered(i);
        assert(hr_ring_room(ring) == 4 - i);
        assert(hr_ring_push(ring, &one) == HR_OK);
        assert(hr_ring_depth(ring) == i + 1);
    }
    const slot more = numbered(9);
    assert(hr_ring_push(ring, &more) == HR_ERR_FULL);
    assert(hr_ring_claim(ring, 0) == NULL);
    assert_numbered(hr_ring_front(ring), 0);
    hr_ring_release(ring);
    assert(hr_ring_push(ring, &more) == HR_OK);
    assert(hr_ring_pop(ring, out, 8) == 4);
    assert_numbered(&out[0], 1);
    assert_numbered(&out[3], 9);
    free(memory);
}

static void test_claimed_slots_are_unseen_until_published(void) {
    void *memory = NULL;
    hr_ring *ring = open_ring(&memory, 4);
    for (int64_t ahead = 0; ahead < 3; ahead++) {
        const slot one = numbered(ahead);
        memcpy(hr_ring_claim(ring, ahead), &one, sizeof one);
    }
    slot out[4];
    assert(hr_ring_pop(ring, out, 4) == 0);
    hr_ring_publish(ring, 2);
    assert(hr_ring_pop(ring, out, 4) == 2);
    assert_numbered(&out[1], 1);
    assert(hr_ring_claim(ring, 4) == NULL);
    free(memory);
}

static void *produce(void *argument) {
    hr_ring *ring = argument;
    for (int64_t number = 0; number < COUNT;) {
        const slot one = numbered(number);
        if (number % 3 == 0) {
            number += hr_ring_push(ring, &one) == HR_OK;
            continue;
        }
        void *free_slot = hr_ring_claim(ring, 0);
        if (free_slot != NULL) {
            memcpy(free_slot, &one, sizeof one);
            hr_ring_publish(ring, 1);
            number++;
        }
    }
    return NULL;
}

static void test_two_threads_pass_every_slot_once_and_whole(void) {
    void *memory = NULL;
    hr_ring *ring = open_ring(&memory, CAPACITY);
    pthread_t producer;
    assert(pthread_create(&producer, NULL, produce, ring) == 0);
    slot out[BATCH];
    for (int64_t number = 0; number < COUNT;) {
        const int64_t count = hr_ring_pop(ring, out, 1 + number % BATCH);
        for (int64_t i = 0; i < count; i++) {
            assert_numbered(&out[i], number + i);
        }
        number += count;
        const slot *front = count == 0 ? hr_ring_front(ring) : NULL;
        if (front != NULL) {
            assert_numbered(front, number);
            hr_ring_release(ring);
            number++;
        }
    }
    assert(pthread_join(producer, NULL) == 0);
    assert(hr_ring_depth(ring) == 0);
    free(memory);
}

int main(void) {
    test_bad_arguments_are_refused();
    test_full_and_empty_are_answers();
    test_claimed_slots_are_unseen_until_published();
    test_two_threads_pass_every_slot_once_and_whole();
    printf("ring: ok\n");
    return 0;
}
