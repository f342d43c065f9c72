/* hr_path_answer.c: the FIX connection's bytes in: answers, fills, and what is Python's to read. */
#include "hr_path_state.h"

#include <stddef.h>
#include <string.h>

#define STATUS_REJECTED 5 /* QuoteStatus (297) of a mass quote, */
#define SIDE_REJECTED 5   /* and QuoteEntryStatus (1167) of one side. */
#define SIDE_CANCELLED 17
#define SIDE_TRIPPED 18
#define SIDE_FILLED 20
#define SIDE_CLOSED 22
#define CODE_TRIPPED 13030 /* The venue's error while its protection is frozen. */
#define TRADE_REPORT 'F'
#define ORDER_CANCELLED '4'
#define ORDER_REJECTED '8'

static void trip(hr_path *path, int32_t underlying, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    if (!book->is_started) {
        return;
    }
    book->is_started = 0;
    book->shown.trips++;
    hr_engine_on_trip(book->engine, now_ns);
    hr_path_note(path, HR_RECORD_TRIP, underlying, 0, 0);
    hr_path_pull(path, underlying, HR_PULL_TRIPPED, now_ns);
}

/* One side of an option rests no more, unless a later request has moved it again. */
static void side_gone(hr_path *path, int64_t handle, int32_t side, int64_t request, int32_t code,
                      int64_t hold_until_ns) {
    hr_path_option *option = &path->options[handle];
    if (option->newest[side] != request) {
        return;
    }
    const hr_path_place place = hr_path_place_of(path, handle);
    const int32_t underlying = place.underlying;
    const int64_t slot = place.slot;
    hr_engine_set_live(path->books[underlying].engine, slot, side, 0, 0, hold_until_ns);
    hr_engine_mark(path->books[underlying].engine, slot);
    path->books[underlying].has_more = 1;
    hr_record *record = hr_path_record(path, HR_RECORD_SIDE, underlying);
    record->slot = slot;
    record->instrument_id = option->instrument_id;
    record->is_moved[side] = 1;
    record->request = request;
    record->code = code;
}

/* Returns the option that an entry or a report is about, or -1. */
static int64_t handle_of(const hr_path *path, const hr_fix_text *entry, const hr_fix_text *symbol) {
    int64_t handle = -1;
    if (symbol->count > 0) {
        return hr_path_find_name(path, symbol->bytes, symbol->count);
    }
    if (hr_fix_to_integer(entry, &handle) != HR_OK || handle < 0 ||
        handle >= path->config.underlying_count * path->config.slot_count ||
        path->options[handle].name_hash == 0) {
        return -1;
    }
    return handle;
}

static void take_entry(hr_path *path, const hr_fix_quote_entry *entry, int64_t request,
                       int32_t underlying, int64_t now_ns) {
    const int64_t handle = handle_of(path, &entry->id, &entry->symbol);
    hr_path_book *book = &path->books[underlying];
    if (entry->status == SIDE_TRIPPED || entry->error_code == CODE_TRIPPED) {
        trip(path, underlying, now_ns);
    }
    if (handle < 0 || entry->type == HR_FIX_ENTRY_TRADE) {
        return; /* The execution report tells of a trade. */
    }
    const int is_refused = entry->type == HR_FIX_ENTRY_ERROR || entry->status == SIDE_REJECTED;
    const int is_gone = entry->status == SIDE_CANCELLED || entry->status == SIDE_TRIPPED ||
                        entry->status == SIDE_FILLED || entry->status == SIDE_CLOSED;
    if (!is_refused && !is_gone) {
        return;
    }
    const int64_t hold_ns = is_refused ? now_ns + path->config.refused_hold_ns : 0;
    book->shown.sides_rejected += is_refused;
    for (int32_t side = 0; side < 2; side++) {
        if (entry->side < 0 || entry->side == side) {
            side_gone(path, handle, side, request, entry->error_code, hold_ns);
        }
    }
}

static void ended_request(hr_path *path, int32_t underlying, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    if (book->shown.phase == HR_PHASE_CLEARING && book->cancel_id == 0 &&
        book->shown.in_flight == 0) {
        /* The cancel's answer overtook this one: what it left may rest after all. */
        hr_path_cancel(path, underlying, now_ns);
    } else if (book->has_more || book->is_index_moved) {
        hr_path_decide(path, underlying, now_ns);
    }
}

