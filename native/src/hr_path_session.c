/* hr_path_session.c: the FIX connection: bytes in, sequence, what is lost with it; the counters. */
#include "hr_path_state.h"

#include <stddef.h>
#include <string.h>

static void note(hr_path *path, int32_t code, int64_t expected, int64_t got) {
    hr_record *record = hr_path_record(path, HR_RECORD_SESSION, -1);
    record->code = code;
    record->count = expected;
    record->number = got;
}

/* The session cannot go on: nothing is quoted, Python ends it. */
static void break_session(hr_path *path, int32_t code, int64_t got, int64_t now_ns) {
    if (!path->is_broken) {
        path->is_broken = 1;
        note(path, code, path->lane.next_in, got);
    }
    hr_path_pull_all(path, HR_PULL_SESSION, now_ns);
}

static int is_of_session(int32_t type) {
    return type == HR_FIX_HEARTBEAT || type == HR_FIX_TEST_REQUEST || type == HR_FIX_LOGON ||
           type == HR_FIX_RESEND_REQUEST || type == HR_FIX_LOGOUT;
}

static void judge(hr_path *path, const hr_fix_message *message, int64_t now_ns) {
    const int64_t expected = path->lane.next_in;
    switch (hr_fix_lane_accept(&path->lane, message)) {
    case HR_FIX_ACCEPTED:
        hr_path_take_message(path, message, now_ns);
        break;
    case HR_FIX_GAP:
        if (!path->is_behind) {
            note(path, HR_SESSION_GAP, expected, message->sequence);
            hr_path_pull_all(path, HR_PULL_SESSION, now_ns);
        }
        if (is_of_session(message->type)) {
            hr_path_take_message(path, message, now_ns); /* Python's: it must be answered. */
        }
        break;
    case HR_FIX_REPEATED:
        break;
    case HR_FIX_BAD_RESET:
        hr_path_take_message(path, message, now_ns);
        break;
    default:
        break_session(path, HR_SESSION_SEQUENCE_LOW, message->sequence, now_ns);
        break;
    }
    const int32_t is_behind = hr_fix_lane_is_behind(&path->lane);
    if (path->is_behind && !is_behind) {
        note(path, HR_SESSION_GAP_FILLED, path->lane.next_in, message->sequence);
    }
    path->is_behind = is_behind;
}

hr_status hr_path_on_stream(hr_path *path, const uint8_t *bytes, int64_t byte_count,
                            int64_t now_ns) {
    hr_path_begin(path, 0);
    if (!path->is_connected) {
        return HR_ERR_NOT_FOUND;
    }
    path->stats.stream_bytes_in += byte_count;
    const int64_t garbled = path->stream.garbled_count;
    for (int64_t at = 0; at < byte_count;) {
        uint8_t *room = NULL;
        const int64_t free_bytes = hr_fix_stream_room(&path->stream, &room);
        const int64_t left = byte_count - at;
        const int64_t size = left < free_bytes ? left : free_bytes;
        if (size < 1) {
            break_session(path, HR_SESSION_GARBLED, 0, now_ns);
            break;
        }
        memcpy(room, bytes + at, (size_t)size);
        hr_fix_stream_grow(&path->stream, size);
        at += size;
        hr_fix_message message;
        while (hr_fix_stream_next(&path->stream, &message) == HR_OK) {
            judge(path, &message, now_ns);
        }
    }
    if (path->stream.garbled_count != garbled) {
        note(path, HR_SESSION_GARBLED, path->lane.next_in, path->stream.garbled_bytes);
    }
    hr_path_publish(path);
    return HR_OK;
}

hr_status hr_path_on_connected(hr_path *path, int64_t now_ns) {
    if (path->is_connected) {
        hr_path_on_lost(path, now_ns);
    }
    hr_path_begin(path, 0);
    const char *sender = path->config.sender;
    const char *target = path->config.target;
    const hr_status status =
        hr_fix_lane_init(&path->lane, (const uint8_t *)sender, (int64_t)strlen(sender),
                         (const uint8_t *)target, (int64_t)strlen(target));
    if (status != HR_OK) {
        return status;
    }
    hr_fix_stream_init(&path->stream, path->stream.memory, path->stream.capacity);
    path->is_connected = 1;
    path->is_behind = path->is_broken = 0;
    note(path, HR_SESSION_CONNECTED, 1, 0);
    hr_path_publish(path);
    return HR_OK;
}

hr_status hr_path_on_lost(hr_path *path, int64_t now_ns) {
    (void)now_ns;
    if (!path->is_connected) {
        return HR_OK;
    }
    hr_path_begin(path, 0);
    path->is_connected = path->is_logged_on = 0;
    path->out_begin = path->out_end = 0;
    path->stalled_ns = 0;
    for (int32_t i = 0; i < path->config.underlying_count; i++) {
        hr_path_book *book = &path->books[i];
        hr_path_forget(path, i);
        hr_engine_clear_live(book->engine);
        book->is_started = 0;
        book->cancel_id = 0;
        hr_path_enter(path, i, HR_PHASE_DOWN);
    }
    note(path, HR_SESSION_LOST, path->lane.next_in, path->lane.next_out);
    hr_path_publish(path);
    return HR_OK;
}

void hr_path_publish_stats(hr_path *path, int64_t now_ns) {
    hr_path_stats *shown = hr_swap_draft(path->stats_swap);
    hr_feed_counters counters;
    *shown = path->stats;
    shown->now_ns = now_ns;
    if (hr_feed_counters_get(path->feed, &counters) == HR_OK) {
        shown->feed_messages = counters.messages;
        shown->feed_gaps = counters.gaps;
        shown->feed_unknown = counters.unknown_messages;
        shown->stale_instruments = counters.stales - counters.heals;
    }
    shown->event_ns = path->event_ns;
    shown->next_out = path->lane.next_out;
    shown->next_in = path->lane.next_in;
    for (int32_t i = 0; i < path->config.underlying_count; i++) {
        hr_path_book *book = &path->books[i];
        book->shown.is_started = book->is_started;
        hr_engine_read_risk(book->engine, &book->shown.risk);
        shown->underlyings[i] = book->shown;
    }
    hr_swap_publish(path->stats_swap);
}
