/* Any bytes as a stream, as framed messages and as arguments: only whole messages come out, what is
 * read of them stays inside them, and what is encoded is parsed back to the same. */
#undef NDEBUG
#include "fix_input.h"
#include "fix_look.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { ROOM = HR_FIX_STREAM_BYTES_MIN, BODY_MAX = 4096 };

static uint8_t memory[ROOM];
static uint8_t other_memory[ROOM];
static uint8_t out[HR_FIX_OUT_BYTES_MAX];

static hr_fix_lane new_lane(void) {
    hr_fix_lane lane;
    assert(hr_fix_lane_init(&lane, (const uint8_t *)"D", 1, (const uint8_t *)"V", 1) == HR_OK);
    return lane;
}

/* Bytes up to the end of the memory, so that one too far is seen. */
static hr_fix_stream at_end(const uint8_t *bytes, int64_t count) {
    hr_fix_stream stream;
    assert(hr_fix_stream_init(&stream, memory, ROOM) == HR_OK);
    stream.end = ROOM;
    stream.begin = ROOM - count;
    if (count > 0) {
        memcpy(memory + stream.begin, bytes, (size_t)count);
    }
    return stream;
}

static void as_stream(const uint8_t *bytes, int64_t count, int64_t piece) {
    hr_fix_lane lane = new_lane();
    hr_fix_message message;
    hr_fix_stream whole = at_end(bytes, count);
    while (hr_fix_stream_next(&whole, &message) == HR_OK) {
        look_into(&lane, &message);
    }
    hr_fix_stream pieces;
    assert(hr_fix_stream_init(&pieces, other_memory, ROOM) == HR_OK);
    for (int64_t at = 0; at < count; at += piece) {
        const int64_t some = count - at < piece ? count - at : piece;
        assert(hr_fix_stream_push(&pieces, bytes + at, some) == HR_OK);
        while (hr_fix_stream_next(&pieces, &message) == HR_OK) {
            assert(message.count > 0);
        }
    }
    assert(pieces.message_count == whole.message_count);
    assert(pieces.garbled_bytes == whole.garbled_bytes);
    assert(pieces.end - pieces.begin == whole.end - whole.begin);
}

/* Lines become messages with a right length and checksum, | their SOH. */
static void as_lines(const uint8_t *bytes, int64_t count) {
    hr_fix_lane lane = new_lane();
    hr_fix_stream stream = at_end(NULL, 0);
    static uint8_t frame[BODY_MAX + 64];
    for (int64_t at = 0; at < count;) {
        uint8_t body[BODY_MAX];
        int64_t length = 0;
        while (at < count && bytes[at] != '\n' && length < BODY_MAX) {
            body[length++] = bytes[at] == '|' ? HR_FIX_SOH : bytes[at];
            at++;
        }
        at++;
        memcpy(frame, "8=FIX.4.4\0019=0000\001", 17);
        for (int64_t digit = 15, rest = length; digit > 11; digit--, rest /= 10) {
            frame[digit] = (uint8_t)('0' + rest % 10);
        }
        memcpy(frame + 17, body, (size_t)length);
        const uint8_t sum = hr_fix_sum(frame, length + 17);
        const uint8_t trailer[] = {'1',
                                   '0',
                                   '=',
                                   (uint8_t)('0' + sum / 100),
                                   (uint8_t)('0' + sum / 10 % 10),
                                   (uint8_t)('0' + sum % 10),
                                   1};
        memcpy(frame + 17 + length, trailer, sizeof trailer);
        stream = at_end(frame, length + 24);
        hr_fix_message message;
        while (hr_fix_stream_next(&stream, &message) == HR_OK) {
            look_into(&lane, &message);
        }
    }
}

