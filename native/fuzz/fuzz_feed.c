/* Any packets into a feed: it stays whole, and a book it calls fresh is sorted and not crossed.
 * Input: bit 0 of byte 0 picks the first instrument's tick. Then packets, each after its channel's
 * kind (1 byte) and length (2 bytes); further bits of the kind take an instrument out, or put one
 * in. With bit 1 of byte 0 a script of packets instead (feed_script.h). */
#undef NDEBUG
#include "feed_script.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static _Alignas(64) uint8_t memory[8 << 20];
static hr_feed_event events[HR_FEED_EVENTS_MAX];

enum { INSTRUMENTS = 3, FIRST_ID = 7, PACKETS_MAX = 64 };

static hr_feed *fresh_feed(uint8_t shape) {
    hr_feed *feed = NULL;
    assert(hr_feed_size() <= (int64_t)sizeof memory);
    assert(hr_feed_init(memory, sizeof memory, &feed) == HR_OK);
    for (uint32_t at = 0; at < INSTRUMENTS; at++) {
        const hr_feed_instrument instrument = {
            at == 0 && (shape & 1) != 0 ? 0.5 : 0.0005,
            0.1,
            FIRST_ID + at,
            (int32_t)at,
        };
        assert(hr_feed_add(feed, &instrument) == HR_OK);
    }
    assert(hr_feed_add_index(feed, "btc_usd", 0) == HR_OK);
    return feed;
}

static void check_book(const hr_feed *feed, uint32_t instrument_id) {
    static hr_feed_book book;
    if (!hr_feed_is_fresh(feed, instrument_id)) {
        return;
    }
    const hr_status status = hr_feed_book_get(feed, instrument_id, &book);
    assert(status == HR_OK && book.is_fresh);
    for (int32_t at = 0; at < book.bid_count; at++) {
        assert(book.bids[at].lots > 0 && book.bids[at].price_ticks > 0);
        assert(at == 0 || book.bids[at].price_ticks < book.bids[at - 1].price_ticks);
    }
    for (int32_t at = 0; at < book.ask_count; at++) {
        assert(book.asks[at].lots > 0 && book.asks[at].price_ticks > 0);
        assert(at == 0 || book.asks[at].price_ticks > book.asks[at - 1].price_ticks);
    }
    if (book.bid_count > 0 && book.ask_count > 0) {
        assert(book.bids[0].price_ticks < book.asks[0].price_ticks);
    }
}

static void check_events(const hr_feed *feed, int64_t told) {
    for (int64_t at = 0; at < told; at++) {
        const hr_feed_event *event = &events[at];
        assert(event->kind >= HR_FEED_EVENT_TOP && event->kind <= HR_FEED_EVENT_DEFINED);
        assert(event->handle >= -1 && event->handle < INSTRUMENTS);
        if (event->bid_lots > 0 && event->ask_lots > 0) {
            assert(event->bid_ticks < event->ask_ticks);
        }
        if (event->kind == HR_FEED_EVENT_INDEX) {
            assert(event->price > 0.0);
        }
    }
    for (uint32_t at = 0; at < INSTRUMENTS; at++) {
        check_book(feed, FIRST_ID + at);
    }
}

