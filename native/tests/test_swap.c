/* Goal: the reader of a swap sees whole blocks only, never an older one after a newer. */
#include "hr_swap.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 64 };
#define COUNT 200000

typedef struct {
    int64_t words[WORDS];
} block;

static hr_swap *open_swap(void **memory_out) {
    const int64_t bytes = hr_swap_size(sizeof(block));
    hr_swap *swap = NULL;
    *memory_out = aligned_alloc(64, (size_t)bytes);
    assert(hr_swap_init(*memory_out, bytes, sizeof(block), &swap) == HR_OK);
    return swap;
}

static void put(hr_swap *swap, int64_t number) {
    block *draft = hr_swap_draft(swap);
    for (int64_t i = 0; i < WORDS; i++) {
        draft->words[i] = number;
    }
    hr_swap_publish(swap);
}

static void test_bad_arguments_are_refused(void) {
    assert(hr_swap_size(0) == 0);
    assert(hr_swap_size(HR_SWAP_BYTES_MAX + 1) == 0);
    const int64_t bytes = hr_swap_size(8);
    hr_swap *swap = NULL;
    unsigned char *memory = aligned_alloc(64, (size_t)bytes + 64);
    assert(hr_swap_init(NULL, bytes, 8, &swap) == HR_ERR_ARGUMENT);
    assert(hr_swap_init(memory + 8, bytes, 8, &swap) == HR_ERR_ARGUMENT);
    assert(hr_swap_init(memory, bytes - 1, 8, &swap) == HR_ERR_ARGUMENT);
    assert(hr_swap_init(memory, bytes, 8, NULL) == HR_ERR_ARGUMENT);
    free(memory);
}

static void test_only_the_newest_block_is_taken_and_once(void) {
    void *memory = NULL;
    hr_swap *swap = open_swap(&memory);
    assert(hr_swap_take(swap) == NULL);
    put(swap, 1);
    put(swap, 2);
    const block *taken = hr_swap_take(swap);
    assert(taken != NULL && taken->words[0] == 2);
    assert(hr_swap_take(swap) == NULL);
    put(swap, 3);
    put(swap, 4);
    assert(taken->words[WORDS - 1] == 2); /* The reader's own stays while the writer goes on. */
    block whole;
    memset(&whole, 5, sizeof whole);
    hr_swap_put(swap, &whole);
    taken = hr_swap_take(swap);
    assert(taken != NULL && memcmp(taken, &whole, sizeof whole) == 0);
    free(memory);
}

static void *write_all(void *argument) {
    for (int64_t number = 1; number <= COUNT; number++) {
        put(argument, number);
    }
    return NULL;
}

static void test_two_threads_see_whole_and_ever_newer_blocks(void) {
    void *memory = NULL;
    hr_swap *swap = open_swap(&memory);
    pthread_t writer;
    assert(pthread_create(&writer, NULL, write_all, swap) == 0);
    int64_t last = 0;
    while (last < COUNT) {
        const block *taken = hr_swap_take(swap);
        if (taken == NULL) {
            continue;
        }
        assert(taken->words[0] > last);
        last = taken->words[0];
        for (int64_t i = 0; i < WORDS; i++) {
            assert(taken->words[i] == last);
        }
    }
    assert(pthread_join(writer, NULL) == 0);
    free(memory);
}

int main(void) {
    test_bad_arguments_are_refused();
    test_only_the_newest_block_is_taken_and_once();
    test_two_threads_see_whole_and_ever_newer_blocks();
    printf("swap: ok\n");
    return 0;
}
