/* Goal: a tick of one side of a book decides that side as a decision of both would, and leaves the
 * other where it is, unless it cannot stay there or something else has happened. */
#undef NDEBUG
#include "engine_many.h"

#include <string.h>

enum {
    ASKED = 3, /* More, of the others' size. */
    BOUGHT = 64,
};

static many one;
static void *kept;

static void keep(void) {
    memcpy(kept, one.memory, (size_t)hr_engine_size(MANY));
}

static void take_back(void) {
    memcpy(one.memory, kept, (size_t)hr_engine_size(MANY));
}

static hr_engine_book live_of(int64_t slot) {
    hr_engine_book live;
    hr_engine_value value;
    int64_t position;
    assert(hr_engine_read_quote(one.engine, slot, &live, &value, &position) == HR_OK);
    return live;
}

/* Decides a slot after a tick that made its market `market`; `is_marked`: for another reason too.
 */
static hr_engine_decision decide(const hr_engine_book *market, int32_t is_marked) {
    hr_engine_decision decision = {.slot = market->slot};
    take_back();
    assert(hr_engine_on_books(one.engine, market, 1) == HR_OK);
    if (is_marked) {
        assert(hr_engine_mark(one.engine, market->slot) == HR_OK);
    }
    assert(hr_engine_decide_slot(one.engine, market->slot, one.now_ns, &decision, &one.pass) ==
           HR_OK);
    assert(one.pass.blocked_reason == HR_GATE_OK);
    if (one.pass.decision_count == 0) {
        decision = (hr_engine_decision){.slot = market->slot};
    }
    return decision;
}

static int is_alike(const hr_engine_decision *left, const hr_engine_decision *right, int32_t side) {
    if (left->is_moved[side] != right->is_moved[side] || !left->is_moved[side]) {
        return left->is_moved[side] == right->is_moved[side];
    }
    return left->lots[side] == right->lots[side] &&
           (left->lots[side] == 0 || left->ticks[side] == right->ticks[side]);
}

static int is_whole(const hr_engine_decision *left, const hr_engine_decision *right) {
    return is_alike(left, right, HR_SIDE_BID) && is_alike(left, right, HR_SIDE_ASK);
}

static hr_engine_book moved(int64_t slot, int32_t side) {
    hr_engine_book market = one.markets[slot];
    if (side == HR_SIDE_BID) {
        market.bid_lots += ASKED;
    } else {
        market.ask_lots += ASKED;
    }
    return market;
}

/* Other options are bought, so that every quote wants to be elsewhere, and no index tick comes. */
static void open_long(double skew) {
    hr_engine_policy policy = many_policy();
    open_many(&one);
    policy.skew_delta_ratio *= skew;
    assert(hr_engine_set_policy(one.engine, &policy) == HR_OK);
    assert(hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass) == HR_OK);
    for (int64_t slot = 0; slot < BOUGHT; slot += 2) {
        const hr_engine_book live = live_of(slot);
        const hr_engine_fill fill = {slot, live.bid_lots, live.bid_ticks, 1, 0};
        if (live.bid_lots > 0) {
            assert(hr_engine_on_fill(one.engine, &fill, one.now_ns) == HR_OK);
        }
    }
    one.now_ns += many_second_ns; /* What fills in a row froze is free again. */
    kept = malloc((size_t)hr_engine_size(MANY));
    assert(kept != NULL);
    keep();
}

static void close_long(void) {
    free(kept);
    free(one.memory);
}

/* Takes everything back; says whether a slot is quoted on both sides, in a market of others. */
static int is_ready(int64_t slot) {
    take_back();
    const hr_engine_book live = live_of(slot);
    return live.bid_lots > 0 && live.ask_lots > 0 && one.markets[slot].bid_lots > 0;
}

static void test_a_tick_decides_its_side_and_leaves_the_other(void) {
    open_long(1.0);
    int64_t both = 0;
    int64_t touched = 0;
    for (int64_t slot = BOUGHT; slot < MANY; slot++) {
        if (!is_ready(slot)) {
            continue;
        }
        for (int32_t side = 0; side < 2; side++) {
            const hr_engine_book market = moved(slot, side);
            const hr_engine_decision full = decide(&market, 1);
            const hr_engine_decision half = decide(&market, 0);
            assert(is_alike(&full, &half, side));
            if (one.pass.revalued_count > 0) {
                continue; /* It came to another value: that is not one side's. */
            }
            assert(!half.is_moved[!side]);
            both += full.is_moved[0] && full.is_moved[1];
            touched += half.is_moved[side] != 0;
        }
    }
    assert(both > MANY / 8 && touched > MANY / 8);
    close_long();
}

static void test_an_index_that_moved_concerns_both(void) {
    open_long(1.0);
    many_set_index(&one, many_index_usd * 1.0005);
    keep();
    int64_t others = 0;
    for (int64_t slot = BOUGHT; slot < MANY; slot++) {
        if (!is_ready(slot)) {
            continue;
        }
        const hr_engine_book market = moved(slot, HR_SIDE_BID);
        const hr_engine_decision full = decide(&market, 1);
        const hr_engine_decision half = decide(&market, 0);
        assert(is_whole(&full, &half));
        others += half.is_moved[HR_SIDE_ASK] != 0;
    }
    assert(others > MANY / 8);
    close_long();
}

