#include "hr_feed_state.h"
#include "hr_sbe_bytes.h"

static feed_top top_of(const feed_node *node) {
    feed_top top = {{0, 0}, {0, 0}};
    for (int32_t side = 0; side < 2; side++) {
        const feed_side *levels = &node->sides[side];
        if (levels->count > 0) {
            top.keys[side] = levels->keys[levels->count - 1];
            top.lots[side] = levels->lots[levels->count - 1];
        }
    }
    return top;
}

static int is_same_top(const feed_top *one, const feed_top *other) {
    return one->keys[0] == other->keys[0] && one->keys[1] == other->keys[1] &&
           one->lots[0] == other->lots[0] && one->lots[1] == other->lots[1];
}

static void tell_top(feed_intake *intake, int32_t slot, int32_t kind) {
    feed_node *node = &intake->feed->nodes[slot];
    const feed_top top = top_of(node);
    if (kind == HR_FEED_EVENT_TOP && is_same_top(&top, &node->top)) {
        return;
    }
    node->top = top;
    hr_feed_event *event = feed_event_push(intake, kind, slot);
    event->change_id = node->change_id;
    event->venue_ms = node->venue_ms;
    event->bid_ticks = top.keys[HR_SBE_BID];
    event->bid_lots = top.lots[HR_SBE_BID];
    event->ask_ticks = -(int64_t)top.keys[HR_SBE_ASK];
    event->ask_lots = top.lots[HR_SBE_ASK];
}

/* The book is whole and right: fresh, unless it cannot be. */
static void settle(feed_intake *intake, int32_t slot) {
    hr_feed *feed = intake->feed;
    const feed_node *node = &feed->nodes[slot];
    if (feed_is_crossed(node->sides)) {
        feed_stale(intake, slot, FEED_BROKEN, HR_FEED_STALE_CROSSED);
    } else if (feed_is_blind(node->sides)) {
        feed_stale(intake, slot, FEED_BROKEN, HR_FEED_STALE_DEPTH);
    } else if (feed->state_of[slot] == FEED_FRESH) {
        tell_top(intake, slot, HR_FEED_EVENT_TOP);
    } else {
        feed->state_of[slot] = FEED_FRESH;
        feed->counters.heals++;
        tell_top(intake, slot, HR_FEED_EVENT_HEALED);
    }
}

/* Takes an instrument to the events channel its messages come by. */
static void follow_channel(feed_intake *intake, int32_t slot, int32_t channel) {
    hr_feed *feed = intake->feed;
    if (feed->channel_of[slot] == channel) {
        return;
    }
    if (feed->channel_of[slot] != FEED_NONE) {
        feed_stale(intake, slot, FEED_BROKEN, HR_FEED_STALE_CHANNEL);
    }
    feed->channel_of[slot] = (int8_t)channel;
    feed->nodes[slot].seen_id = 0;
    feed->nodes[slot].seen_epoch = 0;
}

/* Returns 0 when a side or change is none we know; sets *fits to 0 when one does not fit. */
static int32_t apply_changes(feed_node *node, const hr_sbe_message *message, int32_t *fits) {
    const uint8_t *entry = message->entries;
    for (int32_t at = 0; at < message->entry_count; at++, entry += message->entry_bytes) {
        const int32_t side = entry[SBE_CHANGE_SIDE];
        const int32_t change = entry[SBE_CHANGE_CHANGE];
        int32_t key = 0;
        int32_t lots = 0;
        if (side > HR_SBE_BID || change > HR_SBE_DELETED) {
            return 0;
        }
        if (!feed_key(node, side, sbe_f64(entry + SBE_CHANGE_PRICE), &key) ||
            (change != HR_SBE_DELETED &&
             !feed_lots(node, sbe_f64(entry + SBE_CHANGE_AMOUNT), &lots)) ||
            !feed_side_apply(&node->sides[side], change, key, lots)) {
            *fits = 0;
            return 1;
        }
    }
    return 1;
}

static int32_t update(feed_intake *intake, int32_t slot, const hr_sbe_message *message,
                      uint64_t change_id, int64_t venue_ms) {
    feed_node *node = &intake->feed->nodes[slot];
    int32_t fits = 1;
    const int32_t is_understood = apply_changes(node, message, &fits);
    if (!is_understood || !fits) {
        feed_stale(intake, slot, FEED_BROKEN, HR_FEED_STALE_CHANGE);
        return is_understood;
    }
    node->pending_id = change_id;
    node->is_updating = message->block[SBE_BOOK_IS_LAST] != 1;
    if (!node->is_updating) {
        node->change_id = change_id;
        node->venue_ms = venue_ms;
        settle(intake, slot);
    }
    return 1;
}

