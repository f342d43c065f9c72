/* hr_fix.h: FIX 4.4 as the venue speaks it: framing, one connection's sequence, bytes out and in.
 *
 * Pure functions over the caller's memory. Texts that come out point into the message's bytes and
 * live as long as they do. Prices and sizes are decimals on the wire and whole ticks and lots here:
 * an instrument says how many contracts a lot is (options of BTC and ETH: a contract is one coin,
 * so the lots are 0.1 and 1). Nothing passes through a floating number.
 */
#ifndef HR_FIX_H
#define HR_FIX_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_FIX_MESSAGE_BYTES_MAX 65536 /* The answer to 100 quotes has 22 KiB. */
#define HR_FIX_STREAM_BYTES_MIN 131072
#define HR_FIX_QUOTES_MAX 100
#define HR_FIX_NAME_BYTES_MAX 64   /* Of an instrument, a group, a client's order id, a label. */
#define HR_FIX_PARTY_BYTES_MAX 32  /* SenderCompID and TargetCompID. */
#define HR_FIX_BODY_BYTES_MAX 8192 /* Of a message that comes as a body: admin. */
#define HR_FIX_COUNT_MAX 1000000000000 /* Ticks or lots. */
#define HR_FIX_MANTISSA_MAX 1000000    /* Of a tick or a lot. */
#define HR_FIX_OUT_BYTES_MAX 24576     /* Room for any message that is encoded here. */

#define HR_FIX_BID 0
#define HR_FIX_ASK 1

/* MsgType, its first byte low, a second above it. */
#define HR_FIX_HEARTBEAT 48           /* 0 */
#define HR_FIX_TEST_REQUEST 49        /* 1 */
#define HR_FIX_RESEND_REQUEST 50      /* 2 */
#define HR_FIX_REJECT 51              /* 3 */
#define HR_FIX_SEQUENCE_RESET 52      /* 4 */
#define HR_FIX_LOGOUT 53              /* 5 */
#define HR_FIX_NEW_ORDER 68           /* D */
#define HR_FIX_CANCEL_ORDER 70        /* F */
#define HR_FIX_REPLACE_ORDER 71       /* G */
#define HR_FIX_QUOTE_CANCEL 90        /* Z */
#define HR_FIX_MASS_QUOTE 105         /* i */
#define HR_FIX_EXECUTION_REPORT 56    /* 8 */
#define HR_FIX_CANCEL_REJECT 57       /* 9 */
#define HR_FIX_LOGON 65               /* A */
#define HR_FIX_MASS_QUOTE_ACK 98      /* b */
#define HR_FIX_BUSINESS_REJECT 106    /* j */
#define HR_FIX_MASS_CANCEL_REPORT 114 /* r */

/* What a lane says to a message that came in. */
#define HR_FIX_ACCEPTED 0   /* In order; counted. */
#define HR_FIX_GAP 1        /* Something before it is missing: not counted, ask for a resend. */
#define HR_FIX_REPEATED 2   /* Seen before and marked PossDup: to be ignored. */
#define HR_FIX_TOO_LOW 3    /* Seen before and not marked: the session must end. */
#define HR_FIX_WRONG_PEER 4 /* Somebody else's CompIDs: the session must end. */
#define HR_FIX_INCOMPLETE 5 /* No MsgSeqNum, or a reset without NewSeqNo: the session must end. */
#define HR_FIX_BAD_RESET 6  /* A SequenceReset that would go back: to be rejected. */

/* ExecInst of a quote or an order. */
#define HR_FIX_MAY_TAKE 0
#define HR_FIX_POST_ONLY 1    /* 6: moved away where it would trade. */
#define HR_FIX_POST_OR_FAIL 2 /* 6A: refused where it would trade. */
#define HR_FIX_REDUCE_ONLY 4  /* E, beside the others. */

#define HR_FIX_GTC 1 /* TimeInForce (59). */
#define HR_FIX_IOC 3
#define HR_FIX_FOK 4

/* QuoteCancelType (298). */
#define HR_FIX_CANCEL_SYMBOL 1
#define HR_FIX_CANCEL_KIND 2
#define HR_FIX_CANCEL_ALL 4
#define HR_FIX_CANCEL_CURRENCY 5
#define HR_FIX_CANCEL_SET 6

