/* hr_path_send.c: records, and the bytes that go out: mass quotes, cancels, worded messages. */
#include "hr_fix_write.h"
#include "hr_inline.h"
#include "hr_path_state.h"

#include <stddef.h>
#include <string.h>

#define NUMBER_BYTES 21 /* Of any number, and what ends it. */

/* Of the record ring, kept for what quotes already out may cause. */
#define RECORDS_RESERVED(path) ((path)->config.record_capacity / 4)

HR_APART hr_record *hr_path_record(hr_path *path, int32_t kind, int32_t underlying) {
    if (path->unsettled.count > 0) {
        hr_path_settle(path); /* Records stand in the order of what they tell. */
    }
    hr_record *record = hr_ring_claim(path->records, path->pending_records);
    if (record == NULL) {
        record = &path->lost;
        path->stats.records_lost++;
    } else {
        path->pending_records++;
        hr_ring_prefetch(path->records, path->pending_records); /* For the next one. */
    }
    path->urgent_count += !(HR_PATH_PATIENT >> kind & 1);
    *record = (hr_record){
        .sequence = ++path->stats.records,
        .received_ns = path->received_ns,
        .decoded_ns = path->decoded_ns,
        .slot = -1,
        .kind = kind,
        .underlying = underlying,
    };
    if (underlying >= 0) {
        const hr_path_book *book = &path->books[underlying];
        record->surface_version = book->surface_version;
        record->policy_version = book->policy_version;
        record->limits_version = book->limits_version;
        record->lease_expires_ns = book->lease_expires_ns;
    }
    return record;
}

void hr_path_publish(hr_path *path) {
    if (path->out_begin == path->out_end && path->pending_records > 0) {
        hr_ring_publish(path->records, path->pending_records);
        path->pending_records = 0;
        atomic_store_explicit(&path->urgent_published, path->urgent_count, memory_order_release);
    }
}

void hr_path_note(hr_path *path, int32_t kind, int32_t underlying, int32_t code, int64_t count) {
    const int is_of_book = underlying >= 0 && underlying < path->config.underlying_count;
    hr_record *record = hr_path_record(path, kind, is_of_book ? underlying : -1);
    record->code = code;
    record->count = count;
}

void hr_path_enter(hr_path *path, int32_t underlying, int32_t phase) {
    hr_path_underlying *shown = &path->books[underlying].shown;
    if (shown->phase != phase) {
        shown->phase = phase;
        hr_path_note(path, HR_RECORD_PHASE, underlying, phase, shown->blocked_reason);
    }
}

int64_t hr_path_output(const hr_path *path, const uint8_t **bytes_out) {
    *bytes_out = path->out + path->out_begin;
    return path->out_end - path->out_begin;
}

hr_status hr_path_on_sent(hr_path *path, int64_t byte_count, int64_t now_ns) {
    if (byte_count < 0 || byte_count > path->out_end - path->out_begin) {
        return HR_ERR_ARGUMENT;
    }
    if (path->unsettled.count > 0) {
        hr_path_settle(path);
    }
    path->out_begin += byte_count;
    path->stats.stream_bytes_out += byte_count;
    if (path->out_begin < path->out_end) {
        path->stalled_ns = path->stalled_ns == 0 ? now_ns : path->stalled_ns;
        return HR_OK;
    }
    path->out_begin = path->out_end = 0;
    path->stalled_ns = 0;
    int is_tick = 0;
    for (int64_t i = 0; i < path->pending_records; i++) {
        /* The ring is the path's own until they are published. */
        hr_record *record = hr_ring_claim(path->records, i);
        record->sent_ns = record->request > 0 ? now_ns : 0;
        is_tick |= record->kind == HR_RECORD_QUOTE && record->received_ns > 0;
    }
    if (is_tick) {
        path->stats.tick_to_quote[hr_histogram_bucket(now_ns - path->received_ns)]++;
    }
    hr_path_publish(path);
    return HR_OK;
}

/* Returns where a message of at most HR_FIX_OUT_BYTES_MAX bytes may be written, or NULL. */
static uint8_t *room(hr_path *path, int64_t *capacity_out) {
    *capacity_out = HR_PATH_OUT_BYTES - path->out_end;
    return path->is_connected ? path->out + path->out_end : NULL;
}

