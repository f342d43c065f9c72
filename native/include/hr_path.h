/* hr_path.h: a tick's whole way, from datagram bytes to quote bytes, without one system call.
 *
 * A path owns the feed, an engine for each underlying, the FIX lane and the rings around them, all
 * in memory of the caller's. Two threads meet in it and nowhere else: the data plane (the thread
 * of hr_loop, or a test) hands it bytes and times and sends what it leaves to be sent; the control
 * plane (Python) puts whole blocks, sends commands, and takes records and messages. The same bytes
 * at the same times give the same output.
 *
 * What cannot be recorded may not be done: quotes go out only while the record ring has room for
 * what they may cause; with less, everything is pulled.
 */
#ifndef HR_PATH_H
#define HR_PATH_H

#include "hedgerow.h"
#include "hr_engine.h"
#include "hr_gate.h"

/* cdef: begin */
#define HR_PATH_UNDERLYINGS_MAX 4
#define HR_PATH_NAME_BYTES 48  /* With the NUL that ends it. */
#define HR_PATH_BODY_BYTES 512 /* Of a FIX message that Python words. */
#define HR_PATH_RAW_BYTES 2048 /* Of a FIX message that Python reads. */
#define HR_PATH_IN_FLIGHT_MAX 64
#define HR_HISTOGRAM_BUCKETS 1024

/* Where the quotes of an underlying stand. */
#define HR_PHASE_DOWN 0     /* No FIX session: cancel-on-disconnect has taken every quote. */
#define HR_PHASE_CLEARING 1 /* A QuoteCancel is on its way, or must be sent again. */
#define HR_PHASE_CLEAR 2    /* Nothing rests. Python may set protection, then start. */
#define HR_PHASE_QUOTING 3

/* Why quotes were pulled: HR_GATE_ reasons below 32, and these. */
#define HR_PULL_ASKED 32      /* Python's word: drain, a new session. */
#define HR_PULL_FEED 33       /* The multicast events were silent too long. */
#define HR_PULL_RECORDS 34    /* The record ring is nearly full: nobody drains it. */
#define HR_PULL_UNANSWERED 35 /* A request got no answer in time. */
#define HR_PULL_SESSION 36    /* A gap in the inbound sequence, or bytes that are no FIX. */
#define HR_PULL_EXPOSED 37    /* The market outran the quotes. */
#define HR_PULL_TRIPPED 38    /* The venue's protection. Stopped until Python starts it anew. */
#define HR_PULL_FAILED 39     /* The venue refused a whole request. */
#define HR_PULL_SEND 40       /* The socket did not take the bytes in time. */

/* Commands, each with the fields it reads; `underlying` wherever one is meant. */
#define HR_COMMAND_UNDERLYING 1 /* name: currency; text: index name; body: MMP group. First. */
#define HR_COMMAND_INSTRUMENT 2 /* slot, instrument_id, name, instrument, flag: tradable. */
#define HR_COMMAND_RELEASE 3    /* slot: delisted, free for another. */
#define HR_COMMAND_TRADABLE 4   /* slot, flag. */
#define HR_COMMAND_FILL 5       /* slot, lots (signed), ticks, text: trade id or none; flag: old. */
#define HR_COMMAND_SEEN 6       /* text: trade id that is counted elsewhere. */
#define HR_COMMAND_HEDGE 7      /* amount: signed USD of inverse futures held. */
#define HR_COMMAND_HALT 8       /* flag: 1 halts (pulls at once), 0 resumes. */
#define HR_COMMAND_REARM 9      /* Opens the latches of executions. */
#define HR_COMMAND_RATES 10     /* budget; lots: messages a second, number: of them reserved. */
#define HR_COMMAND_START 11     /* Protection is set or reset: quote. Refused while too early. */
#define HR_COMMAND_STOP 12      /* Pulls and stays clear; code: HR_PULL_ reason. */
#define HR_COMMAND_LOGGED_ON 13 /* flag: 1 logged on (clears first, then may quote), 0 not. */
#define HR_COMMAND_SEND 14      /* name: FIX MsgType; body: fields, each ended by SOH; flag, */
                                /* number: HR_SEND_. */
