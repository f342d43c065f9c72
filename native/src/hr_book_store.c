#include "hr_book_store.h"

#include <stddef.h>
#include <string.h>

static int64_t rounded(int64_t bytes) {
    return (bytes + 63) & ~(int64_t)63;
}

static int params_are_valid(const hr_book_params *params) {
    return params->instrument_max >= 1 && params->instrument_max <= HR_BOOK_INSTRUMENT_MAX &&
           params->order_max >= 1 && params->order_max <= HR_BOOK_ORDER_MAX &&
           params->owner_max >= 1 && params->owner_max <= HR_BOOK_OWNER_MAX &&
           params->group_max >= 0 && params->group_max <= HR_BOOK_GROUP_MAX &&
           params->event_max >= 1 && params->event_max <= HR_BOOK_EVENT_MAX;
}

/* Sums the parts, and where `book` is given points it at them. */
static int64_t lay_out(const hr_book_params *params, hr_book *book) {
    const int64_t quote_count = (int64_t)params->group_max * params->instrument_max * 2;
    const int64_t sizes[8] = {
        (int64_t)sizeof(order_node) * params->order_max,
        (int64_t)sizeof(level_node) * params->order_max,
        (int64_t)sizeof(instrument_node) * params->instrument_max,
        (int64_t)sizeof(owner_node) * params->owner_max,
        (int64_t)sizeof(int32_t) * quote_count,
        (int64_t)sizeof(int32_t) * params->group_max,
        (int64_t)sizeof(hr_book_event) * params->event_max,
        (int64_t)sizeof(int32_t) * params->instrument_max,
    };
    int64_t starts[8];
    int64_t at = rounded((int64_t)sizeof(hr_book));
    for (int part = 0; part < 8; part++) {
        starts[part] = at;
        at += rounded(sizes[part]);
    }
    if (book != NULL) {
        char *base = (char *)book;
        book->orders = (order_node *)(void *)(base + starts[0]);
        book->levels = (level_node *)(void *)(base + starts[1]);
        book->instruments = (instrument_node *)(void *)(base + starts[2]);
        book->owners = (owner_node *)(void *)(base + starts[3]);
        book->quotes = (int32_t *)(void *)(base + starts[4]);
        book->group_owners = (int32_t *)(void *)(base + starts[5]);
        book->events = (hr_book_event *)(void *)(base + starts[6]);
        book->dirty = (int32_t *)(void *)(base + starts[7]);
    }
    return at;
}

int64_t hr_book_size(const hr_book_params *params) {
    if (params == NULL || !params_are_valid(params)) {
        return 0;
    }
    return lay_out(params, NULL);
}

hr_status hr_book_init(void *memory, int64_t bytes, const hr_book_params *params,
                       hr_book **book_out) {
    if (memory == NULL || params == NULL || book_out == NULL || ((uintptr_t)memory & 63) != 0) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t needed = hr_book_size(params);
    if (needed == 0 || bytes < needed) {
        return HR_ERR_ARGUMENT;
    }
    memset(memory, 0, (size_t)needed);
    hr_book *book = (hr_book *)memory;
    book->params = *params;
    lay_out(params, book);
    for (int32_t slot = 0; slot < params->order_max; slot++) {
        const int32_t next = slot + 1 < params->order_max ? slot + 1 : HR_BOOK_NONE;
        book->orders[slot].next = next;
        book->levels[slot].worse = next;
    }
    for (int32_t instrument = 0; instrument < params->instrument_max; instrument++) {
        book->instruments[instrument].best[0] = HR_BOOK_NONE;
        book->instruments[instrument].best[1] = HR_BOOK_NONE;
    }
    for (int32_t owner = 0; owner < params->owner_max; owner++) {
        book->owners[owner].newest = HR_BOOK_NONE;
    }
    const int64_t quote_count = (int64_t)params->group_max * params->instrument_max * 2;
    for (int64_t quote = 0; quote < quote_count; quote++) {
        book->quotes[quote] = HR_BOOK_NONE;
    }
    for (int32_t group = 0; group < params->group_max; group++) {
        book->group_owners[group] = HR_BOOK_NONE;
    }
    book->magic = HR_BOOK_MAGIC;
    *book_out = book;
    return HR_OK;
}

int book_is_valid(const hr_book *book) {
    return book != NULL && book->magic == HR_BOOK_MAGIC;
}

int32_t book_find(const hr_book *book, int64_t order_id) {
    if (order_id <= 0) {
        return HR_BOOK_NONE;
    }
    const int64_t slot = order_id & (((int64_t)1 << HR_BOOK_SLOT_BITS) - 1);
    if (slot >= book->params.order_max || book->orders[slot].id != order_id) {
        return HR_BOOK_NONE;
    }
    return (int32_t)slot;
}

int32_t *book_quote_slot(const hr_book *book, int32_t group, int32_t instrument, int32_t side) {
    const int64_t row = (int64_t)group * book->params.instrument_max + instrument;
    return &book->quotes[row * 2 + side];
}

void book_touch(hr_book *book, int32_t instrument) {
    instrument_node *node = &book->instruments[instrument];
    book->change_sequence += 1;
    node->change_id = book->change_sequence;
    if (!node->is_dirty) {
        node->is_dirty = 1;
        book->dirty[book->dirty_count] = instrument;
        book->dirty_count += 1;
    }
}