static hr_path_request *find_request(hr_path *path, int64_t id) {
    hr_path_request *request = &path->requests[id & (HR_PATH_REQUESTS - 1)];
    return id > 0 && request->id == id ? request : NULL;
}

/* A request was refused whole: nothing of it rests, and nobody knows why. */
static void failed(hr_path *path, int32_t underlying, int32_t code, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    book->hold_ns = now_ns + path->config.failed_hold_ns;
    if (code == CODE_TRIPPED) {
        trip(path, underlying, now_ns);
    } else {
        hr_path_pull(path, underlying, HR_PULL_FAILED, now_ns);
    }
}

static hr_status take_ack(hr_path *path, const hr_fix_message *message, int64_t now_ns) {
    hr_fix_quote_ack ack;
    int64_t id = 0;
    hr_status status = hr_fix_decode_quote_ack(message, &ack);
    if (status != HR_OK || hr_fix_to_integer(&ack.quote_id, &id) != HR_OK) {
        return HR_ERR_MALFORMED;
    }
    hr_path_request *request = find_request(path, id);
    const int32_t underlying = request != NULL ? request->underlying : -1;
    /* The venue's own code says more than FIX's reason, which may be "other". */
    const int32_t code = ack.error_code != 0 ? ack.error_code : ack.reject_reason;
    hr_record *record = hr_path_record(path, HR_RECORD_ANSWER, underlying);
    record->request = id;
    record->code = code;
    record->count = ack.entry_count;
    record->number = request != NULL ? request->sent_ns : 0;
    if (request == NULL) {
        return HR_OK; /* Of an earlier life, or forgotten: the cancel that followed has it. */
    }
    *request = (hr_path_request){0};
    path->books[underlying].shown.in_flight--;
    if (ack.status == STATUS_REJECTED) {
        failed(path, underlying, code, now_ns);
    }
    hr_fix_quote_entry entry;
    while ((status = hr_fix_next_entry(&ack, &entry)) == HR_OK) {
        take_entry(path, &entry, id, underlying, now_ns);
    }
    ended_request(path, underlying, now_ns);
    return status == HR_ERR_NOT_FOUND ? HR_OK : status;
}

static void take_trade(hr_path *path, const hr_fix_execution *report, const hr_fix_decimal *price,
                       const hr_fix_decimal *quantity, const hr_fix_text *id, int64_t handle,
                       int64_t now_ns) {
    int64_t lots = 0;
    int64_t ticks = 0;
    if (hr_fix_to_lots(&path->options[handle].form, quantity, &lots) != HR_OK || lots < 1) {
        path->stats.feed_refused++;
        return;
    }
    if (hr_fix_to_ticks(&path->options[handle].form, price, &ticks) != HR_OK) {
        ticks = 0; /* An average of two trades: no level of ours. */
    }
    const int64_t signed_lots = report->side == HR_FIX_BID ? lots : -lots;
    const int is_quote = report->quote_id.count > 0 || report->quote_entry_id.count > 0;
    hr_path_fill(path, handle, signed_lots, ticks, id->bytes, id->count, !is_quote, now_ns);
}

static hr_status take_report(hr_path *path, const hr_fix_message *message, int64_t now_ns) {
    hr_fix_execution report;
    const hr_status status = hr_fix_decode_execution(message, &report);
    if (status != HR_OK) {
        return status;
    }
    const int64_t handle = handle_of(path, &report.quote_entry_id, &report.symbol);
    if (handle < 0 || report.side < 0) {
        return HR_ERR_NOT_FOUND;
    }
    const int32_t underlying = hr_path_place_of(path, handle).underlying;
    hr_fix_fill fill;
    hr_status more = HR_ERR_NOT_FOUND;
    while ((more = hr_fix_next_fill(&report, &fill)) == HR_OK) {
        take_trade(path, &report, &fill.price, &fill.quantity, &fill.trade_id, handle, now_ns);
    }
    if (report.fill_count == 0 && report.execution_type == TRADE_REPORT &&
        report.execution_id.count > 0) {
        take_trade(path, &report, &report.last_price, &report.last_quantity, &report.execution_id,
                   handle, now_ns);
    }
    int64_t request = 0;
    const int is_gone =
        report.order_status == ORDER_CANCELLED || report.order_status == ORDER_REJECTED;
    if (is_gone && hr_fix_to_integer(&report.quote_id, &request) == HR_OK) {
        side_gone(path, handle, report.side, request, report.order_status, 0);
    }
    if (path->books[underlying].is_index_moved) {
        hr_path_decide(path, underlying, now_ns);
    }
    return more == HR_ERR_NOT_FOUND ? HR_OK : more;
}

