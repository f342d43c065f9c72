/* hr_book.h: price-time matching for many instruments in one caller-owned block.
 *
 * Prices are in base ticks, amounts in lots; the caller checks tick steps and amounts. Owners and
 * quote groups are small numbers the caller deals out. One thread at a time. Every refusal leaves
 * the book as it was, except that a refused quote leaves no quote.
 */
#ifndef HR_BOOK_H
#define HR_BOOK_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_BOOK_BUY 0
#define HR_BOOK_SELL 1

#define HR_BOOK_GTC 0 /* What does not trade rests. */
#define HR_BOOK_IOC 1 /* What does not trade is gone. */
#define HR_BOOK_FOK 2 /* All or nothing: HR_ERR_NOT_FILLABLE. */

#define HR_BOOK_ANY -1      /* A filter that takes all. */
#define HR_BOOK_NO_GROUP -1 /* The group of an order that is no quote. */

#define HR_BOOK_TRADE 1
#define HR_BOOK_SELF_CANCEL 2 /* A resting order met its own owner's and was taken away. */

#define HR_BOOK_INSTRUMENT_MAX 65536
#define HR_BOOK_ORDER_MAX 1048575
#define HR_BOOK_OWNER_MAX 65536
#define HR_BOOK_GROUP_MAX 4096
#define HR_BOOK_EVENT_MAX 16777216
#define HR_BOOK_PRICE_TICKS_MAX 1000000000000
#define HR_BOOK_LOTS_MAX 1000000000000

typedef struct hr_book hr_book;

typedef struct {
    int32_t instrument_max;
    int32_t order_max; /* Resting orders and quotes, all instruments together. */
    int32_t owner_max;
    int32_t group_max; /* Quote groups: each holds one quote per instrument and side. */
    int32_t event_max; /* Events that may wait for a drain. */
    int32_t reserved;
} hr_book_params;

typedef struct {
    int64_t price_ticks; /* [1, HR_BOOK_PRICE_TICKS_MAX] */
    int64_t lots;        /* [1, HR_BOOK_LOTS_MAX] */
    int32_t instrument;
    int32_t owner;
    int32_t side;
    int32_t time_in_force;
    int32_t post_only; /* 1: HR_ERR_WOULD_CROSS instead of a trade. */
    int32_t reserved;
} hr_book_request;

typedef struct {
    int64_t order_id; /* Positive, never reused; also of an order that never rested. */
    int64_t filled_lots;
    int64_t resting_lots;
} hr_book_result;

/* Two sides of one quote. Lots 0 cancels a side, lots -1 leaves it alone. */
typedef struct {
    int64_t bid_ticks;
    int64_t bid_lots;
    int64_t ask_ticks;
    int64_t ask_lots;
    int32_t instrument;
    int32_t reserved;
} hr_book_quote;

typedef struct {
    int64_t bid_order_id; /* 0: nothing rests and nothing traded. */
    int64_t ask_order_id;
    int32_t bid_status;
    int32_t ask_status;
} hr_book_quote_result;

typedef struct {
    int64_t sequence; /* Counts events of the whole book, from 1. */
    int64_t maker_order_id;
    int64_t taker_order_id;
    int64_t price_ticks; /* The maker's. */
    int64_t lots;        /* Traded, or taken away. */
    int64_t maker_remaining_lots;
    int64_t taker_remaining_lots; /* Of the incoming order, after this event. */
    int32_t kind;
    int32_t instrument;
    int32_t taker_side;
    int32_t maker_owner;
    int32_t taker_owner;
    int32_t maker_group;
    int32_t taker_group;
    int32_t reserved;
} hr_book_event;

typedef struct {
    int64_t order_id;
    int64_t price_ticks;
    int64_t lots;
    int32_t instrument;
    int32_t owner;
    int32_t side;
    int32_t group;
} hr_book_order;

typedef struct {
    int64_t price_ticks;
    int64_t lots;
} hr_book_level;

/* Returns the bytes a book needs, 0 when a capacity is out of range. */
int64_t hr_book_size(const hr_book_params *params);
/* Lays an empty book into `memory` (64-byte aligned, hr_book_size bytes, not to be moved). */
hr_status hr_book_init(void *memory, int64_t bytes, const hr_book_params *params,
                       hr_book **book_out);

