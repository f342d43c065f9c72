/* Goal: of any bytes only whole, right messages come out, in sequence; numbers are exact. */
#undef NDEBUG
#include "fix_fixture.h"

static const char heartbeat[] = "35=0|49=DERIBITSERVER|56=DESK|34=2|52=20261122-10:46:32.306|";

static void test_a_message_comes_out_with_its_header(void) {
    wire in;
    hr_fix_stream stream;
    wire_framed(&in, "35=8|34=17|49=V|50=x|56=DESK|43=Y|122=20261122-10:46:32|52=20261122-10:46:33|"
                     "37=1|39=0|");
    const hr_fix_message message = message_of(&in, &stream);
    assert(message.type == HR_FIX_EXECUTION_REPORT && message.sequence == 17);
    assert(message.is_duplicate == 1 && message.is_reset == 0 && message.is_gap_fill == 0);
    assert(text_is(message.sender, "V") && text_is(message.target, "DESK"));
    assert(text_is(message.sending_time, "20261122-10:46:33"));
    assert(message.body_count == 10 && memcmp(message.body, "37=1\00139=0\001", 10) == 0);
    assert(stream.message_count == 1 && stream.garbled_count == 0);
    free(stream.memory);
}

static void test_types_have_one_or_two_characters(void) {
    wire in;
    hr_fix_stream stream;
    wire_framed(&in, "35=AE|34=1|");
    assert(message_of(&in, &stream).type == ('A' | 'E' << 8));
    free(stream.memory);
    wire_framed(&in, "35=ABC|34=1|");
    assert(message_of(&in, &stream).type == 0);
    free(stream.memory);
}

static void test_any_pieces_make_the_same_messages(void) {
    wire in;
    wire one;
    in.count = 0;
    for (int k = 1; k <= 3; k++) {
        wire_in(&one, "0", k, k == 2 ? "" : "112=ask|");
        memcpy(in.bytes + in.count, one.bytes, (size_t)one.count);
        in.count += one.count;
    }
    uint8_t *memory = malloc(HR_FIX_STREAM_BYTES_MIN);
    for (int64_t piece = 1; piece <= in.count; piece++) {
        hr_fix_stream stream;
        hr_fix_message message;
        int64_t found = 0;
        assert(hr_fix_stream_init(&stream, memory, HR_FIX_STREAM_BYTES_MIN) == HR_OK);
        for (int64_t at = 0; at < in.count; at += piece) {
            const int64_t count = in.count - at < piece ? in.count - at : piece;
            assert(hr_fix_stream_push(&stream, in.bytes + at, count) == HR_OK);
            while (hr_fix_stream_next(&stream, &message) == HR_OK) {
                found++;
                assert(message.sequence == found);
            }
        }
        assert(found == 3 && stream.garbled_count == 0 && stream.begin == stream.end);
    }
    free(memory);
}

static void test_every_truncation_waits_for_more(void) {
    wire in;
    wire_framed(&in, heartbeat);
    const int64_t whole = in.count;
    for (in.count = 0; in.count < whole; in.count++) {
        hr_fix_message message;
        hr_fix_stream stream = stream_at_end(&in);
        assert(hr_fix_stream_next(&stream, &message) == HR_ERR_NOT_FOUND);
        assert(stream.garbled_count == 0 && stream.end - stream.begin == in.count);
        free(stream.memory);
    }
}

/* One byte is another: the message is not let through, unless the checksum itself still agrees,
 * and the one behind it is found once enough has come. */
static void test_every_flipped_byte_is_noticed(void) {
    wire good;
    wire in;
    wire_framed(&good, heartbeat);
    for (int64_t at = 0; at < good.count; at++) {
        for (int flip = 1; flip < 256; flip++) {
            memcpy(in.bytes, good.bytes, (size_t)good.count);
            memcpy(in.bytes + good.count, good.bytes, (size_t)good.count);
            in.bytes[at] ^= (uint8_t)flip;
            in.count = 2 * good.count;
            hr_fix_stream stream = stream_at_end(&in);
            hr_fix_message message;
            int64_t found = 0;
            while (hr_fix_stream_next(&stream, &message) == HR_OK) {
                found++;
                assert(message.sequence == 2);
            }
            assert(found == 1 || (found == 0 && stream.garbled_count == 0));
            free(stream.memory);
        }
    }
}

static void check_garbled(const char *text, int64_t garbled_min) {
    wire in;
    wire tail;
    wire_raw(&in, text);
    wire_framed(&tail, heartbeat);
    memcpy(in.bytes + in.count, tail.bytes, (size_t)tail.count);
    in.count += tail.count;
    hr_fix_stream stream = stream_at_end(&in);
    hr_fix_message message;
    assert(hr_fix_stream_next(&stream, &message) == HR_OK && message.sequence == 2);
    assert(stream.garbled_count >= garbled_min);
    assert(stream.garbled_bytes == in.count - tail.count);
    free(stream.memory);
}

