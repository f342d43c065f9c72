/* Goal: what was written is read back, every length that lies is refused, and nothing beyond the
 * packet is touched (packets end at a guard page). */
#define _DEFAULT_SOURCE
#undef NDEBUG
#include "hr_sbe.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(hr_sbe_frame) == 8, "the wire's own layout");
_Static_assert(sizeof(hr_sbe_instrument) == 144, "no padding");
_Static_assert(sizeof(hr_sbe_book) == 32, "no padding");
_Static_assert(sizeof(hr_sbe_change) == 24, "no padding");
_Static_assert(sizeof(hr_sbe_trade) == 88, "no padding");
_Static_assert(sizeof(hr_sbe_ticker) == 136, "no padding");
_Static_assert(sizeof(hr_sbe_snapshot) == 24, "no padding");
_Static_assert(sizeof(hr_sbe_level) == 24, "no padding");

enum { PAGE = 4096, WIRE_BYTES_MAX = 2048 };

static uint8_t *guarded_end;

static void guard(void) {
    assert(sysconf(_SC_PAGESIZE) == PAGE);
    uint8_t *pages =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(pages != MAP_FAILED && mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
    guarded_end = pages + PAGE;
}

/* Copies bytes so that the first one after them cannot be read. */
static const uint8_t *at_the_edge(const uint8_t *bytes, int64_t count) {
    return memcpy(guarded_end - count, bytes, (size_t)count);
}

static hr_status read_edge(const uint8_t *bytes, int64_t count, hr_sbe_message *message_out) {
    return hr_sbe_message_read(at_the_edge(bytes, count), count, message_out);
}

static const hr_sbe_book book = {1000, 41, 43, 7, 1, {0}};
static const hr_sbe_change changes[2] = {
    {0.05, 1.5, HR_SBE_BID, HR_SBE_CREATED, {0}},
    {0.06, 2.5, HR_SBE_ASK, HR_SBE_DELETED, {0}},
};

static hr_sbe_outgoing outgoing_book(void) {
    const hr_sbe_outgoing outgoing = {
        .block = &book,
        .entries = changes,
        .block_size = sizeof book,
        .entry_size = sizeof changes[0],
        .entry_count = 2,
        .template_id = HR_SBE_BOOK,
    };
    return outgoing;
}

static int64_t write_book(uint8_t *bytes) {
    const hr_sbe_outgoing outgoing = outgoing_book();
    int64_t count = 0;
    assert(hr_sbe_message_write(&outgoing, bytes, WIRE_BYTES_MAX, &count) == HR_OK);
    assert(count == 12 + 29 + 8 + 2 * 18);
    return count;
}

static void set_u16(uint8_t *bytes, int64_t at, uint16_t value) {
    memcpy(bytes + at, &value, sizeof value);
}

static void test_frames_tell_their_length_or_are_refused(void) {
    uint8_t bytes[10] = {2, 0, 5, 1, 0xfe, 0xff, 0xff, 0xff, 9, 9};
    hr_sbe_frame frame;
    assert(hr_sbe_frame_read(bytes, 10, &frame) == HR_OK);
    assert(frame.payload_bytes == 2 && frame.channel == 261 && frame.sequence == 0xfffffffe);
    assert(hr_sbe_frame_read(bytes, 9, &frame) == HR_ERR_MALFORMED);
    assert(hr_sbe_frame_read(at_the_edge(bytes, 7), 7, &frame) == HR_ERR_MALFORMED);
    assert(hr_sbe_frame_read(bytes, -1, &frame) == HR_ERR_MALFORMED);
    assert(hr_sbe_frame_read(NULL, 10, &frame) == HR_ERR_ARGUMENT);
    assert(hr_sbe_frame_read(bytes, 10, NULL) == HR_ERR_ARGUMENT);
    uint8_t again[8];
    hr_sbe_frame_write(&frame, again);
    assert(memcmp(again, bytes, sizeof again) == 0);
}

static void test_a_book_is_read_as_written(void) {
    uint8_t bytes[WIRE_BYTES_MAX];
    const int64_t count = write_book(bytes);
    hr_sbe_message message;
    assert(read_edge(bytes, count, &message) == HR_OK);
    assert(message.template_id == HR_SBE_BOOK && message.bytes == count);
    hr_sbe_book head;
    hr_sbe_change rows[2];
    assert(hr_sbe_block_read(&message, &head, sizeof head) == HR_OK);
    assert(hr_sbe_entries_read(&message, 0, 2, rows, sizeof rows[0]) == HR_OK);
    assert(memcmp(&head, &book, sizeof book) == 0);
    assert(memcmp(rows, changes, sizeof changes) == 0);
    assert(hr_sbe_entries_read(&message, 1, 2, rows, sizeof rows[0]) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, -1, 1, rows, sizeof rows[0]) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, -1, rows, sizeof rows[0]) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, 1, rows, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, 1, NULL, sizeof rows[0]) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(NULL, 0, 0, rows, sizeof rows[0]) == HR_ERR_ARGUMENT);
    assert(hr_sbe_block_read(&message, &head, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_block_read(&message, NULL, sizeof head) == HR_ERR_ARGUMENT);
    assert(hr_sbe_block_read(NULL, &head, sizeof head) == HR_ERR_ARGUMENT);
    message.template_id = 999;
    assert(hr_sbe_block_read(&message, &head, sizeof head) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, 1, rows, sizeof rows[0]) == HR_ERR_ARGUMENT);
}