/* What was encoded is one message, with that number and that type. */
static hr_fix_message parsed(int64_t count, int64_t sequence, int32_t type) {
    hr_fix_stream stream = at_end(out, count);
    hr_fix_message message;
    assert(hr_fix_stream_next(&stream, &message) == HR_OK);
    assert(message.count == count && message.sequence == sequence && message.type == type);
    return message;
}

static void check_quotes(const hr_fix_message *message, const hr_fix_quote *quotes, int64_t count) {
    const uint8_t *at = message->body;
    const uint8_t *const end = message->body + message->body_count;
    const hr_fix_quote *quote = quotes - 1;
    hr_fix_field field;
    while (at != end) {
        at = hr_fix_field_read(at, end, &field);
        assert(at != NULL);
        quote += field.tag == 299;
        if (field.tag >= 132 && field.tag <= 135) {
            const int side = (field.tag - 132) & 1;
            hr_fix_decimal decimal;
            int64_t units = -1;
            assert(hr_fix_decimal_read(&field.value, &decimal) == HR_OK);
            if (field.tag < 134) {
                assert(hr_fix_to_ticks(quote->instrument, &decimal, &units) == HR_OK);
                assert(units == quote->ticks[side] && quote->lots[side] > 0);
            } else {
                assert(hr_fix_to_lots(quote->instrument, &decimal, &units) == HR_OK);
                assert(units == quote->lots[side]);
            }
        }
    }
    assert(quote == quotes + count - 1);
}

static void as_quotes(source *from) {
    hr_fix_instrument instrument;
    hr_fix_quote_form form;
    hr_fix_quote quotes[12];
    hr_fix_lane lane = new_lane();
    const hr_fix_text name = take_text(from);
    const hr_fix_text group = take_text(from);
    const hr_fix_text set = take_text(from);
    memset(&instrument, 0, sizeof instrument);
    memset(&form, 0, sizeof form);
    const int32_t id = (int32_t)take_number(from);
    const int64_t tick = take_number(from);
    const int32_t tick_exponent = -(int32_t)(take(from) & 15);
    const int64_t lot = take_number(from);
    hr_fix_instrument_init(&instrument, name.bytes, name.count, id, tick, tick_exponent, lot,
                           1 - (int32_t)(take(from) & 15));
    hr_fix_quote_form_init(&form, group.bytes, group.count, set.bytes, set.count,
                           (int8_t)take(from));
    const int64_t count = take(from) & 15;
    for (int64_t k = 0; k < 12; k++) {
        quotes[k].instrument = take(from) == 255 ? NULL : &instrument;
        for (int side = 0; side < 2; side++) {
            quotes[k].ticks[side] = take_number(from);
            quotes[k].lots[side] = take_number(from);
        }
    }
    const int64_t now_ns = take_number(from);
    const int64_t capacity = take(from) == 255 ? take_number(from) & 1023 : (int64_t)sizeof out;
    lane.next_out = take_number(from);
    const int64_t sequence = lane.next_out;
    int64_t written = 0;
    if (count <= 12 && hr_fix_encode_mass_quote(
                           TAKE_POINTER(from, &lane), TAKE_POINTER(from, &form), take_number(from),
                           TAKE_POINTER(from, quotes), count, now_ns, TAKE_POINTER(from, out),
                           capacity, TAKE_POINTER(from, &written)) == HR_OK) {
        assert(written <= capacity && lane.next_out == sequence + 1);
        const hr_fix_message message = parsed(written, sequence, HR_FIX_MASS_QUOTE);
        check_quotes(&message, quotes, count);
    } else {
        assert(lane.next_out == sequence && written == 0);
    }
}