/* QuoteEntryType (9020). */
#define HR_FIX_ENTRY_ORDER 0
#define HR_FIX_ENTRY_TRADE 1
#define HR_FIX_ENTRY_ERROR 2

typedef struct {
    const uint8_t *bytes; /* NULL: the field is absent. */
    int64_t count;
} hr_fix_text;

/* mantissa * 10^exponent, exponent in [-18, 0]. */
typedef struct {
    int64_t mantissa;
    int32_t exponent;
    int32_t is_present;
} hr_fix_decimal;

/* ---- framing ----------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *bytes; /* From 8= to the SOH that ends the checksum. */
    const uint8_t *body;  /* The first field that is none of the header's. */
    int64_t count;
    int64_t body_count;       /* Without the checksum. */
    int64_t sequence;         /* 34; 0: absent. */
    int64_t new_sequence;     /* 36 of a SequenceReset; 0: absent. */
    hr_fix_text sender;       /* 49 */
    hr_fix_text target;       /* 56 */
    hr_fix_text sending_time; /* 52 */
    int32_t type;
    int32_t is_duplicate; /* 43=Y */
    int32_t is_gap_fill;  /* 123=Y of a SequenceReset. */
    int32_t is_reset;     /* 141=Y of a Logon. */
} hr_fix_message;

/* Bytes of one connection, in the order in which they came. */
typedef struct {
    uint8_t *memory;
    int64_t capacity;
    int64_t begin;
    int64_t end;
    int64_t message_count;
    int64_t garbled_count; /* Stretches that were no message, skipped to the next 8=FIX.4.4. */
    int64_t garbled_bytes;
} hr_fix_stream;

/* Makes an empty stream over memory of at least HR_FIX_STREAM_BYTES_MIN bytes. */
hr_status hr_fix_stream_init(hr_fix_stream *stream, uint8_t *memory, int64_t capacity);
/* Returns how many bytes may be written at `room_out`, at least HR_FIX_MESSAGE_BYTES_MAX after
 * hr_fix_stream_next has found nothing more; messages handed out before are overwritten. */
int64_t hr_fix_stream_room(hr_fix_stream *stream, uint8_t **room_out);
/* Says that so many bytes were written there. */
hr_status hr_fix_stream_grow(hr_fix_stream *stream, int64_t count);
/* Both, for bytes that lie elsewhere. HR_ERR_FULL, and nothing done, where there is no room. */
hr_status hr_fix_stream_push(hr_fix_stream *stream, const uint8_t *bytes, int64_t count);
/* Takes the next message, its BodyLength and CheckSum verified. HR_ERR_NOT_FOUND: more bytes are
 * needed. Garbled ones are skipped and counted. */
hr_status hr_fix_stream_next(hr_fix_stream *stream, hr_fix_message *message_out);

/* ---- one connection's sequence ----------------------------------------------------------- */

/* A number that mostly grows by one, and its digits: to write the next changes one of them. */
typedef struct {
    uint64_t number;
    uint64_t digits; /* The first in the lowest byte. */
    int64_t shift;   /* To the last. */
} hr_fix_counter;

typedef struct {
    int64_t next_out; /* MsgSeqNum of the next message out, from 1. */
    int64_t next_in;  /* And of the next one in. */
    int64_t gap_end;  /* Highest number seen behind a gap; caught up when next_in is past it. */
    int64_t accepted_count;
    int64_t repeated_count;
    int64_t second; /* What `stamp` says, since 1970; -1: nothing yet. */
    int32_t sender_count;
    int32_t target_count;
    int32_t header_count;
    int32_t reserved;
    uint8_t sender[HR_FIX_PARTY_BYTES_MAX];
    uint8_t target[HR_FIX_PARTY_BYTES_MAX];
    uint8_t header[88]; /* 49=...|56=...|34= */
    uint8_t stamp[24];  /* YYYYMMDD-HH:MM:SS. */
    hr_fix_counter sequence;
    hr_fix_counter quote_id;
} hr_fix_lane;

