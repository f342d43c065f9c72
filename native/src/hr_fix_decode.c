#include "hr_fix_scan.h"

/* Where one field of a message goes. Returns HR_ERR_MALFORMED for a value that cannot be. */
typedef hr_status field_taker(void *out, const hr_fix_field *field);

static hr_status fields_take(const uint8_t *at, const uint8_t *end, field_taker *take, void *out) {
    hr_fix_field field;
    while (at != end) {
        at = hr_fix_field_read(at, end, &field);
        if (at == NULL || take(out, &field) != HR_OK) {
            return HR_ERR_MALFORMED;
        }
    }
    return HR_OK;
}

static hr_status body_take(const hr_fix_message *message, field_taker *take, void *out) {
    return fields_take(message->body, message->body + message->body_count, take, out);
}

static hr_status text_take(const hr_fix_field *field, hr_fix_text *out) {
    *out = field->value;
    return HR_OK;
}

static hr_status small_take(const hr_fix_field *field, int32_t *out) {
    *out = hr_fix_small_read(&field->value);
    return *out < 0 ? HR_ERR_MALFORMED : HR_OK;
}

static hr_status char_take(const hr_fix_field *field, int32_t *out) {
    *out = hr_fix_char_read(&field->value);
    return *out == 0 ? HR_ERR_MALFORMED : HR_OK;
}

static hr_status side_take(const hr_fix_field *field, int32_t *out) {
    const int32_t side = hr_fix_char_read(&field->value);
    *out = side == '2' ? HR_FIX_ASK : HR_FIX_BID;
    return side == '1' || side == '2' ? HR_OK : HR_ERR_MALFORMED;
}

/* ---- MassQuoteAck ------------------------------------------------------------------------ */

/* Finds the status behind the entries, where an engine that sorts fields by tag puts it. */
static hr_status status_behind_take(void *out, const hr_fix_field *field) {
    hr_fix_quote_ack *ack = out;
    if (field->tag == 297 && ack->status < 0) {
        ack->end = field->value.bytes - 4; /* The entries end where "297=" begins. */
        return small_take(field, &ack->status);
    }
    const int is_code = field->tag == 368 && ack->status >= 0; /* Before it, it is an entry's. */
    return is_code             ? small_take(field, &ack->error_code)
           : field->tag == 300 ? small_take(field, &ack->reject_reason)
                               : HR_OK;
}

hr_status hr_fix_decode_quote_ack(const hr_fix_message *message, hr_fix_quote_ack *ack_out) {
    if (message == NULL || ack_out == NULL || message->type != HR_FIX_MASS_QUOTE_ACK) {
        return HR_ERR_ARGUMENT;
    }
    memset(ack_out, 0, sizeof *ack_out);
    ack_out->status = -1;
    const uint8_t *at = message->body;
    ack_out->end = at + message->body_count;
    hr_status status = HR_OK;
    hr_fix_field field = {{NULL, 0}, 0};
    while (at != ack_out->end && field.tag != 295) {
        at = hr_fix_field_read(at, ack_out->end, &field);
        if (at == NULL) {
            return HR_ERR_MALFORMED;
        }
        if (field.tag == 117) {
            ack_out->quote_id = field.value;
        } else if (field.tag == 58) {
            ack_out->text = field.value;
        } else if (field.tag == 295) {
            status = small_take(&field, &ack_out->entry_count);
        } else if (field.tag == 297) {
            status = small_take(&field, &ack_out->status);
        } else if (field.tag == 300) {
            status = small_take(&field, &ack_out->reject_reason);
        } else if (field.tag == 368) {
            status = small_take(&field, &ack_out->error_code);
        }
        if (status != HR_OK) {
            return status;
        }
    }
    ack_out->entries_left = ack_out->entry_count;
    ack_out->cursor = at;
    if (ack_out->status < 0) {
        status = fields_take(at, ack_out->end, status_behind_take, ack_out);
    }
    return ack_out->status < 0 ? HR_ERR_MALFORMED : status;
}

/* A bit for each field of an entry, 0 for a field that is none: the second of a kind begins the
 * next entry, and QuoteEntryID always does. */
static uint32_t entry_bit(int32_t tag) {
    switch (tag) {
    case 299:
        return 1U << 0;
    case 9020:
        return 1U << 1;
    case 302:
        return 1U << 2;
    case 1167:
        return 1U << 3;
    case 55:
        return 1U << 4;
    case 54:
        return 1U << 5;
    case 37:
        return 1U << 6;
    case 60:
        return 1U << 7;
    case 132:
        return 1U << 8;
    case 133:
        return 1U << 9;
    case 134:
        return 1U << 10;
    case 135:
        return 1U << 11;
    case 368:
        return 1U << 12;
    case 58:
        return 1U << 13;
    default:
        return 0;
    }
}

