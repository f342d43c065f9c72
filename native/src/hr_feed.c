#include "hr_feed_state.h"

#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(hr_feed_event) == 88, "no padding in what crosses");
_Static_assert(sizeof(hr_feed_instrument) == 24, "no padding in what crosses");
_Static_assert(FEED_NONE == -1, "an empty table is all ones");
_Static_assert(sizeof(hr_feed_counters) == 96, "no padding in what crosses");

static uint32_t home(uint32_t instrument_id) {
    return (instrument_id * 2654435769U) >> (32 - FEED_TABLE_BITS);
}

/* Returns where an id is in the table, or the empty place where it would go. */
static uint32_t seat(const hr_feed *feed, uint32_t instrument_id) {
    uint32_t at = home(instrument_id);
    while (feed->table[at] != FEED_NONE &&
           feed->nodes[feed->table[at]].instrument_id != instrument_id) {
        at = (at + 1) & (FEED_TABLE_SIZE - 1);
    }
    return at;
}

int32_t feed_find(const hr_feed *feed, uint32_t instrument_id) {
    return feed->table[seat(feed, instrument_id)];
}

static int feed_is_valid(const hr_feed *feed) {
    return feed != NULL && feed->magic == FEED_MAGIC;
}

int64_t hr_feed_size(void) {
    return ((int64_t)sizeof(hr_feed) + 63) & ~(int64_t)63;
}

hr_status hr_feed_init(void *memory, int64_t bytes, hr_feed **feed_out) {
    if (memory == NULL || feed_out == NULL || ((uintptr_t)memory & 63) != 0 ||
        bytes < hr_feed_size()) {
        return HR_ERR_ARGUMENT;
    }
    hr_feed *feed = memory;
    /* Nodes and stagings are laid out when they are first used. */
    memset(feed, 0, offsetof(hr_feed, stagings));
    memset(feed->table, 0xff, sizeof feed->table); /* FEED_NONE */
    feed->magic = FEED_MAGIC;
    *feed_out = feed;
    return HR_OK;
}

static int32_t slot_take(hr_feed *feed) {
    if (feed->free_count > 0) {
        return feed->free_slots[--feed->free_count];
    }
    return feed->slot_count < HR_FEED_INSTRUMENTS_MAX ? feed->slot_count++ : FEED_NONE;
}

hr_status hr_feed_add(hr_feed *feed, const hr_feed_instrument *instrument) {
    if (!feed_is_valid(feed)) {
        return HR_ERR_MAGIC;
    }
    if (instrument == NULL || !(instrument->tick >= 1e-9 && instrument->tick <= 1e9) ||
        !(instrument->lot >= 1e-9 && instrument->lot <= 1e9) || instrument->handle < 0) {
        return HR_ERR_ARGUMENT;
    }
    const uint32_t at = seat(feed, instrument->instrument_id);
    const int32_t slot = feed->table[at] != FEED_NONE ? feed->table[at] : slot_take(feed);
    if (slot == FEED_NONE) {
        return HR_ERR_FULL;
    }
    feed->table[at] = slot;
    feed->channel_of[slot] = FEED_NONE;
    feed->state_of[slot] = FEED_BROKEN;
    feed_node *node = &feed->nodes[slot];
    memset(node, 0, sizeof *node);
    node->ticks_per_unit = 1.0 / instrument->tick;
    node->lots_per_unit = 1.0 / instrument->lot;
    node->instrument_id = instrument->instrument_id;
    node->handle = instrument->handle;
    return HR_OK;
}

hr_status hr_feed_remove(hr_feed *feed, uint32_t instrument_id) {
    if (!feed_is_valid(feed)) {
        return HR_ERR_MAGIC;
    }
    uint32_t hole = seat(feed, instrument_id);
    const int32_t slot = feed->table[hole];
    if (slot == FEED_NONE) {
        return HR_ERR_NOT_FOUND;
    }
    feed->channel_of[slot] = FEED_NONE;
    feed->state_of[slot] = FEED_BROKEN;
    feed->free_slots[feed->free_count++] = slot;
    /* What stood behind the hole because its home was taken moves up. */
    for (uint32_t at = (hole + 1) & (FEED_TABLE_SIZE - 1); feed->table[at] != FEED_NONE;
         at = (at + 1) & (FEED_TABLE_SIZE - 1)) {
        const uint32_t wanted = home(feed->nodes[feed->table[at]].instrument_id);
        if (((at - wanted) & (FEED_TABLE_SIZE - 1)) >= ((at - hole) & (FEED_TABLE_SIZE - 1))) {
            feed->table[hole] = feed->table[at];
            hole = at;
        }
    }
    feed->table[hole] = FEED_NONE;
    return HR_OK;
}

hr_status hr_feed_add_index(hr_feed *feed, const char *name, int32_t handle) {
    if (!feed_is_valid(feed)) {
        return HR_ERR_MAGIC;
    }
    const size_t length = name == NULL ? 0 : strlen(name);
    if (length == 0 || length > FEED_INDEX_NAME_BYTES || handle < 0) {
        return HR_ERR_ARGUMENT;
    }
    char padded[FEED_INDEX_NAME_BYTES] = {0};
    memcpy(padded, name, length);
    int32_t at = 0;
    while (at < feed->index_count && memcmp(feed->indexes[at].name, padded, sizeof padded) != 0) {
        at++;
    }
    if (at == HR_FEED_INDEXES_MAX) {
        return HR_ERR_FULL;
    }
    feed->index_count = at == feed->index_count ? at + 1 : feed->index_count;
    memcpy(feed->indexes[at].name, padded, sizeof padded);
    feed->indexes[at].handle = handle;
    return HR_OK;
}

int32_t hr_feed_is_fresh(const hr_feed *feed, uint32_t instrument_id) {
    if (!feed_is_valid(feed)) {
        return 0;
    }
    const int32_t slot = feed_find(feed, instrument_id);
    return slot != FEED_NONE && feed->state_of[slot] == FEED_FRESH &&
           !feed->nodes[slot].is_updating;
}

static int32_t levels_copy(const feed_side *side, int32_t sign, hr_feed_level *levels_out) {
    for (int32_t at = 0; at < side->count; at++) {
        const int32_t from = side->count - 1 - at;
        levels_out[at].price_ticks = (int64_t)sign * side->keys[from];
        levels_out[at].lots = side->lots[from];
    }
    return side->count;
}

hr_status hr_feed_book_get(const hr_feed *feed, uint32_t instrument_id, hr_feed_book *book_out) {
    if (!feed_is_valid(feed)) {
        return HR_ERR_MAGIC;
    }
    if (book_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const int32_t slot = feed_find(feed, instrument_id);
    if (slot == FEED_NONE) {
        return HR_ERR_NOT_FOUND;
    }
    const feed_node *node = &feed->nodes[slot];
    memset(book_out, 0, sizeof *book_out);
    book_out->change_id = node->change_id;
    book_out->venue_ms = node->venue_ms;
    book_out->is_fresh = hr_feed_is_fresh(feed, instrument_id);
    book_out->bid_count = levels_copy(&node->sides[HR_SBE_BID], 1, book_out->bids);
    book_out->ask_count = levels_copy(&node->sides[HR_SBE_ASK], -1, book_out->asks);
    return book_out->is_fresh ? HR_OK : HR_ERR_STALE;
}

hr_status hr_feed_counters_get(const hr_feed *feed, hr_feed_counters *counters_out) {
    if (!feed_is_valid(feed)) {
        return HR_ERR_MAGIC;
    }
    if (counters_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    *counters_out = feed->counters;
    return HR_OK;
}