/* Begins a lane at sequence 1 both ways; `sender` is us. */
hr_status hr_fix_lane_init(hr_fix_lane *lane, const uint8_t *sender, int64_t sender_count,
                           const uint8_t *target, int64_t target_count);
/* Judges a message that came in and moves next_in on: HR_FIX_ACCEPTED and the others. A Logon with
 * ResetSeqNumFlag and a SequenceReset are obeyed here; what they and all other session messages ask
 * for is the session's. */
int32_t hr_fix_lane_accept(hr_fix_lane *lane, const hr_fix_message *message);
/* Returns 1 while messages before one that has been seen are missing: nothing may be quoted. */
int32_t hr_fix_lane_is_behind(const hr_fix_lane *lane);

/* ---- bytes out --------------------------------------------------------------------------- */

/* An instrument as it is written: its units and what is constant of its fields. */
typedef struct {
    int64_t tick_mantissa; /* A tick is mantissa * 10^exponent: 1, -4. */
    int64_t lot_mantissa;  /* And a lot, in contracts. */
    int32_t tick_exponent; /* [-12, 0] */
    int32_t lot_exponent;
    int32_t entry_id;    /* QuoteEntryID of its quotes. */
    int32_t entry_count; /* Bytes of `entry`. */
    int32_t name_offset; /* Of the name in it. */
    int32_t name_count;
    uint8_t entry[88]; /* 299=...|55=...| */
} hr_fix_instrument;

/* What is constant of an underlying's mass quotes. */
typedef struct {
    int32_t head_count;
    int32_t tail_count;
    uint8_t head[152]; /* |9019=...|296=1|302=...|304= */
    uint8_t tail[8];   /* 18=...| after each quote, or nothing. */
} hr_fix_quote_form;

typedef struct {
    const hr_fix_instrument *instrument;
    int64_t ticks[2]; /* Bid, ask; not read of a side that has no lots. */
    int64_t lots[2];  /* 0 cancels a side; -1 leaves it out: it stays as it rests. */
} hr_fix_quote;

typedef struct {
    const hr_fix_instrument *instrument;
    hr_fix_text client_id; /* ClOrdID; of a cancel or replace, absent: by order id alone. */
    hr_fix_text order_id;  /* OrigClOrdID of a cancel or replace: the venue's order id. */
    hr_fix_text label;     /* DeribitLabel, absent or of a new order. */
    int64_t price_ticks;
    int64_t lots;
    int32_t side;
    int32_t time_in_force; /* HR_FIX_GTC */
    int32_t execution;     /* HR_FIX_POST_ONLY and the others. */
    int32_t reserved;
} hr_fix_order;

typedef struct {
    hr_fix_text scope;  /* Symbol, SecurityType, Currency or QuoteSetID, as `type` needs. */
    int64_t message_id; /* QuoteMsgID; comes back as ClOrdID of the answer. */
    int32_t type;
    int32_t is_freezing; /* 1: quotes are refused for a second after. */
} hr_fix_quote_cancel;

hr_status hr_fix_instrument_init(hr_fix_instrument *instrument, const uint8_t *name,
                                 int64_t name_count, int32_t entry_id, int64_t tick_mantissa,
                                 int32_t tick_exponent, int64_t lot_mantissa, int32_t lot_exponent);
hr_status hr_fix_quote_form_init(hr_fix_quote_form *form, const uint8_t *group, int64_t group_count,
                                 const uint8_t *set, int64_t set_count, int32_t execution);

/* Each writes one whole message at `out`, and takes the lane's next MsgSeqNum if it succeeds.
 * `now_ns` is the time of day in UTC since 1970. HR_ERR_FULL, and nothing done, where the longest
 * message of its kind would not fit; HR_ERR_DOMAIN for ticks or lots that are out of range. */
hr_status hr_fix_encode_mass_quote(hr_fix_lane *lane, const hr_fix_quote_form *form,
                                   int64_t quote_id, const hr_fix_quote *quotes, int64_t count,
                                   int64_t now_ns, uint8_t *out, int64_t capacity,
                                   int64_t *count_out);
hr_status hr_fix_encode_quote_cancel(hr_fix_lane *lane, const hr_fix_quote_cancel *cancel,
                                     int64_t now_ns, uint8_t *out, int64_t capacity,
                                     int64_t *count_out);
