/* hr_sbe.h: the venue's multicast messages (SBE, schema com.deribit.multicast 1), both ways.
 *
 * A packet is a frame header (8 bytes) and messages; a message is a header (12), a block, groups
 * and variable data. All little-endian and packed. A null double is a NaN, kept as it came.
 * hr_sbe_message_read checks every length of a message before anything else may look into it;
 * what a newer schema appended (longer blocks and entries, more groups, unknown templates) is
 * skipped. Nothing here keeps state or copies a packet.
 */
#ifndef HR_SBE_H
#define HR_SBE_H

#include "hedgerow.h"

/* cdef: begin */
#define HR_SBE_INSTRUMENT 1000
#define HR_SBE_BOOK 1001
#define HR_SBE_TRADES 1002
#define HR_SBE_TICKER 1003
#define HR_SBE_SNAPSHOT 1004
#define HR_SBE_SNAPSHOT_START 1005
#define HR_SBE_SNAPSHOT_END 1006
#define HR_SBE_COMBO_LEGS 1007
#define HR_SBE_PRICE_INDEX 1008
#define HR_SBE_RFQ 1009
#define HR_SBE_INSTRUMENT_V2 1010

#define HR_SBE_FRAME_BYTES 8
#define HR_SBE_HEADER_BYTES 12
#define HR_SBE_GROUP_BYTES 8
#define HR_SBE_PACKET_BYTES_MAX 1458 /* The largest UDP payload the venue sends. */

#define HR_SBE_ASK 0 /* Sides of levels and changes. */
#define HR_SBE_BID 1
#define HR_SBE_CREATED 0 /* What a change does to its level. */
#define HR_SBE_CHANGED 1
#define HR_SBE_DELETED 2
#define HR_SBE_STATE_OPEN 1 /* Instrument states: 0 created, 1 open, 2 closed, 3 settled... */

typedef struct {
    uint16_t payload_bytes; /* Of the messages that follow. */
    uint16_t channel;
    uint32_t sequence; /* Per channel, one more per packet, wraps. */
} hr_sbe_frame;

/* A checked message: pointers into the packet, valid as long as it is. */
typedef struct {
    const uint8_t *block;
    const uint8_t *entries; /* Of the first group; NULL: none. */
    const uint8_t *text;    /* The first variable-length field; NULL: none. */
    int64_t bytes;          /* The whole message with its header. */
    uint16_t template_id;
    uint16_t version;
    uint16_t block_bytes;
    uint16_t entry_bytes; /* From one entry to the next. */
    uint16_t entry_count;
    uint16_t text_bytes;
    uint32_t is_nested; /* Entries have groups or texts of their own. */
} hr_sbe_message;

/* Of 1000 and 1010; the latter has tick steps for entries and no `rfq`. */
typedef struct {
    double strike_price;
    double contract_size;
    double min_trade_amount;
    double tick_size;
    double maker_commission;
    double taker_commission;
    double block_trade_commission;
    double max_liquidation_commission;
    double max_leverage;
    uint64_t creation_ms;
    uint64_t expiration_ms;
    char base_currency[8]; /* Padded with zeros, not ended by one. */
    char quote_currency[8];
    char counter_currency[8];
    char settlement_currency[8];
    char size_currency[8];
    uint32_t instrument_id;
    uint16_t settlement_period_count;
    uint8_t state;
    uint8_t kind;
    uint8_t instrument_type;
    uint8_t option_type;
    uint8_t rfq;
    uint8_t settlement_period;
    uint32_t reserved;
} hr_sbe_instrument;

typedef struct {
    double above_price;
    double tick_size;
} hr_sbe_tick_step;

/* A book's change; entries are hr_sbe_change. */
typedef struct {
    uint64_t timestamp_ms;
    uint64_t prev_change_id;
    uint64_t change_id;
    uint32_t instrument_id;
    uint8_t is_last;
    uint8_t reserved[3];
} hr_sbe_book;

typedef struct {
    double price;
    double amount;
    uint8_t side;
    uint8_t change;
    uint8_t reserved[6];
} hr_sbe_change;

