#include "hr_sbe_bytes.h"
#include "hr_sbe_layout.h"

#include <stddef.h>

enum { SCHEMA_ID = 1, ENTRIES_MAX = 65535, TEXT_BYTES_MAX = 255 };

void hr_sbe_frame_write(const hr_sbe_frame *frame, uint8_t *bytes_out) {
    memcpy(bytes_out, frame, sizeof *frame);
}

static void part_write(const sbe_part *part, const uint8_t *from, uint8_t *wire) {
    for (int32_t at = 0; at < part->field_count; at++) {
        const sbe_field *field = &part->fields[at];
        memcpy(wire + field->at_wire, from + field->at_struct, field->bytes);
    }
}

static int is_writable(const sbe_layout *layout, const hr_sbe_outgoing *outgoing) {
    return outgoing->block_size == layout->block.size &&
           (outgoing->block != NULL || layout->block.size == 0) && outgoing->entry_count >= 0 &&
           outgoing->entry_count <= ENTRIES_MAX &&
           (outgoing->entry_count == 0 || (outgoing->entries != NULL && layout->group_count > 0 &&
                                           outgoing->entry_size == layout->entry.size)) &&
           outgoing->text_bytes >= 0 && outgoing->text_bytes <= TEXT_BYTES_MAX &&
           (outgoing->text_bytes == 0 || (outgoing->text != NULL && layout->text_count > 0));
}

static int64_t bytes_needed(const sbe_layout *layout, const hr_sbe_outgoing *outgoing) {
    int64_t bytes = HR_SBE_HEADER_BYTES + (int64_t)layout->block.bytes;
    if (layout->group_count > 0) {
        bytes += HR_SBE_GROUP_BYTES + (int64_t)layout->entry.bytes * outgoing->entry_count;
    }
    if (layout->text_count > 0) {
        bytes += 1 + (int64_t)outgoing->text_bytes;
    }
    return bytes;
}

static uint8_t *group_write(const sbe_layout *layout, const hr_sbe_outgoing *outgoing,
                            uint8_t *at) {
    sbe_put_u16(at, layout->entry.bytes);
    sbe_put_u16(at + 2, (uint16_t)outgoing->entry_count);
    memset(at + 4, 0, 4);
    at += HR_SBE_GROUP_BYTES;
    const uint8_t *from = outgoing->entries;
    for (int32_t entry = 0; entry < outgoing->entry_count; entry++) {
        part_write(&layout->entry, from, at);
        from += layout->entry.size;
        at += layout->entry.bytes;
    }
    return at;
}

hr_status hr_sbe_message_write(const hr_sbe_outgoing *outgoing, uint8_t *bytes_out,
                               int64_t capacity, int64_t *count_out) {
    if (outgoing == NULL || bytes_out == NULL || count_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const sbe_layout *layout = sbe_layout_of(outgoing->template_id);
    if (layout == NULL || !is_writable(layout, outgoing)) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t bytes = bytes_needed(layout, outgoing);
    if (bytes > capacity) {
        return HR_ERR_FULL;
    }
    sbe_put_u16(bytes_out, layout->block.bytes);
    sbe_put_u16(bytes_out + 2, layout->template_id);
    sbe_put_u16(bytes_out + 4, SCHEMA_ID);
    sbe_put_u16(bytes_out + 6, layout->version);
    sbe_put_u16(bytes_out + 8, layout->group_count);
    sbe_put_u16(bytes_out + 10, layout->text_count);
    uint8_t *at = bytes_out + HR_SBE_HEADER_BYTES;
    part_write(&layout->block, outgoing->block, at);
    at += layout->block.bytes;
    if (layout->group_count > 0) {
        at = group_write(layout, outgoing, at);
    }
    if (layout->text_count > 0) {
        *at = (uint8_t)outgoing->text_bytes;
        if (outgoing->text_bytes > 0) {
            memcpy(at + 1, outgoing->text, (size_t)outgoing->text_bytes);
        }
    }
    *count_out = bytes;
    return HR_OK;
}