hr_status hr_fix_encode_order(hr_fix_lane *lane, const hr_fix_order *order, int64_t now_ns,
                              uint8_t *out, int64_t capacity, int64_t *count_out);
hr_status hr_fix_encode_cancel(hr_fix_lane *lane, const hr_fix_order *order, int64_t now_ns,
                               uint8_t *out, int64_t capacity, int64_t *count_out);
hr_status hr_fix_encode_replace(hr_fix_lane *lane, const hr_fix_order *order, int64_t now_ns,
                                uint8_t *out, int64_t capacity, int64_t *count_out);
/* Writes a message of any type around a body of whole fields, each ended by SOH. `sequence` 0 takes
 * the lane's next; one that was used is written again with PossDup and OrigSendingTime, and the
 * lane stays: the answer to a ResendRequest. */
hr_status hr_fix_encode_body(hr_fix_lane *lane, int32_t type, const uint8_t *body,
                             int64_t body_count, int64_t sequence, int64_t now_ns, uint8_t *out,
                             int64_t capacity, int64_t *count_out);

/* ---- bytes in ---------------------------------------------------------------------------- */

/* MassQuoteAck (b). */
typedef struct {
    hr_fix_text quote_id;
    hr_fix_text text;
    const uint8_t *cursor; /* Moved by hr_fix_next_entry. */
    const uint8_t *end;
    int32_t status;        /* 297: 0 accepted, 5 rejected. */
    int32_t reject_reason; /* 300; 0: none. */
    int32_t error_code;    /* 368 of a refusal of all; 0: none. */
    int32_t entry_count;   /* 295 */
    int32_t entries_left;
    int32_t reserved;
} hr_fix_quote_ack;

typedef struct {
    hr_fix_text id; /* QuoteEntryID of an order or error, trade id of a trade. */
    hr_fix_text set;
    hr_fix_text symbol;
    hr_fix_text order_id;
    hr_fix_text transact_time; /* 60 */
    hr_fix_text text;
    hr_fix_decimal price[2]; /* BidPx, OfferPx */
    hr_fix_decimal size[2];  /* BidSize, OfferSize, in contracts. */
    int32_t type;            /* HR_FIX_ENTRY_ORDER; -1: absent. */
    int32_t status;          /* 1167; -1: absent. */
    int32_t side;            /* HR_FIX_BID, HR_FIX_ASK; -1: absent. */
    int32_t error_code;      /* 368, the venue's RPC code; 0: none. */
} hr_fix_quote_entry;

/* ExecutionReport (8). */
typedef struct {
    hr_fix_text order_id;  /* 37 */
    hr_fix_text client_id; /* 41: ours. The venue puts its own into 11. */
    hr_fix_text symbol;
    hr_fix_text execution_id;   /* 17, or 527 where that is absent. */
    hr_fix_text quote_id;       /* 117 */
    hr_fix_text quote_entry_id; /* 299 */
    hr_fix_text label;          /* 100010 */
    hr_fix_text transact_time;  /* 60 */
    hr_fix_text text;           /* 58 */
    hr_fix_decimal price;
    hr_fix_decimal quantity;
    hr_fix_decimal leaves;
    hr_fix_decimal cumulative;
    hr_fix_decimal average_price;
    hr_fix_decimal last_price;
    hr_fix_decimal last_quantity;
    const uint8_t *cursor; /* Moved by hr_fix_next_fill. */
    const uint8_t *end;
    int32_t execution_type; /* 150, its character; 0: absent. */
    int32_t order_status;   /* 39, its character. */
    int32_t side;
    int32_t order_type;    /* 40, its character; 0: absent. */
    int32_t reject_reason; /* 103; 0: none. */
    int32_t error_code;    /* 368, the venue's RPC code; 0: none. */
    int32_t is_mmp;        /* 9008=Y */
    int32_t fill_count;    /* 1362 */
    int32_t fills_left;
    int32_t reserved;
} hr_fix_execution;

typedef struct {
    hr_fix_text trade_id; /* 1363 */
    hr_fix_decimal price;
    hr_fix_decimal quantity;
    int32_t liquidity; /* 1443: 1 added, 2 removed; 0: absent. */
    int32_t reserved;
} hr_fix_fill;