#define HR_COMMAND_LATCH 15     /* slot (HR_LATCH_SLOT_ALL: of all), flag: side. A former life's. */
#define HR_COMMAND_KINDS 16

#define HR_SEND_NEXT 0     /* Under the next number. */
#define HR_SEND_AGAIN 1    /* As `number`, with PossDup; */
#define HR_SEND_GAP_FILL 2 /* and the body, which ends in 36=, is ended by the next number. */

typedef struct {
    int32_t kind; /* HR_COMMAND_ */
    int32_t underlying;
    int32_t flag;
    int32_t code;
    int64_t slot;
    int64_t instrument_id;
    int64_t lots;
    int64_t ticks;
    int64_t number;
    int64_t ns;
    double amount;
    hr_gate_budget budget;
    hr_engine_instrument instrument;
    char name[HR_PATH_NAME_BYTES];
    char text[HR_PATH_NAME_BYTES];
    char body[HR_PATH_BODY_BYTES];
} hr_command;

/* Records. */
#define HR_RECORD_QUOTE 1 /* A quote was sent: ticks, lots, is_moved, reasons, theo, request. */
#define HR_RECORD_PULL 2  /* QuoteCancel was sent; code: why; count: instruments quoted. */
#define HR_RECORD_CLEAR 3 /* The venue confirmed: nothing rests. code: why it was pulled. */
#define HR_RECORD_ANSWER                                                                           \
    4 /* MassQuoteAck: request; number: when it was sent; count: entries; code. */
#define HR_RECORD_SIDE 5     /* A side rests no more: slot, is_moved[side], code: venue's error. */
#define HR_RECORD_FILL 6     /* slot, lots[0] signed, ticks[0], text: trade id. */
#define HR_RECORD_TRIP 7     /* The venue's protection tripped. */
#define HR_RECORD_PHASE 8    /* code: the new HR_PHASE_; count: blocked reason. */
#define HR_RECORD_FEED 9     /* code: HR_FEED_ event; instrument_id, count. */
#define HR_RECORD_SESSION 10 /* code: HR_SESSION_; count: sequence expected; number: got. */
#define HR_RECORD_COMMAND 11 /* A command was refused; code: hr_status; count: its kind. */
#define HR_RECORD_PASS 12    /* An index pass: count: candidates; lots: quotable, two-sided. */
#define HR_RECORD_LATCH 13   /* A latch closed: slot (HR_LATCH_SLOT_ALL: of all), is_moved[side]. */
#define HR_RECORD_KINDS 14

#define HR_SESSION_CONNECTED 1
#define HR_SESSION_LOST 2 /* The connection is closed. */
#define HR_SESSION_GAP 3  /* Inbound messages are missing: Python asks for a resend. */
#define HR_SESSION_GAP_FILLED 4
#define HR_SESSION_GARBLED 5      /* Bytes that are no FIX, or a checksum that is wrong. */
#define HR_SESSION_SEQUENCE_LOW 6 /* A sequence number below the one expected, not PossDup. */
#define HR_SESSION_REJECT 7       /* The venue rejected a message of ours. */

/* Stamps are desk time in ns; 0: that stage was not passed. Reading the clock is a twentieth of a
 * book tick, so what is one moment is read once: the gate is asked within the decision (gated is
 * decided), and only an index values before it (for a book tick, valued is decoded). Versions are
 * those that the decision was made with. */
