/* A path with one underlying of 512 options and the other end of its wires: a venue that publishes
 * books and the index, and answers every FIX request by the letter. Time is the caller's. */
#ifndef PATH_FIXTURE_H
#define PATH_FIXTURE_H

#include "hr_engine.h"
#include "hr_feed.h"
#include "hr_fix.h"
#include "hr_path.h"
#include "hr_sbe.h"
#include "path_blocks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_ID = 1000,
    EVENTS_CHANNEL = 2,
    INDEX_CHANNEL = 1,
    WIRE_BYTES = 262144,
    RIVAL_SLOT = 3 * 2 * STRIKES + 30, /* At the money, a month: whoever improves on us there */
    RIVAL_HIGH = 600,                  /* or leaves again has our bid at 605 or 595. */
    RIVAL_LOW = 585,
};

/* One side of what the venue knows of an instrument: the best level of somebody else. */
typedef struct {
    int64_t bid_ticks;
    int64_t ask_ticks;
    uint64_t change_id;
} venue_book;

typedef struct {
    void *memory;
    hr_path *path;
    hr_path_config config;
    int64_t now_ns;
    uint32_t sequences[256]; /* By channel. */
    venue_book books[OPTIONS];
    int64_t answers_out; /* MsgSeqNum of the venue's next message. */
    uint8_t datagram[2048];
    int64_t datagram_bytes;
    uint8_t wire[WIRE_BYTES]; /* What the path has sent, as the venue reads it. */
    int64_t wire_bytes;
    int64_t quote_messages; /* Mass quotes seen, quotes in them, and cancels. */
    int64_t quotes;
    int64_t cancels;
    int64_t last_request;
    int32_t is_mute; /* 1: the venue does not answer. */
} venue;

static inline void command(venue *one, hr_command order) {
    assert(hr_path_command(one->path, &order) == HR_OK);
}

/* Writes a datagram of one message. */
static inline void compose(venue *one, uint16_t channel, const hr_sbe_outgoing *message) {
    int64_t bytes = 0;
    assert(hr_sbe_message_write(message, one->datagram + HR_SBE_FRAME_BYTES,
                                (int64_t)sizeof one->datagram - HR_SBE_FRAME_BYTES,
                                &bytes) == HR_OK);
    const hr_sbe_frame frame = {(uint16_t)bytes, channel, ++one->sequences[channel]};
    hr_sbe_frame_write(&frame, one->datagram);
    one->datagram_bytes = HR_SBE_FRAME_BYTES + bytes;
}

static inline void compose_index(venue *one, double index_usd) {
    hr_sbe_price_index index = {.price = index_usd,
                                .timestamp_ms = (uint64_t)(one->now_ns / 1000000)};
    memcpy(index.index_name, "btc_usd", 7);
    const hr_sbe_outgoing message = {
        .block = &index, .block_size = sizeof index, .template_id = HR_SBE_PRICE_INDEX};
    compose(one, INDEX_CHANNEL, &message);
}

/* Somebody else's best bid moves to `bid_ticks`: the old level goes, the new one comes. */
static inline void compose_bid(venue *one, int64_t slot, int64_t bid_ticks) {
    venue_book *book = &one->books[slot];
    const hr_sbe_book block = {
        .timestamp_ms = (uint64_t)(one->now_ns / 1000000),
        .prev_change_id = book->change_id,
        .change_id = book->change_id + 1,
        .instrument_id = (uint32_t)(FIRST_ID + slot),
        .is_last = 1,
    };
    const hr_sbe_change changes[2] = {
        {(double)book->bid_ticks * tick_coin(), 0.0, HR_SBE_BID, HR_SBE_DELETED, {0}},
        {(double)bid_ticks * tick_coin(), 2.0, HR_SBE_BID, HR_SBE_CREATED, {0}},
    };
    const hr_sbe_outgoing message = {
        .block = &block,
        .block_size = sizeof block,
        .entries = changes,
        .entry_size = sizeof changes[0],
        .entry_count = 2,
        .template_id = HR_SBE_BOOK,
    };
    compose(one, EVENTS_CHANNEL, &message);
    book->change_id++;
    book->bid_ticks = bid_ticks;
}