int32_t feed_on_book(feed_intake *intake, const hr_sbe_message *message, int32_t is_torn) {
    hr_feed *feed = intake->feed;
    const uint8_t *block = message->block;
    const int64_t venue_ms = feed_time(block + SBE_BOOK_TIMESTAMP);
    const uint64_t prev_change_id = sbe_u64(block + SBE_BOOK_PREV_CHANGE_ID);
    const uint64_t change_id = sbe_u64(block + SBE_BOOK_CHANGE_ID);
    feed_channel *channel = &feed->channels[intake->channel];
    feed_date_gap(channel, venue_ms, 0);
    const int32_t slot = feed_find(feed, sbe_u32(block));
    if (slot == FEED_NONE) {
        feed->counters.unknown_messages++;
        return 1;
    }
    feed_node *node = &feed->nodes[slot];
    follow_channel(intake, slot, intake->channel);
    const int32_t is_backwards = change_id < node->seen_id && venue_ms > node->seen_ms;
    node->seen_epoch = channel->epoch;
    node->seen_ms = venue_ms > node->seen_ms ? venue_ms : node->seen_ms;
    node->seen_id = change_id > node->seen_id || is_backwards ? change_id : node->seen_id;
    if (feed->state_of[slot] == FEED_BROKEN) {
        return 1;
    }
    const int32_t is_next = prev_change_id == node->change_id && change_id > prev_change_id &&
                            (!node->is_updating || change_id == node->pending_id);
    if (is_next && !is_torn) {
        return update(intake, slot, message, change_id, venue_ms);
    }
    if (node->is_updating || is_backwards || change_id > node->change_id) {
        const int32_t is_unexplained = feed->state_of[slot] == FEED_FRESH && !is_torn;
        feed_stale(intake, slot, FEED_BROKEN, HR_FEED_STALE_CHAIN);
        if (is_unexplained) { /* No packet is missing, and yet something is. */
            feed_gap(intake, intake->channel);
        }
    }
    return 1;
}

void feed_drop_staging(hr_feed *feed, int32_t channel) {
    feed->channels[channel].is_staging = 0;
    feed->channels[channel].is_boundary_known = 0;
}

/* Returns whether a snapshot would make the book fresh, or a fresh book newer. */
static int32_t is_wanted(const hr_feed *feed, int32_t slot, const feed_staging *staging) {
    const feed_node *node = &feed->nodes[slot];
    const feed_channel *events = &feed->channels[feed->channel_of[slot]];
    const int32_t is_later = staging->venue_ms > node->seen_ms;
    const int32_t has_all =
        staging->change_id >= node->seen_id && staging->venue_ms >= node->seen_ms;
    if (feed->state_of[slot] == FEED_FRESH) {
        return has_all && staging->change_id > node->change_id;
    }
    return (has_all && node->seen_epoch == events->epoch) ||
           ((has_all || is_later) && staging->venue_ms > events->gap_ms);
}

/* Puts a part's levels into the staging; *fits as in apply_changes. */
static int32_t stage_levels(feed_staging *staging, const feed_node *node,
                            const hr_sbe_message *message, int32_t *fits) {
    const uint8_t *entry = message->entries;
    for (int32_t at = 0; at < message->entry_count; at++, entry += message->entry_bytes) {
        const int32_t side = entry[SBE_LEVEL_SIDE];
        int32_t key = 0;
        int32_t lots = 0;
        if (side > HR_SBE_BID) {
            return 0;
        }
        if (!feed_key(node, side, sbe_f64(entry + SBE_LEVEL_PRICE), &key) ||
            !feed_lots(node, sbe_f64(entry + SBE_LEVEL_AMOUNT), &lots) ||
            !feed_side_apply(&staging->sides[side], HR_SBE_CREATED, key, lots)) {
            *fits = 0;
            return 1;
        }
    }
    return 1;
}

static void stage_begin(feed_staging *staging, const uint8_t *block) {
    staging->instrument_id = sbe_u32(block);
    staging->venue_ms = feed_time(block + SBE_SNAPSHOT_TIMESTAMP);
    staging->change_id = sbe_u64(block + SBE_SNAPSHOT_CHANGE_ID);
    for (int32_t side = 0; side < 2; side++) {
        staging->sides[side].count = 0;
        staging->sides[side].is_cut = 0;
        staging->sides[side].floor_key = INT32_MIN;
    }
}

static void adopt(feed_intake *intake, int32_t slot, const feed_staging *staging) {
    feed_node *node = &intake->feed->nodes[slot];
    for (int32_t side = 0; side < 2; side++) {
        feed_side_copy(&staging->sides[side], &node->sides[side]);
    }
    node->change_id = staging->change_id;
    node->seen_id = staging->change_id;
    node->venue_ms = staging->venue_ms;
    node->seen_ms = staging->venue_ms;
    node->is_updating = 0;
    settle(intake, slot);
}

int32_t feed_on_snapshot(feed_intake *intake, const hr_sbe_message *message) {
    hr_feed *feed = intake->feed;
    const uint8_t *block = message->block;
    feed_channel *channel = &feed->channels[intake->channel];
    feed_staging *staging = &feed->stagings[intake->channel];
    const int32_t is_last = block[SBE_SNAPSHOT_IS_LAST] == 1;
    if (channel->is_boundary_known) {
        stage_begin(staging, block);
        channel->is_staging = 1;
    }
    channel->is_boundary_known = is_last;
    const int32_t slot = feed_find(feed, sbe_u32(block));
    if (slot == FEED_NONE) {
        feed->counters.unknown_messages++;
        channel->is_staging = 0;
        return 1;
    }
    follow_channel(intake, slot, channel->events_channel);
    if (!channel->is_staging || staging->instrument_id != sbe_u32(block) ||
        staging->change_id != sbe_u64(block + SBE_SNAPSHOT_CHANGE_ID) ||
        block[SBE_SNAPSHOT_IS_COMPLETE] != 1 || !is_wanted(feed, slot, staging)) {
        channel->is_staging = 0;
        return 1;
    }
    int32_t fits = 1;
    const int32_t is_understood = stage_levels(staging, &feed->nodes[slot], message, &fits);
    if (!is_understood || !fits) {
        channel->is_staging = 0;
    } else if (is_last) {
        channel->is_staging = 0;
        adopt(intake, slot, staging);
    }
    return is_understood;
}
