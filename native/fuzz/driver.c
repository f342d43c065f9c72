/* Runs a fuzz target without clang: DRIVER CORPUS.hex RUNS SEED. Every seed of the corpus (a line
 * of hex each), then RUNS random changes of them, each in a heap block of exactly its size. */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { SEEDS_MAX = 4096, BYTES_MAX = 4096 };

typedef struct {
    uint8_t *bytes;
    size_t count;
} seed;

static seed seeds[SEEDS_MAX];
static size_t seed_count;
static uint64_t state;

static size_t below(size_t bound) {
    state += 0x9e3779b97f4a7c15U; /* splitmix64 */
    uint64_t mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return (size_t)((mixed ^ (mixed >> 31)) % bound);
}

static void seeds_read(const char *path) {
    static char line[2 * BYTES_MAX + 2];
    FILE *file = fopen(path, "r");
    assert(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        assert(seed_count < SEEDS_MAX);
        seed *into = &seeds[seed_count++];
        into->count = strspn(line, "0123456789abcdef") / 2;
        into->bytes = malloc(into->count + 1);
        for (size_t at = 0; at < into->count; at++) {
            const char pair[3] = {line[2 * at], line[2 * at + 1], 0};
            into->bytes[at] = (uint8_t)strtoul(pair, NULL, 16);
        }
    }
    fclose(file);
    assert(seed_count > 0);
}

static void run(const uint8_t *bytes, size_t count) {
    uint8_t *exact = malloc(count == 0 ? 1 : count);
    memcpy(exact, bytes, count);
    assert(LLVMFuzzerTestOneInput(exact, count) == 0);
    free(exact);
}

static size_t change(uint8_t *bytes, size_t count) {
    static const uint8_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    const size_t at = count == 0 ? 0 : below(count);
    switch (below(5)) {
    case 0:
        return at; /* Cut short. */
    case 1: {      /* A piece of another seed. */
        const seed *other = &seeds[below(seed_count)];
        const size_t most = BYTES_MAX - at < other->count ? BYTES_MAX - at : other->count;
        memcpy(bytes + at, other->bytes, most);
        return at + most > count ? at + most : count;
    }
    case 2:
        if (count > 0) {
            bytes[at] ^= (uint8_t)(1U << below(8));
        }
        return count;
    default:
        if (count > 0) {
            bytes[at] = below(2) == 0 ? edges[below(sizeof edges)] : (uint8_t)below(256);
        }
        return count;
    }
}

int main(int argc, char **argv) {
    assert(argc == 4);
    seeds_read(argv[1]);
    state = strtoull(argv[3], NULL, 10);
    for (size_t at = 0; at < seed_count; at++) {
        run(seeds[at].bytes, seeds[at].count);
    }
    for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
        uint8_t bytes[BYTES_MAX];
        const seed *from = &seeds[below(seed_count)];
        size_t count = from->count;
        memcpy(bytes, from->bytes, count);
        for (size_t changes = 1 + below(6); changes > 0; changes--) {
            count = change(bytes, count);
        }
        run(bytes, count);
    }
    return 0;
}
