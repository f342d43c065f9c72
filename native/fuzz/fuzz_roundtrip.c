/* What was decoded is encoded and decoded to the same; encoding is then a fixed point. */
#undef NDEBUG
#include "hr_sbe.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { ENTRIES_MAX = 16, WIRE_BYTES_MAX = 8192 };

typedef struct {
    uint64_t block[32];
    uint64_t entries[ENTRIES_MAX * 16];
    hr_sbe_outgoing outgoing;
} held;

/* Decodes a message into `into`, ready to be written; 0 when we do not know its template. */
static int hold(const hr_sbe_message *message, held *into) {
    const int32_t id = message->template_id;
    const int64_t entry_size = hr_sbe_entry_size(id);
    const int64_t block_size = hr_sbe_block_size(id);
    if (block_size == 0 || message->entry_count > ENTRIES_MAX) {
        return 0;
    }
    memset(into, 0, sizeof *into);
    assert(hr_sbe_block_read(message, into->block, block_size) == HR_OK);
    if (entry_size > 0) {
        assert(hr_sbe_entries_read(message, 0, message->entry_count, into->entries, entry_size) ==
               HR_OK);
    }
    const int has_text = id == HR_SBE_INSTRUMENT || id == HR_SBE_INSTRUMENT_V2;
    into->outgoing = (hr_sbe_outgoing){
        .block = into->block,
        .entries = into->entries,
        .text = message->text,
        .block_size = block_size,
        .entry_size = entry_size,
        .entry_count = entry_size > 0 ? message->entry_count : 0,
        .text_bytes = has_text ? message->text_bytes : 0,
        .template_id = id,
    };
    return 1;
}

static void check_message(const hr_sbe_message *message) {
    static held first;
    static held second;
    uint8_t once[WIRE_BYTES_MAX];
    uint8_t twice[WIRE_BYTES_MAX];
    int64_t once_bytes = 0;
    int64_t twice_bytes = 0;
    if (!hold(message, &first)) {
        return;
    }
    assert(hr_sbe_message_write(&first.outgoing, once, sizeof once, &once_bytes) == HR_OK);
    assert(hr_sbe_message_write(&first.outgoing, twice, once_bytes - 1, &twice_bytes) ==
           HR_ERR_FULL);
    hr_sbe_message again;
    assert(hr_sbe_message_read(once, once_bytes, &again) == HR_OK && again.bytes == once_bytes);
    for (int64_t cut = 0; cut < once_bytes; cut += 31) {
        hr_sbe_message none;
        assert(hr_sbe_message_read(once, cut, &none) == HR_ERR_MALFORMED);
    }
    assert(hold(&again, &second));
    assert(memcmp(first.block, second.block, sizeof first.block) == 0);
    assert(memcmp(first.entries, second.entries, sizeof first.entries) == 0);
    assert(hr_sbe_message_write(&second.outgoing, twice, sizeof twice, &twice_bytes) == HR_OK);
    assert(once_bytes == twice_bytes && memcmp(once, twice, (size_t)once_bytes) == 0);
    if (message->bytes == once_bytes && message->version == again.version &&
        message->entry_bytes == again.entry_bytes) {
        assert(memcmp(message->block - HR_SBE_HEADER_BYTES, once, (size_t)once_bytes) == 0);
    }
}

/* Changes one thing at a time in what can be written; for the empty input. */
static void check_refusals(void) {
    const hr_sbe_book block = {.instrument_id = 7};
    const hr_sbe_change entry = {.price = 1.0};
    const hr_sbe_outgoing good = {&block, &entry,      NULL, sizeof block, sizeof entry, 1,
                                  0,      HR_SBE_BOOK, 0};
    uint8_t bytes[128];
    const hr_sbe_frame frame = {0, 1, 2};
    hr_sbe_frame_write(&frame, bytes);
    int64_t count = 0;
    assert(hr_sbe_message_write(&good, bytes, sizeof bytes, &count) == HR_OK);
    assert(hr_sbe_message_write(NULL, bytes, 128, &count) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_write(&good, NULL, 128, &count) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_write(&good, bytes, 128, NULL) == HR_ERR_ARGUMENT);
    hr_sbe_outgoing bad[11];
    for (size_t at = 0; at < 11; at++) {
        bad[at] = good;
    }
    bad[0].template_id = 0;
    bad[1].block_size = 1;
    bad[2].block = NULL;
    bad[3].entry_count = -1;
    bad[4].entry_count = 65536;
    bad[5].entries = NULL;
    bad[6].entry_size = 1;
    bad[7].text_bytes = -1;
    bad[8].text_bytes = 256;
    bad[9].text_bytes = 1;
    bad[10].text_bytes = 1;
    bad[10].text = bytes;
    for (size_t at = 0; at < 11; at++) {
        assert(hr_sbe_message_write(&bad[at], bytes, 128, &count) == HR_ERR_ARGUMENT);
    }
    hr_sbe_outgoing listed = {.template_id = HR_SBE_SNAPSHOT_END};
    assert(hr_sbe_message_write(&listed, bytes, 128, &count) == HR_OK);
    listed.entries = &entry;
    listed.entry_count = 1;
    assert(hr_sbe_message_write(&listed, bytes, 128, &count) == HR_ERR_ARGUMENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count == 0) {
        check_refusals();
    }
    int64_t at = HR_SBE_FRAME_BYTES;
    hr_sbe_message message;
    while (at < (int64_t)count &&
           hr_sbe_message_read(bytes + at, (int64_t)count - at, &message) == HR_OK) {
        check_message(&message);
        at += message.bytes;
    }
    return 0;
}
