/* feed_fixture.h: a feed, and a venue of two instruments that sends it packets. */
#ifndef FEED_FIXTURE_H
#define FEED_FIXTURE_H

#include "hr_feed.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ID = 7, OTHER_ID = 8, CHANNEL = 2 };
#define TICK 0.0005
#define LOT 0.1

typedef struct {
    hr_feed *feed;
    hr_feed_event *events;
    int64_t count;
    int64_t bytes; /* Of the packet being built. */
    uint32_t event_sequence;
    uint32_t snapshot_sequence;
    hr_status status;
    uint8_t packet[HR_FEED_PACKET_BYTES_MAX];
} world;

static inline world *open_world(void) {
    world *w = calloc(1, sizeof *w);
    void *memory = aligned_alloc(64, (size_t)hr_feed_size());
    w->events = calloc(HR_FEED_EVENTS_MAX, sizeof *w->events);
    assert(hr_feed_init(memory, hr_feed_size(), &w->feed) == HR_OK);
    const hr_feed_instrument one = {TICK, LOT, ID, 1};
    const hr_feed_instrument other = {TICK, LOT, OTHER_ID, 2};
    assert(hr_feed_add(w->feed, &one) == HR_OK);
    assert(hr_feed_add(w->feed, &other) == HR_OK);
    assert(hr_feed_add_index(w->feed, "btc_usd", 0) == HR_OK);
    w->bytes = HR_SBE_FRAME_BYTES;
    return w;
}

static inline void close_world(world *w) {
    free(w->feed);
    free(w->events);
    free(w);
}

static inline void add(world *w, int32_t template_id, const void *block, const void *entries,
                       int32_t count) {
    const hr_sbe_outgoing outgoing = {
        .block = block,
        .entries = entries,
        .block_size = hr_sbe_block_size(template_id),
        .entry_size = hr_sbe_entry_size(template_id),
        .entry_count = count,
        .template_id = template_id,
    };
    int64_t written = 0;
    assert(hr_sbe_message_write(&outgoing, w->packet + w->bytes,
                                (int64_t)sizeof w->packet - w->bytes, &written) == HR_OK);
    w->bytes += written;
}

/* What events of a kind do not tell is 0, whatever was in their memory. */
static inline void check_bare(const hr_feed_event *event) {
    const int is_top = event->kind == HR_FEED_EVENT_TOP || event->kind == HR_FEED_EVENT_HEALED;
    const int is_ticker = event->kind == HR_FEED_EVENT_TICKER;
    assert(is_top || (event->bid_ticks == 0 && event->bid_lots == 0));
    assert(is_top || (event->ask_ticks == 0 && event->ask_lots == 0));
    assert(is_top || event->kind == HR_FEED_EVENT_STALE || event->change_id == 0);
    assert(is_ticker || event->kind == HR_FEED_EVENT_INDEX || event->price == 0.0);
    assert(is_ticker || (event->price_min == 0.0 && event->price_max == 0.0));
    assert(is_ticker || event->kind == HR_FEED_EVENT_DEFINED || event->state == 0);
    assert(event->kind == HR_FEED_EVENT_STALE || event->reason == 0);
    assert(event->kind == HR_FEED_EVENT_DEFINED ? event->venue_ms == 0 : event->venue_ms > 0);
    assert(event->kind == HR_FEED_EVENT_INDEX ? event->instrument_id == 0
                                              : event->instrument_id > 0);
}

/* Sends the packet built so far on a channel. */
static inline void flush_on(world *w, int32_t kind, uint16_t channel) {
    uint32_t *sequence = kind == HR_FEED_EVENTS ? &w->event_sequence : &w->snapshot_sequence;
    const hr_sbe_frame frame = {(uint16_t)(w->bytes - HR_SBE_FRAME_BYTES), channel, *sequence};
    hr_sbe_frame_write(&frame, w->packet);
    memset(w->events, 0x5a, HR_FEED_EVENTS_MAX * sizeof *w->events);
    w->status = hr_feed_on_packet(w->feed, kind, w->packet, w->bytes, 77, w->events,
                                  HR_FEED_EVENTS_MAX, &w->count);
    for (int64_t at = 0; at < w->count; at++) {
        check_bare(&w->events[at]);
    }
    *sequence += 1;
    w->bytes = HR_SBE_FRAME_BYTES;
}

