#include "hr_fix_write.h"

enum {
    FORM_MAX = 352, /* QuoteID, two counts and the form, at their longest. */
    ENTRY_MAX = 88 + 4 * HR_FIX_NUMBER_MAX + 8,
    SCOPE_MAX = 512 - HR_FIX_FRAME_MAX
};

int hr_fix_is_name(const uint8_t *bytes, int64_t count) {
    if (bytes == NULL || count < 1 || count > HR_FIX_NAME_BYTES_MAX) {
        return 0;
    }
    for (int64_t k = 0; k < count; k++) {
        if (bytes[k] < ' ' || bytes[k] > '~') {
            return 0;
        }
    }
    return 1;
}

static int is_unit(int64_t mantissa, int32_t exponent) {
    return mantissa >= 1 && mantissa <= HR_FIX_MANTISSA_MAX && exponent <= 0 && exponent >= -12;
}

hr_status hr_fix_instrument_init(hr_fix_instrument *instrument, const uint8_t *name,
                                 int64_t name_count, int32_t entry_id, int64_t tick_mantissa,
                                 int32_t tick_exponent, int64_t lot_mantissa,
                                 int32_t lot_exponent) {
    if (instrument == NULL || !hr_fix_is_name(name, name_count) || entry_id < 0 ||
        !is_unit(tick_mantissa, tick_exponent) || !is_unit(lot_mantissa, lot_exponent)) {
        return HR_ERR_ARGUMENT;
    }
    memset(instrument, 0, sizeof *instrument);
    instrument->tick_mantissa = tick_mantissa;
    instrument->tick_exponent = tick_exponent;
    instrument->lot_mantissa = lot_mantissa;
    instrument->lot_exponent = lot_exponent;
    instrument->entry_id = entry_id;
    uint8_t *at = HR_FIX_PUT(instrument->entry, "299=");
    at = hr_fix_put_integer(at, (uint64_t)entry_id);
    at = HR_FIX_PUT(at, "\00155=");
    instrument->name_offset = (int32_t)(at - instrument->entry);
    instrument->name_count = (int32_t)name_count;
    at = hr_fix_put_soh(hr_fix_put_text(at, name, name_count));
    instrument->entry_count = (int32_t)(at - instrument->entry);
    return HR_OK;
}

hr_status hr_fix_quote_form_init(hr_fix_quote_form *form, const uint8_t *group, int64_t group_count,
                                 const uint8_t *set, int64_t set_count, int32_t execution) {
    if (form == NULL || !hr_fix_is_name(group, group_count) || !hr_fix_is_name(set, set_count) ||
        execution < HR_FIX_MAY_TAKE || execution > HR_FIX_POST_OR_FAIL) {
        return HR_ERR_ARGUMENT;
    }
    memset(form, 0, sizeof *form);
    uint8_t *at = HR_FIX_PUT(form->head, "\0019019=");
    at = hr_fix_put_text(at, group, group_count);
    at = HR_FIX_PUT(at, "\001296=1\001302=");
    at = hr_fix_put_text(at, set, set_count);
    at = HR_FIX_PUT(at, "\001304=");
    form->head_count = (int32_t)(at - form->head);
    if (execution == HR_FIX_POST_ONLY) {
        form->tail_count = (int32_t)(HR_FIX_PUT(form->tail, "18=6\001") - form->tail);
    } else if (execution == HR_FIX_POST_OR_FAIL) {
        form->tail_count = (int32_t)(HR_FIX_PUT(form->tail, "18=6A\001") - form->tail);
    }
    return HR_OK;
}

static hr_status quote_check(const hr_fix_quote *quote) {
    if (quote->instrument == NULL || quote->instrument->entry_count < 1 ||
        quote->instrument->entry_count > (int32_t)sizeof quote->instrument->entry ||
        (quote->lots[0] == -1 && quote->lots[1] == -1)) {
        return HR_ERR_ARGUMENT;
    }
    for (int side = HR_FIX_BID; side <= HR_FIX_ASK; side++) {
        if (quote->lots[side] < -1 || quote->lots[side] > HR_FIX_COUNT_MAX ||
            (quote->lots[side] > 0 &&
             (quote->ticks[side] < 1 || quote->ticks[side] > HR_FIX_COUNT_MAX))) {
            return HR_ERR_DOMAIN;
        }
    }
    return HR_OK;
}

static inline uint8_t *put_ticks(uint8_t *at, const hr_fix_instrument *instrument, int64_t ticks) {
    at = hr_fix_put_decimal(at, (uint64_t)(ticks * instrument->tick_mantissa),
                            -instrument->tick_exponent);
    return hr_fix_put_soh(at);
}

static inline uint8_t *put_lots(uint8_t *at, const hr_fix_instrument *instrument, int64_t lots) {
    at = hr_fix_put_decimal(at, (uint64_t)(lots * instrument->lot_mantissa),
                            -instrument->lot_exponent);
    return hr_fix_put_soh(at);
}