/* OrderMassCancelReport (r): the answer to a QuoteCancel. */
typedef struct {
    hr_fix_text client_id; /* 11: QuoteMsgID of the request. */
    hr_fix_text text;
    int32_t request_type;   /* 530 */
    int32_t response;       /* 531; -1: absent, refused. */
    int32_t reject_reason;  /* 532; 0: none. */
    int32_t cancel_type;    /* 298; 0: absent. */
    int32_t affected_count; /* 533, or 534; -1: absent. */
    int32_t reserved;
} hr_fix_cancel_report;

/* OrderCancelReject (9), Reject (3) and BusinessMessageReject (j). */
typedef struct {
    hr_fix_text order_id;     /* 37 */
    hr_fix_text client_id;    /* 41, or 11 where that is absent. */
    hr_fix_text reference_id; /* 379 */
    hr_fix_text text;
    int64_t reference_sequence;     /* 45; 0: absent. */
    int32_t reference_tag;          /* 371; 0: absent. */
    int32_t reference_message_type; /* 372, as hr_fix_message's; 0: absent. */
    int32_t reason;                 /* 102, 373 or 380; -1: absent. */
    int32_t response_to;            /* 434, its character; 0: absent. */
    int32_t order_status;           /* 39, its character; 0: absent. */
    int32_t reserved;
} hr_fix_refusal;

/* Each reads one kind of message; HR_ERR_MALFORMED where a field it needs is absent or is no number
 * where it must be one. The first groups are left to be read one by one: HR_ERR_NOT_FOUND after the
 * last, HR_ERR_MALFORMED where there are more or fewer than were announced. */
hr_status hr_fix_decode_quote_ack(const hr_fix_message *message, hr_fix_quote_ack *ack_out);
hr_status hr_fix_next_entry(hr_fix_quote_ack *ack, hr_fix_quote_entry *entry_out);
hr_status hr_fix_decode_execution(const hr_fix_message *message, hr_fix_execution *execution_out);
hr_status hr_fix_next_fill(hr_fix_execution *execution, hr_fix_fill *fill_out);
hr_status hr_fix_decode_cancel_report(const hr_fix_message *message,
                                      hr_fix_cancel_report *report_out);
hr_status hr_fix_decode_refusal(const hr_fix_message *message, hr_fix_refusal *refusal_out);

/* Turns a decimal into whole ticks or lots. HR_ERR_DOMAIN where it is between two of them, negative
 * or out of range; HR_ERR_NOT_FOUND where it is absent. */
hr_status hr_fix_to_ticks(const hr_fix_instrument *instrument, const hr_fix_decimal *price,
                          int64_t *ticks_out);
hr_status hr_fix_to_lots(const hr_fix_instrument *instrument, const hr_fix_decimal *size,
                         int64_t *lots_out);
/* Reads a text of digits only; HR_ERR_MALFORMED for any other. */
hr_status hr_fix_to_integer(const hr_fix_text *text, int64_t *value_out);
/* Reads a UTCTimestamp, up to nine decimals, as ns since 1970; HR_ERR_MALFORMED for any other. */
hr_status hr_fix_to_time(const hr_fix_text *text, int64_t *time_ns_out);
/* 64-bit FNV-1a: the fast path knows trades by the hash of their id, instruments by their name's.
 */
uint64_t hr_fix_hash(const uint8_t *bytes, int64_t count);
/* cdef: end */

_Static_assert(sizeof(hr_fix_message) == 112, "hr_fix_message crosses: no padding");
_Static_assert(sizeof(hr_fix_stream) == 56, "hr_fix_stream crosses: no padding");
_Static_assert(sizeof(hr_fix_lane) == 288, "hr_fix_lane crosses: no padding");
_Static_assert(sizeof(hr_fix_instrument) == 128, "hr_fix_instrument crosses: no padding");
_Static_assert(sizeof(hr_fix_quote_form) == 168, "hr_fix_quote_form crosses: no padding");
_Static_assert(sizeof(hr_fix_quote) == 40, "hr_fix_quote crosses: no padding");

#endif
