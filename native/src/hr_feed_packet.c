#include "hr_feed_state.h"
#include "hr_sbe_bytes.h"

#include <math.h>
#include <stddef.h>

enum {
    OLD_PACKETS_MAX = 4096, /* Further back than this is no late packet but a new beginning. */
    OLD_RUN_MAX = 16,       /* And so are this many old ones, each following the other. */
};

/* The venue began to count anew: neither sequence nor change ids go on. */
static void reset(feed_intake *intake, int32_t channel) {
    hr_feed *feed = intake->feed;
    feed->counters.resets++;
    for (int32_t slot = 0; slot < feed->slot_count; slot++) {
        if (feed->channel_of[slot] == channel) {
            feed_stale(intake, slot, FEED_BROKEN, HR_FEED_STALE_RESET);
            feed->nodes[slot].seen_id = 0;
            feed->nodes[slot].seen_epoch = 0;
        }
    }
}

/* Returns the entry of a channel, FEED_NONE when there are too many. */
static int32_t channel_find(hr_feed *feed, uint16_t id, uint8_t kind) {
    for (int32_t at = 0; at < feed->channel_count; at++) {
        if (feed->channels[at].id == id && feed->channels[at].kind == kind) {
            return at;
        }
    }
    if (feed->channel_count == HR_FEED_CHANNELS_MAX) {
        return FEED_NONE;
    }
    feed_channel *channel = &feed->channels[feed->channel_count];
    channel->id = id;
    channel->kind = kind;
    channel->epoch = 1;
    channel->gap_ms = INT64_MAX;
    return feed->channel_count++;
}

static int32_t channel_open(hr_feed *feed, uint16_t id, int32_t kind) {
    if (kind == HR_FEED_EVENTS) {
        return channel_find(feed, id, HR_FEED_EVENTS);
    }
    if (id < HR_FEED_SNAPSHOT_CHANNEL) {
        return FEED_NONE;
    }
    const int32_t channel = channel_find(feed, id, HR_FEED_SNAPSHOTS);
    if (channel != FEED_NONE) {
        const uint16_t events_id = (uint16_t)(id - HR_FEED_SNAPSHOT_CHANNEL);
        const int32_t events_channel = channel_find(feed, events_id, HR_FEED_EVENTS);
        feed->channels[channel].events_channel = events_channel;
        return events_channel == FEED_NONE ? FEED_NONE : channel;
    }
    return FEED_NONE;
}

/* Returns the venue time of a message, -1 when it tells none. */
static int64_t time_of(const hr_sbe_message *message) {
    switch (message->template_id) {
    case HR_SBE_BOOK:
    case HR_SBE_SNAPSHOT:
        return feed_time(message->block + SBE_BOOK_TIMESTAMP);
    case HR_SBE_TICKER:
        return feed_time(message->block + SBE_TICKER_TIMESTAMP);
    case HR_SBE_TRADES:
        return message->entry_count > 0 ? feed_time(message->entries + SBE_TRADE_TIMESTAMP) : -1;
    case HR_SBE_PRICE_INDEX:
        return feed_time(message->block + SBE_INDEX_TIMESTAMP);
    default:
        return -1;
    }
}

/* Returns whether an old packet tells a time after all that its channel told. */
static int32_t is_newer(const feed_channel *channel, const uint8_t *bytes, int64_t count) {
    hr_sbe_message message;
    for (int64_t at = HR_SBE_FRAME_BYTES; at < count; at += message.bytes) {
        if (hr_sbe_message_read(bytes + at, count - at, &message) != HR_OK) {
            return 0;
        }
        if (time_of(&message) > channel->newest_ms) {
            return 1;
        }
    }
    return 0;
}

static int32_t is_new_beginning(feed_channel *channel, uint32_t sequence, int64_t behind,
                                const uint8_t *bytes, int64_t count) {
    channel->old_run = sequence == channel->old_next ? channel->old_run + 1 : 1;
    channel->old_next = sequence + 1;
    return behind > OLD_PACKETS_MAX || channel->old_run >= OLD_RUN_MAX ||
           is_newer(channel, bytes, count);
}