static inline void compose_snapshot(venue *one, int64_t slot) {
    const venue_book *book = &one->books[slot];
    const hr_sbe_snapshot block = {
        .timestamp_ms = (uint64_t)(one->now_ns / 1000000),
        .change_id = book->change_id,
        .instrument_id = (uint32_t)(FIRST_ID + slot),
        .is_book_complete = 1,
        .is_last_in_book = 1,
    };
    const hr_sbe_level levels[2] = {
        {(double)book->bid_ticks * tick_coin(), 2.0, HR_SBE_BID, {0}},
        {(double)book->ask_ticks * tick_coin(), 2.0, HR_SBE_ASK, {0}},
    };
    const hr_sbe_outgoing message = {
        .block = &block,
        .block_size = sizeof block,
        .entries = levels,
        .entry_size = sizeof levels[0],
        .entry_count = 2,
        .template_id = HR_SBE_SNAPSHOT,
    };
    compose(one, HR_FEED_SNAPSHOT_CHANNEL + EVENTS_CHANNEL, &message);
}

/* The value of a field in a message, or NULL. */
static inline const char *field(const char *message, const char *tag) {
    const char *found = strstr(message, tag);
    return found != NULL ? found + strlen(tag) : NULL;
}

/* Frames a message of the venue's around `body`, which starts after the header. Returns its size.
 */
static inline int64_t frame_answer(venue *one, char type, const char *body, char *out) {
    char inner[4096];
    const int inner_bytes =
        snprintf(inner, sizeof inner,
                 "35=%c\00149=VENUE\00156=DESK\00134=%lld\00152=20260113-09:00:00.000\001%s", type,
                 (long long)one->answers_out++, body);
    assert(inner_bytes > 0 && inner_bytes < (int)sizeof inner);
    int at = sprintf(out, "8=FIX.4.4\0019=%d\001%s", inner_bytes, inner);
    unsigned sum = 0;
    for (int i = 0; i < at; i++) {
        sum += (unsigned char)out[i];
    }
    at += sprintf(out + at, "10=%03u\001", sum % 256);
    return at;
}

static inline void answer(venue *one, char type, const char *body) {
    char bytes[8192];
    const int64_t count = frame_answer(one, type, body, bytes);
    assert(hr_path_on_stream(one->path, (const uint8_t *)bytes, count, one->now_ns) == HR_OK);
}

/* Takes what the path sends, as a socket would; returns how many bytes. */
static inline int64_t take_output(venue *one) {
    const uint8_t *bytes = NULL;
    const int64_t count = hr_path_output(one->path, &bytes);
    assert(count < WIRE_BYTES);
    memcpy(one->wire, bytes, (size_t)count);
    one->wire[count] = 0;
    one->wire_bytes = count;
    if (count > 0) {
        assert(hr_path_on_sent(one->path, count, one->now_ns) == HR_OK);
    }
    return count;
}

/* Reads one message that the path sent, and answers it unless the venue is mute. */
static inline void serve_message(venue *one, const char *message) {
    char body[128];
    if (strstr(message, "\00135=i\001") != NULL) {
        one->quote_messages++;
        one->quotes += atoll(field(message, "\001295="));
        one->last_request = atoll(field(message, "\001117="));
        snprintf(body, sizeof body, "117=%lld\001297=0\001", (long long)one->last_request);
        if (!one->is_mute) {
            answer(one, 'b', body);
        }
    } else if (strstr(message, "\00135=Z\001") != NULL) {
        one->cancels++;
        const char *id = field(message, "\0011166=");
        snprintf(body, sizeof body, "11=%lld\001530=7\001531=7\001", atoll(id));
        if (!one->is_mute) {
            answer(one, 'r', body);
        }
    }
}

/* Serves what the path has sent, and what it sends upon the answers, until it is silent. */
static inline void serve(venue *one) {
    static char copy[WIRE_BYTES];
    while (take_output(one) > 0) {
        memcpy(copy, one->wire, (size_t)one->wire_bytes + 1);
        char *at = copy;
        while (at != NULL && *at != 0) {
            char *next = strstr(at + 1, "8=FIX.4.4\001");
            const char kept = next != NULL ? *next : 0;
            if (next != NULL) {
                *next = 0;
            }
            serve_message(one, at);
            if (next != NULL) {
                *next = kept;
            }
            at = next;
        }
    }
}

/* Hands the composed datagram over, without serving what it causes. */
static inline void deliver(venue *one, int32_t is_snapshot) {
    assert(hr_path_on_datagram(one->path, is_snapshot, one->datagram, one->datagram_bytes,
                               one->now_ns) == HR_OK);
}

