/* hr_path_state.h: what a path remembers; private to the hr_path*.c files. */
#ifndef HR_PATH_STATE_H
#define HR_PATH_STATE_H

#include "hr_feed.h"
#include "hr_fix.h"
#include "hr_path.h"
#include "hr_ring.h"
#include "hr_swap.h"
#include "hr_trades.h"

#include <stdatomic.h>
#include <stddef.h>

#define HR_PATH_MAGIC 0x48525041u /* "HRPA" */
#define HR_PATH_OUT_BYTES 262144
#define HR_PATH_RECORDS_MIN 4096
/* Kinds of records that nobody waits for, by their bits. */
#define HR_PATH_PATIENT                                                                            \
    (1 << HR_RECORD_QUOTE | 1 << HR_RECORD_ANSWER | 1 << HR_RECORD_FEED | 1 << HR_RECORD_PASS)
#define HR_PATH_REQUESTS 256 /* Remembered requests; a power of two. */

/* An option of ours, by handle: underlying times slot_count plus slot. */
typedef struct {
    hr_fix_instrument form;
    hr_engine_instrument spec;
    uint64_t name_hash; /* 0: nothing is registered here. */
    int64_t instrument_id;
    int64_t newest[2];   /* Request that last moved a side. */
    int64_t change_id;   /* Of the book. */
    int64_t touched;     /* Number of the datagram that last touched it. */
    int32_t is_tradable; /* As the control plane says, */
    int32_t is_open;     /* as the venue's ticker says, */
    int32_t is_fresh;    /* and as the feed says. All three, or nothing is quoted. */
    int32_t is_quotable; /* What the engine was told. */
} hr_path_option;

typedef struct {
    int64_t id; /* 0: free. */
    int64_t sent_ns;
    int32_t underlying;
    int32_t reserved;
} hr_path_request;

typedef struct {
    int32_t state;
    int32_t reserved;
    int64_t expires_ns;
} hr_path_lease;

typedef struct {
    hr_engine *engine;
    hr_swap *surface; /* Written by the control plane. */
    hr_swap *policy;
    hr_swap *limits;
    hr_swap *lease;
    hr_fix_quote_form form;
    hr_path_underlying shown; /* Counters and phase. */
    char name[HR_PATH_NAME_BYTES];
    int64_t surface_version;
    int64_t policy_version;
    int64_t limits_version;
    int64_t lease_expires_ns;
    int64_t cancel_id;  /* The QuoteCancel that has no answer yet; 0: none. */
    int64_t cancel_ns;  /* When it may be sent again. */
    int64_t hold_ns;    /* No quoting before. */
    int64_t decided_ns; /* The last whole pass. */
    int32_t is_used;
    int32_t is_started;
    int32_t is_index_moved;
    int32_t has_more; /* A decision waits: for budget, for room, or since a block came. */
} hr_path_book;

/* The quotes of the newest request, whose records are not written yet: its bytes go first. */
typedef struct {
    const hr_engine_decision *decisions;
    int64_t count;
    int64_t request;
    int64_t decided_ns;
    int32_t underlying;
    int32_t reserved;
} hr_path_unsettled;

struct hr_path {
    uint64_t magic;
    hr_path_config config;
    hr_path_clock clock;
    void *clock_context;
    hr_feed *feed;
    hr_ring *records;
    hr_ring *commands;
    hr_ring *messages;
    hr_swap *stats_swap;
    hr_path_option *options; /* (underlyings * slot_count) */
    int32_t *by_name;        /* Hash table of handles + 1. */
    int64_t names_capacity;
    hr_trades *trades;
    hr_feed_event *events;         /* Scratch of one datagram, */
    int32_t *touched;              /* the options it touched, */
    hr_engine_decision *decisions; /* and of one pass. */
    unsigned char *out;
    int64_t out_begin;
    int64_t out_end;
    int64_t urgent_count;    /* Records, ever, that somebody waits for. */
    int64_t pending_records; /* Claimed, and published with what they wait to be sent. */
    hr_path_unsettled unsettled;
    int64_t touched_count;
    int64_t datagram_number;
    int64_t request_id;
    int64_t event_ns;
    int64_t received_ns; /* Of the input being handled. */
    int64_t decoded_ns;
    int64_t valued_ns;
    int64_t stalled_ns; /* Since when bytes wait for the socket; 0: none do. */
    int64_t news_seen;
    int32_t is_connected;
    int32_t is_logged_on;
    int32_t is_behind; /* Inbound messages are missing. */
    int32_t is_broken; /* The session must end: Python closes it. */
    hr_fix_lane lane;
    hr_fix_stream stream;
    hr_gate_budget budget; /* The account's credits at the venue, */
    hr_gate_rate rate;     /* and our own bound on messages. */
    hr_path_book books[HR_PATH_UNDERLYINGS_MAX];
    hr_path_request requests[HR_PATH_REQUESTS];
    hr_path_stats stats;
    hr_record lost; /* Where a record goes that the ring has no room for. */
    unsigned char apart[128];
    _Atomic int64_t news; /* Blocks and commands put, ever. */
    unsigned char apart_again[128];
    _Atomic int64_t urgent_published; /* Of urgent_count, those that can be taken. */
};

