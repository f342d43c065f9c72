/* hr_path_fill.c: what rests no more: a fill, from wherever it is heard, and all at once. */
#include "hr_path_state.h"

#include <string.h>

static void copy_text(hr_record *record, const uint8_t *bytes, int64_t count) {
    const int64_t most = HR_PATH_NAME_BYTES - 1;
    memcpy(record->text, bytes, (size_t)(count < most ? count : most));
}

static void record_latch(hr_path *path, int32_t underlying, int64_t slot, int32_t side) {
    hr_record *record = hr_path_record(path, HR_RECORD_LATCH, underlying);
    record->slot = slot;
    record->is_moved[side] = 1;
}

int hr_path_fill(hr_path *path, int64_t handle, int64_t signed_lots, int64_t ticks,
                 const uint8_t *trade_id, int64_t trade_id_bytes, int32_t is_old, int64_t now_ns) {
    if (trade_id_bytes > 0 && !hr_trades_add(path->trades, hr_fix_hash(trade_id, trade_id_bytes))) {
        path->stats.trades_doubled++;
        return 0;
    }
    const hr_path_place place = hr_path_place_of(path, handle);
    const int32_t underlying = place.underlying;
    hr_path_book *book = &path->books[underlying];
    const hr_engine_fill fill = {
        .slot = place.slot,
        .amount_lots = signed_lots < 0 ? -signed_lots : signed_lots,
        .price_ticks = ticks,
        .is_buy = signed_lots > 0,
        .is_replayed = is_old,
    };
    const int32_t side = fill.is_buy ? HR_SIDE_BID : HR_SIDE_ASK;
    const int32_t was_latched = hr_engine_is_latched(book->engine, fill.slot, side);
    const int32_t was_excess = hr_engine_is_latched(book->engine, HR_LATCH_SLOT_ALL, side);
    const hr_status status = hr_engine_on_fill(book->engine, &fill, now_ns);
    book->shown.fills++;
    book->is_index_moved = 1; /* Skew and limits of all its quotes have moved. */
    if (!is_old) {
        hr_record *record = hr_path_record(path, HR_RECORD_FILL, underlying);
        record->slot = fill.slot;
        record->instrument_id = path->options[handle].instrument_id;
        record->lots[0] = signed_lots;
        record->ticks[0] = ticks;
        record->code = status;
        copy_text(record, trade_id, trade_id_bytes);
    }
    if (!was_latched && hr_engine_is_latched(book->engine, fill.slot, side)) {
        record_latch(path, underlying, fill.slot, side);
    }
    if (!was_excess && hr_engine_is_latched(book->engine, HR_LATCH_SLOT_ALL, side)) {
        record_latch(path, underlying, HR_LATCH_SLOT_ALL, side);
    }
    return 1;
}

void hr_path_forget(hr_path *path, int32_t underlying) {
    for (int32_t i = 0; i < HR_PATH_REQUESTS; i++) {
        if (path->requests[i].underlying == underlying) {
            path->requests[i] = (hr_path_request){0};
        }
    }
    path->books[underlying].shown.in_flight = 0;
}
