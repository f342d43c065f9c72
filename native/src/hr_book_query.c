#include "hr_book_store.h"

#include <stddef.h>

hr_status hr_book_drain_events(hr_book *book, hr_book_event *events_out, int64_t capacity,
                               int64_t *count_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (events_out == NULL || count_out == NULL || capacity < 1) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t count = book->event_count < capacity ? book->event_count : capacity;
    for (int64_t at = 0; at < count; at++) {
        events_out[at] = book->events[(book->event_first + at) % book->params.event_max];
    }
    book->event_first = (book->event_first + count) % book->params.event_max;
    book->event_count -= count;
    *count_out = count;
    return HR_OK;
}

hr_status hr_book_drain_dirty(hr_book *book, int32_t *instruments_out, int64_t *count_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (instruments_out == NULL || count_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t at = 0; at < book->dirty_count; at++) {
        instruments_out[at] = book->dirty[at];
        book->instruments[book->dirty[at]].is_dirty = 0;
    }
    *count_out = book->dirty_count;
    book->dirty_count = 0;
    return HR_OK;
}

int64_t hr_book_change_sequence(const hr_book *book) {
    return book_is_valid(book) ? book->change_sequence : -1;
}

static void best_of(const hr_book *book, int64_t instrument, int32_t side, int64_t *ticks_out,
                    int64_t *lots_out) {
    const int32_t at = book->instruments[instrument].best[side];
    *ticks_out = at == HR_BOOK_NONE ? 0 : book->levels[at].price_ticks;
    *lots_out = at == HR_BOOK_NONE ? 0 : book->levels[at].lots;
}

hr_status hr_book_best(const hr_book *book, int64_t count, int64_t *bid_ticks_out,
                       int64_t *bid_lots_out, int64_t *ask_ticks_out, int64_t *ask_lots_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (count < 0 || count > book->params.instrument_max || bid_ticks_out == NULL ||
        bid_lots_out == NULL || ask_ticks_out == NULL || ask_lots_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t at = 0; at < count; at++) {
        best_of(book, at, HR_BOOK_BUY, &bid_ticks_out[at], &bid_lots_out[at]);
        best_of(book, at, HR_BOOK_SELL, &ask_ticks_out[at], &ask_lots_out[at]);
    }
    return HR_OK;
}

static void levels_of(const hr_book *book, int32_t instrument, int32_t side, int32_t depth,
                      hr_book_level *levels_out) {
    int32_t at = book->instruments[instrument].best[side];
    for (int32_t row = 0; row < depth; row++) {
        levels_out[row] = (hr_book_level){0, 0};
        if (at != HR_BOOK_NONE) {
            levels_out[row] = (hr_book_level){book->levels[at].price_ticks, book->levels[at].lots};
            at = book->levels[at].worse;
        }
    }
}

hr_status hr_book_levels(const hr_book *book, const int32_t *instruments, int64_t count,
                         int32_t depth, hr_book_level *levels_out, int64_t *change_ids_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (count < 0 || depth < 1 || instruments == NULL || levels_out == NULL ||
        change_ids_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t at = 0; at < count; at++) {
        if (instruments[at] < 0 || instruments[at] >= book->params.instrument_max) {
            return HR_ERR_ARGUMENT;
        }
    }
    for (int64_t at = 0; at < count; at++) {
        hr_book_level *bids = &levels_out[at * 2 * depth];
        levels_of(book, instruments[at], HR_BOOK_BUY, depth, bids);
        levels_of(book, instruments[at], HR_BOOK_SELL, depth, bids + depth);
        change_ids_out[at] = book->instruments[instruments[at]].change_id;
    }
    return HR_OK;
}

hr_status hr_book_order_get(const hr_book *book, int64_t order_id, hr_book_order *order_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (order_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const int32_t slot = book_find(book, order_id);
    if (slot == HR_BOOK_NONE) {
        return HR_ERR_NOT_FOUND;
    }
    book_view(book, slot, order_out);
    return HR_OK;
}

hr_status hr_book_owner_orders(const hr_book *book, int32_t owner, hr_book_order *orders_out,
                               int64_t capacity, int64_t *count_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (owner < 0 || owner >= book->params.owner_max || orders_out == NULL || count_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (book->owners[owner].order_count > capacity) {
        return HR_ERR_FULL;
    }
    int64_t count = 0;
    for (int32_t slot = book->owners[owner].newest; slot != HR_BOOK_NONE;
         slot = book->orders[slot].owner_next) {
        book_view(book, slot, &orders_out[count]);
        count += 1;
    }
    *count_out = count;
    return HR_OK;
}

hr_status hr_book_cancel_owner(hr_book *book, int32_t owner, int32_t instrument, int32_t group,
                               hr_book_order *orders_out, int64_t capacity, int64_t *count_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (owner < 0 || owner >= book->params.owner_max || instrument < HR_BOOK_ANY ||
        instrument >= book->params.instrument_max || group < HR_BOOK_ANY ||
        group >= book->params.group_max || count_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (orders_out != NULL && book->owners[owner].order_count > capacity) {
        return HR_ERR_FULL;
    }
    int64_t count = 0;
    int32_t slot = book->owners[owner].newest;
    while (slot != HR_BOOK_NONE) {
        const order_node *order = &book->orders[slot];
        const int32_t next = order->owner_next;
        if ((instrument == HR_BOOK_ANY || order->instrument == instrument) &&
            (group == HR_BOOK_ANY || order->group == group)) {
            if (orders_out != NULL) {
                book_view(book, slot, &orders_out[count]);
            }
            count += 1;
            book_lift(book, slot);
            book_slot_free(book, slot);
        }
        slot = next;
    }
    *count_out = count;
    return HR_OK;
}