static inline int64_t hr_path_now(const hr_path *path, int64_t now_ns) {
    return path->clock != NULL ? path->clock(path->clock_context) : now_ns;
}

/* Writes the records of what is unsettled (hr_path_send.c). */
void hr_path_settle(hr_path *path);

/* Begins with an input; `received_ns`: of a datagram, else 0. */
static inline void hr_path_begin(hr_path *path, int64_t received_ns) {
    if (path->unsettled.count > 0) {
        hr_path_settle(path); /* By the stamps of its own input. */
    }
    path->received_ns = received_ns;
    path->decoded_ns = path->valued_ns = 0;
}

/* Says whether the ring has room for so many records more. */
static inline int hr_path_has_room(hr_path *path, int64_t count) {
    return hr_ring_claim(path->records, path->pending_records + path->unsettled.count + count) !=
           NULL;
}

static inline int64_t hr_path_handle(const hr_path *path, int32_t underlying, int64_t slot) {
    return (int64_t)underlying * path->config.slot_count + slot;
}

typedef struct {
    int64_t slot;
    int32_t underlying;
    int32_t reserved;
} hr_path_place;

/* The other way round; a division takes longer than a few underlyings. */
static inline hr_path_place hr_path_place_of(const hr_path *path, int64_t handle) {
    hr_path_place place = {.slot = handle};
    while (place.slot >= path->config.slot_count) {
        place.slot -= path->config.slot_count;
        place.underlying++;
    }
    return place;
}

/* Commands and blocks (hr_path_commands.c). Looks for news; one load when there are none. */
void hr_path_take_news(hr_path *path, int64_t now_ns);
/* Tells the engine whether an option may be quoted, where that changed. */
void hr_path_update_option(hr_path *path, int64_t handle);
/* Returns the handle of a name, or -1. */
int64_t hr_path_find_name(const hr_path *path, const uint8_t *name, int64_t count);

/* Records and bytes out (hr_path_send.c). */
/* Claims a record, zeroed and stamped, that is published with the bytes that wait; NULL: full. */
hr_record *hr_path_record(hr_path *path, int32_t kind, int32_t underlying);
/* Publishes what waits for no bytes. */
void hr_path_publish(hr_path *path);
void hr_path_note(hr_path *path, int32_t kind, int32_t underlying, int32_t code, int64_t count);
void hr_path_enter(hr_path *path, int32_t underlying, int32_t phase);
/* Sends the decisions of one pass as mass quotes. */
void hr_path_quote(hr_path *path, int32_t underlying, const hr_engine_decision *decisions,
                   int64_t count, int64_t now_ns);
/* Cancels every quote of an underlying, if any can rest. */
void hr_path_pull(hr_path *path, int32_t underlying, int32_t reason, int64_t now_ns);
void hr_path_pull_all(hr_path *path, int32_t reason, int64_t now_ns);
/* Sends the QuoteCancel of an underlying that is clearing. */
void hr_path_cancel(hr_path *path, int32_t underlying, int64_t now_ns);
/* Returns how many quotes may be sent now. */
int64_t hr_path_capacity(hr_path *path, int32_t underlying, int64_t now_ns);
/* Sends a message that Python worded. */
hr_status hr_path_send_body(hr_path *path, const hr_command *command, int64_t now_ns);

/* Decisions (hr_path_decide.c). */
void hr_path_decide(hr_path *path, int32_t underlying, int64_t now_ns);
void hr_path_decide_touched(hr_path *path, int64_t now_ns);
/* Takes an underlying one step on: pulls, cancels again, starts. */
void hr_path_step(hr_path *path, int32_t underlying, int64_t now_ns);

/* What rests no more (hr_path_fill.c). A fill, from FIX or from a command; 0: it was known. */
int hr_path_fill(hr_path *path, int64_t handle, int64_t signed_lots, int64_t ticks,
                 const uint8_t *trade_id, int64_t trade_id_bytes, int32_t is_old, int64_t now_ns);
/* Nothing of an underlying is in flight or rests any more. */
void hr_path_forget(hr_path *path, int32_t underlying);

/* Handles a message that is in sequence (hr_path_answer.c). */
void hr_path_take_message(hr_path *path, const hr_fix_message *message, int64_t now_ns);

#endif
