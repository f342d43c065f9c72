/* feed_script.h: a script of four-byte orders becomes packets that a feed can read, so that changes
 * of the input reach what a venue could say rather than what no venue would. */
#ifndef FEED_SCRIPT_H
#define FEED_SCRIPT_H

#include "hr_feed.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { SCRIPT_ENTRIES_MAX = 80, SCRIPT_ROOM = 4096, SCRIPT_CHANNELS = 8, MIDDLE_TICKS = 200 };

typedef struct {
    hr_sbe_change changes[SCRIPT_ENTRIES_MAX];
    uint8_t packet[SCRIPT_ROOM];
    int64_t bytes;
    int32_t count; /* Of changes. */
    int32_t is_crowded;
    uint32_t first_id;
    double tick;
    double lot;
    uint64_t ids[4]; /* The change ids that the venue is at. */
    uint64_t now_ms;
    uint32_t sequences[2][SCRIPT_CHANNELS];
} script;

static inline void script_open(script *s, uint32_t first_id, double tick, double lot) {
    memset(s, 0, sizeof *s);
    s->bytes = HR_SBE_FRAME_BYTES;
    s->first_id = first_id;
    s->tick = tick;
    s->lot = lot;
    s->now_ms = 1000000;
    for (int at = 0; at < 4; at++) {
        s->ids[at] = 100;
    }
}

static inline void script_say(script *s, int32_t id, const void *block, const void *entries,
                              int32_t count) {
    const hr_sbe_outgoing outgoing = {
        .block = block,
        .entries = entries,
        .block_size = hr_sbe_block_size(id),
        .entry_size = hr_sbe_entry_size(id),
        .entry_count = count,
        .template_id = id,
    };
    int64_t bytes = 0;
    const hr_status status =
        hr_sbe_message_write(&outgoing, s->packet + s->bytes, SCRIPT_ROOM - s->bytes, &bytes);
    assert(status == HR_OK || status == HR_ERR_FULL);
    s->bytes += status == HR_OK ? bytes : 0;
}

static inline void script_change(script *s, int32_t side, int32_t change, int32_t ticks,
                                 double lots) {
    if (s->count < SCRIPT_ENTRIES_MAX) {
        s->changes[s->count++] =
            (hr_sbe_change){ticks * s->tick, lots * s->lot, (uint8_t)side, (uint8_t)change, {0}};
    }
}

/* One change; the upper bits of `how` spoil its price or its amount. */
static inline void script_entry(script *s, uint8_t how, uint8_t where, uint8_t lots) {
    static const double prices[] = {1.0, 1.0, 1.0, 1.0, 1.00123, NAN, 0.0, 1e12};
    static const double amounts[] = {1.0, 0.0, 0.01, 1e12};
    const int32_t before = s->count;
    script_change(s, how & 1, how >> 1 & 3, MIDDLE_TICKS + (int8_t)where, 1.0 + lots);
    if (s->count > before) {
        s->changes[before].price *= prices[how >> 3 & 7];
        s->changes[before].amount *= amounts[how >> 6];
        s->changes[before].side = (how & 0x3f) == 0x3f ? 2 : s->changes[before].side;
    }
}

/* Many levels of one side from a price on, each worse (or better) than the one before. */
static inline void script_ladder(script *s, uint8_t how, uint8_t where, uint8_t change) {
    const int32_t step = ((how & 1) == HR_SBE_BID) == ((how & 2) == 0) ? -1 : 1;
    for (int32_t at = 0; at <= how >> 2; at++) {
        script_change(s, how & 1, change % 3, MIDDLE_TICKS + (int8_t)where + step * at, 1.0);
    }
}

static inline uint64_t script_time(const script *s, uint8_t bits) {
    static const int64_t lags_ms[] = {0, 1, 1000, -1000};
    return s->now_ms - (uint64_t)lags_ms[bits & 3];
}

static inline void script_book(script *s, uint8_t which, uint8_t how, uint8_t step) {
    static const uint64_t behind[] = {0, 0, 1, (uint64_t)-1};
    uint64_t *id = &s->ids[which & 3];
    hr_sbe_book block = {.timestamp_ms = script_time(s, how >> 4),
                         .prev_change_id = *id - behind[how & 3],
                         .change_id = *id - behind[how & 3] + step % 4U,
                         .instrument_id = s->first_id + (which & 3),
                         .is_last = (how & 4) == 0};
    block.change_id -= (how & 8) != 0 ? 50 : 0;
    script_say(s, HR_SBE_BOOK, &block, s->changes, s->count);
    *id = block.is_last ? block.change_id : *id;
    s->count = 0;
}

