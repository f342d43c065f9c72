/* fix_look.h: what must hold of any message that comes out of a FIX stream. */
#ifndef FIX_LOOK_H
#define FIX_LOOK_H

#include "hr_fix_scan.h"

#include <assert.h>

static inline void check_inside(const hr_fix_message *message, const hr_fix_text *text) {
    if (text->bytes != NULL) {
        assert(text->count > 0 && text->bytes > message->bytes);
        assert(text->bytes + text->count < message->bytes + message->count);
        assert(memchr(text->bytes, HR_FIX_SOH, (size_t)text->count) == NULL);
    }
}

static inline void check_units(const hr_fix_decimal *decimal) {
    hr_fix_instrument instrument;
    int64_t ticks = 0;
    int64_t lots = 0;
    assert(hr_fix_instrument_init(&instrument, (const uint8_t *)"C", 1, 0, 5, -4, 10, 0) == HR_OK);
    assert(decimal->exponent <= 0 && decimal->exponent >= -18);
    if (hr_fix_to_ticks(&instrument, decimal, &ticks) == HR_OK) {
        assert(ticks >= 0 && ticks <= HR_FIX_COUNT_MAX);
    }
    if (hr_fix_to_lots(&instrument, decimal, &lots) == HR_OK) {
        assert(lots >= 0 && lots <= HR_FIX_COUNT_MAX);
    }
}

static inline void look_into_ack(const hr_fix_message *message) {
    hr_fix_quote_ack ack;
    hr_fix_quote_entry entry;
    int32_t read = 0;
    if (hr_fix_decode_quote_ack(message, &ack) != HR_OK) {
        return;
    }
    check_inside(message, &ack.quote_id);
    check_inside(message, &ack.text);
    while (hr_fix_next_entry(&ack, &entry) == HR_OK) {
        read++;
        check_inside(message, &entry.id);
        check_inside(message, &entry.symbol);
        check_inside(message, &entry.transact_time);
        for (int side = 0; side < 2; side++) {
            check_units(&entry.price[side]);
            check_units(&entry.size[side]);
        }
        assert(entry.side >= -1 && entry.side <= HR_FIX_ASK);
    }
    assert(read <= ack.entry_count && read <= message->count / 4);
}

static inline void look_into_execution(const hr_fix_message *message) {
    hr_fix_execution execution;
    hr_fix_fill fill;
    int64_t time_ns = 0;
    if (hr_fix_decode_execution(message, &execution) != HR_OK) {
        return;
    }
    check_inside(message, &execution.client_id);
    check_inside(message, &execution.execution_id);
    check_units(&execution.quantity);
    if (hr_fix_to_time(&execution.transact_time, &time_ns) == HR_OK) {
        assert(time_ns >= 0 && time_ns / 1000000000 < HR_FIX_SECOND_MAX + 86400 * 31);
    }
    int32_t read = 0;
    while (hr_fix_next_fill(&execution, &fill) == HR_OK) {
        read++;
        check_inside(message, &fill.trade_id);
        assert(hr_fix_hash(fill.trade_id.bytes, fill.trade_id.count) != 0);
        check_units(&fill.price);
    }
    assert(read <= execution.fill_count);
}

static inline void look_into(hr_fix_lane *lane, const hr_fix_message *message) {
    const int64_t before = lane->next_in;
    const int32_t verdict = hr_fix_lane_accept(lane, message);
    assert(verdict >= HR_FIX_ACCEPTED && verdict <= HR_FIX_BAD_RESET);
    assert(lane->next_in >= before || message->is_reset);
    assert((lane->next_in == before) == (verdict != HR_FIX_ACCEPTED) || message->is_reset ||
           message->type == HR_FIX_SEQUENCE_RESET);
    assert(verdict != HR_FIX_GAP || hr_fix_lane_is_behind(lane));
    assert(message->count <= HR_FIX_MESSAGE_BYTES_MAX && message->body_count >= 0);
    assert(message->body + message->body_count + 7 == message->bytes + message->count);
    check_inside(message, &message->sender);
    check_inside(message, &message->target);
    check_inside(message, &message->sending_time);
    hr_fix_cancel_report report;
    hr_fix_refusal refusal;
    look_into_ack(message);
    look_into_execution(message);
    if (hr_fix_decode_cancel_report(message, &report) == HR_OK) {
        check_inside(message, &report.client_id);
    }
    if (hr_fix_decode_refusal(message, &refusal) == HR_OK) {
        check_inside(message, &refusal.client_id);
        assert(refusal.reference_sequence >= 0);
    }
}

#endif
