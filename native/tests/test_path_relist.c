/* Goal: a slot whose option was delivered is the next option's, with nothing left of the first. */
#include "path_fixture.h"

enum { OLD_SLOT = RIVAL_SLOT, SPARE_SLOT = RIVAL_SLOT + 2, LOTS = 20 };

static venue one;
static hr_record records[65536];

static void release(int64_t slot) {
    command(&one, (hr_command){.kind = HR_COMMAND_RELEASE, .slot = slot});
}

/* Lists an option of the longest expiry in OLD_SLOT, under the id that SPARE_SLOT had. */
static void list_next(void) {
    hr_command order = {
        .kind = HR_COMMAND_INSTRUMENT,
        .slot = OLD_SLOT,
        .instrument_id = FIRST_ID + SPARE_SLOT,
        .flag = 1,
        .name = "BTC-NEXT-90250-C",
        .instrument = instrument_of(OPTIONS - STRIKES),
    };
    order.instrument.strike_usd = 90250.0;
    command(&one, order);
}

static void index_tick(double index_usd) {
    compose_index(&one, index_usd);
    deliver(&one, 0);
    serve(&one);
}

/* Returns how many quotes of a slot were recorded since the last call, of one instrument. */
static int64_t quotes_of(int64_t slot, int64_t instrument_id) {
    const int64_t count = hr_path_take_records(one.path, records, 65536);
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        const int is_quote = records[i].kind == HR_RECORD_QUOTE && records[i].slot == slot;
        assert(!is_quote || records[i].instrument_id == instrument_id);
        found += is_quote;
    }
    return found;
}

static void open_here(void) {
    const hr_path_config config = config_of();
    open_quoting(&one, &config);
    quotes_of(OLD_SLOT, FIRST_ID + OLD_SLOT);
}

static void test_what_was_released_is_quoted_no_more(void) {
    open_here();
    release(OLD_SLOT);
    pass_ms(&one, 1);
    for (int i = 0; i < 8; i++) {
        index_tick(90000.0 + 300.0 * i);
        compose_bid(&one, OLD_SLOT, 5 + 5 * i); /* Its book is told of to the end. */
        deliver(&one, 0);
        pass_ms(&one, 100);
    }
    assert(quotes_of(OLD_SLOT, -1) == 0);
    assert(shown(&one).pass.quotable_count == OPTIONS - 1);
    close_venue(&one);
}

static void test_the_next_option_of_a_slot_waits_for_a_book_of_its_own(void) {
    open_here();
    release(OLD_SLOT);
    release(SPARE_SLOT);
    list_next();
    pass_ms(&one, 1);
    index_tick(90300.0);
    compose_bid(&one, OLD_SLOT, 10); /* The id of before means nothing now. */
    deliver(&one, 0);
    pass_ms(&one, 100);
    assert(quotes_of(OLD_SLOT, -1) == 0);
    compose_snapshot(&one, SPARE_SLOT);
    deliver(&one, 1);
    index_tick(90000.0);
    pass_ms(&one, 100);
    assert(quotes_of(OLD_SLOT, FIRST_ID + SPARE_SLOT) > 0);
    assert(shown(&one).pass.quotable_count == OPTIONS - 1);
    compose_bid(&one, OLD_SLOT, 4900); /* Nor now: it would be somebody's best bid by far. */
    deliver(&one, 0);
    serve(&one);
    assert(quotes_of(OLD_SLOT, -1) == 0);
    assert(shown(&one).phase == HR_PHASE_QUOTING);
    close_venue(&one);
}

static void test_position_and_latches_go_with_the_option_that_had_them(void) {
    open_here();
    const double flat = shown(&one).risk.option_delta_coin;
    hr_command fill = {.kind = HR_COMMAND_FILL, .slot = OLD_SLOT, .lots = LOTS, .ticks = 210};
    strcpy(fill.text, "BTC-1");
    fill.flag = 1;
    command(&one, fill);
    command(&one, (hr_command){.kind = HR_COMMAND_LATCH, .slot = OLD_SLOT, .flag = HR_SIDE_BID});
    pass_ms(&one, 1);
    index_tick(90300.0);
    pass_ms(&one, 300);
    const double held = shown(&one).risk.option_delta_coin;
    assert(held - flat > 0.5);
    assert(shown(&one).pass.one_sided_count == 1);
    release(OLD_SLOT);
    release(SPARE_SLOT);
    list_next();
    pass_ms(&one, 1);
    compose_snapshot(&one, SPARE_SLOT);
    deliver(&one, 1);
    for (int i = 0; i < 4; i++) {
        index_tick(90000.0 + 10.0 * (i % 2));
        pass_ms(&one, 100);
    }
    assert(fabs(shown(&one).risk.option_delta_coin - flat) < 1e-9);
    assert(shown(&one).pass.one_sided_count == 0);
    assert(shown(&one).pass.two_sided_count == OPTIONS - 1);
    close_venue(&one);
}

int main(void) {
    test_what_was_released_is_quoted_no_more();
    test_the_next_option_of_a_slot_waits_for_a_book_of_its_own();
    test_position_and_latches_go_with_the_option_that_had_them();
    printf("path relist: ok\n");
    return 0;
}
