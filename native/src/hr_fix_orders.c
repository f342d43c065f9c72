#include "hr_fix_write.h"

enum { ORDER_MAX = 640, BODY_HEAD_MAX = 64 };

static int is_name_or_absent(const hr_fix_text *text) {
    return text->bytes == NULL || hr_fix_is_name(text->bytes, text->count);
}

static hr_status order_check(const hr_fix_lane *lane, const hr_fix_order *order, int64_t now_ns,
                             const uint8_t *out, int64_t capacity, const int64_t *count_out) {
    if (!hr_fix_is_ready(lane, now_ns) || order == NULL || order->instrument == NULL ||
        order->instrument->name_count < 1 || out == NULL || count_out == NULL ||
        !is_name_or_absent(&order->client_id) || !is_name_or_absent(&order->order_id) ||
        !is_name_or_absent(&order->label)) {
        return HR_ERR_ARGUMENT;
    }
    return capacity < HR_FIX_FRAME_MAX + ORDER_MAX ? HR_ERR_FULL : HR_OK;
}

/* Side, price, size and conditions, which a new order and a replacement have. */
static hr_status terms_check(const hr_fix_order *order) {
    if ((order->side != HR_FIX_BID && order->side != HR_FIX_ASK) ||
        (order->time_in_force != HR_FIX_GTC && order->time_in_force != HR_FIX_IOC &&
         order->time_in_force != HR_FIX_FOK) ||
        order->execution < 0 || order->execution > (HR_FIX_POST_OR_FAIL | HR_FIX_REDUCE_ONLY) ||
        (order->execution & (HR_FIX_POST_ONLY | HR_FIX_POST_OR_FAIL)) == 3) {
        return HR_ERR_ARGUMENT;
    }
    if (order->price_ticks < 1 || order->price_ticks > HR_FIX_COUNT_MAX || order->lots < 1 ||
        order->lots > HR_FIX_COUNT_MAX) {
        return HR_ERR_DOMAIN;
    }
    return HR_OK;
}

static uint8_t *put_field(uint8_t *at, uint64_t tag, const hr_fix_text *value) {
    if (value->bytes == NULL) {
        return at;
    }
    at = hr_fix_put_integer(at, tag);
    *at++ = '=';
    return hr_fix_put_soh(hr_fix_put_text(at, value->bytes, value->count));
}

static uint8_t *put_symbol(uint8_t *at, const hr_fix_instrument *instrument) {
    const hr_fix_text name = {instrument->entry + instrument->name_offset, instrument->name_count};
    return put_field(at, 55, &name);
}

static uint8_t *put_terms(uint8_t *at, const hr_fix_order *order) {
    const hr_fix_instrument *const instrument = order->instrument;
    at = put_symbol(at, instrument);
    at = HR_FIX_PUT(at, "54=");
    *at++ = order->side == HR_FIX_BID ? '1' : '2';
    at = hr_fix_put_decimal(HR_FIX_PUT(at, "\00138="),
                            (uint64_t)(order->lots * instrument->lot_mantissa),
                            -instrument->lot_exponent);
    at = HR_FIX_PUT(at, "\00140=2\00144=");
    at = hr_fix_put_decimal(at, (uint64_t)(order->price_ticks * instrument->tick_mantissa),
                            -instrument->tick_exponent);
    at = hr_fix_put_integer(HR_FIX_PUT(at, "\00159="), (uint64_t)order->time_in_force);
    at = hr_fix_put_soh(at);
    if (order->execution != HR_FIX_MAY_TAKE) {
        at = HR_FIX_PUT(at, "18=");
        if (order->execution & (HR_FIX_POST_ONLY | HR_FIX_POST_OR_FAIL)) {
            *at++ = '6';
        }
        if (order->execution & HR_FIX_POST_OR_FAIL) {
            *at++ = 'A';
        }
        if (order->execution & HR_FIX_REDUCE_ONLY) {
            *at++ = 'E';
        }
        at = hr_fix_put_soh(at);
    }
    return at;
}

hr_status hr_fix_encode_order(hr_fix_lane *lane, const hr_fix_order *order, int64_t now_ns,
                              uint8_t *out, int64_t capacity, int64_t *count_out) {
    hr_status status = order_check(lane, order, now_ns, out, capacity, count_out);
    if (status == HR_OK) {
        status = order->client_id.bytes == NULL ? HR_ERR_ARGUMENT : terms_check(order);
    }
    if (status != HR_OK) {
        return status;
    }
    hr_fix_frame frame = {out, 3, 0};
    uint8_t *at = hr_fix_frame_begin(&frame, lane, HR_FIX_NEW_ORDER, lane->next_out, now_ns);
    at = put_field(at, 11, &order->client_id);
    at = put_terms(at, order);
    at = put_field(at, 100010, &order->label);
    *count_out = hr_fix_frame_end(&frame, at);
    lane->next_out++;
    return HR_OK;
}

