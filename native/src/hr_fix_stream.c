#include "hr_fix_scan.h"

static const uint8_t opening[] = {'8', '=', 'F', 'I', 'X', '.', '4', '.', '4', 1, '9', '='};

enum {
    OPENING_COUNT = sizeof opening,
    LENGTH_DIGITS_MAX = 5,
    TRAILER_COUNT = 7,  /* 10=ddd| */
    BODY_COUNT_MIN = 5, /* 35=0| */
    PARTIAL = 0,
    GARBLED = -1
};

/* Returns the bytes of the message that begins at `at`, PARTIAL or GARBLED; `body_out` is where
 * BodyLength begins to count. */
static int64_t message_measure(const uint8_t *at, int64_t count, int64_t *body_out) {
    const int64_t seen = count < OPENING_COUNT ? count : OPENING_COUNT;
    if (memcmp(at, opening, (size_t)seen) != 0) {
        return GARBLED;
    }
    int64_t length = 0;
    int64_t k = OPENING_COUNT;
    while (k < count && at[k] >= '0' && at[k] <= '9') {
        if (k - OPENING_COUNT == LENGTH_DIGITS_MAX) {
            return GARBLED;
        }
        length = length * 10 + (at[k] - '0');
        k++;
    }
    if (k >= count) {
        return PARTIAL;
    }
    const int64_t total = k + 1 + length + TRAILER_COUNT;
    if (at[k] != HR_FIX_SOH || length < BODY_COUNT_MIN || total > HR_FIX_MESSAGE_BYTES_MAX) {
        return GARBLED;
    }
    *body_out = k + 1;
    return total <= count ? total : PARTIAL;
}

/* A body of whole fields that begins with MsgType, and the right checksum after it. */
static int is_sound(const uint8_t *at, int64_t total, int64_t body) {
    const uint8_t *const trailer = at + total - TRAILER_COUNT;
    if (memcmp(at + body, "35=", 3) != 0 || trailer[-1] != HR_FIX_SOH ||
        memcmp(trailer, "10=", 3) != 0 || trailer[6] != HR_FIX_SOH) {
        return 0;
    }
    const hr_fix_text digits = {trailer + 3, 3};
    return hr_fix_integer_read(&digits) == hr_fix_sum(at, total - TRAILER_COUNT);
}

/* Returns the next place from 1 on where a message may begin, or `count`. */
static int64_t opening_find(const uint8_t *at, int64_t count) {
    for (int64_t k = 1; k < count; k++) {
        const int64_t left = count - k;
        if (at[k] == '8' &&
            memcmp(at + k, opening, (size_t)(left < OPENING_COUNT ? left : OPENING_COUNT)) == 0) {
            return k;
        }
    }
    return count;
}

/* Takes one field of the header. Returns 0 where it is the first of the body, or breaks it. */
static int header_take(hr_fix_message *message, const hr_fix_field *field) {
    switch (field->tag) {
    case 34:
        if (message->sequence != 0) {
            message->sequence = 0;
            return 0;
        }
        message->sequence = hr_fix_integer_read(&field->value);
        return message->sequence > 0;
    case 43:
        message->is_duplicate = hr_fix_is_yes(&field->value);
        return 1;
    case 49:
        message->sender = field->value;
        return 1;
    case 52:
        message->sending_time = field->value;
        return 1;
    case 56:
        message->target = field->value;
        return 1;
    case 50: /* Sub and location ids, on behalf of and deliver to, */
    case 57:
    case 90:
    case 91:
    case 97: /* PossResend, */
    case 115:
    case 116:
    case 122: /* the time it was first sent. */
    case 128:
    case 129:
    case 142:
    case 143:
    case 144:
    case 145:
    case 369:
        return 1;
    default:
        return 0;
    }
}

