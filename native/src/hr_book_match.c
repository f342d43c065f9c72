#include "hr_book_store.h"

#include <stddef.h>
#include <string.h>

static int is_order_valid(const hr_book *book, int32_t instrument, int32_t owner, int32_t side) {
    return instrument >= 0 && instrument < book->params.instrument_max && owner >= 0 &&
           owner < book->params.owner_max && (side == HR_BOOK_BUY || side == HR_BOOK_SELL);
}

static int is_size_valid(int64_t price_ticks, int64_t lots) {
    return price_ticks >= 1 && price_ticks <= HR_BOOK_PRICE_TICKS_MAX && lots >= 1 &&
           lots <= HR_BOOK_LOTS_MAX;
}

static int would_cross(const hr_book *book, int32_t instrument, int32_t side, int64_t price_ticks) {
    const int32_t best = book->instruments[instrument].best[1 - side];
    return best != HR_BOOK_NONE && book_reaches(side, price_ticks, book->levels[best].price_ticks);
}

/* Each resting order gives at most one event. */
static int has_event_room(const hr_book *book, int32_t instrument, int32_t side) {
    const int64_t room = book->params.event_max - book->event_count;
    return room >= book->instruments[instrument].order_count[1 - side];
}

static void record(hr_book *book, int32_t kind, const order_node *maker, const hr_book_order *taker,
                   int64_t lots, int64_t maker_remaining_lots) {
    hr_book_event *event = book_event_push(book);
    event->kind = kind;
    event->maker_order_id = maker->id;
    event->taker_order_id = taker->order_id;
    event->price_ticks = maker->price_ticks;
    event->lots = lots;
    event->maker_remaining_lots = maker_remaining_lots;
    event->taker_remaining_lots = taker->lots;
    event->instrument = taker->instrument;
    event->taker_side = taker->side;
    event->maker_owner = maker->owner;
    event->taker_owner = taker->owner;
    event->maker_group = maker->group;
    event->taker_group = taker->group;
}

/* Trades `taker` down to what is left in its lots. */
static void match(hr_book *book, hr_book_order *taker) {
    instrument_node *instrument = &book->instruments[taker->instrument];
    while (taker->lots > 0) {
        const int32_t best = instrument->best[1 - taker->side];
        if (best == HR_BOOK_NONE ||
            !book_reaches(taker->side, taker->price_ticks, book->levels[best].price_ticks)) {
            return;
        }
        const int32_t slot = book->levels[best].first;
        order_node *maker = &book->orders[slot];
        if (maker->owner == taker->owner) {
            record(book, HR_BOOK_SELF_CANCEL, maker, taker, maker->lots, 0);
            book_lift(book, slot);
            book_slot_free(book, slot);
            continue;
        }
        const int64_t lots = maker->lots < taker->lots ? maker->lots : taker->lots;
        taker->lots -= lots;
        record(book, HR_BOOK_TRADE, maker, taker, lots, maker->lots - lots);
        if (lots == maker->lots) {
            book_lift(book, slot);
            book_slot_free(book, slot);
        } else {
            maker->lots -= lots;
            book->levels[best].lots -= lots;
            book_touch(book, taker->instrument);
        }
    }
}

/* Matches a slot's order, which must not rest, and rests or frees it. Returns what rests. */
static int64_t match_and_rest(hr_book *book, int32_t slot) {
    order_node *order = &book->orders[slot];
    hr_book_order taker = {order->id,    order->price_ticks, order->lots, order->instrument,
                           order->owner, order->side,        order->group};
    match(book, &taker);
    order->lots = taker.lots;
    if (taker.lots > 0) {
        book_rest(book, slot);
    } else {
        book_slot_free(book, slot);
    }
    return taker.lots;
}

hr_status hr_book_available(const hr_book *book, int32_t instrument, int32_t owner, int32_t side,
                            int64_t limit_ticks, int64_t *lots_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (lots_out == NULL || !is_order_valid(book, instrument, owner, side)) {
        return HR_ERR_ARGUMENT;
    }
    int64_t lots = 0;
    int32_t at = book->instruments[instrument].best[1 - side];
    while (at != HR_BOOK_NONE && book_reaches(side, limit_ticks, book->levels[at].price_ticks)) {
        for (int32_t slot = book->levels[at].first; slot != HR_BOOK_NONE;
             slot = book->orders[slot].next) {
            lots += book->orders[slot].owner == owner ? 0 : book->orders[slot].lots;
        }
        at = book->levels[at].worse;
    }
    *lots_out = lots;
    return HR_OK;
}

