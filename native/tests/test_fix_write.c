/* The numbers and the sum that FIX bytes are made of, against printf and a plain loop. */
#include "hr_fix_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 64 };

static const uint8_t untouched = 0xa5;

/* Every number near a power of ten or of two, where one digit becomes two. */
static void for_each_edge(void (*check)(uint64_t)) {
    for (uint64_t power = 1;; power *= 10) {
        for (uint64_t near = 0; near < 3; near++) {
            check(power + near - 1);
            check(power * 9 + near);
        }
        if (power > UINT64_MAX / 10) {
            break;
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        check((1ULL << bit) - 1);
        check(1ULL << bit);
    }
    check(UINT64_MAX);
}

static void check_integer(uint64_t number) {
    char expected[ROOM];
    uint8_t out[ROOM];
    memset(out, untouched, sizeof out);
    const int count = snprintf(expected, sizeof expected, "%" PRIu64, number);
    assert(hr_fix_put_integer(out, number) == out + count);
    assert(memcmp(out, expected, (size_t)count) == 0);
    const int overrun = count < 8 ? 8 : count; /* What is promised to whoever has slack. */
    for (int at = overrun; at < ROOM; at++) {
        assert(out[at] == untouched);
    }
}

static void check_decimals(uint64_t number) {
    for (int decimals = 0; decimals <= 12; decimals++) {
        char expected[ROOM];
        uint8_t out[ROOM];
        const uint64_t power = hr_fix_powers[decimals];
        const int count = decimals == 0
                              ? snprintf(expected, sizeof expected, "%" PRIu64, number)
                              : snprintf(expected, sizeof expected, "%" PRIu64 ".%0*" PRIu64,
                                         number / power, decimals, number % power);
        assert(hr_fix_put_decimal(out, number, decimals) == out + count);
        assert(memcmp(out, expected, (size_t)count) == 0);
    }
}

static void test_numbers_are_written_as_printf_does(void) {
    for_each_edge(check_integer);
    for_each_edge(check_decimals);
    for (uint64_t number = 0; number < 120000; number++) {
        check_integer(number);
    }
}

static void test_every_four_digits_are_right(void) {
    for (uint32_t number = 0; number < 10000; number++) {
        char expected[ROOM];
        uint8_t out[ROOM];
        snprintf(expected, sizeof expected, "%04" PRIu32, number);
        hr_fix_put_digits(out, number, 4);
        assert(memcmp(out, expected, 4) == 0);
        hr_fix_put_eight(out, (uint64_t)number * 10000 + 9999 - number);
        snprintf(expected, sizeof expected, "%04" PRIu32 "%04" PRIu32, number, 9999 - number);
        assert(memcmp(out, expected, 8) == 0);
    }
}

static void test_the_sum_is_that_of_its_bytes_wherever_they_lie(void) {
    static uint8_t bytes[600];
    for (size_t at = 0; at < sizeof bytes; at++) {
        bytes[at] = (uint8_t)(at * 151 + (at >> 3) * 7 + 128);
    }
    for (int64_t first = 0; first < 33; first++) {
        uint8_t sum = 0;
        for (int64_t count = 0; first + count <= (int64_t)sizeof bytes; count++) {
            assert(hr_fix_sum(bytes + first, count) == sum);
            const int64_t next = first + count;
            sum = (uint8_t)(sum + (next < (int64_t)sizeof bytes ? bytes[next] : 0));
        }
    }
    memset(bytes, 0xff, sizeof bytes);
    assert(hr_fix_sum(bytes, sizeof bytes) == (uint8_t)(sizeof bytes * 255));
}

static void check_counter(hr_fix_counter *counter, uint64_t number) {
    char expected[32];
    uint8_t out[64];
    const int count = snprintf(expected, sizeof expected, "%llu", (unsigned long long)number);
    memset(out, 'x', sizeof out);
    assert(hr_fix_put_counter(out, counter, number) == out + count);
    assert(memcmp(out, expected, (size_t)count) == 0);
}

/* One after the other, over every change of length; twice the same; on, and back. */
static void test_a_counter_writes_what_it_is_given(void) {
    hr_fix_lane lane;
    assert(hr_fix_lane_init(&lane, (const uint8_t *)"US", 2, (const uint8_t *)"THEM", 4) == HR_OK);
    hr_fix_counter *counter = &lane.sequence;
    for (uint64_t number = 1; number < 20000; number++) {
        check_counter(counter, number);
    }
    static const uint64_t jumps[] = {
        99989,    99999,     100000,    7,         8,          10,         9,   9,
        99999989, 999999989, 999999990, 100000000, 4294967295, 4294967296, 123, 0,
    };
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        for (uint64_t more = 0; more < 25; more++) {
            check_counter(counter, jumps[i] + more);
        }
    }
    check_counter(&lane.quote_id, 0); /* As it begins. */
    check_counter(&lane.quote_id, 1);
}

int main(void) {
    test_a_counter_writes_what_it_is_given();
    test_numbers_are_written_as_printf_does();
    test_every_four_digits_are_right();
    test_the_sum_is_that_of_its_bytes_wherever_they_lie();
    return 0;
}