static void cleared(hr_path *path, int32_t underlying, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    book->cancel_id = 0;
    if (book->shown.phase != HR_PHASE_CLEARING || book->shown.in_flight > 0) {
        return; /* Quotes still on their way may rest yet: their answer sends another cancel. */
    }
    hr_engine_clear_live(book->engine);
    book->has_more = 0;
    hr_path_enter(path, underlying, HR_PHASE_CLEAR);
    hr_record *record = hr_path_record(path, HR_RECORD_CLEAR, underlying);
    record->code = book->shown.pull_reason;
    hr_path_step(path, underlying, now_ns);
}

static hr_status take_cancel_report(hr_path *path, const hr_fix_message *message, int64_t now_ns) {
    hr_fix_cancel_report report;
    int64_t id = 0;
    if (hr_fix_decode_cancel_report(message, &report) != HR_OK) {
        return HR_ERR_MALFORMED;
    }
    const hr_status status = hr_fix_to_integer(&report.client_id, &id);
    for (int32_t i = 0; i < path->config.underlying_count && status == HR_OK; i++) {
        if (path->books[i].cancel_id == id && id > 0) {
            if (report.response > 0 || (report.response == 0 && report.reject_reason == 0)) {
                cleared(path, i, now_ns);
            } else {
                path->books[i].cancel_id = 0; /* Refused: sent again at its time. */
            }
            return HR_OK;
        }
    }
    return HR_OK;
}

static void refused(hr_path *path, const hr_fix_message *message, int64_t now_ns) {
    hr_fix_refusal refusal;
    hr_path_note(path, HR_RECORD_SESSION, -1, HR_SESSION_REJECT, message->sequence);
    if (hr_fix_decode_refusal(message, &refusal) != HR_OK) {
        return;
    }
    int64_t id = 0;
    hr_path_request *request = NULL;
    if (hr_fix_to_integer(&refusal.reference_id, &id) == HR_OK) {
        request = find_request(path, id);
    }
    if (request != NULL) {
        const int32_t underlying = request->underlying;
        *request = (hr_path_request){0};
        path->books[underlying].shown.in_flight--;
        failed(path, underlying, 0, now_ns);
        ended_request(path, underlying, now_ns);
    } else if (refusal.reference_message_type == HR_FIX_MASS_QUOTE) {
        hr_path_pull_all(path, HR_PULL_FAILED, now_ns);
    }
}

/* Gives a message to Python. */
static void pass_on(hr_path *path, const hr_fix_message *message, int64_t now_ns) {
    hr_path_message *slot = hr_ring_claim(path->messages, 0);
    if (slot == NULL) {
        path->stats.messages_lost++;
        return;
    }
    slot->received_ns = now_ns;
    slot->sequence = message->sequence;
    slot->is_cut = message->count > HR_PATH_RAW_BYTES;
    slot->bytes = (int32_t)(slot->is_cut ? HR_PATH_RAW_BYTES : message->count);
    memcpy(slot->raw, message->bytes, (size_t)slot->bytes);
    hr_ring_publish(path->messages, 1);
}

void hr_path_take_message(hr_path *path, const hr_fix_message *message, int64_t now_ns) {
    hr_status status = HR_ERR_NOT_FOUND;
    switch (message->type) {
    case HR_FIX_MASS_QUOTE_ACK:
        status = take_ack(path, message, now_ns);
        break;
    case HR_FIX_EXECUTION_REPORT:
        status = take_report(path, message, now_ns);
        break;
    case HR_FIX_MASS_CANCEL_REPORT:
        status = take_cancel_report(path, message, now_ns);
        break;
    case HR_FIX_REJECT:
    case HR_FIX_BUSINESS_REJECT:
        refused(path, message, now_ns);
        break;
    default:
        break;
    }
    if (status != HR_OK) {
        pass_on(path, message, now_ns);
    }
}