/* Matches one order, and rests what is left of a GTC one. HR_ERR_FULL when orders or events have
 * no room left for the worst case. */
hr_status hr_book_submit(hr_book *book, const hr_book_request *request, hr_book_result *result_out);
/* Sets price and remaining lots; the id stays. Same price and not more lots keeps the place in the
 * queue; anything else loses it and may trade. */
hr_status hr_book_amend(hr_book *book, int64_t order_id, int64_t price_ticks, int64_t lots,
                        int32_t post_only, hr_book_result *result_out);
hr_status hr_book_cancel(hr_book *book, int64_t order_id, hr_book_order *order_out);
/* Cancels an owner's orders of one instrument and group, or HR_BOOK_ANY of either (HR_BOOK_ANY of
 * groups means quotes and orders alike). `orders_out` (NULL: not wanted) holds `capacity`;
 * HR_ERR_FULL, and nothing done, when the owner has more orders than that. */
hr_status hr_book_cancel_owner(hr_book *book, int32_t owner, int32_t instrument, int32_t group,
                               hr_book_order *orders_out, int64_t capacity, int64_t *count_out);
/* Replaces the quotes of one group, side by side in the order in which they cannot meet. Identical
 * resubmission and anything else but a smaller size loses the place in the queue. A refused side
 * is taken out and has its status in `results_out` (NULL: not wanted). A group belongs to whoever
 * quoted in it first: HR_ERR_ARGUMENT for another owner. */
hr_status hr_book_quote_batch(hr_book *book, int32_t owner, int32_t group, int32_t post_only,
                              const hr_book_quote *quotes, int64_t count,
                              hr_book_quote_result *results_out);

/* Moves up to `capacity` events, oldest first; call again while the buffer comes back full. */
hr_status hr_book_drain_events(hr_book *book, hr_book_event *events_out, int64_t capacity,
                               int64_t *count_out);
/* Moves the instruments that changed since the last drain, in order of their first change.
 * `instruments_out` holds instrument_max. */
hr_status hr_book_drain_dirty(hr_book *book, int32_t *instruments_out, int64_t *count_out);

/* Returns a number that rises with every change of any instrument; -1 for no book. */
int64_t hr_book_change_sequence(const hr_book *book);
/* Best prices of instruments [0, count); an empty side has lots 0 and price 0. */
hr_status hr_book_best(const hr_book *book, int64_t count, int64_t *bid_ticks_out,
                       int64_t *bid_lots_out, int64_t *ask_ticks_out, int64_t *ask_lots_out);
/* Aggregated levels of many instruments, best first: levels_out[count][2][depth], bids before asks,
 * lots 0 after the last level; change_ids_out[count]. */
hr_status hr_book_levels(const hr_book *book, const int32_t *instruments, int64_t count,
                         int32_t depth, hr_book_level *levels_out, int64_t *change_ids_out);
hr_status hr_book_order_get(const hr_book *book, int64_t order_id, hr_book_order *order_out);
/* Resting orders of an owner, newest first. HR_ERR_FULL when there are more than `capacity`. */
hr_status hr_book_owner_orders(const hr_book *book, int32_t owner, hr_book_order *orders_out,
                               int64_t capacity, int64_t *count_out);
/* Lots that an order could trade now at `limit_ticks` or better, the owner's own left out. */
hr_status hr_book_available(const hr_book *book, int32_t instrument, int32_t owner, int32_t side,
                            int64_t limit_ticks, int64_t *lots_out);
/* cdef: end */

_Static_assert(sizeof(hr_book_params) == 24, "hr_book_params crosses to Python");
_Static_assert(sizeof(hr_book_request) == 40, "hr_book_request crosses to Python");
_Static_assert(sizeof(hr_book_result) == 24, "hr_book_result crosses to Python");
_Static_assert(sizeof(hr_book_quote) == 40, "hr_book_quote crosses to Python");
_Static_assert(sizeof(hr_book_quote_result) == 24, "hr_book_quote_result crosses to Python");
_Static_assert(sizeof(hr_book_event) == 88, "hr_book_event crosses to Python");
_Static_assert(sizeof(hr_book_order) == 40, "hr_book_order crosses to Python");
_Static_assert(sizeof(hr_book_level) == 16, "hr_book_level crosses to Python");

#endif