/* What is refused whatever the packets; for the empty input. */
static void check_refusals(hr_feed *feed) {
    const hr_feed_instrument good = {0.5, 1.0, 5, 0};
    const hr_feed_instrument bad[] = {{0.0, 1.0, 5, 0},
                                      {1e10, 1.0, 5, 0},
                                      {0.5, 0.0, 5, 0},
                                      {0.5, 1e10, 5, 0},
                                      {0.5, 1.0, 5, -1}};
    static _Alignas(64) uint8_t blank[64];
    hr_feed *const feeds[] = {NULL, (hr_feed *)(void *)blank};
    hr_feed_book book;
    hr_feed_counters counters;
    hr_feed *made = NULL;
    int64_t told = 0;
    for (size_t at = 0; at < 2; at++) {
        assert(hr_feed_add(feeds[at], &good) == HR_ERR_MAGIC);
        assert(hr_feed_remove(feeds[at], 5) == HR_ERR_MAGIC);
        assert(hr_feed_add_index(feeds[at], "x", 0) == HR_ERR_MAGIC);
        assert(hr_feed_is_fresh(feeds[at], 5) == 0);
        assert(hr_feed_book_get(feeds[at], 5, &book) == HR_ERR_MAGIC);
        assert(hr_feed_counters_get(feeds[at], &counters) == HR_ERR_MAGIC);
        assert(hr_feed_on_packet(feeds[at], 0, blank, 8, 0, events, HR_FEED_EVENTS_MAX, &told) ==
               HR_ERR_MAGIC);
    }
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        assert(hr_feed_add(feed, &bad[at]) == HR_ERR_ARGUMENT);
    }
    assert(hr_feed_add(feed, NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_add_index(feed, NULL, 0) == HR_ERR_ARGUMENT);
    assert(hr_feed_add_index(feed, "seventeen_letters", 0) == HR_ERR_ARGUMENT);
    assert(hr_feed_add_index(feed, "x", -1) == HR_ERR_ARGUMENT);
    assert(hr_feed_book_get(feed, FIRST_ID, NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_book_get(feed, FIRST_ID, &book) == HR_ERR_STALE);
    assert(hr_feed_book_get(feed, 5, &book) == HR_ERR_NOT_FOUND);
    assert(hr_feed_counters_get(feed, NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_counters_get(feed, &counters) == HR_OK);
    assert(hr_feed_init(NULL, 0, &made) == HR_ERR_ARGUMENT);
    assert(hr_feed_init(memory, hr_feed_size(), NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_init(memory + 8, hr_feed_size(), &made) == HR_ERR_ARGUMENT);
    assert(hr_feed_init(memory, hr_feed_size() - 1, &made) == HR_ERR_ARGUMENT);
    const int64_t least = HR_FEED_EVENTS_MAX;
    assert(hr_feed_on_packet(feed, 0, NULL, 8, 0, events, least, &told) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(feed, 0, blank, 8, 0, NULL, least, &told) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(feed, 0, blank, 8, 0, events, least, NULL) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(feed, 0, blank, 8, 0, events, 1, &told) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(feed, 2, blank, 8, 0, events, least, &told) == HR_ERR_ARGUMENT);
    assert(hr_feed_on_packet(feed, 0, memory, HR_FEED_PACKET_BYTES_MAX + 1, 0, events, least,
                             &told) == HR_ERR_MALFORMED);
}

/* Fills the tables, takes half out and finds the rest. */
static void check_tables(hr_feed *feed) {
    char name[3] = "a";
    for (uint32_t at = INSTRUMENTS; at <= HR_FEED_INSTRUMENTS_MAX; at++) {
        const hr_feed_instrument instrument = {0.5, 1.0, 1000 + at * at, 0};
        assert(hr_feed_add(feed, &instrument) ==
               (at < HR_FEED_INSTRUMENTS_MAX ? HR_OK : HR_ERR_FULL));
    }
    for (uint32_t at = INSTRUMENTS; at < HR_FEED_INSTRUMENTS_MAX; at++) {
        const uint32_t id = 1000 + at * at;
        assert(hr_feed_remove(feed, at % 2 == 0 ? id : 1) ==
               (at % 2 == 0 ? HR_OK : HR_ERR_NOT_FOUND));
    }
    static hr_feed_book book;
    for (uint32_t at = INSTRUMENTS; at < HR_FEED_INSTRUMENTS_MAX; at++) {
        assert(hr_feed_book_get(feed, 1000 + at * at, &book) ==
               (at % 2 == 0 ? HR_ERR_NOT_FOUND : HR_ERR_STALE));
    }
    for (int32_t at = 1; at <= HR_FEED_INDEXES_MAX; at++) {
        name[0] = (char)('a' + at);
        assert(hr_feed_add_index(feed, name, 0) ==
               (at < HR_FEED_INDEXES_MAX ? HR_OK : HR_ERR_FULL));
    }
    assert(hr_feed_add_index(feed, "btc_usd", 1) == HR_OK);
}

/* What the bits above the kind say. */
static void register_by(hr_feed *feed, uint8_t bits) {
    const uint32_t id = FIRST_ID + (bits >> 4 & 3U) % INSTRUMENTS;
    const hr_feed_instrument instrument = {0.0005, 0.1, id, 0};
    if ((bits & 2) != 0) {
        const hr_status status = hr_feed_remove(feed, id);
        assert(status == HR_OK || status == HR_ERR_NOT_FOUND);
    }
    if ((bits & 4) != 0) {
        assert(hr_feed_add(feed, &instrument) == HR_OK);
    }
}

static void take(hr_feed *feed, int32_t kind, const uint8_t *bytes, int64_t count, int64_t now_ns) {
    int64_t told = 0;
    const hr_status status =
        hr_feed_on_packet(feed, kind, bytes, count, now_ns, events, HR_FEED_EVENTS_MAX, &told);
    assert(status == HR_OK || status == HR_ERR_MALFORMED);
    assert(told >= 0 && told < HR_FEED_EVENTS_MAX);
    check_events(feed, told);
}

static void as_packets(hr_feed *feed, const uint8_t *bytes, size_t count) {
    size_t at = 0;
    for (int packets = 0; packets < PACKETS_MAX && at + 3 <= count; packets++) {
        register_by(feed, bytes[at]);
        size_t length = (size_t)bytes[at + 1] | (size_t)bytes[at + 2] << 8;
        length = length < count - at - 3 ? length : count - at - 3;
        take(feed, bytes[at] & 1, bytes + at + 3, (int64_t)length, packets);
        at += 3 + length;
    }
}

/* Sends what the script has said; once it, and empty packets on more channels than there may be. */
static void send(hr_feed *feed, script *s, uint8_t how, uint8_t channel, uint8_t number) {
    static uint8_t exact[SCRIPT_ROOM];
    const int32_t kind = how & 1;
    const int32_t packets = how >= 0xfe && !s->is_crowded ? HR_FEED_CHANNELS_MAX + 1 : 1;
    s->is_crowded |= packets > 1;
    for (int32_t at = 0; at < packets; at++) {
        const uint16_t id =
            (uint16_t)(channel % SCRIPT_CHANNELS + at +
                       (kind == HR_FEED_SNAPSHOTS && (channel & 128) == 0 ? HR_FEED_SNAPSHOT_CHANNEL
                                                                          : 0));
        script_frame(s, kind, id, script_sequence(s, kind, channel, number));
        if ((number & 0xf0) == 0xf0) {
            s->packet[HR_SBE_FRAME_BYTES + channel] ^= number;
        }
        /* Up to the end of the room, so that one byte too far is seen. */
        uint8_t *const from = exact + SCRIPT_ROOM - s->bytes;
        memcpy(from, s->packet, (size_t)s->bytes);
        take(feed, kind, from, s->bytes, (int64_t)s->now_ms);
        s->bytes = HR_SBE_FRAME_BYTES;
    }
}

static void as_script(hr_feed *feed, const uint8_t *bytes, size_t count, uint8_t shape) {
    static script s;
    script_open(&s, FIRST_ID, (shape & 1) != 0 ? 0.5 : 0.0005, 0.1);
    for (size_t at = 0; at + 4 <= count; at += 4) {
        const uint8_t *with = bytes + at + 1;
        switch (bytes[at] % 12) {
        case 0:
            script_entry(&s, with[0], with[1], with[2]);
            break;
        case 1:
            script_ladder(&s, with[0], with[1], with[2]);
            break;
        case 2:
        case 3:
            script_book(&s, with[0], with[1], with[2]);
            break;
        case 4:
            script_snapshot(&s, with[0], with[1], with[2]);
            break;
        case 5:
            script_ticker(&s, with[0], with[1]);
            break;
        case 6:
            script_index(&s, with[0], with[1]);
            break;
        case 7:
            script_trades(&s, with[0], with[1]);
            break;
        case 8:
            script_other(&s, with[0], with[1]);
            break;
        case 9:
            register_by(feed, with[0]);
            break;
        default:
            send(feed, &s, with[0], with[1], with[2]);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count == 0) {
        check_refusals(fresh_feed(0));
        check_tables(fresh_feed(0));
        return 0;
    }
    hr_feed *feed = fresh_feed(bytes[0]);
    if ((bytes[0] & 2) != 0) {
        as_script(feed, bytes + 1, count - 1, bytes[0]);
    } else {
        as_packets(feed, bytes + 1, count - 1);
    }
    return 0;
}