static hr_status entry_take(hr_fix_quote_entry *entry, const hr_fix_field *field) {
    switch (field->tag) {
    case 299:
        return text_take(field, &entry->id);
    case 302:
        return text_take(field, &entry->set);
    case 55:
        return text_take(field, &entry->symbol);
    case 37:
        return text_take(field, &entry->order_id);
    case 58:
        return text_take(field, &entry->text);
    case 132:
    case 133:
        return hr_fix_decimal_read(&field->value, &entry->price[field->tag - 132]);
    case 134:
    case 135:
        return hr_fix_decimal_read(&field->value, &entry->size[field->tag - 134]);
    case 60:
        return text_take(field, &entry->transact_time);
    case 9020:
        return small_take(field, &entry->type);
    case 1167:
        return small_take(field, &entry->status);
    case 54:
        return side_take(field, &entry->side);
    case 368:
        return small_take(field, &entry->error_code);
    default:
        return HR_OK;
    }
}

hr_status hr_fix_next_entry(hr_fix_quote_ack *ack, hr_fix_quote_entry *entry_out) {
    if (ack == NULL || entry_out == NULL || ack->cursor == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (ack->entries_left <= 0) {
        return ack->cursor == ack->end ? HR_ERR_NOT_FOUND : HR_ERR_MALFORMED;
    }
    memset(entry_out, 0, sizeof *entry_out);
    entry_out->type = -1;
    entry_out->status = -1;
    entry_out->side = -1;
    uint32_t seen = 0;
    while (ack->cursor != ack->end) {
        hr_fix_field field;
        const uint8_t *const next = hr_fix_field_read(ack->cursor, ack->end, &field);
        if (next == NULL) {
            return HR_ERR_MALFORMED;
        }
        const uint32_t bit = entry_bit(field.tag);
        if ((seen & bit) != 0 || (field.tag == 299 && seen != 0)) {
            break;
        }
        seen |= bit;
        if (entry_take(entry_out, &field) != HR_OK) {
            return HR_ERR_MALFORMED;
        }
        ack->cursor = next;
    }
    ack->entries_left--;
    return seen == 0 ? HR_ERR_MALFORMED : HR_OK;
}

/* ---- ExecutionReport --------------------------------------------------------------------- */

static hr_status execution_text_take(hr_fix_execution *execution, const hr_fix_field *field) {
    switch (field->tag) {
    case 37:
        return text_take(field, &execution->order_id);
    case 41:
        return text_take(field, &execution->client_id);
    case 55:
        return text_take(field, &execution->symbol);
    case 17:
        return text_take(field, &execution->execution_id);
    case 527:
        return execution->execution_id.bytes != NULL ? HR_OK
                                                     : text_take(field, &execution->execution_id);
    case 117:
        return text_take(field, &execution->quote_id);
    case 299:
        return text_take(field, &execution->quote_entry_id);
    case 100010:
        return text_take(field, &execution->label);
    case 58:
        return text_take(field, &execution->text);
    default:
        return HR_OK;
    }
}

static hr_status execution_take(void *out, const hr_fix_field *field) {
    hr_fix_execution *const execution = out;
    switch (field->tag) {
    case 44:
        return hr_fix_decimal_read(&field->value, &execution->price);
    case 38:
        return hr_fix_decimal_read(&field->value, &execution->quantity);
    case 151:
        return hr_fix_decimal_read(&field->value, &execution->leaves);
    case 14:
        return hr_fix_decimal_read(&field->value, &execution->cumulative);
    case 6:
        return hr_fix_decimal_read(&field->value, &execution->average_price);
    case 31:
        return hr_fix_decimal_read(&field->value, &execution->last_price);
    case 32:
        return hr_fix_decimal_read(&field->value, &execution->last_quantity);
    case 60:
        return text_take(field, &execution->transact_time);
    case 150:
        return char_take(field, &execution->execution_type);
    case 39:
        return char_take(field, &execution->order_status);
    case 40:
        return char_take(field, &execution->order_type);
    case 54:
        return side_take(field, &execution->side);
    case 103:
        return small_take(field, &execution->reject_reason);
    case 368:
        return small_take(field, &execution->error_code);
    case 9008:
        execution->is_mmp = hr_fix_is_yes(&field->value);
        return HR_OK;
    case 1362:
        execution->cursor = field->value.bytes + field->value.count + 1;
        return small_take(field, &execution->fill_count);
    default:
        return execution_text_take(execution, field);
    }
}

hr_status hr_fix_decode_execution(const hr_fix_message *message, hr_fix_execution *execution_out) {
    if (message == NULL || execution_out == NULL || message->type != HR_FIX_EXECUTION_REPORT) {
        return HR_ERR_ARGUMENT;
    }
    memset(execution_out, 0, sizeof *execution_out);
    execution_out->side = -1;
    execution_out->end = message->body + message->body_count;
    execution_out->cursor = execution_out->end;
    const hr_status status = body_take(message, execution_take, execution_out);
    execution_out->fills_left = execution_out->fill_count;
    return status == HR_OK && execution_out->order_status == 0 ? HR_ERR_MALFORMED : status;
}

hr_status hr_fix_next_fill(hr_fix_execution *execution, hr_fix_fill *fill_out) {
    if (execution == NULL || fill_out == NULL || execution->cursor == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (execution->fills_left <= 0) {
        return execution->cursor == execution->end ? HR_ERR_NOT_FOUND : HR_ERR_MALFORMED;
    }
    memset(fill_out, 0, sizeof *fill_out);
    while (execution->cursor != execution->end) {
        hr_fix_field field;
        const uint8_t *const next = hr_fix_field_read(execution->cursor, execution->end, &field);
        hr_status status = next == NULL ? HR_ERR_MALFORMED : HR_OK;
        if (status == HR_OK && field.tag == 1363) {
            if (fill_out->trade_id.bytes != NULL) {
                break;
            }
            status = text_take(&field, &fill_out->trade_id);
        } else if (status == HR_OK && field.tag == 1364) {
            status = hr_fix_decimal_read(&field.value, &fill_out->price);
        } else if (status == HR_OK && field.tag == 1365) {
            status = hr_fix_decimal_read(&field.value, &fill_out->quantity);
        } else if (status == HR_OK && field.tag == 1443) {
            status = small_take(&field, &fill_out->liquidity);
        }
        if (status != HR_OK) {
            return status;
        }
        execution->cursor = next;
    }
    execution->fills_left--;
    return fill_out->trade_id.bytes != NULL && fill_out->price.is_present &&
                   fill_out->quantity.is_present
               ? HR_OK
               : HR_ERR_MALFORMED;
}

/* ---- answers to cancels, refusals -------------------------------------------------------- */

static hr_status cancel_report_take(void *out, const hr_fix_field *field) {
    hr_fix_cancel_report *const report = out;
    switch (field->tag) {
    case 11:
        return text_take(field, &report->client_id);
    case 58:
        return text_take(field, &report->text);
    case 530:
        return small_take(field, &report->request_type);
    case 531:
        return small_take(field, &report->response);
    case 532:
        return small_take(field, &report->reject_reason);
    case 298:
        return small_take(field, &report->cancel_type);
    case 534:
        return report->affected_count >= 0 ? HR_OK : small_take(field, &report->affected_count);
    case 533:
        return small_take(field, &report->affected_count);
    default:
        return HR_OK;
    }
}

hr_status hr_fix_decode_cancel_report(const hr_fix_message *message,
                                      hr_fix_cancel_report *report_out) {
    if (message == NULL || report_out == NULL || message->type != HR_FIX_MASS_CANCEL_REPORT) {
        return HR_ERR_ARGUMENT;
    }
    memset(report_out, 0, sizeof *report_out);
    report_out->request_type = -1;
    report_out->response = -1;
    report_out->affected_count = -1;
    const hr_status status = body_take(message, cancel_report_take, report_out);
    return status == HR_OK && report_out->request_type < 0 ? HR_ERR_MALFORMED : status;
}

static hr_status refusal_take(void *out, const hr_fix_field *field) {
    hr_fix_refusal *const refusal = out;
    switch (field->tag) {
    case 37:
        return text_take(field, &refusal->order_id);
    case 41:
        return text_take(field, &refusal->client_id);
    case 11:
        return refusal->client_id.bytes != NULL ? HR_OK : text_take(field, &refusal->client_id);
    case 379:
        return text_take(field, &refusal->reference_id);
    case 58:
        return text_take(field, &refusal->text);
    case 45:
        refusal->reference_sequence = hr_fix_integer_read(&field->value);
        return refusal->reference_sequence < 0 ? HR_ERR_MALFORMED : HR_OK;
    case 371:
        return small_take(field, &refusal->reference_tag);
    case 372:
        refusal->reference_message_type = hr_fix_type_read(&field->value);
        return HR_OK;
    case 102:
    case 373:
    case 380:
        return small_take(field, &refusal->reason);
    case 434:
        return char_take(field, &refusal->response_to);
    case 39:
        return char_take(field, &refusal->order_status);
    default:
        return HR_OK;
    }
}

hr_status hr_fix_decode_refusal(const hr_fix_message *message, hr_fix_refusal *refusal_out) {
    if (message == NULL || refusal_out == NULL ||
        (message->type != HR_FIX_CANCEL_REJECT && message->type != HR_FIX_REJECT &&
         message->type != HR_FIX_BUSINESS_REJECT)) {
        return HR_ERR_ARGUMENT;
    }
    memset(refusal_out, 0, sizeof *refusal_out);
    refusal_out->reason = -1;
    return body_take(message, refusal_take, refusal_out);
}
