#include "hr_sbe_layout.h"

#include <stddef.h>

#define FIELD(type, name, wire) {offsetof(type, name), (wire), sizeof(((type *)0)->name)}
#define PART(table, type, wire) {table, sizeof(type), sizeof(table) / sizeof(table[0]), (wire)}
#define NO_PART {NULL, 0, 0, 0}

/* 1010 lies as 1000 without `rfq`: what follows it is a byte earlier. */
#define INSTRUMENT_TAIL(shift)                                                                     \
    FIELD(hr_sbe_instrument, settlement_period, 9 - (shift)),                                      \
        FIELD(hr_sbe_instrument, settlement_period_count, 10 - (shift)),                           \
        FIELD(hr_sbe_instrument, base_currency, 12 - (shift)),                                     \
        FIELD(hr_sbe_instrument, quote_currency, 20 - (shift)),                                    \
        FIELD(hr_sbe_instrument, counter_currency, 28 - (shift)),                                  \
        FIELD(hr_sbe_instrument, settlement_currency, 36 - (shift)),                               \
        FIELD(hr_sbe_instrument, size_currency, 44 - (shift)),                                     \
        FIELD(hr_sbe_instrument, creation_ms, 52 - (shift)),                                       \
        FIELD(hr_sbe_instrument, expiration_ms, 60 - (shift)),                                     \
        FIELD(hr_sbe_instrument, strike_price, 68 - (shift)),                                      \
        FIELD(hr_sbe_instrument, contract_size, 76 - (shift)),                                     \
        FIELD(hr_sbe_instrument, min_trade_amount, 84 - (shift)),                                  \
        FIELD(hr_sbe_instrument, tick_size, 92 - (shift)),                                         \
        FIELD(hr_sbe_instrument, maker_commission, 100 - (shift)),                                 \
        FIELD(hr_sbe_instrument, taker_commission, 108 - (shift)),                                 \
        FIELD(hr_sbe_instrument, block_trade_commission, 116 - (shift)),                           \
        FIELD(hr_sbe_instrument, max_liquidation_commission, 124 - (shift)),                       \
        FIELD(hr_sbe_instrument, max_leverage, 132 - (shift))

#define INSTRUMENT_HEAD                                                                            \
    FIELD(hr_sbe_instrument, instrument_id, 0), FIELD(hr_sbe_instrument, state, 4),                \
        FIELD(hr_sbe_instrument, kind, 5), FIELD(hr_sbe_instrument, instrument_type, 6),           \
        FIELD(hr_sbe_instrument, option_type, 7)