typedef struct {
    int64_t sequence; /* +1 each: a number missing is a record lost. */
    int64_t received_ns;
    int64_t decoded_ns;
    int64_t valued_ns;
    int64_t decided_ns;
    int64_t gated_ns;
    int64_t sent_ns;
    int64_t surface_version;
    int64_t policy_version;
    int64_t limits_version;
    int64_t lease_expires_ns;
    int64_t feed_change_id; /* Of a quote: the version of its book, decided with. */
    int64_t slot;           /* -1: none. */
    int64_t instrument_id;
    int64_t request;
    int64_t count;
    int64_t number;
    int64_t ticks[2];
    int64_t lots[2];
    double theo_coin;
    int32_t kind;
    int32_t underlying; /* -1: none. */
    int32_t is_moved[2];
    int32_t reasons[2];
    int32_t code;
    int32_t flags;
    char text[HR_PATH_NAME_BYTES];
} hr_record;

/* A FIX message for Python: session messages and what is not the loop's. */
typedef struct {
    int64_t received_ns;
    int64_t sequence; /* MsgSeqNum. */
    int32_t bytes;
    int32_t is_cut; /* Longer than there was room for. */
    char raw[HR_PATH_RAW_BYTES];
} hr_path_message;

typedef struct {
    int64_t underlying_count;
    int64_t slot_count;      /* Options an underlying. */
    int64_t record_capacity; /* Powers of two. */
    int64_t command_capacity;
    int64_t message_capacity;
    int64_t in_flight_max;   /* Mass quotes without an answer, an underlying. */
    int64_t feed_silence_ns; /* Events silent for so long: pull. */
    int64_t answer_ns_max;   /* A request unanswered for so long: pull. */
    int64_t retry_ns;        /* Between attempts at a cancel. */
    int64_t refused_hold_ns; /* Before a refused side is tried again. */
    int64_t failed_hold_ns;  /* Before quoting after a request that failed whole. */
    int64_t decide_ns;       /* A whole pass at least so often. */
    int64_t exposed_max;     /* Quotes at a loss that found no budget: pull. */
    int32_t is_recording_passes;
    int32_t reserved;
    char sender[HR_PATH_NAME_BYTES]; /* SenderCompID and TargetCompID of ours. */
    char target[HR_PATH_NAME_BYTES];
} hr_path_config;

typedef struct {
    int32_t phase;
    int32_t blocked_reason; /* HR_GATE_ */
    int32_t pull_reason;    /* The last one. */
    int32_t is_started;
    int64_t quotes_sent;    /* Sides that moved. */
    int64_t quotes_refused; /* By the gate. */
    int64_t sides_rejected; /* By the venue. */
    int64_t pulls;
    int64_t trips;
    int64_t fills;
    int64_t requests;
    int64_t in_flight;
    int64_t quoted_ns; /* Time of the newest quote. */
    int64_t index_ns;
    double index_usd;
    hr_engine_pass pass; /* The last whole one. */
    hr_engine_risk risk;
} hr_path_underlying;

typedef struct {
    int64_t now_ns;
    int64_t datagrams;
    int64_t feed_messages;
    int64_t feed_gaps;
    int64_t feed_refused;      /* Packets or messages that could not be decoded. */
    int64_t feed_unknown;      /* Messages of instruments that nobody registered. */
    int64_t stale_instruments; /* Now. */
    int64_t stream_bytes_in;
    int64_t stream_bytes_out;
    int64_t records;
    int64_t records_lost;
    int64_t messages_lost; /* For Python, and the ring was full. */
    int64_t commands;
    int64_t commands_refused;
    int64_t blocks; /* Taken. */
    int64_t index_passes;
    int64_t book_decisions;
    int64_t trades_doubled; /* Fills that were known. */
    int64_t next_out;       /* FIX sequence numbers. */
    int64_t next_in;
    int64_t event_ns; /* Newest multicast event. */
    hr_path_underlying underlyings[HR_PATH_UNDERLYINGS_MAX];
    int64_t tick_to_quote[HR_HISTOGRAM_BUCKETS]; /* Received to sent, ns. */
} hr_path_stats;

