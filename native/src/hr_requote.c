#include "hr_requote.h"

#include <math.h>
#include <stddef.h>

static int64_t step_above(const hr_requote_grid *grid, int64_t ticks) {
    return ticks > grid->fine_ticks_max ? grid->coarse_step_ticks : 1;
}

static int64_t floor_to_grid(const hr_requote_grid *grid, int64_t ticks) {
    return ticks - ticks % step_above(grid, ticks);
}

static int64_t ceil_to_grid(const hr_requote_grid *grid, int64_t ticks) {
    const int64_t over = ticks % step_above(grid, ticks);
    return over == 0 ? ticks : ticks - over + step_above(grid, ticks);
}

/* The next price of the grid above a price that is on it. */
static int64_t next_above(const hr_requote_grid *grid, int64_t ticks) {
    return ticks >= grid->fine_ticks_max ? ticks + grid->coarse_step_ticks : ticks + 1;
}

static int64_t next_below(const hr_requote_grid *grid, int64_t ticks) {
    return ticks - step_above(grid, ticks);
}

/* Returns the lots to send for a side, -1 to leave it alone, and moves its state on. */
static int64_t side_moves(int is_wanted, int stays, int64_t lots, int64_t price_ticks,
                          int64_t *ticks, int64_t *resting_lots) {
    if (!is_wanted) {
        const int64_t had = *resting_lots;
        *resting_lots = 0;
        return had > 0 ? 0 : -1;
    }
    if (stays && *resting_lots * 3 >= lots) {
        return -1;
    }
    *ticks = price_ticks;
    *resting_lots = lots;
    return lots;
}

static int row_moves(const hr_requote_grid *grid, const hr_requote_maker *maker, int64_t row,
                     const hr_requote_best *best, hr_book_quote *quote) {
    const int32_t instrument = maker->instruments[row];
    const int64_t lots = maker->lots[row];
    const double bid = maker->bid[row];
    const double ask = maker->ask[row] < 1.0 ? 1.0 : maker->ask[row];
    int64_t bid_ticks = bid < 1.0 ? 0 : floor_to_grid(grid, (int64_t)floor(bid));
    int64_t ask_ticks = ceil_to_grid(grid, (int64_t)ceil(ask));
    const double bid_step = (double)step_above(grid, bid_ticks);
    const double ask_step = (double)step_above(grid, ask_ticks);
    if (best->ask_lots[instrument] > 0) {
        const int64_t below = next_below(grid, best->ask_ticks[instrument]);
        bid_ticks = bid_ticks < below ? bid_ticks : below;
    }
    if (best->bid_lots[instrument] > 0) {
        const int64_t above = next_above(grid, best->bid_ticks[instrument]);
        ask_ticks = ask_ticks > above ? ask_ticks : above;
    }
    const double old_bid = (double)maker->bid_ticks[row];
    const double old_ask = (double)maker->ask_ticks[row];
    const int bid_stays =
        old_bid <= bid + grid->lean_in * bid_step && old_bid > bid - grid->lean_out * bid_step;
    const int ask_stays =
        old_ask >= ask - grid->lean_in * ask_step && old_ask < ask + grid->lean_out * ask_step;
    quote->bid_lots = side_moves(lots > 0 && bid_ticks >= 1, bid_stays, lots, bid_ticks,
                                 &maker->bid_ticks[row], &maker->bid_lots[row]);
    quote->ask_lots = side_moves(lots > 0 && ask_ticks <= HR_REQUOTE_ASK_TICKS_MAX, ask_stays, lots,
                                 ask_ticks, &maker->ask_ticks[row], &maker->ask_lots[row]);
    quote->bid_ticks = bid_ticks;
    quote->ask_ticks = ask_ticks;
    quote->instrument = instrument;
    quote->reserved = 0;
    return quote->bid_lots != -1 || quote->ask_lots != -1;
}

static int is_row_valid(const hr_requote_maker *maker, int64_t row, int64_t instruments) {
    return maker->instruments[row] >= 0 && maker->instruments[row] < instruments &&
           maker->lots[row] >= 0 && maker->lots[row] <= HR_BOOK_LOTS_MAX;
}

hr_status hr_requote(const hr_requote_grid *grid, const hr_requote_maker *maker, int64_t count,
                     const hr_requote_best *best, hr_book_quote *quotes_out, int64_t *rows_out,
                     int64_t *count_out) {
    if (grid == NULL || maker == NULL || best == NULL || quotes_out == NULL || rows_out == NULL ||
        count_out == NULL || count < 0 || grid->fine_ticks_max < 0 || grid->coarse_step_ticks < 1 ||
        grid->coarse_step_ticks > 1000000) {
        return HR_ERR_ARGUMENT;
    }
    const double limit = (double)HR_BOOK_PRICE_TICKS_MAX;
    for (int64_t row = 0; row < count; row++) {
        if (!is_row_valid(maker, row, best->count)) {
            return HR_ERR_ARGUMENT;
        }
        if (!(fabs(maker->bid[row]) < limit) || !(fabs(maker->ask[row]) < limit)) {
            return HR_ERR_NOT_FINITE;
        }
    }
    int64_t moved = 0;
    for (int64_t row = 0; row < count; row++) {
        if (row_moves(grid, maker, row, best, &quotes_out[moved])) {
            rows_out[moved] = row;
            moved += 1;
        }
    }
    *count_out = moved;
    return HR_OK;
}