static void sent(hr_path *path, int64_t count, int32_t quotes, int64_t now_ns) {
    path->out_end += count;
    hr_gate_rate_sent(&path->rate, now_ns);
    hr_gate_budget_pay(&path->budget, 1, quotes);
}

static hr_path_request *request_at(hr_path *path, int64_t id) {
    return &path->requests[id & (HR_PATH_REQUESTS - 1)];
}

int64_t hr_path_capacity(hr_path *path, int32_t underlying, int64_t now_ns) {
    if (path->unsettled.count > 0) {
        hr_path_settle(path); /* Who asks is about to decide anew. */
    }
    const hr_path_book *book = &path->books[underlying];
    int64_t requests = path->config.in_flight_max - book->shown.in_flight;
    const int64_t credits = hr_gate_budget_requests(&path->budget, now_ns);
    requests = credits < requests ? credits : requests;
    if (requests < 1 || path->out_begin != path->out_end ||
        hr_gate_rate_check(&path->rate, now_ns, 0) != HR_GATE_OK ||
        request_at(path, path->request_id)->id != 0 ||
        !hr_path_has_room(path, RECORDS_RESERVED(path))) {
        return 0;
    }
    const int64_t quotes = hr_gate_budget_quotes(&path->budget, now_ns);
    const int64_t fitting = requests * HR_FIX_QUOTES_MAX;
    return quotes < fitting ? quotes : fitting;
}

/* Records a decision that has become bytes. */
static void record_quote(hr_path *path, const hr_path_unsettled *sent,
                         const hr_engine_decision *decision) {
    hr_path_underlying *shown = &path->books[sent->underlying].shown;
    hr_path_option *option = &path->options[hr_path_handle(path, sent->underlying, decision->slot)];
    hr_record *record = hr_path_record(path, HR_RECORD_QUOTE, sent->underlying);
    record->valued_ns = path->valued_ns;
    record->decided_ns = sent->decided_ns;
    record->gated_ns = sent->decided_ns;
    record->feed_change_id = option->change_id;
    record->slot = decision->slot;
    record->instrument_id = option->instrument_id;
    record->request = sent->request;
    record->theo_coin = decision->theo_coin;
    for (int32_t side = 0; side < 2; side++) {
        record->ticks[side] = decision->ticks[side];
        record->lots[side] = decision->lots[side];
        record->is_moved[side] = decision->is_moved[side];
        record->reasons[side] = decision->reasons[side];
        if (decision->is_moved[side]) {
            option->newest[side] = sent->request;
            shown->quotes_sent++;
        }
        shown->quotes_refused += decision->reasons[side] != HR_GATE_OK;
    }
}

HR_APART void hr_path_settle(hr_path *path) {
    const hr_path_unsettled sent = path->unsettled;
    path->unsettled.count = 0;
    for (int64_t i = 0; i < sent.count; i++) {
        record_quote(path, &sent, &sent.decisions[i]);
    }
}

/* Sends one request of at most HR_FIX_QUOTES_MAX quotes; returns whether it could be. */
static int send_request(hr_path *path, int32_t underlying, const hr_engine_decision *decisions,
                        int64_t count, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    hr_fix_quote quotes[HR_FIX_QUOTES_MAX];
    for (int64_t i = 0; i < count; i++) {
        const hr_engine_decision *decision = &decisions[i];
        const int64_t handle = hr_path_handle(path, underlying, decision->slot);
        quotes[i].instrument = &path->options[handle].form;
        for (int32_t side = 0; side < 2; side++) {
            quotes[i].ticks[side] = decision->ticks[side];
            quotes[i].lots[side] = decision->is_moved[side] ? decision->lots[side] : -1;
        }
    }
    int64_t capacity = 0;
    int64_t bytes = 0;
    uint8_t *out = room(path, &capacity);
    const int64_t request = path->request_id;
    hr_path_request *slot = request_at(path, request);
    if (out == NULL || slot->id != 0 || book->shown.in_flight >= path->config.in_flight_max ||
        hr_fix_encode_mass_quote(&path->lane, &book->form, request, quotes, count, now_ns, out,
                                 capacity, &bytes) != HR_OK) {
        return 0;
    }
    path->request_id++;
    *slot = (hr_path_request){.id = request, .sent_ns = now_ns, .underlying = underlying};
    book->shown.in_flight++;
    book->shown.requests++;
    sent(path, bytes, (int32_t)count, now_ns);
    return 1;
}