static void lose(feed_intake *intake, int32_t channel) {
    if (intake->feed->channels[channel].kind == HR_FEED_EVENTS) {
        feed_gap(intake, channel);
    } else {
        feed_drop_staging(intake->feed, channel);
    }
}

/* Checks a packet's sequence number; 0: it is old and not to be read. */
static int32_t sequence_take(feed_intake *intake, uint32_t sequence, const uint8_t *bytes,
                             int64_t count) {
    hr_feed *feed = intake->feed;
    feed_channel *channel = &feed->channels[intake->channel];
    const int32_t ahead = (int32_t)(sequence - channel->expected);
    if (channel->is_heard && ahead < 0) {
        if (!is_new_beginning(channel, sequence, -(int64_t)ahead, bytes, count)) {
            feed->counters.old_packets++;
            if (channel->kind == HR_FEED_SNAPSHOTS) {
                feed_drop_staging(feed, intake->channel);
            }
            return 0;
        }
        reset(intake, intake->channel);
    }
    if (!channel->is_heard || ahead != 0) {
        if (channel->is_heard && ahead > 0) {
            feed->counters.gaps++;
            feed->counters.lost_packets += ahead;
        }
        lose(intake, intake->channel);
    }
    channel->is_heard = 1;
    channel->expected = sequence + 1;
    channel->old_run = 0;
    return 1;
}

static void on_index(feed_intake *intake, const hr_sbe_message *message) {
    hr_feed *feed = intake->feed;
    const double price = sbe_f64(message->block + SBE_INDEX_PRICE);
    for (int32_t at = 0; price > 0.0 && price < HUGE_VAL && at < feed->index_count; at++) {
        if (memcmp(feed->indexes[at].name, message->block, FEED_INDEX_NAME_BYTES) == 0) {
            hr_feed_event *event = feed_event_push(intake, HR_FEED_EVENT_INDEX, FEED_NONE);
            event->handle = feed->indexes[at].handle;
            event->price = price;
            event->venue_ms = feed_time(message->block + SBE_INDEX_TIMESTAMP);
            return;
        }
    }
    feed->counters.unknown_messages++;
}

static void on_ticker(feed_intake *intake, const hr_sbe_message *message) {
    hr_feed *feed = intake->feed;
    const int64_t venue_ms = feed_time(message->block + SBE_TICKER_TIMESTAMP);
    const int32_t slot = feed_find(feed, sbe_u32(message->block));
    if (feed->channels[intake->channel].kind == HR_FEED_EVENTS) {
        feed_date_gap(&feed->channels[intake->channel], venue_ms, HR_FEED_TICKER_LAG_MS);
    }
    if (slot == FEED_NONE) {
        feed->counters.unknown_messages++;
        return;
    }
    feed_node *node = &feed->nodes[slot];
    if (venue_ms < node->ticker_ms) {
        return; /* Of a snapshot cycle, and older than what events told. */
    }
    node->ticker_ms = venue_ms;
    hr_feed_event *event = feed_event_push(intake, HR_FEED_EVENT_TICKER, slot);
    event->venue_ms = venue_ms;
    event->state = message->block[SBE_TICKER_STATE];
    event->price = sbe_f64(message->block + SBE_TICKER_MARK);
    event->price_min = sbe_f64(message->block + SBE_TICKER_PRICE_MIN);
    event->price_max = sbe_f64(message->block + SBE_TICKER_PRICE_MAX);
}

static void on_definition(feed_intake *intake, const hr_sbe_message *message) {
    if (feed_find(intake->feed, sbe_u32(message->block)) == FEED_NONE) {
        hr_feed_event *event = feed_event_push(intake, HR_FEED_EVENT_DEFINED, FEED_NONE);
        event->instrument_id = sbe_u32(message->block);
        event->state = message->block[4];
    }
}

