/* hr_feed_stale.c: events, and which books may have missed something. */
#include "hr_feed_state.h"
#include "hr_sbe_bytes.h"

#include <stddef.h>

#define TIME_MAX_MS ((int64_t)1 << 56)

hr_feed_event *feed_event_push(feed_intake *intake, int32_t kind, int32_t slot) {
    const feed_node *node = slot != FEED_NONE ? &intake->feed->nodes[slot] : NULL;
    hr_feed_event *event = &intake->events[intake->count++];
    event->kind = kind;
    event->handle = node != NULL ? node->handle : FEED_NONE;
    event->change_id = 0; /* One by one: what is filled in later is not written twice. */
    event->venue_ms = 0;
    event->bid_ticks = event->bid_lots = 0;
    event->ask_ticks = event->ask_lots = 0;
    event->price = event->price_min = event->price_max = 0.0;
    event->instrument_id = node != NULL ? node->instrument_id : 0;
    event->channel = intake->channel_id;
    event->reason = event->state = 0;
    return event;
}

void feed_stale(feed_intake *intake, int32_t slot, uint8_t state, uint8_t reason) {
    hr_feed *feed = intake->feed;
    feed_node *node = &feed->nodes[slot];
    const int32_t was_fresh = feed->state_of[slot] == FEED_FRESH;
    feed->state_of[slot] = node->is_updating ? FEED_BROKEN : state;
    node->is_updating = 0;
    if (was_fresh) {
        feed->counters.stales++;
        hr_feed_event *event = feed_event_push(intake, HR_FEED_EVENT_STALE, slot);
        event->reason = reason;
        event->change_id = node->change_id;
        event->venue_ms = node->venue_ms;
    }
}

int64_t feed_time(const uint8_t *bytes) {
    const uint64_t time_ms = sbe_u64(bytes);
    return time_ms < (uint64_t)TIME_MAX_MS ? (int64_t)time_ms : TIME_MAX_MS;
}

void feed_gap(feed_intake *intake, int32_t channel) {
    hr_feed *feed = intake->feed;
    feed->channels[channel].epoch++;
    feed->channels[channel].gap_ms = INT64_MAX;
    feed->channels[channel].is_gap_dated = 0;
    feed->channels[channel].is_torn = 1;
    for (int32_t slot = 0; slot < feed->slot_count; slot++) {
        if (feed->channel_of[slot] == channel && feed->state_of[slot] != FEED_BROKEN) {
            feed_stale(intake, slot, FEED_UNVERIFIED, HR_FEED_STALE_GAP);
        }
    }
}

void feed_date_gap(feed_channel *channel, int64_t venue_ms, int64_t lag_ms) {
    if (!channel->is_gap_dated) {
        const int64_t by_ms = venue_ms + lag_ms;
        channel->gap_ms = by_ms < channel->gap_ms ? by_ms : channel->gap_ms;
        channel->is_gap_dated = lag_ms == 0;
    }
}