static inline void pass_ms(venue *one, int64_t ms) {
    one->now_ns += ms * 1000000;
    assert(hr_path_on_time(one->path, one->now_ns) == HR_OK);
    serve(one);
}

static inline void put_blocks(venue *one) {
    const hr_engine_surface surface = surface_of(one->now_ns, 0.5);
    const hr_engine_policy policy = policy_of();
    const hr_gate_limits limits = limits_of();
    assert(hr_path_put_surface(one->path, 0, &surface) == HR_OK);
    assert(hr_path_put_policy(one->path, 0, &policy) == HR_OK);
    assert(hr_path_put_limits(one->path, 0, &limits) == HR_OK);
    assert(hr_path_put_lease(one->path, 0, HR_STATE_ACTIVE, INT64_MAX) == HR_OK);
}

static inline void register_options(venue *one) {
    for (int64_t slot = 0; slot < OPTIONS; slot++) {
        hr_command order = {
            .kind = HR_COMMAND_INSTRUMENT,
            .slot = slot,
            .instrument_id = FIRST_ID + slot,
            .flag = 1,
            .instrument = instrument_of(slot),
        };
        snprintf(order.name, sizeof order.name, "BTC-%lld-%d-%c", (long long)(slot / 64),
                 (int)order.instrument.strike_usd, order.instrument.is_call ? 'C' : 'P');
        command(one, order);
    }
}

/* Rates that bound nothing. */
static inline hr_command rates_command(void) {
    return (hr_command){.kind = HR_COMMAND_RATES,
                        .lots = HR_GATE_MESSAGES_MAX,
                        .number = 8,
                        .budget = {.requests_per_s = 1e9,
                                   .requests_burst = 1e9,
                                   .requests_reserved = 4,
                                   .quotes_per_s = 1e9,
                                   .quotes_burst = 1e9}};
}

/* A path with everything but a connection. */
static inline void open_venue(venue *one, const hr_path_config *config) {
    memset(one, 0, sizeof *one);
    const int64_t bytes = hr_path_size(config);
    assert(bytes > 0);
    one->config = *config;
    one->now_ns = start_ns;
    one->memory = aligned_alloc(64, (size_t)bytes);
    assert(hr_path_init(one->memory, bytes, config, &one->path) == HR_OK);
    command(one, (hr_command){.kind = HR_COMMAND_UNDERLYING,
                              .name = "BTC",
                              .text = "btc_usd",
                              .body = "hedgerow-btc"});
    command(one, rates_command());
    register_options(one);
    put_blocks(one);
    for (int i = 0; i < 16; i++) {
        assert(hr_path_on_time(one->path, one->now_ns) == HR_OK);
    }
}

/* Market data of every option, so that all books are fresh. */
static inline void open_market(venue *one) {
    compose_index(one, 90000.0);
    deliver(one, 0);
    for (int64_t slot = 0; slot < OPTIONS; slot++) {
        one->books[slot] = (venue_book){1, 5000, 100};
    }
    compose_bid(one, 0, 2);
    deliver(one, 0);
    one->now_ns += 10000000;
    compose_snapshot(one, 0); /* The first one heard may be the end of a book: it is not used. */
    deliver(one, 1);
    for (int64_t slot = 0; slot < OPTIONS; slot++) {
        compose_snapshot(one, slot);
        deliver(one, 1);
    }
}

/* Connected, logged on, and quoting everything there is. */
static inline void start_quoting(venue *one) {
    one->answers_out = 1;
    assert(hr_path_on_connected(one->path, one->now_ns) == HR_OK);
    command(one, (hr_command){.kind = HR_COMMAND_LOGGED_ON, .flag = 1});
    command(one, (hr_command){.kind = HR_COMMAND_START});
    for (int i = 0; i < 4; i++) {
        compose_index(one, 90000.0);
        deliver(one, 0);
        pass_ms(one, 1);
    }
}

static inline void open_quoting(venue *one, const hr_path_config *config) {
    open_venue(one, config);
    open_market(one);
    start_quoting(one);
}

static inline hr_path_underlying shown(venue *one) {
    static hr_path_stats stats;
    hr_path_publish_stats(one->path, one->now_ns);
    assert(hr_path_read_stats(one->path, &stats) == HR_OK);
    return stats.underlyings[0];
}

static inline void close_venue(venue *one) {
    free(one->memory);
}

#endif
