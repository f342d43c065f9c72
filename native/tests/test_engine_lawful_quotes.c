/* Goal: whatever surface, book, position and order of events, what the engine decides is lawful. */
#undef NDEBUG
#include "engine_fixture.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 300 };

static uint64_t random_state = 88172645463325252u;

static double uniform(double low, double high) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * (double)(random_state >> 11) / 9007199254740992.0;
}

static int64_t below(int64_t count) {
    return (int64_t)uniform(0.0, (double)count);
}

static void test_rounding_is_outward_and_on_the_grid(void) {
    for (int64_t i = 0; i < 200000; i++) {
        const int64_t whole = 1 + below(120);
        const double price = i % 3 == 0 ? (double)whole * 0.0001 : uniform(0.0, 0.012);
        const int64_t bid = hr_bid_floor_ticks(price, 0.0001, 50, 5);
        const int64_t ask = hr_ask_ceil_ticks(price, 0.0001, 50, 5);
        const int64_t step = price * 10000.0 > 50.5 ? 5 : 1;
        assert(bid == 0 || hr_gate_is_on_grid(bid, 50, 5));
        assert(hr_gate_is_on_grid(ask, 50, 5));
        assert((double)bid <= price / 0.0001 + 1e-6);
        assert((double)ask >= price / 0.0001 - 1e-6);
        assert(price / 0.0001 - (double)bid < (double)step + 1e-6);
        assert((double)ask - price / 0.0001 < 5.0 + 1e-6);
    }
    assert(hr_bid_floor_ticks((double)NAN, 0.0001, 50, 5) == 0);
    assert(hr_ask_ceil_ticks((double)NAN, 0.0001, 50, 5) == 0);
    assert(hr_bid_floor_ticks(-0.1, 0.0001, 50, 5) == 0);
    assert(hr_ask_ceil_ticks(0.00501, 0.0001, 50, 5) == 55);
    assert(hr_bid_floor_ticks(0.00549, 0.0001, 50, 5) == 50);
}

/* Every live quote obeys what the gate promises, judged here from first principles. */
static void check_quotes(const fixture *one, const hr_engine_book *markets) {
    for (int64_t slot = 0; slot < SLOTS; slot++) {
        hr_engine_value value;
        int64_t position;
        const hr_engine_book live = live_of(one, slot, &value, &position);
        const double collar = fmax(0.002, 0.15 * value.vega_coin);
        if (live.bid_lots > 0) {
            assert(hr_gate_is_on_grid(live.bid_ticks, 50, 5));
            assert(fabs((double)live.bid_ticks * 1e-4 - value.theo_coin) <= collar + 1e-12);
            assert(live.bid_lots <= 50);
            assert(position + live.bid_lots <= 60 || position < 0);
        }
        if (live.ask_lots > 0) {
            assert(hr_gate_is_on_grid(live.ask_ticks, 50, 5));
            assert(fabs((double)live.ask_ticks * 1e-4 - value.theo_coin) <= collar + 1e-12);
            assert(-position + live.ask_lots <= 60 || position > 0);
        }
        assert(live.bid_lots == 0 || live.ask_lots == 0 || live.bid_ticks < live.ask_ticks);
    }
    for (int64_t i = 0; i < one->pass.decision_count; i++) {
        const hr_engine_decision *moved = &one->decisions[i];
        const hr_engine_book *market = &markets[moved->slot];
        if (moved->is_moved[0] && moved->lots[0] > 0 && market->ask_lots > 1000) {
            assert(moved->ticks[0] < market->ask_ticks);
        }
        if (moved->is_moved[1] && moved->lots[1] > 0 && market->bid_lots > 1000) {
            assert(moved->ticks[1] > market->bid_ticks);
        }
    }
}

static void random_event(fixture *one, hr_engine_book *markets, double *index) {
    const int64_t slot = below(SLOTS);
    hr_engine_value value;
    int64_t position;
    const hr_engine_book live = live_of(one, slot, &value, &position);
    switch (below(6)) {
    case 0:
        *index *= 1.0 + uniform(-0.01, 0.01);
        assert(hr_engine_on_index(one->engine, *index, one->now_ns) == HR_OK);
        break;
    case 1: {
        const hr_engine_surface surface = surface_of(one->now_ns, uniform(0.2, 1.2));
        assert(hr_engine_set_surface(one->engine, &surface) == HR_OK);
        break;
    }
    case 2: {
        const int64_t bid = 1 + below(400);
        markets[slot] =
            (hr_engine_book){slot, bid, 5000 * below(2), bid + 1 + below(50), 5000 * below(2)};
        assert(hr_engine_on_books(one->engine, &markets[slot], 1) == HR_OK);
        break;
    }
    case 3:
        if (live.bid_lots > 0) {
            fill(one, slot, 1, 1 + below(live.bid_lots), live.bid_ticks);
        }
        break;
    case 4:
        if (live.ask_lots > 0) {
            fill(one, slot, 0, 1 + below(live.ask_lots), live.ask_ticks);
        }
        break;
    default:
        assert(hr_engine_set_hedge(one->engine, uniform(-9e5, 9e5)) == HR_OK);
        break;
    }
}

static void test_any_course_of_events_leaves_lawful_quotes(void) {
    fixture one;
    open_fixture(&one);
    hr_engine_book markets[SLOTS];
    memset(markets, 0, sizeof markets);
    double index = 90000.0;
    int64_t moved = 0;
    for (int64_t round = 0; round < ROUNDS; round++) {
        one.now_ns += second_ns / 5;
        const hr_engine_surface surface = surface_of(one.now_ns, 0.45);
        assert(hr_engine_set_surface(one.engine, &surface) == HR_OK);
        assert(hr_engine_on_index(one.engine, index, one.now_ns) == HR_OK);
        for (int64_t i = 0; i < 4; i++) {
            random_event(&one, markets, &index);
        }
        moved += decide(&one);
        if (one.pass.blocked_reason == HR_GATE_OK) {
            check_quotes(&one, markets);
        } else {
            assert(one.pass.blocked_reason == HR_GATE_FROZEN);
            assert(hr_engine_clear_live(one.engine) == HR_OK);
        }
    }
    assert(moved > ROUNDS);
    free(one.memory);
}

int main(void) {
    test_rounding_is_outward_and_on_the_grid();
    test_any_course_of_events_leaves_lawful_quotes();
    return 0;
}