/* A side that is cancelled has a size of 0 and no price. */
static uint8_t *put_quote(uint8_t *at, const hr_fix_quote_form *form, const hr_fix_quote *quote) {
    const hr_fix_instrument *const instrument = quote->instrument;
    at = hr_fix_put_room(at, instrument->entry, instrument->entry_count, sizeof instrument->entry);
    if (quote->lots[HR_FIX_BID] > 0) {
        at = put_ticks(HR_FIX_PUT(at, "132="), instrument, quote->ticks[HR_FIX_BID]);
    }
    if (quote->lots[HR_FIX_ASK] > 0) {
        at = put_ticks(HR_FIX_PUT(at, "133="), instrument, quote->ticks[HR_FIX_ASK]);
    }
    if (quote->lots[HR_FIX_BID] >= 0) {
        at = put_lots(HR_FIX_PUT(at, "134="), instrument, quote->lots[HR_FIX_BID]);
    }
    if (quote->lots[HR_FIX_ASK] >= 0) {
        at = put_lots(HR_FIX_PUT(at, "135="), instrument, quote->lots[HR_FIX_ASK]);
    }
    memcpy(at, form->tail, sizeof form->tail);
    return at + form->tail_count;
}

hr_status hr_fix_encode_mass_quote(hr_fix_lane *lane, const hr_fix_quote_form *form,
                                   int64_t quote_id, const hr_fix_quote *quotes, int64_t count,
                                   int64_t now_ns, uint8_t *out, int64_t capacity,
                                   int64_t *count_out) {
    if (!hr_fix_is_ready(lane, now_ns) || form == NULL || form->head_count < 1 ||
        form->head_count > (int32_t)sizeof form->head || quotes == NULL || out == NULL ||
        count_out == NULL || quote_id < 0 || count < 1 || count > HR_FIX_QUOTES_MAX) {
        return HR_ERR_ARGUMENT;
    }
    if (capacity < HR_FIX_FRAME_MAX + FORM_MAX + count * ENTRY_MAX) {
        return HR_ERR_FULL;
    }
    for (int64_t k = 0; k < count; k++) {
        const hr_status status = quote_check(&quotes[k]);
        if (status != HR_OK) {
            return status;
        }
    }
    hr_fix_frame frame = {out, count > 9 ? 4 : 3, 0};
    uint8_t *at = hr_fix_frame_begin(&frame, lane, HR_FIX_MASS_QUOTE, lane->next_out, now_ns);
    at = hr_fix_put_counter(HR_FIX_PUT(at, "117="), &lane->quote_id, (uint64_t)quote_id);
    at = hr_fix_put_room(at, form->head, form->head_count, sizeof form->head);
    at = hr_fix_put_integer(at, (uint64_t)count);
    at = hr_fix_put_integer(HR_FIX_PUT(at, "\001295="), (uint64_t)count);
    at = hr_fix_put_soh(at);
    for (int64_t k = 0; k < count; k++) {
        at = put_quote(at, form, &quotes[k]);
    }
    *count_out = hr_fix_frame_end(&frame, at);
    lane->next_out++;
    return HR_OK;
}

/* Returns the tag of a cancel's scope, 0 where it has none, -1 for a type that is not sent. */
static int scope_tag(int32_t type) {
    switch (type) {
    case HR_FIX_CANCEL_SYMBOL:
        return 55;
    case HR_FIX_CANCEL_KIND:
        return 167;
    case HR_FIX_CANCEL_ALL:
        return 0;
    case HR_FIX_CANCEL_CURRENCY:
        return 15;
    case HR_FIX_CANCEL_SET:
        return 302;
    default:
        return -1;
    }
}

hr_status hr_fix_encode_quote_cancel(hr_fix_lane *lane, const hr_fix_quote_cancel *cancel,
                                     int64_t now_ns, uint8_t *out, int64_t capacity,
                                     int64_t *count_out) {
    if (!hr_fix_is_ready(lane, now_ns) || cancel == NULL || out == NULL || count_out == NULL ||
        cancel->message_id < 0) {
        return HR_ERR_ARGUMENT;
    }
    const int tag = scope_tag(cancel->type);
    if (tag < 0 || (tag > 0 && !hr_fix_is_name(cancel->scope.bytes, cancel->scope.count))) {
        return HR_ERR_ARGUMENT;
    }
    if (capacity < HR_FIX_FRAME_MAX + SCOPE_MAX) {
        return HR_ERR_FULL;
    }
    hr_fix_frame frame = {out, 3, 0};
    uint8_t *at = hr_fix_frame_begin(&frame, lane, HR_FIX_QUOTE_CANCEL, lane->next_out, now_ns);
    at = hr_fix_put_integer(HR_FIX_PUT(at, "1166="), (uint64_t)cancel->message_id);
    at = hr_fix_put_integer(HR_FIX_PUT(at, "\001298="), (uint64_t)cancel->type);
    at = hr_fix_put_soh(at);
    if (tag > 0) {
        at = hr_fix_put_integer(at, (uint64_t)tag);
        *at++ = '=';
        at = hr_fix_put_soh(hr_fix_put_text(at, cancel->scope.bytes, cancel->scope.count));
    }
    if (cancel->is_freezing) {
        at = HR_FIX_PUT(at, "9031=Y\001");
    }
    *count_out = hr_fix_frame_end(&frame, at);
    lane->next_out++;
    return HR_OK;
}