static void as_orders(source *from) {
    hr_fix_instrument instrument;
    hr_fix_lane lane = new_lane();
    memset(&instrument, 0, sizeof instrument);
    const hr_fix_text name = take_text(from);
    hr_fix_instrument_init(&instrument, name.bytes, name.count, 1, 5, -1, 1, 0);
    hr_fix_order order = {
        &instrument, take_text(from), take_text(from), take_text(from), 0, 0, 0, 0, 0, 0};
    order.instrument = take(from) == 255 ? NULL : &instrument;
    order.price_ticks = take_number(from);
    order.lots = take_number(from);
    order.side = take(from) & 3;
    order.time_in_force = take(from) & 7;
    order.execution = (int8_t)take(from);
    const int64_t now_ns = take_number(from);
    const int64_t capacity = take(from) == 255 ? take_number(from) & 1023 : (int64_t)sizeof out;
    int64_t count = 0;
    if (hr_fix_encode_order(TAKE_POINTER(from, &lane), TAKE_POINTER(from, &order), now_ns,
                            TAKE_POINTER(from, out), capacity,
                            TAKE_POINTER(from, &count)) == HR_OK) {
        parsed(count, 1, HR_FIX_NEW_ORDER);
    }
    lane.next_out = 5;
    if (hr_fix_encode_replace(&lane, &order, now_ns, out, capacity, &count) == HR_OK) {
        parsed(count, 5, HR_FIX_REPLACE_ORDER);
    }
    lane.next_out = 6;
    if (hr_fix_encode_cancel(&lane, &order, now_ns, out, capacity, &count) == HR_OK) {
        parsed(count, 6, HR_FIX_CANCEL_ORDER);
    }
    const hr_fix_quote_cancel cancel = {take_text(from), take_number(from), take(from) & 7,
                                        take(from) & 1};
    lane.next_out = 7;
    if (hr_fix_encode_quote_cancel(TAKE_POINTER(from, &lane), TAKE_POINTER(from, &cancel), now_ns,
                                   TAKE_POINTER(from, out), capacity,
                                   TAKE_POINTER(from, &count)) == HR_OK) {
        parsed(count, 7, HR_FIX_QUOTE_CANCEL);
    }
}

static void as_body(source *from) {
    hr_fix_lane lane = new_lane();
    const int32_t type = take(from) | take(from) << 8;
    const int64_t sequence = take_number(from);
    const int64_t now_ns = take_number(from);
    const int64_t capacity = take(from) == 255 ? take_number(from) & 1023 : (int64_t)sizeof out;
    lane.next_out = 1 + take(from);
    const int64_t before = lane.next_out;
    uint8_t body[BODY_MAX];
    int64_t length = 0;
    int64_t count = 0;
    while (from->at != from->end && length < BODY_MAX) {
        const uint8_t next = take(from);
        body[length++] = next == '|' ? HR_FIX_SOH : next;
    }
    if (hr_fix_encode_body(&lane, type, length == 0 ? NULL : body, length, sequence, now_ns, out,
                           capacity, &count) == HR_OK) {
        const hr_fix_message message = parsed(count, sequence == 0 ? before : sequence, type);
        assert(message.is_duplicate == (sequence != 0));
        assert(lane.next_out == before + (sequence == 0));
    }
}

