/* Any bytes as a packet: nothing is read beyond them, and what is read stays inside them. */
#undef NDEBUG
#include "hr_sbe.h"

#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void look_into(const hr_sbe_message *message) {
    uint64_t block[32];
    uint64_t entry[16];
    const int64_t block_size = hr_sbe_block_size(message->template_id);
    const int64_t entry_size = hr_sbe_entry_size(message->template_id);
    assert(block_size <= (int64_t)sizeof block && entry_size <= (int64_t)sizeof entry);
    const hr_status status = hr_sbe_block_read(message, block, block_size);
    assert(status == (block_size == 0 ? HR_ERR_ARGUMENT : HR_OK));
    for (int32_t at = 0; entry_size > 0 && at < message->entry_count; at++) {
        assert(hr_sbe_entries_read(message, at, 1, entry, entry_size) == HR_OK);
    }
    assert(hr_sbe_entries_read(message, message->entry_count, 1, entry, entry_size) ==
           HR_ERR_ARGUMENT);
    unsigned sum = 0;
    for (int32_t at = 0; at < message->text_bytes; at++) {
        sum += message->text[at];
    }
    assert(sum <= 255U * 255U);
}

/* What is refused whatever the bytes; for the empty input. */
static void check_refusals(void) {
    const uint8_t bytes[HR_SBE_FRAME_BYTES] = {0};
    hr_sbe_frame frame;
    uint64_t block[32];
    hr_sbe_message message = {0};
    assert(hr_sbe_frame_read(NULL, 8, &frame) == HR_ERR_ARGUMENT);
    assert(hr_sbe_frame_read(bytes, 8, NULL) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_read(NULL, 8, &message) == HR_ERR_ARGUMENT);
    assert(hr_sbe_message_read(bytes, 8, NULL) == HR_ERR_ARGUMENT);
    assert(hr_sbe_block_read(NULL, block, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_block_read(&message, NULL, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(NULL, 0, 0, block, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, 0, NULL, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, -1, 0, block, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, -1, block, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, 0, block, 8) == HR_ERR_ARGUMENT);
    message.template_id = HR_SBE_BOOK;
    assert(hr_sbe_block_read(&message, block, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, 0, block, 8) == HR_ERR_ARGUMENT);
    assert(hr_sbe_entries_read(&message, 0, 0, block, 0) == HR_ERR_ARGUMENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count == 0) {
        check_refusals();
        return 0;
    }
    const int64_t total = (int64_t)count;
    hr_sbe_frame frame;
    int64_t at = hr_sbe_frame_read(bytes, total, &frame) == HR_OK ? HR_SBE_FRAME_BYTES : 0;
    while (at < total) {
        hr_sbe_message message;
        if (hr_sbe_message_read(bytes + at, total - at, &message) != HR_OK) {
            break;
        }
        assert(message.bytes >= HR_SBE_HEADER_BYTES && message.bytes <= total - at);
        look_into(&message);
        at += message.bytes;
    }
    return 0;
}
