#include "hr_sbe_bytes.h"
#include "hr_sbe_layout.h"

#include <stddef.h>

enum { SCHEMA_ID = 1, NESTING_MAX = 4 };

hr_status hr_sbe_frame_read(const uint8_t *bytes, int64_t count, hr_sbe_frame *frame_out) {
    if (bytes == NULL || frame_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (count < HR_SBE_FRAME_BYTES || sbe_u16(bytes) != count - HR_SBE_FRAME_BYTES) {
        return HR_ERR_MALFORMED;
    }
    memcpy(frame_out, bytes, sizeof *frame_out);
    return HR_OK;
}

/* Returns the bytes of `texts` variable-length fields, -1 when they lead beyond `count`. */
static int64_t texts_bytes(const uint8_t *bytes, int64_t count, int32_t texts) {
    int64_t at = 0;
    for (int32_t text = 0; text < texts; text++) {
        if (at >= count) {
            return -1;
        }
        at += 1 + bytes[at];
    }
    return at <= count ? at : -1;
}

/* Returns the bytes of a group, whatever is in it, -1 when it leads beyond `count`. */
static int64_t group_bytes(const uint8_t *bytes, int64_t count, int32_t nesting) {
    if (count < HR_SBE_GROUP_BYTES || nesting == NESTING_MAX) {
        return -1;
    }
    const int64_t entry_bytes = sbe_u16(bytes);
    const int64_t entries = sbe_u16(bytes + 2);
    const int32_t groups = sbe_u16(bytes + 4);
    const int32_t texts = sbe_u16(bytes + 6);
    int64_t at = HR_SBE_GROUP_BYTES;
    if (groups == 0 && texts == 0) {
        at += entry_bytes * entries;
        return at <= count ? at : -1;
    }
    for (int64_t entry = 0; entry < entries; entry++) {
        at += entry_bytes;
        for (int32_t group = 0; group < groups && at <= count; group++) {
            const int64_t inner = group_bytes(bytes + at, count - at, nesting + 1);
            if (inner < 0) {
                return -1;
            }
            at += inner;
        }
        if (at > count) {
            return -1;
        }
        const int64_t inner = texts_bytes(bytes + at, count - at, texts);
        if (inner < 0) {
            return -1;
        }
        at += inner;
    }
    return at;
}

/* Fills in the first group and text of a message and its length; `at` is where the block ends. */
static hr_status tail_read(const uint8_t *bytes, int64_t count, int64_t at,
                           hr_sbe_message *message) {
    const int32_t groups = sbe_u16(bytes + 8);
    const int32_t texts = sbe_u16(bytes + 10);
    for (int32_t group = 0; group < groups; group++) {
        const int64_t inner = group_bytes(bytes + at, count - at, 0);
        if (inner < 0) {
            return HR_ERR_MALFORMED;
        }
        if (group == 0) {
            message->entries = bytes + at + HR_SBE_GROUP_BYTES;
            message->entry_bytes = sbe_u16(bytes + at);
            message->entry_count = sbe_u16(bytes + at + 2);
            message->is_nested = sbe_u32(bytes + at + 4) != 0;
        }
        at += inner;
    }
    const int64_t inner = texts_bytes(bytes + at, count - at, texts);
    if (inner < 0) {
        return HR_ERR_MALFORMED;
    }
    if (texts > 0) {
        message->text = bytes + at + 1;
        message->text_bytes = bytes[at];
    }
    message->bytes = at + inner;
    return HR_OK;
}

/* Returns whether all that we know of a template is there. */
static int is_whole(const sbe_layout *layout, const hr_sbe_message *message) {
    if (message->block_bytes < layout->block.bytes) {
        return 0;
    }
    if (layout->group_count > 0) {
        if (message->entries == NULL || message->is_nested) {
            return 0;
        }
        if (message->entry_count > 0 && message->entry_bytes < layout->entry.bytes) {
            return 0;
        }
    }
    return layout->text_count == 0 || message->text != NULL;
}

hr_status hr_sbe_message_read(const uint8_t *bytes, int64_t count, hr_sbe_message *message_out) {
    if (bytes == NULL || message_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (count < HR_SBE_HEADER_BYTES || sbe_u16(bytes + 4) != SCHEMA_ID) {
        return HR_ERR_MALFORMED;
    }
    *message_out = (hr_sbe_message){
        .block = bytes + HR_SBE_HEADER_BYTES,
        .block_bytes = sbe_u16(bytes),
        .template_id = sbe_u16(bytes + 2),
        .version = sbe_u16(bytes + 6),
    };
    const int64_t at = HR_SBE_HEADER_BYTES + (int64_t)message_out->block_bytes;
    if (at > count || tail_read(bytes, count, at, message_out) != HR_OK) {
        return HR_ERR_MALFORMED;
    }
    const sbe_layout *layout = sbe_layout_of(message_out->template_id);
    return layout == NULL || is_whole(layout, message_out) ? HR_OK : HR_ERR_MALFORMED;
}

static void part_read(const sbe_part *part, const uint8_t *wire, uint8_t *into) {
    memset(into, 0, (size_t)part->size);
    for (int32_t at = 0; at < part->field_count; at++) {
        const sbe_field *field = &part->fields[at];
        memcpy(into + field->at_struct, wire + field->at_wire, field->bytes);
    }
}

hr_status hr_sbe_block_read(const hr_sbe_message *message, void *block_out, int64_t size) {
    if (message == NULL || block_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const sbe_layout *layout = sbe_layout_of(message->template_id);
    if (layout == NULL || size == 0 || size != layout->block.size) {
        return HR_ERR_ARGUMENT;
    }
    part_read(&layout->block, message->block, block_out);
    return HR_OK;
}

hr_status hr_sbe_entries_read(const hr_sbe_message *message, int32_t first, int32_t count,
                              void *entries_out, int64_t size) {
    if (message == NULL || entries_out == NULL || first < 0 || count < 0 ||
        count > message->entry_count - first) {
        return HR_ERR_ARGUMENT;
    }
    const sbe_layout *layout = sbe_layout_of(message->template_id);
    if (layout == NULL || size == 0 || size != layout->entry.size) {
        return HR_ERR_ARGUMENT;
    }
    uint8_t *into = entries_out;
    for (int32_t at = first; at < first + count; at++) {
        part_read(&layout->entry, message->entries + (int64_t)message->entry_bytes * at, into);
        into += size;
    }
    return HR_OK;
}