static void test_a_message_cut_anywhere_is_refused(void) {
    uint8_t bytes[WIRE_BYTES_MAX];
    const int64_t count = write_book(bytes);
    hr_sbe_message message;
    for (int64_t cut = 0; cut < count; cut++) {
        assert(read_edge(bytes, cut, &message) == HR_ERR_MALFORMED);
    }
    assert(hr_sbe_message_read(NULL, count, &message) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_read(bytes, count, NULL) == HR_ERR_ARGUMENT);
}

static void test_lengths_that_lie_are_refused(void) {
    static const struct {
        int64_t at;
        uint16_t value;
    } lies[] = {
        {0, 28},  {0, 65535}, /* Block length: one short of the known, far beyond. */
        {4, 2},               /* Another schema. */
        {8, 0},   {8, 2},     /* Groups: none, one that is not there. */
        {10, 1},              /* A text that is not there. */
        {41, 17}, {41, 65535}, {43, 3}, {43, 65535}, /* Entry bytes; entries. */
        {45, 1},  {47, 1},                           /* Entries with groups, with texts. */
    };
    uint8_t bytes[WIRE_BYTES_MAX];
    hr_sbe_message message;
    for (size_t lie = 0; lie < sizeof lies / sizeof lies[0]; lie++) {
        const int64_t count = write_book(bytes);
        set_u16(bytes, lies[lie].at, lies[lie].value);
        assert(read_edge(bytes, count, &message) == HR_ERR_MALFORMED);
    }
}

static void test_groups_nested_too_deep_are_refused(void) {
    uint8_t bytes[12 + 8 * 8] = {0};
    set_u16(bytes, 2, 1999);
    set_u16(bytes, 4, 1);
    set_u16(bytes, 8, 1);
    for (int64_t nesting = 0; nesting < 8; nesting++) {
        set_u16(bytes, 12 + 8 * nesting + 2, 1);
        set_u16(bytes, 12 + 8 * nesting + 4, nesting < 7);
    }
    hr_sbe_message message;
    assert(read_edge(bytes, sizeof bytes, &message) == HR_ERR_MALFORMED);
    set_u16(bytes, 12 + 8 * 3 + 4, 0); /* Four deep are skipped. */
    assert(read_edge(bytes, sizeof bytes, &message) == HR_OK);
    assert(message.template_id == 1999 && message.bytes == 12 + 8 * 4 && message.is_nested);
}

