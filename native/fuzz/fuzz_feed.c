/* Any packets into a feed: it stays whole, and a book it calls fresh is sorted and not crossed.
 * Input: byte 0 picks the first instrument's tick; then packets, each after its channel's kind
 * (1 byte) and length (2 bytes). */
#undef NDEBUG
#include "hr_feed.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count == 0) {
        return 0;
    }
    hr_feed *feed = fresh_feed(bytes[0]);
    size_t at = 1;
    for (int packets = 0; packets < PACKETS_MAX && at + 3 <= count; packets++) {
        const int32_t kind = bytes[at] & 1;
        size_t length = (size_t)bytes[at + 1] | (size_t)bytes[at + 2] << 8;
        at += 3;
        length = length < count - at ? length : count - at;
        int64_t told = 0;
        const hr_status status = hr_feed_on_packet(feed, kind, bytes + at, (int64_t)length, packets,
                                                   events, HR_FEED_EVENTS_MAX, &told);
        assert(status == HR_OK || status == HR_ERR_MALFORMED);
        assert(told >= 0 && told < HR_FEED_EVENTS_MAX);
        check_events(feed, told);
        at += length;
    }
    return 0;
}
