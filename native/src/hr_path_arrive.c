/* hr_path_arrive.c: what comes in by datagram and by time. */
#include "hr_path_state.h"

static void touch(hr_path *path, const hr_feed_event *event) {
    hr_path_option *option = &path->options[event->handle];
    const hr_path_place place = hr_path_place_of(path, event->handle);
    hr_path_book *book = &path->books[place.underlying];
    const hr_engine_book top = {place.slot, event->bid_ticks, event->bid_lots, event->ask_ticks,
                                event->ask_lots};
    hr_engine_on_books(book->engine, &top, 1);
    option->change_id = (int64_t)event->change_id;
    if (option->touched != path->datagram_number) {
        option->touched = path->datagram_number;
        path->touched[path->touched_count++] = event->handle;
    }
}

static void set_fresh(hr_path *path, const hr_feed_event *event, int32_t is_fresh) {
    path->options[event->handle].is_fresh = is_fresh;
    hr_path_update_option(path, event->handle);
    const hr_path_place place = hr_path_place_of(path, event->handle);
    hr_record *record = hr_path_record(path, HR_RECORD_FEED, place.underlying);
    record->code = event->kind;
    record->count = event->reason;
    record->instrument_id = event->instrument_id;
    record->slot = place.slot;
}

static void take_event(hr_path *path, const hr_feed_event *event, int64_t now_ns) {
    if (event->handle < 0) {
        return;
    }
    switch (event->kind) {
    case HR_FEED_EVENT_TOP:
        touch(path, event);
        break;
    case HR_FEED_EVENT_INDEX:
        hr_engine_on_index(path->books[event->handle].engine, event->price, now_ns);
        path->books[event->handle].shown.index_usd = event->price;
        path->books[event->handle].shown.index_ns = now_ns;
        path->books[event->handle].is_index_moved = 1;
        break;
    case HR_FEED_EVENT_TICKER:
        path->options[event->handle].is_open = event->state == HR_SBE_STATE_OPEN;
        hr_path_update_option(path, event->handle);
        break;
    case HR_FEED_EVENT_STALE:
        set_fresh(path, event, 0);
        touch(path, &(hr_feed_event){.handle = event->handle, .change_id = event->change_id});
        break;
    case HR_FEED_EVENT_HEALED:
        set_fresh(path, event, 1);
        touch(path, event);
        break;
    default:
        break;
    }
}

hr_status hr_path_on_datagram(hr_path *path, int32_t is_snapshot, const uint8_t *bytes,
                              int64_t byte_count, int64_t now_ns) {
    int64_t count = 0;
    hr_path_begin(path, now_ns);
    path->datagram_number++;
    path->stats.datagrams++;
    hr_path_take_news(path, now_ns);
    const hr_status status =
        hr_feed_on_packet(path->feed, is_snapshot ? HR_FEED_SNAPSHOTS : HR_FEED_EVENTS, bytes,
                          byte_count, now_ns, path->events, HR_FEED_EVENTS_MAX, &count);
    if (!is_snapshot && status == HR_OK) {
        path->event_ns = now_ns;
    }
    path->stats.feed_refused += status != HR_OK;
    if (count > 0) {
        int is_index = 0;
        path->decoded_ns = path->valued_ns = hr_path_now(path, now_ns);
        for (int64_t i = 0; i < count; i++) {
            take_event(path, &path->events[i], now_ns);
            is_index |= path->events[i].kind == HR_FEED_EVENT_INDEX;
        }
        if (is_index) {
            path->valued_ns = hr_path_now(path, now_ns);
        }
        hr_path_decide_touched(path, now_ns);
    }
    hr_path_publish(path);
    return status;
}

hr_status hr_path_on_time(hr_path *path, int64_t now_ns) {
    hr_path_begin(path, 0);
    hr_path_take_news(path, now_ns);
    for (int32_t i = 0; i < path->config.underlying_count; i++) {
        if (path->is_logged_on && path->books[i].is_used) {
            hr_path_step(path, i, now_ns);
            hr_engine_refresh(path->books[i].engine, now_ns);
        }
    }
    hr_path_publish(path);
    return HR_OK;
}