static inline void flush(world *w, int32_t kind) {
    flush_on(w, kind, kind == HR_FEED_EVENTS ? CHANNEL : CHANNEL + HR_FEED_SNAPSHOT_CHANNEL);
}

static inline hr_sbe_change created(uint8_t side, int32_t ticks, int32_t lots) {
    return (hr_sbe_change){ticks * TICK, lots * LOT, side, HR_SBE_CREATED, {0}};
}

static inline hr_sbe_change changed(uint8_t side, int32_t ticks, int32_t lots) {
    return (hr_sbe_change){ticks * TICK, lots * LOT, side, HR_SBE_CHANGED, {0}};
}

static inline hr_sbe_change deleted(uint8_t side, int32_t ticks) {
    return (hr_sbe_change){ticks * TICK, 0.0, side, HR_SBE_DELETED, {0}};
}

static inline void send_book(world *w, uint32_t id, uint64_t time_ms, uint64_t previous,
                             uint64_t change_id, uint8_t is_last, int32_t count,
                             const hr_sbe_change *changes) {
    const hr_sbe_book book = {time_ms, previous, change_id, id, is_last, {0}};
    add(w, HR_SBE_BOOK, &book, changes, count);
    flush(w, HR_FEED_EVENTS);
}

static inline void send_ticker(world *w, uint32_t id, uint64_t time_ms) {
    const hr_sbe_ticker ticker = {
        .mark_price = 0.05,
        .min_sell_price = 0.01,
        .max_buy_price = 0.09,
        .timestamp_ms = time_ms,
        .instrument_id = id,
        .state = HR_SBE_STATE_OPEN,
    };
    add(w, HR_SBE_TICKER, &ticker, NULL, 0);
    flush(w, HR_FEED_EVENTS);
}

static inline void add_snapshot(world *w, uint32_t id, uint64_t time_ms, uint64_t change_id,
                                uint8_t is_last, int32_t count, const hr_sbe_level *levels) {
    const hr_sbe_snapshot snapshot = {time_ms, change_id, id, 1, is_last, {0}};
    add(w, HR_SBE_SNAPSHOT, &snapshot, levels, count);
}

static inline hr_sbe_level level(uint8_t side, int32_t ticks, int32_t lots) {
    return (hr_sbe_level){ticks * TICK, lots * LOT, side, {0}};
}

/* A cycle with one book: bids 99 x 10, 98 x 20, 97 x 30 and asks 101 x 20, 102 x 30. */
static inline void heal(world *w, uint32_t id, uint64_t time_ms, uint64_t change_id) {
    const hr_sbe_snapshot_start start = {200};
    const hr_sbe_level levels[] = {
        level(HR_SBE_ASK, 102, 30), level(HR_SBE_BID, 99, 10),  level(HR_SBE_BID, 97, 30),
        level(HR_SBE_BID, 98, 20),  level(HR_SBE_ASK, 101, 20),
    };
    add(w, HR_SBE_SNAPSHOT_START, &start, NULL, 0);
    add_snapshot(w, id, time_ms, change_id, 1, 5, levels);
    add(w, HR_SBE_SNAPSHOT_END, NULL, NULL, 0);
    flush(w, HR_FEED_SNAPSHOTS);
}

/* Both books fresh at change id 5. */
static inline world *open_healed_world(void) {
    world *w = open_world();
    const hr_sbe_change row = created(HR_SBE_BID, 90, 3);
    send_book(w, ID, 1000, 4, 5, 1, 1, &row);
    send_book(w, OTHER_ID, 1000, 4, 5, 1, 1, &row);
    heal(w, ID, 1001, 5);
    heal(w, OTHER_ID, 1001, 5);
    assert(hr_feed_is_fresh(w->feed, ID) && hr_feed_is_fresh(w->feed, OTHER_ID));
    return w;
}

/* Returns the first event of a kind and instrument of the last packet, NULL when there is none. */
static inline const hr_feed_event *told(const world *w, int32_t kind, uint32_t id) {
    for (int64_t at = 0; at < w->count; at++) {
        if (w->events[at].kind == kind && w->events[at].instrument_id == id) {
            return &w->events[at];
        }
    }
    return NULL;
}

#endif