/* Returns why a valid request cannot even begin. */
static hr_status refusal(const hr_book *book, const hr_book_request *request) {
    if (request->post_only &&
        would_cross(book, request->instrument, request->side, request->price_ticks)) {
        return HR_ERR_WOULD_CROSS;
    }
    if (request->time_in_force == HR_BOOK_FOK) {
        int64_t available = 0;
        const hr_status status = hr_book_available(book, request->instrument, request->owner,
                                                   request->side, request->price_ticks, &available);
        if (status != HR_OK) {
            return status;
        }
        if (available < request->lots) {
            return HR_ERR_NOT_FILLABLE;
        }
    }
    if (request->time_in_force == HR_BOOK_GTC && book->free_order == HR_BOOK_NONE) {
        return HR_ERR_FULL;
    }
    return has_event_room(book, request->instrument, request->side) ? HR_OK : HR_ERR_FULL;
}

hr_status hr_book_submit(hr_book *book, const hr_book_request *request,
                         hr_book_result *result_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (request == NULL || result_out == NULL ||
        !is_order_valid(book, request->instrument, request->owner, request->side) ||
        !is_size_valid(request->price_ticks, request->lots) ||
        request->time_in_force < HR_BOOK_GTC || request->time_in_force > HR_BOOK_FOK) {
        return HR_ERR_ARGUMENT;
    }
    const hr_status status = refusal(book, request);
    if (status != HR_OK) {
        return status;
    }
    if (request->time_in_force == HR_BOOK_GTC) {
        const int32_t slot = book_slot_take(book, request->owner, HR_BOOK_NO_GROUP,
                                            request->instrument, request->side);
        book->orders[slot].price_ticks = request->price_ticks;
        book->orders[slot].lots = request->lots;
        result_out->order_id = book->orders[slot].id;
        result_out->resting_lots = match_and_rest(book, slot);
        result_out->filled_lots = request->lots - result_out->resting_lots;
        return HR_OK;
    }
    hr_book_order taker = {.order_id = book_next_id(book, HR_BOOK_ORDER_MAX),
                           .price_ticks = request->price_ticks,
                           .lots = request->lots,
                           .instrument = request->instrument,
                           .owner = request->owner,
                           .side = request->side,
                           .group = HR_BOOK_NO_GROUP};
    match(book, &taker);
    *result_out = (hr_book_result){taker.order_id, request->lots - taker.lots, 0};
    return HR_OK;
}

static void reduce(hr_book *book, order_node *order, int64_t lots) {
    book->levels[order->level].lots -= order->lots - lots;
    order->lots = lots;
    book_touch(book, order->instrument);
}

hr_status hr_book_amend(hr_book *book, int64_t order_id, int64_t price_ticks, int64_t lots,
                        int32_t post_only, hr_book_result *result_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (result_out == NULL || !is_size_valid(price_ticks, lots)) {
        return HR_ERR_ARGUMENT;
    }
    const int32_t slot = book_find(book, order_id);
    if (slot == HR_BOOK_NONE) {
        return HR_ERR_NOT_FOUND;
    }
    order_node *order = &book->orders[slot];
    if (order->price_ticks == price_ticks && lots <= order->lots) {
        if (lots < order->lots) {
            reduce(book, order, lots);
        }
        *result_out = (hr_book_result){order_id, 0, lots};
        return HR_OK;
    }
    if (post_only && would_cross(book, order->instrument, order->side, price_ticks)) {
        return HR_ERR_WOULD_CROSS;
    }
    if (!has_event_room(book, order->instrument, order->side)) {
        return HR_ERR_FULL;
    }
    book_lift(book, slot);
    order->price_ticks = price_ticks;
    order->lots = lots;
    const int64_t resting_lots = match_and_rest(book, slot);
    *result_out = (hr_book_result){order_id, lots - resting_lots, resting_lots};
    return HR_OK;
}

