#include "hr_fix_write.h"

#define SECOND_NS 1000000000
#define SEQUENCE_MAX 1000000000000000 /* Beyond it is no session. */

enum { OPENING_COUNT = 12, TRAILER_COUNT = 7 };

int32_t hr_fix_is_ready(const hr_fix_lane *lane, int64_t now_ns) {
    return lane != NULL && lane->header_count > 0 &&
           lane->header_count <= (int32_t)sizeof lane->header && lane->next_out > 0 &&
           lane->next_out < SEQUENCE_MAX && now_ns >= 0 && now_ns < HR_FIX_SECOND_MAX * SECOND_NS;
}

uint8_t *hr_fix_put_long(uint8_t *at, uint64_t number) {
    const uint64_t high = number / HR_FIX_EIGHT;
    at = high < HR_FIX_EIGHT ? hr_fix_put_short(at, high) : hr_fix_put_long(at, high);
    hr_fix_put_eight(at, number % HR_FIX_EIGHT);
    return at + 8;
}

uint8_t *hr_fix_put_stamp(uint8_t *at, hr_fix_lane *lane, int64_t now_ns) {
    const int64_t second = now_ns / SECOND_NS;
    if (second != lane->second) {
        hr_fix_time_write(second, lane->stamp);
        lane->second = second;
    }
    memcpy(at, lane->stamp, sizeof lane->stamp);
    hr_fix_put_digits(at + 18, (uint64_t)(now_ns - second * SECOND_NS) / 1000000, 3);
    return hr_fix_put_soh(at + 21);
}

uint8_t *hr_fix_frame_begin(hr_fix_frame *frame, hr_fix_lane *lane, int32_t type, int64_t sequence,
                            int64_t now_ns) {
    uint8_t *at = frame->out + OPENING_COUNT + frame->length_digits + 1;
    at = HR_FIX_PUT(at, "35=");
    *at++ = (uint8_t)(type & 0xff);
    if (type >> 8 != 0) {
        *at++ = (uint8_t)(type >> 8);
    }
    at = hr_fix_put_soh(at);
    at = hr_fix_put_room(at, lane->header, lane->header_count, sizeof lane->header);
    at = hr_fix_put_counter(at, &lane->sequence, (uint64_t)sequence);
    at = HR_FIX_PUT(at, "\00152=");
    return hr_fix_put_stamp(at, lane, now_ns);
}

int64_t hr_fix_frame_end(const hr_fix_frame *frame, uint8_t *at) {
    uint8_t *body = frame->out + OPENING_COUNT + frame->length_digits + 1;
    const int64_t length = at - body;
    const int digits = hr_fix_digit_count((uint64_t)length);
    if (digits != frame->length_digits) {
        memmove(frame->out + OPENING_COUNT + digits + 1, body, (size_t)length);
        at += digits - frame->length_digits;
    }
    uint8_t *tail = frame->out + OPENING_COUNT + digits;
    if (digits == 3 || digits == 4) {
        hr_fix_put_digits(tail - digits, (uint64_t)length, digits);
    } else {
        hr_fix_put_eight(tail - 8, (uint64_t)length); /* Over some of what follows here. */
    }
    memcpy(frame->out, "8=FIX.4.4\0019=", OPENING_COUNT);
    hr_fix_put_soh(tail);
    const uint8_t sum = hr_fix_sum(frame->out, at - frame->out);
    hr_fix_put_digits(HR_FIX_PUT(at, "10="), sum, 3);
    hr_fix_put_soh(at + TRAILER_COUNT - 1);
    return at + TRAILER_COUNT - frame->out;
}
