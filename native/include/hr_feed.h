/* hr_feed.h: multicast packets in, order books that are right or said to be stale out.
 *
 * When a book is fresh. A book is held at a change id. A packet missing from a channel of events
 * (a gap; joining, a sequence that begins anew and an undecodable packet count as one) makes every
 * book of that channel stale, for any of them may have changed. One becomes fresh again by
 *   1. a book message whose prevChangeId is the id held: it missed nothing. (Not the first message
 *      after the gap: it may be the last part of a change whose first part was lost. The parts
 *      of a change follow each other with nothing between them.)
 *   2. a complete snapshot (all parts to isLastInBook) whose change id and time are not before
 *      any seen of the instrument, if an event of it came in sequence since the gap;
 *   3. a complete snapshot that the venue took after it sent the packet that revealed the gap,
 *      and not before what was seen of the instrument.
 * The venue's own times decide: a snapshot's is when it was taken, a book or trade message's when
 * it was sent, a ticker may be sent up to HR_FEED_TICKER_LAG_MS after its time.
 * A book message whose prevChangeId is not the id held, a change that does not fit the book, a
 * price off the grid and a crossed or locked book make that instrument stale until rule 2 or 3; a
 * broken chain with no packet missing counts as a gap. A fresh book takes a newer snapshot as it
 * takes an event. Old and doubled packets are dropped; one that is old by its number but tells a
 * newer time, or comes in a long run, says that the venue counts anew.
 */
#ifndef HR_FEED_H
#define HR_FEED_H

#include "hedgerow.h"
#include "hr_sbe.h"

/* cdef: begin */
#define HR_FEED_INSTRUMENTS_MAX 4096
#define HR_FEED_INDEXES_MAX 16
#define HR_FEED_CHANNELS_MAX 64
#define HR_FEED_DEPTH_MAX 64          /* Levels kept a side; worse ones are forgotten. */
#define HR_FEED_PACKET_BYTES_MAX 2048 /* A longer one counts as undecodable. */
#define HR_FEED_EVENTS_MAX 4608       /* One packet yields fewer: the least capacity. */
#define HR_FEED_SNAPSHOT_CHANNEL 100  /* A snapshot channel's number above that of its events. */
#define HR_FEED_TICKER_LAG_MS 2000

#define HR_FEED_EVENTS 0 /* Kinds of channel: which socket a packet came from. */
#define HR_FEED_SNAPSHOTS 1

#define HR_FEED_EVENT_TOP 1     /* Best price or amount changed; only of a fresh book. */
#define HR_FEED_EVENT_INDEX 2   /* `price`. */
#define HR_FEED_EVENT_TICKER 3  /* `state`, `price_min`, `price_max`, `price` (mark); NaN: none. */
#define HR_FEED_EVENT_STALE 4   /* `reason`. */
#define HR_FEED_EVENT_HEALED 5  /* With the top as it is now; no TOP follows for it. */
#define HR_FEED_EVENT_DEFINED 6 /* A definition (1000, 1010) of an id that is not registered. */

#define HR_FEED_STALE_GAP 1     /* A packet of its channel is missing. */
#define HR_FEED_STALE_CHAIN 2   /* prevChangeId is not the change id held. */
#define HR_FEED_STALE_CHANGE 3  /* A change that does not fit: deleted what is not there. */
#define HR_FEED_STALE_CROSSED 4 /* Best bid at or above best ask. */
#define HR_FEED_STALE_DEPTH 5   /* A side deeper than was kept ran empty. */
#define HR_FEED_STALE_CHANNEL 6 /* It appeared on another channel. */
#define HR_FEED_STALE_RESET 7   /* The channel began again. */

typedef struct hr_feed hr_feed;

typedef struct {
    double tick; /* Base tick and lot in the venue's units: coin, USD or contracts. */
    double lot;
    uint32_t instrument_id; /* The venue's. */
    int32_t handle;         /* The caller's; comes back in events. */
} hr_feed_instrument;

typedef struct {
    int32_t kind;
    int32_t handle; /* Of the instrument or index; -1: not registered. */
    uint64_t change_id;
    int64_t venue_ms;
    int64_t bid_ticks; /* An empty side has lots 0. */
    int64_t bid_lots;
    int64_t ask_ticks;
    int64_t ask_lots;
    double price;
    double price_min;
    double price_max;
    uint32_t instrument_id;
    uint16_t channel;
    uint8_t reason;
    uint8_t state;
} hr_feed_event;

typedef struct {
    int64_t price_ticks;
    int64_t lots;
} hr_feed_level;

typedef struct {
    uint64_t change_id;
    int64_t venue_ms;
    int32_t is_fresh;
    int32_t bid_count;
    int32_t ask_count;
    int32_t reserved;
    hr_feed_level bids[HR_FEED_DEPTH_MAX]; /* Best first. */
    hr_feed_level asks[HR_FEED_DEPTH_MAX];
} hr_feed_book;

typedef struct {
    int64_t packets;
    int64_t messages;
    int64_t old_packets; /* Doubled or late. */
    int64_t gaps;
    int64_t lost_packets;
    int64_t resets;
    int64_t malformed_packets;
    int64_t unknown_messages; /* Of templates, ids, indexes and channels that are not ours. */
    int64_t stales;
    int64_t heals;
    int64_t events_heard_ns; /* The caller's time of the newest packet of each kind. */
    int64_t snapshots_heard_ns;
} hr_feed_counters;

int64_t hr_feed_size(void);
/* Lays a feed that knows nothing into `memory` (64-byte aligned, hr_feed_size bytes). */
hr_status hr_feed_init(void *memory, int64_t bytes, hr_feed **feed_out);

/* Registers an instrument, or registers it anew: its book is stale then. HR_ERR_FULL. */
hr_status hr_feed_add(hr_feed *feed, const hr_feed_instrument *instrument);
hr_status hr_feed_remove(hr_feed *feed, uint32_t instrument_id);
/* Registers an index, "btc_usd", up to 16 characters; again: a new handle. */
hr_status hr_feed_add_index(hr_feed *feed, const char *name, int32_t handle);

/* Takes one datagram; `channel_kind` says which socket. Writes what follows from it, in order;
 * `capacity` is at least HR_FEED_EVENTS_MAX. HR_ERR_MALFORMED: part of it could not be read and
 * counts as lost; the events are valid all the same. */
hr_status hr_feed_on_packet(hr_feed *feed, int32_t channel_kind, const uint8_t *bytes,
                            int64_t count, int64_t now_ns, hr_feed_event *events_out,
                            int64_t capacity, int64_t *count_out);

/* Returns 1 when the book of a registered instrument may be quoted from. */
int32_t hr_feed_is_fresh(const hr_feed *feed, uint32_t instrument_id);
/* Copies a book; HR_ERR_STALE (book_out is still written) when it is not fresh. */
hr_status hr_feed_book_get(const hr_feed *feed, uint32_t instrument_id, hr_feed_book *book_out);
hr_status hr_feed_counters_get(const hr_feed *feed, hr_feed_counters *counters_out);
/* cdef: end */

#endif