static inline void script_snapshot(script *s, uint8_t which, uint8_t how, uint8_t ahead) {
    hr_sbe_level levels[SCRIPT_ENTRIES_MAX];
    for (int32_t at = 0; at < s->count; at++) {
        levels[at] =
            (hr_sbe_level){s->changes[at].price, s->changes[at].amount, s->changes[at].side, {0}};
    }
    const hr_sbe_snapshot block = {.timestamp_ms = script_time(s, how >> 4),
                                   .change_id = s->ids[which & 3] + (uint64_t)(int8_t)ahead,
                                   .instrument_id = s->first_id + (which & 3),
                                   .is_book_complete = (how & 1) == 0,
                                   .is_last_in_book = (how & 2) == 0};
    script_say(s, HR_SBE_SNAPSHOT, &block, levels, s->count);
    s->count = 0;
}

static inline void script_ticker(script *s, uint8_t which, uint8_t how) {
    const hr_sbe_ticker block = {.instrument_id = s->first_id + (which & 3),
                                 .mark_price = s->tick,
                                 .timestamp_ms = script_time(s, how),
                                 .state = how >> 2 & 7};
    script_say(s, HR_SBE_TICKER, &block, NULL, 0);
}

static inline void script_index(script *s, uint8_t which, uint8_t how) {
    static const double prices[] = {1.0, NAN, HUGE_VAL, -1.0};
    hr_sbe_price_index block = {.price = prices[how & 3], .timestamp_ms = script_time(s, how >> 2)};
    memcpy(block.index_name, (which & 1) == 0 ? "btc_usd" : "eth_usd", 7);
    script_say(s, HR_SBE_PRICE_INDEX, &block, NULL, 0);
}

static inline void script_trades(script *s, uint8_t which, uint8_t how) {
    const hr_sbe_subject block = {s->first_id + (which & 3)};
    const hr_sbe_trade trade = {.timestamp_ms = script_time(s, how)};
    script_say(s, HR_SBE_TRADES, &block, &trade, how >> 2 & 1);
}

static inline void script_other(script *s, uint8_t which, uint8_t what) {
    static const int32_t ids[] = {
        HR_SBE_SNAPSHOT_START, HR_SBE_SNAPSHOT_START, HR_SBE_SNAPSHOT_END,  HR_SBE_RFQ,
        HR_SBE_COMBO_LEGS,     HR_SBE_INSTRUMENT,     HR_SBE_INSTRUMENT_V2, HR_SBE_SNAPSHOT_END};
    uint64_t block[64] = {0};
    const uint32_t instrument = s->first_id + (which & 3);
    if (ids[what & 7] == HR_SBE_INSTRUMENT || ids[what & 7] == HR_SBE_INSTRUMENT_V2) {
        const hr_sbe_instrument defined = {.instrument_id = instrument, .state = which >> 2};
        memcpy(block, &defined, sizeof defined);
    }
    const int64_t before = s->bytes;
    script_say(s, ids[what & 7], block, NULL, 0);
    if ((what & 8) != 0 && s->bytes > before) { /* A template that we do not know. */
        s->packet[before + 2] ^= 0x80;
    }
}

/* Ends the packet: what is to be sent, on which channel and with which number. */
static inline void script_frame(script *s, int32_t kind, uint16_t channel, uint32_t sequence) {
    const hr_sbe_frame frame = {(uint16_t)(s->bytes - HR_SBE_FRAME_BYTES), channel, sequence};
    hr_sbe_frame_write(&frame, s->packet);
    if (kind == HR_FEED_EVENTS || channel >= HR_FEED_SNAPSHOT_CHANNEL) {
        s->now_ms += 1;
    }
}

/* Returns the number of the next packet of a channel: in order, lost, repeated or from the past. */
static inline uint32_t script_sequence(script *s, int32_t kind, uint8_t channel, uint8_t how) {
    static const int32_t jumps[] = {0, 0, 0, 0, 1, -1, -2, -5000};
    uint32_t *next = &s->sequences[kind][channel % SCRIPT_CHANNELS];
    const uint32_t sequence = *next + (uint32_t)jumps[how & 7];
    *next = (how & 8) != 0 && (how & 7) > 4 ? *next : sequence + 1;
    return sequence;
}

#endif