/* Trades and combo legs: the instrument alone; entries are hr_sbe_trade or hr_sbe_leg. */
typedef struct {
    uint32_t instrument_id;
} hr_sbe_subject;

typedef struct {
    double price;
    double amount;
    double mark_price;
    double index_price;
    double iv;
    uint64_t timestamp_ms;
    uint64_t trade_seq;
    uint64_t trade_id;
    uint64_t block_trade_id;
    uint64_t combo_trade_id;
    uint8_t direction;
    uint8_t tick_direction;
    uint8_t liquidation;
    uint8_t reserved[5];
} hr_sbe_trade;

typedef struct {
    uint32_t leg_instrument_id;
    int32_t leg_size;
} hr_sbe_leg;

typedef struct {
    double open_interest;
    double min_sell_price;
    double max_buy_price;
    double last_price;
    double index_price;
    double mark_price;
    double best_bid_price;
    double best_bid_amount;
    double best_ask_price;
    double best_ask_amount;
    double current_funding;
    double funding_8h;
    double estimated_delivery_price;
    double delivery_price;
    double settlement_price;
    uint64_t timestamp_ms;
    uint32_t instrument_id;
    uint8_t state;
    uint8_t reserved[3];
} hr_sbe_ticker;

/* A book's levels; entries are hr_sbe_level. */
typedef struct {
    uint64_t timestamp_ms;
    uint64_t change_id;
    uint32_t instrument_id;
    uint8_t is_book_complete;
    uint8_t is_last_in_book;
    uint8_t reserved[2];
} hr_sbe_snapshot;

typedef struct {
    double price;
    double amount;
    uint8_t side;
    uint8_t reserved[7];
} hr_sbe_level;

typedef struct {
    uint32_t snapshot_delay_ms;
} hr_sbe_snapshot_start;

typedef struct {
    double price;
    uint64_t timestamp_ms;
    char index_name[16]; /* Padded with zeros. */
} hr_sbe_price_index;

typedef struct {
    double amount;
    uint64_t timestamp_ms;
    uint32_t instrument_id;
    uint8_t state;
    uint8_t side;
    uint8_t reserved[2];
} hr_sbe_rfq;

/* Reads a packet's frame header. HR_ERR_MALFORMED when it is short or its length is not n - 8. */
hr_status hr_sbe_frame_read(const uint8_t *bytes, int64_t count, hr_sbe_frame *frame_out);
void hr_sbe_frame_write(const hr_sbe_frame *frame, uint8_t *bytes_out);

/* Reads and checks the message at `bytes`; the next one is message_out->bytes further.
 * HR_ERR_MALFORMED when a length leads beyond `count`, or a known template lacks a known part. */
hr_status hr_sbe_message_read(const uint8_t *bytes, int64_t count, hr_sbe_message *message_out);

/* Returns the sizes of the structs of a template's block and entries, 0 where it has none. */
int64_t hr_sbe_block_size(int32_t template_id);
int64_t hr_sbe_entry_size(int32_t template_id);

/* Copies a checked message's block into its struct; `size` is that struct's. HR_ERR_ARGUMENT when
 * it is not, or the template has no block. */
hr_status hr_sbe_block_read(const hr_sbe_message *message, void *block_out, int64_t size);
/* Copies entries [first, first + count) into structs of `size` bytes each. */
hr_status hr_sbe_entries_read(const hr_sbe_message *message, int32_t first, int32_t count,
                              void *entries_out, int64_t size);

/* What hr_sbe_message_write writes. Sizes are those of the structs, as above. */
typedef struct {
    const void *block;
    const void *entries;
    const uint8_t *text;
    int64_t block_size;
    int64_t entry_size;
    int32_t entry_count; /* [0, 65535] */
    int32_t text_bytes;  /* [0, 255] */
    int32_t template_id;
    int32_t reserved;
} hr_sbe_outgoing;

/* Writes a message. HR_ERR_FULL when `capacity` is too small; nothing is written then. */
hr_status hr_sbe_message_write(const hr_sbe_outgoing *outgoing, uint8_t *bytes_out,
                               int64_t capacity, int64_t *count_out);
/* cdef: end */

#endif