static const sbe_field instrument[] = {
    INSTRUMENT_HEAD,
    FIELD(hr_sbe_instrument, rfq, 8),
    INSTRUMENT_TAIL(0),
};
static const sbe_field instrument_v2[] = {INSTRUMENT_HEAD, INSTRUMENT_TAIL(1)};
static const sbe_field tick_step[] = {
    FIELD(hr_sbe_tick_step, above_price, 0),
    FIELD(hr_sbe_tick_step, tick_size, 8),
};
static const sbe_field book[] = {
    FIELD(hr_sbe_book, instrument_id, 0),   FIELD(hr_sbe_book, timestamp_ms, 4),
    FIELD(hr_sbe_book, prev_change_id, 12), FIELD(hr_sbe_book, change_id, 20),
    FIELD(hr_sbe_book, is_last, 28),
};
static const sbe_field change[] = {
    FIELD(hr_sbe_change, side, 0),
    FIELD(hr_sbe_change, change, 1),
    FIELD(hr_sbe_change, price, 2),
    FIELD(hr_sbe_change, amount, 10),
};
static const sbe_field subject[] = {FIELD(hr_sbe_subject, instrument_id, 0)};
static const sbe_field trade[] = {
    FIELD(hr_sbe_trade, direction, 0),
    FIELD(hr_sbe_trade, price, 1),
    FIELD(hr_sbe_trade, amount, 9),
    FIELD(hr_sbe_trade, timestamp_ms, 17),
    FIELD(hr_sbe_trade, mark_price, 25),
    FIELD(hr_sbe_trade, index_price, 33),
    FIELD(hr_sbe_trade, trade_seq, 41),
    FIELD(hr_sbe_trade, trade_id, 49),
    FIELD(hr_sbe_trade, tick_direction, 57),
    FIELD(hr_sbe_trade, liquidation, 58),
    FIELD(hr_sbe_trade, iv, 59),
    FIELD(hr_sbe_trade, block_trade_id, 67),
    FIELD(hr_sbe_trade, combo_trade_id, 75),
};
static const sbe_field ticker[] = {
    FIELD(hr_sbe_ticker, instrument_id, 0),    FIELD(hr_sbe_ticker, state, 4),
    FIELD(hr_sbe_ticker, timestamp_ms, 5),     FIELD(hr_sbe_ticker, open_interest, 13),
    FIELD(hr_sbe_ticker, min_sell_price, 21),  FIELD(hr_sbe_ticker, max_buy_price, 29),
    FIELD(hr_sbe_ticker, last_price, 37),      FIELD(hr_sbe_ticker, index_price, 45),
    FIELD(hr_sbe_ticker, mark_price, 53),      FIELD(hr_sbe_ticker, best_bid_price, 61),
    FIELD(hr_sbe_ticker, best_bid_amount, 69), FIELD(hr_sbe_ticker, best_ask_price, 77),
    FIELD(hr_sbe_ticker, best_ask_amount, 85), FIELD(hr_sbe_ticker, current_funding, 93),
    FIELD(hr_sbe_ticker, funding_8h, 101),     FIELD(hr_sbe_ticker, estimated_delivery_price, 109),
    FIELD(hr_sbe_ticker, delivery_price, 117), FIELD(hr_sbe_ticker, settlement_price, 125),
};
static const sbe_field snapshot[] = {
    FIELD(hr_sbe_snapshot, instrument_id, 0),    FIELD(hr_sbe_snapshot, timestamp_ms, 4),
    FIELD(hr_sbe_snapshot, change_id, 12),       FIELD(hr_sbe_snapshot, is_book_complete, 20),
    FIELD(hr_sbe_snapshot, is_last_in_book, 21),
};
static const sbe_field level[] = {
    FIELD(hr_sbe_level, side, 0),
    FIELD(hr_sbe_level, price, 1),
    FIELD(hr_sbe_level, amount, 9),
};
static const sbe_field snapshot_start[] = {FIELD(hr_sbe_snapshot_start, snapshot_delay_ms, 0)};
static const sbe_field leg[] = {
    FIELD(hr_sbe_leg, leg_instrument_id, 0),
    FIELD(hr_sbe_leg, leg_size, 4),
};
static const sbe_field price_index[] = {
    FIELD(hr_sbe_price_index, index_name, 0),
    FIELD(hr_sbe_price_index, price, 16),
    FIELD(hr_sbe_price_index, timestamp_ms, 24),
};
static const sbe_field rfq[] = {
    FIELD(hr_sbe_rfq, instrument_id, 0), FIELD(hr_sbe_rfq, state, 4),
    FIELD(hr_sbe_rfq, side, 5),          FIELD(hr_sbe_rfq, amount, 6),
    FIELD(hr_sbe_rfq, timestamp_ms, 14),
};

static const sbe_layout layouts[] = {
    {PART(instrument, hr_sbe_instrument, 140), NO_PART, HR_SBE_INSTRUMENT, 2, 0, 1},
    {PART(book, hr_sbe_book, 29), PART(change, hr_sbe_change, 18), HR_SBE_BOOK, 2, 1, 0},
    {PART(subject, hr_sbe_subject, 4), PART(trade, hr_sbe_trade, 83), HR_SBE_TRADES, 2, 1, 0},
    {PART(ticker, hr_sbe_ticker, 133), NO_PART, HR_SBE_TICKER, 2, 0, 0},
    {PART(snapshot, hr_sbe_snapshot, 22), PART(level, hr_sbe_level, 17), HR_SBE_SNAPSHOT, 2, 1, 0},
    {PART(snapshot_start, hr_sbe_snapshot_start, 4), NO_PART, HR_SBE_SNAPSHOT_START, 2, 0, 0},
    {NO_PART, NO_PART, HR_SBE_SNAPSHOT_END, 2, 0, 0},
    {PART(subject, hr_sbe_subject, 4), PART(leg, hr_sbe_leg, 8), HR_SBE_COMBO_LEGS, 2, 1, 0},
    {PART(price_index, hr_sbe_price_index, 32), NO_PART, HR_SBE_PRICE_INDEX, 2, 0, 0},
    {PART(rfq, hr_sbe_rfq, 22), NO_PART, HR_SBE_RFQ, 2, 0, 0},
    {PART(instrument_v2, hr_sbe_instrument, 139), PART(tick_step, hr_sbe_tick_step, 16),
     HR_SBE_INSTRUMENT_V2, 3, 1, 1},
};

const sbe_layout *sbe_layout_of(int32_t template_id) {
    const int32_t at = template_id - HR_SBE_INSTRUMENT;
    if (at < 0 || at >= (int32_t)(sizeof layouts / sizeof layouts[0])) {
        return NULL;
    }
    return &layouts[at];
}

int64_t hr_sbe_block_size(int32_t template_id) {
    const sbe_layout *layout = sbe_layout_of(template_id);
    return layout == NULL ? 0 : layout->block.size;
}

int64_t hr_sbe_entry_size(int32_t template_id) {
    const sbe_layout *layout = sbe_layout_of(template_id);
    return layout == NULL ? 0 : layout->entry.size;
}
