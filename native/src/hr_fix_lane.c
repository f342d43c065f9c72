#include "hr_fix_scan.h"

/* CompIDs are printable and hold no separator. */
static int is_party(const uint8_t *bytes, int64_t count) {
    if (bytes == NULL || count < 1 || count > HR_FIX_PARTY_BYTES_MAX) {
        return 0;
    }
    for (int64_t k = 0; k < count; k++) {
        if (bytes[k] < ' ' || bytes[k] > '~') {
            return 0;
        }
    }
    return 1;
}

static void header_append(hr_fix_lane *lane, const char *tag, int64_t tag_count,
                          const uint8_t *value, int64_t value_count) {
    memcpy(lane->header + lane->header_count, tag, (size_t)tag_count);
    lane->header_count += (int32_t)tag_count;
    if (value_count > 0) {
        memcpy(lane->header + lane->header_count, value, (size_t)value_count);
        lane->header_count += (int32_t)value_count;
        lane->header[lane->header_count++] = HR_FIX_SOH;
    }
}

hr_status hr_fix_lane_init(hr_fix_lane *lane, const uint8_t *sender, int64_t sender_count,
                           const uint8_t *target, int64_t target_count) {
    if (lane == NULL || !is_party(sender, sender_count) || !is_party(target, target_count)) {
        return HR_ERR_ARGUMENT;
    }
    memset(lane, 0, sizeof *lane);
    lane->next_out = 1;
    lane->next_in = 1;
    lane->second = -1;
    lane->sequence.digits = lane->quote_id.digits = '0';
    lane->sender_count = (int32_t)sender_count;
    lane->target_count = (int32_t)target_count;
    memcpy(lane->sender, sender, (size_t)sender_count);
    memcpy(lane->target, target, (size_t)target_count);
    header_append(lane, "49=", 3, sender, sender_count);
    header_append(lane, "56=", 3, target, target_count);
    header_append(lane, "34=", 3, NULL, 0);
    return HR_OK;
}

static int32_t reset_take(hr_fix_lane *lane, int64_t new_sequence, int64_t sequence_min) {
    if (new_sequence < 1) {
        return HR_FIX_INCOMPLETE;
    }
    if (new_sequence < sequence_min) {
        return HR_FIX_BAD_RESET;
    }
    lane->next_in = new_sequence;
    lane->accepted_count++;
    return HR_FIX_ACCEPTED;
}

int32_t hr_fix_lane_accept(hr_fix_lane *lane, const hr_fix_message *message) {
    if (lane == NULL || message == NULL ||
        !hr_fix_is_same(&message->sender, lane->target, lane->target_count) ||
        !hr_fix_is_same(&message->target, lane->sender, lane->sender_count)) {
        return HR_FIX_WRONG_PEER;
    }
    const int64_t sequence = message->sequence;
    if (sequence < 1) {
        return HR_FIX_INCOMPLETE;
    }
    if (message->type == HR_FIX_SEQUENCE_RESET && !message->is_gap_fill) {
        return reset_take(lane, message->new_sequence, lane->next_in);
    }
    if (message->type == HR_FIX_LOGON && message->is_reset && sequence == 1) {
        lane->next_in = 1;
        lane->gap_end = 0;
    }
    if (sequence > lane->next_in) {
        lane->gap_end = sequence > lane->gap_end ? sequence : lane->gap_end;
        return HR_FIX_GAP;
    }
    if (sequence < lane->next_in) {
        lane->repeated_count += message->is_duplicate;
        return message->is_duplicate ? HR_FIX_REPEATED : HR_FIX_TOO_LOW;
    }
    return reset_take(lane,
                      message->type == HR_FIX_SEQUENCE_RESET ? message->new_sequence : sequence + 1,
                      sequence + 1);
}

int32_t hr_fix_lane_is_behind(const hr_fix_lane *lane) {
    return lane != NULL && lane->next_in <= lane->gap_end;
}