static void test_garbled_bytes_are_skipped_to_the_next_message(void) {
    check_garbled("rubbish", 1);
    check_garbled("8=FIX.4.2|9=5|35=0|10=000|", 1);
    check_garbled("8=FIX.4.4|9=5|35=0|10=000|", 1);  /* Its checksum is another. */
    check_garbled("8=FIX.4.4|9=4|35=0|10=163|", 1);  /* Its length is another. */
    check_garbled("8=FIX.4.4|9=|35=0|10=163|", 1);   /* It has none. */
    check_garbled("8=FIX.4.4|9=-5|35=0|10=163|", 1); /* Or one that is none. */
    check_garbled("8=FIX.4.4|9=000005|35=0|10=163|", 1);
    check_garbled("8=FIX.4.4|9=65530|35=0|10=163|", 1); /* More than a message may have. */
    check_garbled("8=FIX.4.4|9=6|34=1||10=113|", 1);    /* MsgType is not the third field. */
    check_garbled("8=FIX.8=FIX.4.4|9=8=FIX.4.4|", 2);
    check_garbled("8=FIX.4.4|9=5|35=0|1", 1);
}

static void test_the_longest_message_is_taken_and_one_more_byte_is_not(void) {
    static char body[HR_FIX_MESSAGE_BYTES_MAX];
    wire in;
    const int64_t frame = 12 + 5 + 1 + 7;
    for (int64_t over = 0; over <= 1; over++) {
        const int64_t count = HR_FIX_MESSAGE_BYTES_MAX - frame + over;
        memset(body, 'x', (size_t)count);
        memcpy(body, "35=0|34=9|58=", 13);
        body[count - 1] = '|';
        body[count] = 0;
        wire_framed(&in, body);
        hr_fix_stream stream = stream_at_end(&in);
        hr_fix_message message;
        assert(hr_fix_stream_next(&stream, &message) == (over ? HR_ERR_NOT_FOUND : HR_OK));
        free(stream.memory);
    }
}

static void test_a_stream_never_runs_out_of_room(void) {
    uint8_t *memory = malloc(HR_FIX_STREAM_BYTES_MIN);
    hr_fix_stream stream;
    hr_fix_message message;
    wire in;
    uint8_t *room;
    assert(hr_fix_stream_init(&stream, memory, HR_FIX_STREAM_BYTES_MIN - 1) == HR_ERR_ARGUMENT);
    assert(hr_fix_stream_init(&stream, memory, HR_FIX_STREAM_BYTES_MIN) == HR_OK);
    wire_in(&in, "0", 5, "58=a message of an odd length|");
    for (int64_t sent = 0, found = 0; sent < 3000; sent++) {
        const int64_t part = sent % in.count;
        assert(hr_fix_stream_room(&stream, &room) >= HR_FIX_MESSAGE_BYTES_MAX);
        memcpy(room, in.bytes, (size_t)part);
        assert(hr_fix_stream_grow(&stream, part) == HR_OK);
        assert(hr_fix_stream_next(&stream, &message) == HR_ERR_NOT_FOUND);
        assert(hr_fix_stream_push(&stream, in.bytes + part, in.count - part) == HR_OK);
        assert(hr_fix_stream_next(&stream, &message) == HR_OK);
        assert(stream.message_count == ++found);
    }
    assert(hr_fix_stream_room(&stream, &room) == HR_FIX_STREAM_BYTES_MIN);
    assert(hr_fix_stream_grow(&stream, HR_FIX_STREAM_BYTES_MIN + 1) == HR_ERR_ARGUMENT);
    assert(hr_fix_stream_push(&stream, memory, HR_FIX_STREAM_BYTES_MIN + 1) == HR_ERR_FULL);
    assert(hr_fix_stream_push(&stream, memory, -1) == HR_ERR_ARGUMENT);
    assert(hr_fix_stream_room(NULL, &room) == 0);
    free(memory);
}

static int32_t accept(hr_fix_lane *lane, const char *type, int sequence, const char *body) {
    wire in;
    hr_fix_stream stream;
    wire_in(&in, type, sequence, body);
    const hr_fix_message message = message_of(&in, &stream);
    const int32_t verdict = hr_fix_lane_accept(lane, &message);
    free(stream.memory);
    return verdict;
}