void hr_path_quote(hr_path *path, int32_t underlying, const hr_engine_decision *decisions,
                   int64_t count, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    const int64_t decided_ns = hr_path_now(path, now_ns);
    for (int64_t from = 0; from < count; from += HR_FIX_QUOTES_MAX) {
        const int64_t left = count - from;
        const int64_t size = left < HR_FIX_QUOTES_MAX ? left : HR_FIX_QUOTES_MAX;
        const int64_t request = path->request_id;
        if (path->unsettled.count > 0) {
            hr_path_settle(path);
        }
        if (!send_request(path, underlying, decisions + from, size, now_ns)) {
            /* It counts as sent in the engine: only a cancel of all sets that right. */
            hr_path_pull(path, underlying, HR_PULL_SEND, now_ns);
            return;
        }
        path->unsettled = (hr_path_unsettled){
            .decisions = decisions + from,
            .count = size,
            .request = request,
            .decided_ns = decided_ns,
            .underlying = underlying,
        };
    }
    book->shown.quoted_ns = now_ns;
}

void hr_path_cancel(hr_path *path, int32_t underlying, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    const hr_fix_quote_cancel cancel = {
        .scope = {(const uint8_t *)book->name, (int64_t)strlen(book->name)},
        .message_id = path->request_id,
        .type = HR_FIX_CANCEL_CURRENCY,
    };
    int64_t capacity = 0;
    int64_t bytes = 0;
    uint8_t *out = room(path, &capacity);
    book->cancel_ns = now_ns + path->config.retry_ns;
    if (out == NULL ||
        hr_fix_encode_quote_cancel(&path->lane, &cancel, now_ns, out, capacity, &bytes) != HR_OK) {
        return;
    }
    book->cancel_id = path->request_id++;
    sent(path, bytes, 0, now_ns);
    hr_record *record = hr_path_record(path, HR_RECORD_PULL, underlying);
    record->code = book->shown.pull_reason;
    record->count = book->shown.pass.two_sided_count + book->shown.pass.one_sided_count;
    record->request = book->cancel_id;
}

void hr_path_pull(hr_path *path, int32_t underlying, int32_t reason, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    if (book->shown.phase != HR_PHASE_QUOTING) {
        return;
    }
    book->shown.pull_reason = reason;
    book->shown.pulls++;
    hr_path_enter(path, underlying, HR_PHASE_CLEARING);
    hr_path_cancel(path, underlying, now_ns);
}

void hr_path_pull_all(hr_path *path, int32_t reason, int64_t now_ns) {
    for (int32_t i = 0; i < path->config.underlying_count; i++) {
        hr_path_pull(path, i, reason, now_ns);
    }
}

static int32_t type_of(const char *text) {
    const int32_t low = (unsigned char)text[0];
    const int32_t high = low != 0 ? (unsigned char)text[1] : 0;
    return low | high << 8;
}

hr_status hr_path_send_body(hr_path *path, const hr_command *command, int64_t now_ns) {
    if (memchr(command->name, 0, sizeof command->name) == NULL || command->name[0] == 0 ||
        memchr(command->body, 0, sizeof command->body) == NULL) {
        return HR_ERR_ARGUMENT;
    }
    int64_t capacity = 0;
    int64_t bytes = 0;
    uint8_t *out = room(path, &capacity);
    if (out == NULL) {
        return HR_ERR_NOT_FOUND;
    }
    uint8_t body[HR_PATH_BODY_BYTES + NUMBER_BYTES];
    int64_t count = (int64_t)strlen(command->body);
    memcpy(body, command->body, (size_t)count);
    if (command->flag == HR_SEND_GAP_FILL) {
        uint8_t *end = hr_fix_put_integer(body + count, (uint64_t)path->lane.next_out);
        *end++ = HR_FIX_SOH;
        count = end - body;
    }
    const hr_status status =
        hr_fix_encode_body(&path->lane, type_of(command->name), body, count,
                           command->flag ? command->number : 0, now_ns, out, capacity, &bytes);
    if (status == HR_OK) {
        sent(path, bytes, 0, now_ns);
    }
    return status;
}
