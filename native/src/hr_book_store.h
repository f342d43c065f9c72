/* hr_book_store.h: the book's memory, its lists, and the moves that keep them whole. */
#ifndef HR_BOOK_STORE_H
#define HR_BOOK_STORE_H

#include "hr_book.h"

#define HR_BOOK_MAGIC 0x31304b4f4f425248 /* "HRBOOK01" */
#define HR_BOOK_NONE (-1)
#define HR_BOOK_SLOT_BITS 20 /* The low bits of an order id are its slot. */

typedef struct {
    int64_t id; /* 0: the slot is free. */
    int64_t price_ticks;
    int64_t lots;
    int32_t level;
    int32_t next; /* Later in the queue; or the next free slot. */
    int32_t previous;
    int32_t owner_next;
    int32_t owner_previous;
    int32_t owner;
    int32_t instrument;
    int32_t group;
    int32_t side;
    int32_t reserved;
} order_node;

typedef struct {
    int64_t price_ticks;
    int64_t lots;
    int32_t first;
    int32_t last;
    int32_t better;
    int32_t worse; /* Or the next free level. */
} level_node;

typedef struct {
    int64_t change_id;
    int32_t best[2];
    int32_t order_count[2];
    int32_t is_dirty;
    int32_t reserved;
} instrument_node;

typedef struct {
    int32_t newest;
    int32_t order_count;
} owner_node;

struct hr_book {
    int64_t magic;
    hr_book_params params;
    int64_t order_sequence;
    int64_t change_sequence;
    int64_t event_sequence;
    int64_t event_first; /* Position of the oldest event waiting. */
    int64_t event_count;
    int64_t dirty_count;
    int32_t free_order;
    int32_t free_level;
    order_node *orders;
    level_node *levels;
    instrument_node *instruments;
    owner_node *owners;
    int32_t *quotes; /* [group][instrument][side] -> slot */
    int32_t *group_owners;
    hr_book_event *events;
    int32_t *dirty;
};

/* Returns whether a price on `side` (of the taker) reaches a resting price. */
static inline int book_reaches(int32_t side, int64_t limit_ticks, int64_t resting_ticks) {
    return side == HR_BOOK_BUY ? limit_ticks >= resting_ticks : limit_ticks <= resting_ticks;
}

static inline int64_t book_next_id(hr_book *book, int32_t slot) {
    book->order_sequence += 1;
    return (book->order_sequence << HR_BOOK_SLOT_BITS) | (int64_t)slot;
}

int book_is_valid(const hr_book *book);
/* Returns the slot of a live order, or HR_BOOK_NONE. */
int32_t book_find(const hr_book *book, int64_t order_id);
int32_t *book_quote_slot(const hr_book *book, int32_t group, int32_t instrument, int32_t side);
void book_touch(hr_book *book, int32_t instrument);
/* Takes a free slot (there must be one) and files it under its owner and group. */
int32_t book_slot_take(hr_book *book, int32_t owner, int32_t group, int32_t instrument,
                       int32_t side);
void book_slot_free(hr_book *book, int32_t slot);
/* Puts a slot's order at the end of the queue of its price; its lots must be set. */
void book_rest(hr_book *book, int32_t slot);
/* Takes a slot's order out of its queue; the slot stays taken. */
void book_lift(hr_book *book, int32_t slot);
void book_view(const hr_book *book, int32_t slot, hr_book_order *order_out);
hr_book_event *book_event_push(hr_book *book);

#endif