static void test_a_lane_takes_each_number_once_and_in_order(void) {
    hr_fix_lane lane = desk_lane();
    assert(accept(&lane, "A", 1, "98=0|108=30|") == HR_FIX_ACCEPTED && lane.next_in == 2);
    assert(accept(&lane, "8", 4, "39=0|") == HR_FIX_GAP && lane.next_in == 2);
    assert(hr_fix_lane_is_behind(&lane));
    assert(accept(&lane, "8", 2, "39=0|") == HR_FIX_ACCEPTED);
    assert(accept(&lane, "4", 3, "123=Y|36=4|") == HR_FIX_ACCEPTED && lane.next_in == 4);
    assert(hr_fix_lane_is_behind(&lane));
    assert(accept(&lane, "8", 4, "39=0|") == HR_FIX_ACCEPTED && !hr_fix_lane_is_behind(&lane));
    assert(accept(&lane, "8", 4, "39=0|") == HR_FIX_TOO_LOW && lane.next_in == 5);
    wire in;
    hr_fix_stream stream;
    wire_framed(&in, "35=8|49=DERIBITSERVER|56=DESK|34=4|43=Y|39=0|");
    const hr_fix_message message = message_of(&in, &stream);
    assert(hr_fix_lane_accept(&lane, &message) == HR_FIX_REPEATED && lane.next_in == 5);
    assert(lane.repeated_count == 1 && lane.accepted_count == 4);
    free(stream.memory);
}

static void test_sequence_resets_only_go_forward(void) {
    hr_fix_lane lane = desk_lane();
    assert(accept(&lane, "4", 1, "123=Y|36=9|") == HR_FIX_ACCEPTED && lane.next_in == 9);
    assert(accept(&lane, "4", 10, "123=Y|36=12|") == HR_FIX_GAP && lane.next_in == 9);
    assert(accept(&lane, "4", 9, "123=Y|36=9|") == HR_FIX_BAD_RESET);
    assert(accept(&lane, "4", 9, "123=Y|") == HR_FIX_INCOMPLETE);
    assert(accept(&lane, "4", 3, "123=Y|36=20|") == HR_FIX_TOO_LOW);
    assert(accept(&lane, "4", 1, "123=N|36=8|") == HR_FIX_BAD_RESET);
    assert(accept(&lane, "4", 1, "36=|") == HR_FIX_INCOMPLETE);
    assert(accept(&lane, "4", 1, "36=x|") == HR_FIX_INCOMPLETE && lane.next_in == 9);
    assert(accept(&lane, "4", 1, "36=50|") == HR_FIX_ACCEPTED && lane.next_in == 50);
}

static void test_a_logon_with_the_reset_flag_begins_anew(void) {
    hr_fix_lane lane = desk_lane();
    lane.next_in = 70;
    lane.gap_end = 80;
    assert(accept(&lane, "A", 2, "141=Y|") == HR_FIX_TOO_LOW && lane.next_in == 70);
    assert(accept(&lane, "A", 1, "141=N|") == HR_FIX_TOO_LOW && lane.next_in == 70);
    assert(accept(&lane, "A", 1, "141=Y|") == HR_FIX_ACCEPTED && lane.next_in == 2);
    assert(!hr_fix_lane_is_behind(&lane));
}

static void test_messages_of_others_and_without_a_number_are_refused(void) {
    static const struct {
        const char *body;
        int32_t verdict;
    } cases[] = {
        {"35=0|49=DERIBITSERVER|56=DESK|34=1|", HR_FIX_ACCEPTED},
        {"35=0|49=DERIBITSERVES|56=DESK|34=1|", HR_FIX_WRONG_PEER},
        {"35=0|49=DERIBITSERVER|56=DISK|34=1|", HR_FIX_WRONG_PEER},
        {"35=0|49=DERIBITSERVER|34=1|", HR_FIX_WRONG_PEER},
        {"35=0|49=DERIBITSERVER|56=DESK|52=20261122-10:46:32|", HR_FIX_INCOMPLETE},
        {"35=0|49=DERIBITSERVER|56=DESK|34=0|", HR_FIX_INCOMPLETE},
        {"35=0|49=DERIBITSERVER|56=DESK|34=1|34=1|", HR_FIX_INCOMPLETE},
        {"35=0|49=DERIBITSERVER|56=DESK|34=1x|", HR_FIX_INCOMPLETE},
        {"35=0|49=DERIBITSERVER|56=DESK|34=1234567890123456789|", HR_FIX_INCOMPLETE},
        {"35=0|49=DERIBITSERVER|56=DESK|112=x|34=1|", HR_FIX_INCOMPLETE}, /* 34 in the body. */
        {"35=0|49=DERIBITSERVER|56=DESK|x|34=1|", HR_FIX_INCOMPLETE},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        wire in;
        hr_fix_stream stream;
        hr_fix_lane lane = desk_lane();
        wire_framed(&in, cases[k].body);
        const hr_fix_message message = message_of(&in, &stream);
        assert(hr_fix_lane_accept(&lane, &message) == cases[k].verdict);
        free(stream.memory);
    }
    hr_fix_lane lane;
    assert(hr_fix_lane_init(&lane, bytes_of(""), 0, bytes_of("V"), 1) == HR_ERR_ARGUMENT);
    assert(hr_fix_lane_init(&lane, bytes_of("a\001b"), 3, bytes_of("V"), 1) == HR_ERR_ARGUMENT);
    assert(hr_fix_lane_init(&lane, bytes_of("a"), 33, bytes_of("V"), 1) == HR_ERR_ARGUMENT);
    assert(hr_fix_lane_init(NULL, bytes_of("a"), 1, bytes_of("V"), 1) == HR_ERR_ARGUMENT);
    assert(hr_fix_lane_accept(NULL, NULL) == HR_FIX_WRONG_PEER && !hr_fix_lane_is_behind(NULL));
}