hr_status hr_book_cancel(hr_book *book, int64_t order_id, hr_book_order *order_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    const int32_t slot = book_find(book, order_id);
    if (slot == HR_BOOK_NONE) {
        return HR_ERR_NOT_FOUND;
    }
    if (order_out != NULL) {
        book_view(book, slot, order_out);
    }
    book_lift(book, slot);
    book_slot_free(book, slot);
    return HR_OK;
}

static hr_status quote_side(hr_book *book, int32_t owner, int32_t group, int32_t post_only,
                            const hr_book_quote *quote, int32_t side, int64_t *order_id_out) {
    const int64_t price_ticks = side == HR_BOOK_BUY ? quote->bid_ticks : quote->ask_ticks;
    const int64_t lots = side == HR_BOOK_BUY ? quote->bid_lots : quote->ask_lots;
    int32_t slot = *book_quote_slot(book, group, quote->instrument, side);
    *order_id_out = slot == HR_BOOK_NONE ? 0 : book->orders[slot].id;
    if (lots == -1) {
        return HR_OK;
    }
    if (slot != HR_BOOK_NONE) {
        order_node *order = &book->orders[slot];
        if (order->price_ticks == price_ticks && lots > 0 && lots < order->lots) {
            reduce(book, order, lots);
            return HR_OK;
        }
        book_lift(book, slot);
    }
    hr_status status = HR_OK;
    if (lots != 0) {
        if (!is_size_valid(price_ticks, lots)) {
            status = HR_ERR_ARGUMENT;
        } else if (post_only && would_cross(book, quote->instrument, side, price_ticks)) {
            status = HR_ERR_WOULD_CROSS;
        } else if (!has_event_room(book, quote->instrument, side) ||
                   (slot == HR_BOOK_NONE && book->free_order == HR_BOOK_NONE)) {
            status = HR_ERR_FULL;
        }
    }
    if (lots == 0 || status != HR_OK) {
        if (slot != HR_BOOK_NONE) {
            book_slot_free(book, slot);
        }
        *order_id_out = 0;
        return status;
    }
    if (slot == HR_BOOK_NONE) {
        slot = book_slot_take(book, owner, group, quote->instrument, side);
    }
    book->orders[slot].price_ticks = price_ticks;
    book->orders[slot].lots = lots;
    *order_id_out = book->orders[slot].id;
    match_and_rest(book, slot);
    return HR_OK;
}

/* A bid that moves up might meet the own old ask: the ask goes first then. */
static void quote_both(hr_book *book, int32_t owner, int32_t group, int32_t post_only,
                       const hr_book_quote *quote, hr_book_quote_result *result) {
    const int32_t bid = *book_quote_slot(book, group, quote->instrument, HR_BOOK_BUY);
    const int is_up = bid == HR_BOOK_NONE || quote->bid_ticks > book->orders[bid].price_ticks;
    if (is_up) {
        result->ask_status =
            quote_side(book, owner, group, post_only, quote, HR_BOOK_SELL, &result->ask_order_id);
    }
    result->bid_status =
        quote_side(book, owner, group, post_only, quote, HR_BOOK_BUY, &result->bid_order_id);
    if (!is_up) {
        result->ask_status =
            quote_side(book, owner, group, post_only, quote, HR_BOOK_SELL, &result->ask_order_id);
    }
}

hr_status hr_book_quote_batch(hr_book *book, int32_t owner, int32_t group, int32_t post_only,
                              const hr_book_quote *quotes, int64_t count,
                              hr_book_quote_result *results_out) {
    if (!book_is_valid(book)) {
        return HR_ERR_MAGIC;
    }
    if (count < 0 || (quotes == NULL && count > 0) || owner < 0 ||
        owner >= book->params.owner_max || group < 0 || group >= book->params.group_max) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t at = 0; at < count; at++) {
        if (quotes[at].instrument < 0 || quotes[at].instrument >= book->params.instrument_max) {
            return HR_ERR_ARGUMENT;
        }
    }
    if (book->group_owners[group] == HR_BOOK_NONE) {
        book->group_owners[group] = owner;
    }
    if (book->group_owners[group] != owner) {
        return HR_ERR_ARGUMENT;
    }
    for (int64_t at = 0; at < count; at++) {
        hr_book_quote_result result;
        memset(&result, 0, sizeof result);
        quote_both(book, owner, group, post_only, &quotes[at], &result);
        if (results_out != NULL) {
            results_out[at] = result;
        }
    }
    return HR_OK;
}