/* What the lane needs to know of a Logon and a SequenceReset. */
static void session_fields_read(hr_fix_message *message) {
    const uint8_t *at = message->body;
    const uint8_t *const end = message->body + message->body_count;
    hr_fix_field field;
    while (at != end && (at = hr_fix_field_read(at, end, &field)) != NULL) {
        if (field.tag == 36) {
            message->new_sequence = hr_fix_integer_read(&field.value);
        } else if (field.tag == 123) {
            message->is_gap_fill = hr_fix_is_yes(&field.value);
        } else if (field.tag == 141) {
            message->is_reset = hr_fix_is_yes(&field.value);
        }
    }
}

static void header_read(const uint8_t *bytes, int64_t total, int64_t body,
                        hr_fix_message *message) {
    memset(message, 0, sizeof *message);
    message->bytes = bytes;
    message->count = total;
    const uint8_t *const end = bytes + total - TRAILER_COUNT;
    hr_fix_field field;
    const uint8_t *at = hr_fix_field_read(bytes + body, end, &field);
    if (at == NULL) {
        at = end;
    } else {
        message->type = hr_fix_type_read(&field.value);
    }
    while (at != end) {
        const uint8_t *const next = hr_fix_field_read(at, end, &field);
        if (next == NULL || !header_take(message, &field)) {
            break;
        }
        at = next;
    }
    if (message->sequence < 0) {
        message->sequence = 0;
    }
    message->body = at;
    message->body_count = end - at;
    if (message->type == HR_FIX_SEQUENCE_RESET || message->type == HR_FIX_LOGON) {
        session_fields_read(message);
    }
}

hr_status hr_fix_stream_init(hr_fix_stream *stream, uint8_t *memory, int64_t capacity) {
    if (stream == NULL || memory == NULL || capacity < HR_FIX_STREAM_BYTES_MIN) {
        return HR_ERR_ARGUMENT;
    }
    memset(stream, 0, sizeof *stream);
    stream->memory = memory;
    stream->capacity = capacity;
    return HR_OK;
}

int64_t hr_fix_stream_room(hr_fix_stream *stream, uint8_t **room_out) {
    if (stream == NULL || room_out == NULL || stream->memory == NULL) {
        return 0;
    }
    const int64_t pending = stream->end - stream->begin;
    if (pending == 0 || stream->capacity - stream->end < HR_FIX_MESSAGE_BYTES_MAX) {
        memmove(stream->memory, stream->memory + stream->begin, (size_t)pending);
        stream->begin = 0;
        stream->end = pending;
    }
    *room_out = stream->memory + stream->end;
    return stream->capacity - stream->end;
}

hr_status hr_fix_stream_grow(hr_fix_stream *stream, int64_t count) {
    if (stream == NULL || count < 0 || count > stream->capacity - stream->end) {
        return HR_ERR_ARGUMENT;
    }
    stream->end += count;
    return HR_OK;
}

hr_status hr_fix_stream_push(hr_fix_stream *stream, const uint8_t *bytes, int64_t count) {
    uint8_t *room = NULL;
    if (stream == NULL || bytes == NULL || count < 0) {
        return HR_ERR_ARGUMENT;
    }
    if (hr_fix_stream_room(stream, &room) < count) {
        return HR_ERR_FULL;
    }
    memcpy(room, bytes, (size_t)count);
    return hr_fix_stream_grow(stream, count);
}

hr_status hr_fix_stream_next(hr_fix_stream *stream, hr_fix_message *message_out) {
    if (stream == NULL || message_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    while (stream->begin < stream->end) {
        const uint8_t *const at = stream->memory + stream->begin;
        const int64_t pending = stream->end - stream->begin;
        int64_t body = 0;
        const int64_t total = message_measure(at, pending, &body);
        if (total == PARTIAL) {
            break;
        }
        if (total > 0 && is_sound(at, total, body)) {
            header_read(at, total, body, message_out);
            stream->begin += total;
            stream->message_count++;
            return HR_OK;
        }
        const int64_t skipped = opening_find(at, pending);
        stream->begin += skipped;
        stream->garbled_count++;
        stream->garbled_bytes += skipped;
    }
    return HR_ERR_NOT_FOUND;
}