/* Found by fuzzing. */
static void test_a_lane_that_was_never_initialised_has_no_peer(void) {
    hr_fix_lane lane;
    wire in;
    hr_fix_stream stream;
    memset(&lane, 0, sizeof lane);
    wire_framed(&in, "35=0|34=1|");
    const hr_fix_message message = message_of(&in, &stream);
    assert(hr_fix_lane_accept(&lane, &message) == HR_FIX_WRONG_PEER);
    free(stream.memory);
}

static hr_fix_text text_of(const char *text) {
    const hr_fix_text out = {bytes_of(text), (int64_t)strlen(text)};
    return out;
}

static void test_integers_and_times_are_read_exactly_or_not(void) {
    static const char *const bad[] = {"", "-1", "+1", "1.0", "1 ", "a", "1234567890123456789"};
    int64_t value = 0;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        const hr_fix_text text = text_of(bad[k]);
        assert(hr_fix_to_integer(&text, &value) == HR_ERR_MALFORMED && value == 0);
    }
    const hr_fix_text absent = {NULL, 0};
    assert(hr_fix_to_integer(&absent, &value) == HR_ERR_MALFORMED);
    assert(hr_fix_to_time(&absent, &value) == HR_ERR_MALFORMED);
    const hr_fix_text digits = text_of("0000000000000000000123456789012345678");
    assert(hr_fix_to_integer(&digits, &value) == HR_OK && value == 123456789012345678);
    static const struct {
        const char *text;
        int64_t time_ns;
    } times[] = {
        {"19700101-00:00:00", 0},
        {"20261122-10:46:32.306789012", NOW_NS},
        {"20261122-10:46:32.306", 1795344392306000000},
        {"20000229-23:59:59.5", 951868799500000000},
        {"21991231-23:59:59", 7258118399000000000},
        {"22000101-00:00:00", -1},
        {"19691231-23:59:59", -1},
        {"20261322-10:46:32", -1},
        {"20260022-10:46:32", -1},
        {"20261100-10:46:32", -1},
        {"20261132-10:46:32", -1},
        {"20261122-24:46:32", -1},
        {"20261122-10:60:32", -1},
        {"20261122-10:46:61", -1},
        {"20261122-10:46", -1},
        {"20261122 10:46:32", -1},
        {"20261122-10:46:32.", -1},
        {"20261122-10:46:32.1234567890", -1},
        {"20261122-10:46:32,1", -1},
        {"20261122-10:46:32.1a", -1},
        {"2026112a-10:46:32", -1},
    };
    for (size_t k = 0; k < sizeof times / sizeof *times; k++) {
        const hr_fix_text text = text_of(times[k].text);
        const hr_status status = hr_fix_to_time(&text, &value);
        assert(status == (times[k].time_ns < 0 ? HR_ERR_MALFORMED : HR_OK));
        assert(status != HR_OK || value == times[k].time_ns);
    }
    assert(hr_fix_to_time(NULL, &value) == HR_ERR_ARGUMENT);
    assert(hr_fix_to_integer(NULL, &value) == HR_ERR_ARGUMENT);
    assert(hr_fix_hash(bytes_of("foobar"), 6) == 0x85944171f73967e8ULL);
    assert(hr_fix_hash(NULL, 6) == hr_fix_hash(bytes_of(""), 0));
}

int main(void) {
    test_a_message_comes_out_with_its_header();
    test_types_have_one_or_two_characters();
    test_any_pieces_make_the_same_messages();
    test_every_truncation_waits_for_more();
    test_every_flipped_byte_is_noticed();
    test_garbled_bytes_are_skipped_to_the_next_message();
    test_the_longest_message_is_taken_and_one_more_byte_is_not();
    test_a_stream_never_runs_out_of_room();
    test_a_lane_takes_each_number_once_and_in_order();
    test_sequence_resets_only_go_forward();
    test_a_logon_with_the_reset_flag_begins_anew();
    test_messages_of_others_and_without_a_number_are_refused();
    test_a_lane_that_was_never_initialised_has_no_peer();
    test_integers_and_times_are_read_exactly_or_not();
    return 0;
}