typedef struct hr_path hr_path;

/* Returns the bytes a path of this configuration needs; 0 if it cannot be. */
int64_t hr_path_size(const hr_path_config *config);

/* Makes a path in memory, 64-byte aligned. Before either thread starts. */
hr_status hr_path_init(void *memory, int64_t bytes, const hr_path_config *config,
                       hr_path **path_out);

/* Control plane, one thread. Whole blocks; the newest counts, taken before the next tick. */
hr_status hr_path_put_surface(hr_path *path, int32_t underlying, const hr_engine_surface *surface);
hr_status hr_path_put_policy(hr_path *path, int32_t underlying, const hr_engine_policy *policy);
hr_status hr_path_put_limits(hr_path *path, int32_t underlying, const hr_gate_limits *limits);
hr_status hr_path_put_lease(hr_path *path, int32_t underlying, int32_t state, int64_t expires_ns);
/* Control plane. HR_ERR_FULL: try again. A refused command comes back as a record. */
hr_status hr_path_command(hr_path *path, const hr_command *command);
/* Control plane. Takes at most `count_max`, oldest first; returns how many. */
int64_t hr_path_take_records(hr_path *path, hr_record *records_out, int64_t count_max);
/* Control plane. Returns how many records were published, ever, that somebody waits for: all but
 * quotes, answers, the feed's and passes. */
int64_t hr_path_urgent_count(const hr_path *path);
int64_t hr_path_take_messages(hr_path *path, hr_path_message *messages_out, int64_t count_max);
/* Control plane. The newest stats that the data plane has published; HR_ERR_NOT_FOUND: none yet. */
hr_status hr_path_read_stats(hr_path *path, hr_path_stats *stats_out);

/* Data plane, one thread. `clock` gives the stamps between; NULL: all are `now_ns`. */
typedef int64_t (*hr_path_clock)(void *context);
hr_status hr_path_set_clock(hr_path *path, hr_path_clock clock, void *context);
/* A datagram of the event or (is_snapshot) snapshot channels. */
hr_status hr_path_on_datagram(hr_path *path, int32_t is_snapshot, const uint8_t *bytes,
                              int64_t byte_count, int64_t now_ns);
/* Bytes of the FIX connection, in any pieces. */
hr_status hr_path_on_stream(hr_path *path, const uint8_t *bytes, int64_t byte_count,
                            int64_t now_ns);
/* There is a new FIX connection: both sequences start at 1. */
hr_status hr_path_on_connected(hr_path *path, int64_t now_ns);
/* The FIX connection is gone. */
hr_status hr_path_on_lost(hr_path *path, int64_t now_ns);
/* Time has passed: blocks, commands, ages, time-outs. At least every 50 ms. */
hr_status hr_path_on_time(hr_path *path, int64_t now_ns);
/* What is to be sent on the FIX connection, oldest byte first; returns how many bytes. */
int64_t hr_path_output(const hr_path *path, const uint8_t **bytes_out);
/* So many of these bytes were sent. Records of what is sent whole are published. */
hr_status hr_path_on_sent(hr_path *path, int64_t byte_count, int64_t now_ns);
/* Copies the counters for the control plane. */
void hr_path_publish_stats(hr_path *path, int64_t now_ns);

/* Returns the bucket of a time in ns, and the least time of a bucket: 32 buckets an octave. */
int64_t hr_histogram_bucket(int64_t ns);
int64_t hr_histogram_least_ns(int64_t bucket);
/* cdef: end */

_Static_assert(sizeof(hr_command) == 800, "hr_command crosses: no padding");
_Static_assert(sizeof(hr_record) == 256, "hr_record crosses: no padding");
_Static_assert(sizeof(hr_path_message) == 2072, "hr_path_message crosses: no padding");
_Static_assert(sizeof(hr_path_config) == 208, "hr_path_config crosses: no padding");

#endif