static void test_a_side_that_the_market_reaches_is_decided_too(void) {
    open_long(1.0);
    int64_t away = 0;
    for (int64_t slot = BOUGHT; slot < MANY; slot++) {
        if (!is_ready(slot)) {
            continue;
        }
        const hr_engine_book live = live_of(slot);
        for (int32_t side = 0; side < 2; side++) {
            hr_engine_book market = moved(slot, side);
            market.bid_ticks = side == HR_SIDE_BID ? live.ask_ticks : market.bid_ticks;
            market.ask_ticks = side == HR_SIDE_ASK ? live.bid_ticks : market.ask_ticks;
            const hr_engine_decision full = decide(&market, 1);
            const hr_engine_decision half = decide(&market, 0);
            assert(is_whole(&full, &half));
            away += half.is_moved[!side] != 0;
        }
    }
    assert(away > MANY / 8);
    close_long();
}

static void test_a_side_that_ours_reaches_is_decided_too(void) {
    open_long(100.0); /* So that offers want to be where bids still rest. */
    int64_t away = 0;
    for (int64_t slot = BOUGHT; slot < MANY; slot++) {
        if (!is_ready(slot)) {
            continue;
        }
        const hr_engine_book live = live_of(slot);
        const hr_engine_book market = moved(slot, HR_SIDE_ASK);
        const hr_engine_decision full = decide(&market, 1);
        const hr_engine_decision half = decide(&market, 0);
        assert(is_alike(&full, &half, HR_SIDE_ASK));
        if (one.pass.revalued_count == 0 && full.lots[HR_SIDE_ASK] > 0 &&
            full.is_moved[HR_SIDE_ASK] && full.ticks[HR_SIDE_ASK] <= live.bid_ticks) {
            assert(is_alike(&full, &half, HR_SIDE_BID) && half.is_moved[HR_SIDE_BID]);
            away++;
        }
    }
    assert(away > MANY / 8);
    close_long();
}

static void test_a_side_that_is_not_there_is_decided_too(void) {
    for (int32_t gone = 0; gone < 2; gone++) {
        open_long(1.0);
        int64_t back = 0;
        for (int64_t slot = BOUGHT; slot < MANY; slot++) {
            if (!is_ready(slot)) {
                continue;
            }
            /* Its size is 0 and nothing else is due: taken back by a tick, held until now. */
            const int64_t hold_ns = one.now_ns + many_second_ns;
            assert(hr_engine_set_live(one.engine, slot, gone, 0, 0, hold_ns) == HR_OK);
            hr_engine_decide_slot(one.engine, slot, one.now_ns, one.decisions, &one.pass);
            const hr_engine_book market = moved(slot, !gone);
            assert(hr_engine_on_books(one.engine, &market, 1) == HR_OK);
            hr_engine_decide_slot(one.engine, slot, hold_ns, one.decisions, &one.pass);
            back += one.pass.decision_count == 1 && one.decisions[0].lots[gone] > 0;
        }
        assert(back > MANY / 8);
        close_long();
    }
}

/* Marked first and touched then, or while only what reduces may be sent. */
static void test_what_is_due_anyway_is_decided_whole(void) {
    for (int32_t is_reducing = 0; is_reducing < 2; is_reducing++) {
        open_long(1.0);
        if (is_reducing) {
            assert(hr_engine_set_lease(one.engine, HR_STATE_REDUCING, INT64_MAX) == HR_OK);
            keep();
        }
        int64_t others = 0;
        for (int64_t slot = BOUGHT; slot < MANY; slot++) {
            if (!is_ready(slot)) {
                continue;
            }
            const hr_engine_book market = moved(slot, HR_SIDE_BID);
            const hr_engine_decision full = decide(&market, 1);
            take_back();
            if (!is_reducing) {
                assert(hr_engine_mark(one.engine, slot) == HR_OK);
            }
            assert(hr_engine_on_books(one.engine, &market, 1) == HR_OK);
            hr_engine_decide_slot(one.engine, slot, one.now_ns, one.decisions, &one.pass);
            if (one.pass.decision_count == 1) {
                assert(is_whole(&full, one.decisions));
                others += one.decisions[0].is_moved[HR_SIDE_ASK] != 0;
            }
        }
        assert(others > MANY / 8);
        close_long();
    }
}

/* What a tick of one side left alone, the next index pass does not. */
static void test_the_other_side_follows_with_the_next_pass(void) {
    open_long(1.0);
    int64_t followed = 0;
    int64_t owed = 0;
    for (int64_t slot = BOUGHT; slot < MANY; slot++) {
        if (!is_ready(slot)) {
            continue;
        }
        const hr_engine_book market = moved(slot, HR_SIDE_BID);
        const hr_engine_decision full = decide(&market, 1);
        const hr_engine_decision half = decide(&market, 0);
        if (!full.is_moved[HR_SIDE_ASK] || one.pass.revalued_count > 0) {
            continue;
        }
        assert(!half.is_moved[HR_SIDE_ASK]);
        hr_engine_decide_index(one.engine, one.now_ns, MANY, one.decisions, &one.pass);
        for (int64_t i = 0; i < one.pass.decision_count; i++) {
            followed += one.decisions[i].slot == slot && one.decisions[i].is_moved[HR_SIDE_ASK];
        }
        owed++;
    }
    assert(owed > MANY / 8 && followed == owed);
    close_long();
}

int main(void) {
    test_a_tick_decides_its_side_and_leaves_the_other();
    test_an_index_that_moved_concerns_both();
    test_a_side_that_the_market_reaches_is_decided_too();
    test_a_side_that_ours_reaches_is_decided_too();
    test_a_side_that_is_not_there_is_decided_too();
    test_what_is_due_anyway_is_decided_whole();
    test_the_other_side_follows_with_the_next_pass();
    return 0;
}