/* Functions handed nothing, too much, or what is not yet anything. */
static void as_arguments(source *from) {
    hr_fix_message message;
    hr_fix_stream stream;
    hr_fix_lane lane;
    uint8_t *room = NULL;
    memset(&message, 0, sizeof message);
    memset(&stream, 0, sizeof stream);
    memset(&lane, 0, sizeof lane);
    const hr_fix_text sender = take_text(from);
    const hr_fix_text target = take_text(from);
    const hr_status status = hr_fix_lane_init(TAKE_POINTER(from, &lane), sender.bytes, sender.count,
                                              target.bytes, target.count);
    assert((status == HR_OK) == (lane.next_out == 1));
    message.sender = target;
    message.target = take(from) & 1 ? sender : take_text(from);
    message.sequence = take_number(from);
    const hr_fix_lane *const known = TAKE_POINTER(from, &lane);
    hr_fix_lane_accept(known == NULL ? NULL : &lane, TAKE_POINTER(from, &message));
    assert((hr_fix_lane_is_behind(known) & ~1) == 0);
    hr_fix_stream *const given = TAKE_POINTER(from, &stream);
    hr_fix_stream_room(given, TAKE_POINTER(from, &room));
    if (hr_fix_stream_init(given, TAKE_POINTER(from, memory), ROOM + (take(from) & 1) - 1) ==
        HR_OK) {
        hr_fix_stream_grow(&stream, take_number(from));
        const int64_t left = hr_fix_stream_room(&stream, &room);
        assert(left == stream.capacity - stream.end && room == stream.memory + stream.end);
        const hr_status pushed =
            hr_fix_stream_push(&stream, TAKE_POINTER(from, other_memory), take_number(from) % ROOM);
        assert(pushed != HR_OK || stream.end <= stream.capacity);
        hr_fix_stream_next(TAKE_POINTER(from, &stream), TAKE_POINTER(from, &message));
    }
    hr_fix_stream_grow(given, -1);
    int64_t value = 0;
    const hr_fix_text text = take_text(from);
    hr_fix_to_integer(TAKE_POINTER(from, &text), TAKE_POINTER(from, &value));
    hr_fix_to_time(TAKE_POINTER(from, &text), TAKE_POINTER(from, &value));
    hr_fix_instrument instrument;
    memset(&instrument, 0, sizeof instrument);
    instrument.tick_mantissa = take(from) & 3;
    instrument.lot_mantissa = take(from) & 3;
    const hr_fix_decimal decimal = {take_number(from), -(take(from) & 15), take(from) & 1};
    hr_fix_to_ticks(TAKE_POINTER(from, &instrument), TAKE_POINTER(from, &decimal),
                    TAKE_POINTER(from, &value));
    hr_fix_to_lots(TAKE_POINTER(from, &instrument), TAKE_POINTER(from, &decimal),
                   TAKE_POINTER(from, &value));
    assert(value >= 0);
}

static void as_nothing(source *from) {
    hr_fix_message message;
    hr_fix_quote_ack ack;
    hr_fix_execution execution;
    hr_fix_quote_entry entry;
    hr_fix_fill fill;
    hr_fix_cancel_report report;
    hr_fix_refusal refusal;
    memset(&message, 0, sizeof message);
    memset(&ack, 0, sizeof ack);
    memset(&execution, 0, sizeof execution);
    const hr_fix_message *const given = TAKE_POINTER(from, &message);
    assert(hr_fix_decode_quote_ack(given, TAKE_POINTER(from, &ack)) == HR_ERR_ARGUMENT);
    assert(hr_fix_decode_execution(given, TAKE_POINTER(from, &execution)) == HR_ERR_ARGUMENT);
    assert(hr_fix_decode_cancel_report(given, TAKE_POINTER(from, &report)) == HR_ERR_ARGUMENT);
    assert(hr_fix_decode_refusal(given, TAKE_POINTER(from, &refusal)) == HR_ERR_ARGUMENT);
    assert(hr_fix_next_entry(TAKE_POINTER(from, &ack), TAKE_POINTER(from, &entry)) != HR_OK);
    assert(hr_fix_next_fill(TAKE_POINTER(from, &execution), TAKE_POINTER(from, &fill)) != HR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count == 0 || count > BODY_MAX) {
        return 0;
    }
    source from = {bytes + 1, bytes + count};
    switch (bytes[0]) {
    case 'q':
        as_quotes(&from);
        break;
    case 'o':
        as_orders(&from);
        break;
    case 'b':
        as_body(&from);
        break;
    case 'a':
        as_arguments(&from);
        break;
    case 'n':
        as_nothing(&from);
        break;
    case 'l':
        as_lines(bytes + 1, (int64_t)count - 1);
        break;
    default:
        as_stream(bytes + 1, (int64_t)count - 1, 1 + bytes[0] % 64);
        break;
    }
    return 0;
}
