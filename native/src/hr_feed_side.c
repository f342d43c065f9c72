#include "hr_feed_state.h"
#include "hr_inline.h"

#include <math.h>
#include <string.h>

/* Returns where `key` belongs: all before it are worse or equal. */
static int32_t place(const feed_side *side, int32_t key) {
    int32_t at = side->count;
    while (at > 0 && side->keys[at - 1] > key) {
        at--;
    }
    return at;
}

static void move(feed_side *side, int32_t to, int32_t from, int32_t count) {
    if (count == 0) {
        return; /* The best level, which most changes are of. */
    }
    const size_t bytes = sizeof(int32_t) * (size_t)count;
    memmove(&side->keys[to], &side->keys[from], bytes);
    memmove(&side->lots[to], &side->lots[from], bytes);
}

static void insert(feed_side *side, int32_t at, int32_t key, int32_t lots) {
    if (side->count < HR_FEED_DEPTH_MAX) {
        move(side, at + 1, at, side->count - at);
        side->count++;
    } else { /* The worst level gives way, which may be this one. */
        side->is_cut = 1;
        if (at == 0) {
            side->floor_key = side->keys[0];
            return;
        }
        at--;
        move(side, 0, 1, at);
    }
    side->keys[at] = key;
    side->lots[at] = lots;
    if (side->count == HR_FEED_DEPTH_MAX && side->is_cut) {
        side->floor_key = side->keys[0];
    }
}

HR_APART int32_t feed_side_apply(feed_side *side, int32_t change, int32_t key, int32_t lots) {
    if (side->is_cut && key < side->floor_key) {
        return 1;
    }
    const int32_t at = place(side, key);
    const int32_t is_there = at > 0 && side->keys[at - 1] == key;
    if (is_there == (change == HR_SBE_CREATED)) {
        return 0;
    }
    switch (change) {
    case HR_SBE_CREATED:
        insert(side, at, key, lots);
        return 1;
    case HR_SBE_CHANGED:
        side->lots[at - 1] = lots;
        return 1;
    default:
        move(side, at - 1, at, side->count - at);
        side->count--;
        return 1;
    }
}

void feed_side_copy(const feed_side *from, feed_side *into) {
    const size_t bytes = sizeof(int32_t) * (size_t)from->count;
    memcpy(into->keys, from->keys, bytes);
    memcpy(into->lots, from->lots, bytes);
    into->count = from->count;
    into->floor_key = from->floor_key;
    into->is_cut = from->is_cut;
}

int32_t feed_key(const feed_node *node, int32_t side, double price, int32_t *key_out) {
    const double ticks = price * node->ticks_per_unit;
    if (!(ticks >= 0.5 && ticks <= FEED_TICKS_MAX)) {
        return 0;
    }
    const int32_t nearest = (int32_t)(ticks + 0.5);
    *key_out = side == HR_SBE_BID ? nearest : -nearest;
    return fabs(ticks - nearest) < 1e-3;
}

int32_t feed_lots(const feed_node *node, double amount, int32_t *lots_out) {
    const double lots = amount * node->lots_per_unit;
    if (!(lots > 0.0 && lots <= FEED_LOTS_MAX)) {
        return 0;
    }
    *lots_out = lots < 1.0 ? 1 : (int32_t)(lots + 1e-6);
    return 1;
}

int32_t feed_is_crossed(const feed_side sides[2]) {
    const feed_side *ask = &sides[HR_SBE_ASK];
    const feed_side *bid = &sides[HR_SBE_BID];
    return ask->count > 0 && bid->count > 0 &&
           bid->keys[bid->count - 1] >= -ask->keys[ask->count - 1];
}

int32_t feed_is_blind(const feed_side sides[2]) {
    return (sides[0].count == 0 && sides[0].is_cut) || (sides[1].count == 0 && sides[1].is_cut);
}