/* Returns 0 when the message is not to be understood. */
static int32_t on_message(feed_intake *intake, const hr_sbe_message *message) {
    hr_feed *feed = intake->feed;
    feed_channel *channel = &feed->channels[intake->channel];
    const int64_t venue_ms = time_of(message);
    channel->newest_ms = venue_ms > channel->newest_ms ? venue_ms : channel->newest_ms;
    const int32_t is_torn = channel->is_torn;
    channel->is_torn = 0;
    feed->counters.messages++;
    switch (message->template_id) {
    case HR_SBE_BOOK:
        if (channel->kind != HR_FEED_EVENTS) {
            feed->counters.unknown_messages++;
            return 1;
        }
        return feed_on_book(intake, message, is_torn);
    case HR_SBE_SNAPSHOT:
        if (channel->kind != HR_FEED_SNAPSHOTS) {
            feed->counters.unknown_messages++;
            return 1;
        }
        return feed_on_snapshot(intake, message);
    case HR_SBE_TICKER:
        on_ticker(intake, message);
        return 1;
    case HR_SBE_PRICE_INDEX:
        on_index(intake, message);
        return 1;
    case HR_SBE_TRADES:
        if (channel->kind == HR_FEED_EVENTS && message->entry_count > 0) {
            feed_date_gap(channel, feed_time(message->entries + SBE_TRADE_TIMESTAMP), 0);
        }
        return 1;
    case HR_SBE_INSTRUMENT:
    case HR_SBE_INSTRUMENT_V2:
        on_definition(intake, message);
        return 1;
    case HR_SBE_SNAPSHOT_START:
        channel->is_boundary_known = 1;
        return 1;
    case HR_SBE_SNAPSHOT_END:
    case HR_SBE_COMBO_LEGS:
    case HR_SBE_RFQ:
        return 1;
    default:
        feed->counters.unknown_messages++;
        return 1;
    }
}

static hr_status on_frame(feed_intake *intake, const hr_sbe_frame *frame, const uint8_t *bytes,
                          int64_t count) {
    if (!sequence_take(intake, frame->sequence, bytes, count)) {
        return HR_OK;
    }
    hr_sbe_message message;
    for (int64_t at = HR_SBE_FRAME_BYTES; at < count; at += message.bytes) {
        if (hr_sbe_message_read(bytes + at, count - at, &message) != HR_OK ||
            !on_message(intake, &message)) {
            intake->feed->counters.malformed_packets++;
            lose(intake, intake->channel);
            return HR_ERR_MALFORMED;
        }
    }
    return HR_OK;
}

hr_status hr_feed_on_packet(hr_feed *feed, int32_t channel_kind, const uint8_t *bytes,
                            int64_t count, int64_t now_ns, hr_feed_event *events_out,
                            int64_t capacity, int64_t *count_out) {
    if (feed == NULL || feed->magic != FEED_MAGIC) {
        return HR_ERR_MAGIC;
    }
    if (bytes == NULL || events_out == NULL || count_out == NULL || capacity < HR_FEED_EVENTS_MAX ||
        (channel_kind & ~1) != 0) {
        return HR_ERR_ARGUMENT;
    }
    *count_out = 0;
    feed->counters.packets++;
    hr_sbe_frame frame;
    if (count > HR_FEED_PACKET_BYTES_MAX || hr_sbe_frame_read(bytes, count, &frame) != HR_OK) {
        feed->counters.malformed_packets++;
        return HR_ERR_MALFORMED;
    }
    if (channel_kind == HR_FEED_EVENTS) {
        feed->counters.events_heard_ns = now_ns;
    } else {
        feed->counters.snapshots_heard_ns = now_ns;
    }
    feed_intake intake = {feed, events_out, 0, 0, frame.channel};
    intake.channel = channel_open(feed, frame.channel, channel_kind);
    if (intake.channel == FEED_NONE) {
        feed->counters.unknown_messages++;
        return HR_OK;
    }
    const hr_status status = on_frame(&intake, &frame, bytes, count);
    *count_out = intake.count;
    return status;
}
