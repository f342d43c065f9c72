/* fix_fixture.h: FIX messages written as people read them, for the tests. */
#ifndef FIX_FIXTURE_H
#define FIX_FIXTURE_H

#include "hr_fix.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_NS 1795344392306789012 /* 2026-11-22 10:46:32.306 */

enum { TEXT_MAX = 70000 };

typedef struct {
    uint8_t bytes[TEXT_MAX];
    int64_t count;
} wire;

static inline const uint8_t *bytes_of(const char *text) {
    return (const uint8_t *)text;
}

/* Text with | for SOH, as it is. */
static inline void wire_raw(wire *out, const char *text) {
    out->count = (int64_t)strlen(text);
    for (int64_t k = 0; k < out->count; k++) {
        out->bytes[k] = (uint8_t)(text[k] == '|' ? 1 : text[k]);
    }
}

/* The same between a right beginning and a right end. */
static inline void wire_framed(wire *out, const char *body) {
    static char text[TEXT_MAX];
    const int count = snprintf(text, sizeof text, "8=FIX.4.4|9=%d|%s", (int)strlen(body), body);
    assert(count > 0 && count < TEXT_MAX - 8);
    wire_raw(out, text);
    unsigned sum = 0;
    for (int64_t k = 0; k < out->count; k++) {
        sum += out->bytes[k];
    }
    char trailer[8];
    snprintf(trailer, sizeof trailer, "10=%03u|", sum & 255);
    for (int k = 0; k < 7; k++) {
        out->bytes[out->count++] = (uint8_t)(trailer[k] == '|' ? 1 : trailer[k]);
    }
}

/* From the venue, type first: "b", 7, "297=0|". */
static inline void wire_in(wire *out, const char *type, int sequence, const char *body) {
    static char text[TEXT_MAX];
    const int count = snprintf(text, sizeof text,
                               "35=%s|49=DERIBITSERVER|56=DESK|34=%d|52=20261122-10:46:32.306|%s",
                               type, sequence, body);
    assert(count > 0 && count < TEXT_MAX);
    wire_framed(out, text);
}

static inline hr_fix_lane desk_lane(void) {
    hr_fix_lane lane;
    assert(hr_fix_lane_init(&lane, bytes_of("DESK"), 4, bytes_of("DERIBITSERVER"), 13) == HR_OK);
    return lane;
}

/* A stream whose bytes end where its memory does, so that a byte too far is seen. */
static inline hr_fix_stream stream_at_end(const wire *in) {
    hr_fix_stream stream;
    uint8_t *memory = malloc(HR_FIX_STREAM_BYTES_MIN);
    assert(memory != NULL && in->count <= HR_FIX_STREAM_BYTES_MIN);
    assert(hr_fix_stream_init(&stream, memory, HR_FIX_STREAM_BYTES_MIN) == HR_OK);
    stream.end = stream.capacity;
    stream.begin = stream.capacity - in->count;
    memcpy(memory + stream.begin, in->bytes, (size_t)in->count);
    return stream;
}

/* The one message of `in`, its bytes in `stream`'s memory, which the caller frees. */
static inline hr_fix_message message_of(const wire *in, hr_fix_stream *stream) {
    hr_fix_message message;
    *stream = stream_at_end(in);
    assert(hr_fix_stream_next(stream, &message) == HR_OK);
    assert(message.count == in->count);
    return message;
}

static inline int text_is(hr_fix_text text, const char *wanted) {
    return text.bytes != NULL && text.count == (int64_t)strlen(wanted) &&
           memcmp(text.bytes, wanted, strlen(wanted)) == 0;
}

/* What was encoded, framed independently. */
static inline int is_framed(const uint8_t *bytes, int64_t count, const char *body) {
    wire expected;
    wire_framed(&expected, body);
    return count == expected.count && memcmp(bytes, expected.bytes, (size_t)count) == 0;
}

#endif
