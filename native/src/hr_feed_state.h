/* hr_feed_state.h: the feed's memory, and the moves its parts share. */
#ifndef HR_FEED_STATE_H
#define HR_FEED_STATE_H

#include "hr_feed.h"

#define FEED_MAGIC 0x3130444545465248 /* "HRFEED01" */

enum {
    FEED_TABLE_BITS = 13,
    FEED_TABLE_SIZE = 1 << FEED_TABLE_BITS, /* Twice the instruments: searches stay short. */
    FEED_NONE = -1,
    FEED_TICKS_MAX = 1000000000,
    FEED_LOTS_MAX = 2000000000,
    FEED_INDEX_NAME_BYTES = 16,
};

/* What is known of a book. */
enum {
    FEED_BROKEN = 0,     /* Nothing. */
    FEED_UNVERIFIED = 1, /* It was right at its change id; a packet was lost since. */
    FEED_FRESH = 2,
};

/* One side, worst level first, so that most changes move little memory. A key is the price in
 * ticks for bids and its negative for asks: the best is the largest. */
typedef struct {
    int32_t keys[HR_FEED_DEPTH_MAX];
    int32_t lots[HR_FEED_DEPTH_MAX];
    int32_t count;
    int32_t floor_key; /* Of a cut side: below it we know nothing. */
    int32_t is_cut;
    int32_t reserved;
} feed_side;

typedef struct {
    int32_t keys[2]; /* By side: HR_SBE_ASK, HR_SBE_BID. */
    int32_t lots[2];
} feed_top;

typedef struct {
    double ticks_per_unit;
    double lots_per_unit;
    uint64_t change_id;  /* Of the book held. */
    uint64_t pending_id; /* Of the update whose last part is yet to come. */
    uint64_t seen_id;    /* Highest heard of. */
    int64_t venue_ms;    /* Of the book held. */
    int64_t seen_ms;
    int64_t seen_epoch; /* The channel's when an event of this instrument came last. */
    int64_t ticker_ms;
    uint32_t instrument_id;
    int32_t handle;
    int32_t is_updating;
    int32_t is_used;
    feed_top top; /* As last told. */
    feed_side sides[2];
} feed_node;

/* A snapshot of several parts, as far as it came. */
typedef struct {
    uint64_t change_id;
    int64_t venue_ms;
    uint32_t instrument_id;
    int32_t reserved;
    feed_side sides[2];
} feed_staging;

typedef struct {
    int64_t epoch;     /* Counts gaps. */
    int64_t gap_ms;    /* Venue time by which all that the last gap lost had been sent. */
    int64_t newest_ms; /* Latest venue time told. */
    uint32_t expected; /* Next sequence number. */
    uint32_t old_next; /* After the newest old packet, */
    int32_t old_run;   /* of so many in a row. */
    int32_t is_gap_dated;
    int32_t is_torn;           /* The next message may go on with one that was lost. */
    int32_t is_staging;        /* A snapshot of several parts is under way. */
    int32_t is_boundary_known; /* The next snapshot message begins a book. */
    int32_t events_channel;    /* Of a snapshot channel: whose books it carries. */
    uint16_t id;
    uint8_t kind;
    uint8_t is_heard;
} feed_channel;

typedef struct {
    char name[FEED_INDEX_NAME_BYTES];
    int32_t handle;
} feed_index;

struct hr_feed {
    int64_t magic;
    hr_feed_counters counters;
    int32_t channel_count;
    int32_t index_count;
    int32_t slot_count; /* Slots ever used. */
    int32_t free_count;
    feed_channel channels[HR_FEED_CHANNELS_MAX];
    feed_staging stagings[HR_FEED_CHANNELS_MAX];
    feed_index indexes[HR_FEED_INDEXES_MAX];
    int32_t table[FEED_TABLE_SIZE]; /* Instrument id -> slot. */
    int32_t free_slots[HR_FEED_INSTRUMENTS_MAX];
    int8_t channel_of[HR_FEED_INSTRUMENTS_MAX]; /* Apart from nodes: a gap goes through them. */
    uint8_t state_of[HR_FEED_INSTRUMENTS_MAX];
    feed_node nodes[HR_FEED_INSTRUMENTS_MAX];
};

/* One packet being taken: where its events go. */
typedef struct {
    hr_feed *feed;
    hr_feed_event *events;
    int64_t count;
    int32_t channel;
    uint16_t channel_id;
} feed_intake;

/* Returns the slot of an instrument, FEED_NONE when it is not registered. */
int32_t feed_find(const hr_feed *feed, uint32_t instrument_id);

/* hr_feed_stale.c: events, and which books may have missed something. */
hr_feed_event *feed_event_push(feed_intake *intake, int32_t kind, int32_t slot);
/* Makes a book unquotable for now; says so if it was fresh. */
void feed_stale(feed_intake *intake, int32_t slot, uint8_t state, uint8_t reason);
/* All books of an events channel may have missed something. */
void feed_gap(feed_intake *intake, int32_t channel);
/* Takes a message's venue time as evidence of when the channel's gap was over. */
void feed_date_gap(feed_channel *channel, int64_t venue_ms, int64_t lag_ms);
/* A wire time, bounded so that sums of it stay in range. */
int64_t feed_time(const uint8_t *bytes);

/* Puts a level in, changes or takes it out; 0 when that does not fit the side. */
int32_t feed_side_apply(feed_side *side, int32_t change, int32_t key, int32_t lots);
void feed_side_copy(const feed_side *from, feed_side *into);
/* Price and amount as key and lots; 0 when the price is off the grid or either is no number. */
int32_t feed_key(const feed_node *node, int32_t side, double price, int32_t *key_out);
int32_t feed_lots(const feed_node *node, double amount, int32_t *lots_out);
int32_t feed_is_crossed(const feed_side sides[2]);
int32_t feed_is_blind(const feed_side sides[2]);

/* Messages of books; 0: the message is not to be understood. A torn one may lack its first part. */
int32_t feed_on_book(feed_intake *intake, const hr_sbe_message *message, int32_t is_torn);
int32_t feed_on_snapshot(feed_intake *intake, const hr_sbe_message *message);
void feed_drop_staging(hr_feed *feed, int32_t channel);

#endif