static void test_an_instrument_needs_its_name(void) {
    hr_sbe_instrument instrument = {.strike_price = 1e5, .instrument_id = 7, .max_leverage = NAN};
    memcpy(instrument.base_currency, "BTC", 3);
    const hr_sbe_tick_step step = {0.005, 0.0005};
    hr_sbe_outgoing outgoing = {
        .block = &instrument,
        .entries = &step,
        .text = (const uint8_t *)"BTC-1",
        .block_size = sizeof instrument,
        .entry_size = sizeof step,
        .entry_count = 1,
        .text_bytes = 5,
        .template_id = HR_SBE_INSTRUMENT_V2,
    };
    uint8_t bytes[WIRE_BYTES_MAX];
    int64_t count = 0;
    assert(hr_sbe_message_write(&outgoing, bytes, sizeof bytes, &count) == HR_OK);
    assert(count == 12 + 139 + 8 + 16 + 6);
    hr_sbe_message message;
    assert(read_edge(bytes, count, &message) == HR_OK);
    assert(message.version == 3 && message.text_bytes == 5);
    assert(memcmp(message.text, "BTC-1", 5) == 0);
    hr_sbe_instrument again;
    assert(hr_sbe_block_read(&message, &again, sizeof again) == HR_OK);
    assert(memcmp(&again, &instrument, sizeof again) == 0);
    assert(read_edge(bytes, count - 1, &message) == HR_ERR_MALFORMED);
    assert(read_edge(bytes, count - 6, &message) == HR_ERR_MALFORMED);
    set_u16(bytes, 10, 0);
    assert(read_edge(bytes, count, &message) == HR_ERR_MALFORMED);
}

static void test_what_cannot_be_written_is_refused(void) {
    uint8_t bytes[WIRE_BYTES_MAX];
    int64_t count = -1;
    const hr_sbe_outgoing good = outgoing_book();
    assert(hr_sbe_message_write(NULL, bytes, 100, &count) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_write(&good, NULL, 100, &count) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_write(&good, bytes, 100, NULL) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_write(&good, bytes, 84, &count) == HR_ERR_FULL);
    assert(hr_sbe_message_write(&good, bytes, -1, &count) == HR_ERR_FULL && count == -1);
    hr_sbe_outgoing bad[10];
    for (size_t at = 0; at < 10; at++) {
        bad[at] = good;
    }
    bad[0].template_id = 1011;
    bad[1].block_size = 4;
    bad[2].block = NULL;
    bad[3].entry_count = -1;
    bad[4].entry_count = 65536;
    bad[5].entries = NULL;
    bad[6].entry_size = 8;
    bad[7].text_bytes = 256;
    bad[8].text_bytes = 1; /* A book has no text. */
    bad[9].text_bytes = -1;
    for (size_t at = 0; at < 10; at++) {
        assert(hr_sbe_message_write(&bad[at], bytes, sizeof bytes, &count) == HR_ERR_ARGUMENT);
    }
    const hr_sbe_outgoing end = {.template_id = HR_SBE_SNAPSHOT_END};
    assert(hr_sbe_message_write(&end, bytes, sizeof bytes, &count) == HR_OK && count == 12);
    hr_sbe_outgoing listed = end;
    listed.entries = changes;
    listed.entry_count = 1;
    assert(hr_sbe_message_write(&listed, bytes, sizeof bytes, &count) == HR_ERR_ARGUMENT);
}

static void test_unknown_templates_have_no_structs(void) {
    assert(hr_sbe_block_size(999) == 0 && hr_sbe_entry_size(1011) == 0);
    assert(hr_sbe_block_size(HR_SBE_SNAPSHOT_END) == 0);
    assert(hr_sbe_block_size(HR_SBE_RFQ) == sizeof(hr_sbe_rfq));
    assert(hr_sbe_entry_size(HR_SBE_COMBO_LEGS) == sizeof(hr_sbe_leg));
    assert(hr_sbe_entry_size(HR_SBE_TICKER) == 0);
}

int main(void) {
    guard();
    test_frames_tell_their_length_or_are_refused();
    test_a_book_is_read_as_written();
    test_a_message_cut_anywhere_is_refused();
    test_lengths_that_lie_are_refused();
    test_groups_nested_too_deep_are_refused();
    test_an_instrument_needs_its_name();
    test_what_cannot_be_written_is_refused();
    test_unknown_templates_have_no_structs();
    return 0;
}