hr_status hr_fix_encode_cancel(hr_fix_lane *lane, const hr_fix_order *order, int64_t now_ns,
                               uint8_t *out, int64_t capacity, int64_t *count_out) {
    const hr_status status = order_check(lane, order, now_ns, out, capacity, count_out);
    if (status != HR_OK) {
        return status;
    }
    if (order->client_id.bytes == NULL && order->order_id.bytes == NULL) {
        return HR_ERR_ARGUMENT;
    }
    hr_fix_frame frame = {out, 3, 0};
    uint8_t *at = hr_fix_frame_begin(&frame, lane, HR_FIX_CANCEL_ORDER, lane->next_out, now_ns);
    at = put_field(at, 11, &order->client_id);
    at = put_field(at, 41, &order->order_id);
    at = put_symbol(at, order->instrument);
    *count_out = hr_fix_frame_end(&frame, at);
    lane->next_out++;
    return HR_OK;
}

hr_status hr_fix_encode_replace(hr_fix_lane *lane, const hr_fix_order *order, int64_t now_ns,
                                uint8_t *out, int64_t capacity, int64_t *count_out) {
    hr_status status = order_check(lane, order, now_ns, out, capacity, count_out);
    if (status == HR_OK) {
        status = order->client_id.bytes == NULL && order->order_id.bytes == NULL
                     ? HR_ERR_ARGUMENT
                     : terms_check(order);
    }
    if (status != HR_OK) {
        return status;
    }
    hr_fix_frame frame = {out, 3, 0};
    uint8_t *at = hr_fix_frame_begin(&frame, lane, HR_FIX_REPLACE_ORDER, lane->next_out, now_ns);
    at = put_field(at, 11, &order->client_id);
    at = put_field(at, 41, &order->order_id);
    at = put_terms(at, order);
    *count_out = hr_fix_frame_end(&frame, at);
    lane->next_out++;
    return HR_OK;
}

/* Whole fields, none of them the header's or the trailer's own. */
static int is_body(const uint8_t *body, int64_t count) {
    const uint8_t *at = body;
    const uint8_t *const end = body + count;
    hr_fix_field field;
    while (at != end) {
        at = hr_fix_field_read(at, end, &field);
        if (at == NULL || field.tag == 8 || field.tag == 9 || field.tag == 10 || field.tag == 34 ||
            field.tag == 35 || field.tag == 43 || field.tag == 49 || field.tag == 52 ||
            field.tag == 56 || field.tag == 122) {
            return 0;
        }
    }
    return 1;
}

static int is_type(int32_t type) {
    const int32_t second = type >> 8;
    return (type & 0xff) > ' ' && (type & 0xff) <= '~' && second <= '~' &&
           (second == 0 || second > ' ');
}

hr_status hr_fix_encode_body(hr_fix_lane *lane, int32_t type, const uint8_t *body,
                             int64_t body_count, int64_t sequence, int64_t now_ns, uint8_t *out,
                             int64_t capacity, int64_t *count_out) {
    if (!hr_fix_is_ready(lane, now_ns) || !is_type(type) || out == NULL || count_out == NULL ||
        body_count < 0 || body_count > HR_FIX_BODY_BYTES_MAX || sequence < 0 ||
        sequence >= lane->next_out || (body == NULL && body_count > 0) ||
        (body_count > 0 && !is_body(body, body_count))) {
        return HR_ERR_ARGUMENT;
    }
    if (capacity < HR_FIX_FRAME_MAX + BODY_HEAD_MAX + body_count) {
        return HR_ERR_FULL;
    }
    hr_fix_frame frame = {out, body_count > 40 ? 3 : 2, 0};
    uint8_t *at =
        hr_fix_frame_begin(&frame, lane, type, sequence == 0 ? lane->next_out : sequence, now_ns);
    if (sequence != 0) {
        at = HR_FIX_PUT(at, "43=Y\001122=");
        at = hr_fix_put_stamp(at, lane, now_ns);
    }
    if (body_count > 0) {
        at = hr_fix_put_text(at, body, body_count);
    }
    *count_out = hr_fix_frame_end(&frame, at);
    lane->next_out += sequence == 0;
    return HR_OK;
}
