/* Nanoseconds for the benches: the cycle counter, set against the system's clock once. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static double bench_ns_per_cycle;
static int64_t bench_cycles_start;

static inline int64_t bench_system_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Since 1970, as the loop's clock. */
static inline int64_t bench_system_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t bench_cycles(void) {
#if defined(__x86_64__)
    return (int64_t)__rdtsc();
#else
    return bench_system_ns();
#endif
}

static inline void bench_clock_open(void) {
    const int64_t from_ns = bench_system_ns();
    const int64_t from = bench_cycles();
    while (bench_system_ns() - from_ns < 100000000) {
    }
    const int64_t cycles = bench_cycles() - from;
    bench_ns_per_cycle = (double)(bench_system_ns() - from_ns) / (double)cycles;
    bench_cycles_start = bench_cycles();
}

static inline int64_t bench_now(void) {
    return (int64_t)((double)(bench_cycles() - bench_cycles_start) * bench_ns_per_cycle);
}

/* Waits for a time to come as a spinning wait should; returns when it is, some tens of nanoseconds
 * late. Without the pause what comes after a wait is slower on some processors, by up to a half. */
static inline int64_t bench_wait_until(int64_t due_ns) {
    for (;;) {
        const int64_t now_ns = bench_now();
        if (now_ns >= due_ns) {
            return now_ns;
        }
#if defined(__x86_64__)
        _mm_pause();
#endif
    }
}

/* Returns the processor's cycles a nanosecond, as they are now: the counter's are not. An addition
 * that waits for the one before takes one. */
static inline double bench_ghz(void) {
    enum { ADDITIONS = 10000000, IN_ROW = 16 };
    uint64_t sum = 0;
    const int64_t from_ns = bench_system_ns();
    for (int64_t i = 0; i < ADDITIONS / IN_ROW; i++) { /* Few jumps: they may wait for others. */
        for (int k = 0; k < IN_ROW; k++) {
            sum++;
            __asm__ volatile("" : "+r"(sum));
        }
    }
    return (double)ADDITIONS / (double)(bench_system_ns() - from_ns);
}

/* Returns how many additions a cycle the core does that wait for no other: four and more where it
 * is ours alone, half of that while another thread works on it. Takes some microseconds. */
static inline double bench_width(void) {
    enum { ROUNDS = 384, IN_ROW = 16, CHAINS = 6 };
    uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
    const int64_t from = bench_cycles();
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < IN_ROW; k++) {
            a++;
            __asm__ volatile("" : "+r"(a));
        }
    }
    const int64_t between = bench_cycles();
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < IN_ROW; k++) {
            a++, b++, c++, d++, e++, f++;
            __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
        }
    }
    const int64_t wide = bench_cycles() - between;
    return wide > 0 ? (double)CHAINS * (double)(between - from) / (double)wide : 0.0;
}

/* Writes samples, 64-bit little-endian nanoseconds, where the Python side reads them. */
static inline void bench_write(const char *path, const int64_t *samples, int64_t count) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(samples, sizeof *samples, (size_t)count, file) != (size_t)count ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

#endif