int32_t book_slot_take(hr_book *book, int32_t owner, int32_t group, int32_t instrument,
                       int32_t side) {
    const int32_t slot = book->free_order;
    order_node *order = &book->orders[slot];
    book->free_order = order->next;
    order->id = book_next_id(book, slot);
    order->level = HR_BOOK_NONE;
    order->owner = owner;
    order->group = group;
    order->instrument = instrument;
    order->side = side;
    owner_node *holder = &book->owners[owner];
    order->owner_previous = HR_BOOK_NONE;
    order->owner_next = holder->newest;
    if (holder->newest != HR_BOOK_NONE) {
        book->orders[holder->newest].owner_previous = slot;
    }
    holder->newest = slot;
    holder->order_count += 1;
    if (group != HR_BOOK_NO_GROUP) {
        *book_quote_slot(book, group, instrument, side) = slot;
    }
    return slot;
}

void book_slot_free(hr_book *book, int32_t slot) {
    order_node *order = &book->orders[slot];
    owner_node *holder = &book->owners[order->owner];
    if (order->owner_previous != HR_BOOK_NONE) {
        book->orders[order->owner_previous].owner_next = order->owner_next;
    } else {
        holder->newest = order->owner_next;
    }
    if (order->owner_next != HR_BOOK_NONE) {
        book->orders[order->owner_next].owner_previous = order->owner_previous;
    }
    holder->order_count -= 1;
    if (order->group != HR_BOOK_NO_GROUP) {
        *book_quote_slot(book, order->group, order->instrument, order->side) = HR_BOOK_NONE;
    }
    order->id = 0;
    order->next = book->free_order;
    book->free_order = slot;
}

/* Returns the level of an order's price, made where there is none. */
static int32_t level_at(hr_book *book, const order_node *order) {
    instrument_node *instrument = &book->instruments[order->instrument];
    int32_t better = HR_BOOK_NONE;
    int32_t worse = instrument->best[order->side];
    /* A resting price that is better for its own side than this one stands before it. */
    while (worse != HR_BOOK_NONE && book->levels[worse].price_ticks != order->price_ticks &&
           book_reaches(order->side, book->levels[worse].price_ticks, order->price_ticks)) {
        better = worse;
        worse = book->levels[worse].worse;
    }
    if (worse != HR_BOOK_NONE && book->levels[worse].price_ticks == order->price_ticks) {
        return worse;
    }
    const int32_t at = book->free_level;
    level_node *level = &book->levels[at];
    book->free_level = level->worse;
    level->price_ticks = order->price_ticks;
    level->lots = 0;
    level->first = HR_BOOK_NONE;
    level->last = HR_BOOK_NONE;
    level->better = better;
    level->worse = worse;
    if (better != HR_BOOK_NONE) {
        book->levels[better].worse = at;
    } else {
        instrument->best[order->side] = at;
    }
    if (worse != HR_BOOK_NONE) {
        book->levels[worse].better = at;
    }
    return at;
}

void book_rest(hr_book *book, int32_t slot) {
    order_node *order = &book->orders[slot];
    order->level = level_at(book, order);
    level_node *level = &book->levels[order->level];
    order->next = HR_BOOK_NONE;
    order->previous = level->last;
    if (level->last != HR_BOOK_NONE) {
        book->orders[level->last].next = slot;
    } else {
        level->first = slot;
    }
    level->last = slot;
    level->lots += order->lots;
    book->instruments[order->instrument].order_count[order->side] += 1;
    book_touch(book, order->instrument);
}

void book_lift(hr_book *book, int32_t slot) {
    order_node *order = &book->orders[slot];
    const int32_t at = order->level;
    level_node *level = &book->levels[at];
    instrument_node *instrument = &book->instruments[order->instrument];
    if (order->previous != HR_BOOK_NONE) {
        book->orders[order->previous].next = order->next;
    } else {
        level->first = order->next;
    }
    if (order->next != HR_BOOK_NONE) {
        book->orders[order->next].previous = order->previous;
    } else {
        level->last = order->previous;
    }
    level->lots -= order->lots;
    order->level = HR_BOOK_NONE;
    instrument->order_count[order->side] -= 1;
    if (level->first == HR_BOOK_NONE) {
        if (level->better != HR_BOOK_NONE) {
            book->levels[level->better].worse = level->worse;
        } else {
            instrument->best[order->side] = level->worse;
        }
        if (level->worse != HR_BOOK_NONE) {
            book->levels[level->worse].better = level->better;
        }
        level->worse = book->free_level;
        book->free_level = at;
    }
    book_touch(book, order->instrument);
}

void book_view(const hr_book *book, int32_t slot, hr_book_order *order_out) {
    const order_node *order = &book->orders[slot];
    *order_out = (hr_book_order){
        .order_id = order->id,
        .price_ticks = order->price_ticks,
        .lots = order->lots,
        .instrument = order->instrument,
        .owner = order->owner,
        .side = order->side,
        .group = order->group,
    };
}

hr_book_event *book_event_push(hr_book *book) {
    const int64_t at = (book->event_first + book->event_count) % book->params.event_max;
    book->event_count += 1;
    book->event_sequence += 1;
    hr_book_event *event = &book->events[at];
    memset(event, 0, sizeof *event);
    event->sequence = book->event_sequence;
    return event;
}
