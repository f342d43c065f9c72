/* Goal: whatever makes quoting unsafe pulls every quote at once, by the path's own clock, and
 * quoting comes back only when that cause is gone. */
#include "path_fixture.h"

static venue one;
static hr_record records[65536];

static void open_here(void) {
    const hr_path_config config = config_of();
    open_quoting(&one, &config);
    hr_path_take_records(one.path, records, 65536);
}

/* Time passes in steps of 20 ms, with the index ticking, for so long. */
static void run_ms(int64_t ms) {
    for (int64_t at = 0; at < ms; at += 20) {
        compose_index(&one, 90000.0);
        deliver(&one, 0);
        serve(&one);
        pass_ms(&one, 20);
    }
}

static void assert_pulled(int32_t reason) {
    const hr_path_underlying book = shown(&one);
    assert(book.phase != HR_PHASE_QUOTING);
    assert(book.pull_reason == reason);
    const int64_t count = hr_path_take_records(one.path, records, 65536);
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        found += records[i].kind == HR_RECORD_PULL && records[i].code == reason;
    }
    assert(found == 1);
}

static void assert_quoting(void) {
    assert(shown(&one).phase == HR_PHASE_QUOTING);
}

static void test_a_lapsed_lease_pulls_within_the_next_wake(void) {
    open_here();
    assert(hr_path_put_lease(one.path, 0, HR_STATE_ACTIVE, one.now_ns + 100000000) == HR_OK);
    run_ms(80);
    assert_quoting();
    run_ms(40);
    assert_pulled(HR_GATE_NO_LEASE);
    assert(hr_path_put_lease(one.path, 0, HR_STATE_ACTIVE, INT64_MAX) == HR_OK);
    run_ms(20);
    assert_quoting();
    close_venue(&one);
}

static void test_silent_market_data_pulls(void) {
    open_here();
    pass_ms(&one, 140);
    assert_quoting();
    pass_ms(&one, 20);
    assert_pulled(HR_PULL_FEED);
    run_ms(20);
    assert_quoting();
    close_venue(&one);
}

static void test_a_halt_pulls_at_once_and_a_resume_ends_it(void) {
    open_here();
    command(&one, (hr_command){.kind = HR_COMMAND_HALT, .flag = 1});
    pass_ms(&one, 1);
    assert_pulled(HR_GATE_HALTED);
    command(&one, (hr_command){.kind = HR_COMMAND_HALT, .flag = 0});
    pass_ms(&one, 1);
    assert_quoting();
    close_venue(&one);
}

static void test_an_old_surface_pulls(void) {
    open_here();
    hr_gate_limits limits = limits_of();
    limits.surface_age_ns_max = 1000000000;
    assert(hr_path_put_limits(one.path, 0, &limits) == HR_OK);
    run_ms(1200);
    assert_pulled(HR_GATE_STALE_SURFACE);
    const hr_engine_surface surface = surface_of(one.now_ns, 0.5);
    assert(hr_path_put_surface(one.path, 0, &surface) == HR_OK);
    run_ms(20);
    assert_quoting();
    close_venue(&one);
}

static void test_a_ring_that_nobody_drains_pulls_before_it_is_full(void) {
    hr_path_config config = config_of();
    config.record_capacity = 4096;
    open_quoting(&one, &config);
    int32_t phase = HR_PHASE_QUOTING;
    for (int i = 0; i < 4000 && phase == HR_PHASE_QUOTING; i++) {
        one.now_ns += 1000000;
        compose_bid(&one, RIVAL_SLOT, i % 2 ? RIVAL_LOW : RIVAL_HIGH);
        deliver(&one, 0);
        serve(&one);
        phase = shown(&one).phase;
    }
    assert(phase != HR_PHASE_QUOTING && shown(&one).pull_reason == HR_PULL_RECORDS);
    static hr_path_stats stats;
    hr_path_publish_stats(one.path, one.now_ns);
    assert(hr_path_read_stats(one.path, &stats) == HR_OK);
    assert(stats.records_lost == 0);
    run_ms(100);
    assert(shown(&one).phase == HR_PHASE_CLEAR);
    hr_path_take_records(one.path, records, 65536);
    run_ms(20);
    assert_quoting();
    close_venue(&one);
}

static void test_a_request_without_an_answer_pulls(void) {
    open_here();
    one.is_mute = 1;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    serve(&one);
    run_ms(980);
    assert_quoting();
    run_ms(40);
    assert_pulled(HR_PULL_UNANSWERED);
    one.is_mute = 0;
    run_ms(500);
    assert_quoting();
    close_venue(&one);
}

static void test_a_gap_in_the_session_pulls_until_it_is_filled(void) {
    open_here();
    one.answers_out += 2;
    answer(&one, '0', "");
    serve(&one);
    assert_pulled(HR_PULL_SESSION);
    run_ms(60);
    assert(shown(&one).phase != HR_PHASE_QUOTING);
    hr_path_message messages[16];
    const int64_t count = hr_path_take_messages(one.path, messages, 16);
    assert(count >= 1 && strstr(messages[0].raw, "\00135=0\001") != NULL);
    const int64_t next = one.answers_out;
    one.answers_out = messages[0].sequence - 2;
    char body[64];
    snprintf(body, sizeof body, "123=Y\00136=%lld\001", (long long)next);
    answer(&one, '4', body);
    one.answers_out = next;
    run_ms(320);
    assert_quoting();
    close_venue(&one);
}

static void test_a_socket_that_takes_nothing_pulls(void) {
    open_here();
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    assert(hr_path_on_sent(one.path, 0, one.now_ns) == HR_OK);
    for (int i = 0; i < 15; i++) {
        compose_index(&one, 90000.0);
        deliver(&one, 0);
        one.now_ns += 20000000;
        assert(hr_path_on_time(one.path, one.now_ns) == HR_OK);
    }
    assert(shown(&one).pull_reason == HR_PULL_SEND);
    assert(shown(&one).phase == HR_PHASE_CLEARING);
    close_venue(&one);
}

static void test_a_trip_stops_until_python_starts_anew(void) {
    open_here();
    one.is_mute = 1;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    serve(&one);
    one.is_mute = 0;
    char body[256];
    snprintf(body, sizeof body,
             "117=%lld\001297=0\001295=1\001299=%d\0019020=0\0011167=18\00154=1\001",
             (long long)one.last_request, RIVAL_SLOT);
    answer(&one, 'b', body);
    serve(&one);
    assert_pulled(HR_PULL_TRIPPED);
    assert(shown(&one).trips == 1);
    run_ms(1500);
    assert(shown(&one).phase == HR_PHASE_CLEAR);
    command(&one, (hr_command){.kind = HR_COMMAND_START});
    run_ms(40);
    assert_quoting();
    close_venue(&one);
}

static void test_a_request_refused_whole_pulls_and_waits(void) {
    open_here();
    one.is_mute = 1;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    serve(&one);
    one.is_mute = 0;
    char body[128];
    snprintf(body, sizeof body, "117=%lld\001297=5\001300=99\001", (long long)one.last_request);
    answer(&one, 'b', body);
    serve(&one);
    assert_pulled(HR_PULL_FAILED);
    run_ms(900);
    assert(shown(&one).phase == HR_PHASE_CLEAR);
    run_ms(200);
    assert_quoting();
    close_venue(&one);
}

static void test_a_cancel_answered_before_the_quotes_is_sent_again(void) {
    open_here();
    one.is_mute = 1;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    serve(&one);
    const int64_t request = one.last_request;
    one.is_mute = 0;
    command(&one, (hr_command){.kind = HR_COMMAND_STOP, .code = HR_PULL_ASKED});
    pass_ms(&one, 1);
    const int64_t cancels = one.cancels;
    assert(shown(&one).phase == HR_PHASE_CLEARING);
    char body[64];
    snprintf(body, sizeof body, "117=%lld\001297=0\001", (long long)request);
    answer(&one, 'b', body);
    serve(&one);
    assert(one.cancels == cancels + 1 && shown(&one).phase == HR_PHASE_CLEAR);
    run_ms(300);
    assert(shown(&one).phase == HR_PHASE_CLEAR); /* Stopped: only a start ends it. */
    close_venue(&one);
}

static void test_a_lost_connection_leaves_nothing_and_a_new_one_clears_first(void) {
    open_here();
    assert(hr_path_on_lost(one.path, one.now_ns) == HR_OK);
    assert(shown(&one).phase == HR_PHASE_DOWN && shown(&one).pass.two_sided_count > 0);
    run_ms(100);
    assert(one.wire_bytes == 0);
    const int64_t cancels = one.cancels;
    start_quoting(&one);
    assert(one.cancels == cancels + 1);
    assert_quoting();
    close_venue(&one);
}

static void test_a_stale_book_loses_its_quote_until_it_is_healed(void) {
    open_here();
    one.books[RIVAL_SLOT].bid_ticks += 100; /* What it will delete is not there. */
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    const int64_t before = one.quotes;
    deliver(&one, 0);
    serve(&one);
    assert(one.quotes == before + 1);
    const int64_t count = hr_path_take_records(one.path, records, 65536);
    int64_t cancelled = 0;
    for (int64_t i = 0; i < count; i++) {
        cancelled += records[i].kind == HR_RECORD_QUOTE && records[i].slot == RIVAL_SLOT &&
                     records[i].lots[0] == 0 && records[i].lots[1] == 0;
    }
    assert(cancelled == 1);
    run_ms(100);
    assert(one.quotes == before + 1);
    compose_snapshot(&one, RIVAL_SLOT);
    deliver(&one, 1);
    run_ms(20);
    assert(one.quotes == before + 2);
    close_venue(&one);
}

static void test_a_chain_that_breaks_with_no_packet_missing_empties_its_channel(void) {
    open_here();
    one.books[RIVAL_SLOT].change_id += 7;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    const int64_t before = one.quotes;
    deliver(&one, 0);
    serve(&one);
    assert(one.quotes == before + OPTIONS && shown(&one).pass.two_sided_count == 0);
    run_ms(100);
    assert(one.quotes == before + OPTIONS);
    close_venue(&one);
}

int main(void) {
    test_a_lapsed_lease_pulls_within_the_next_wake();
    test_silent_market_data_pulls();
    test_a_halt_pulls_at_once_and_a_resume_ends_it();
    test_an_old_surface_pulls();
    test_a_ring_that_nobody_drains_pulls_before_it_is_full();
    test_a_request_without_an_answer_pulls();
    test_a_gap_in_the_session_pulls_until_it_is_filled();
    test_a_socket_that_takes_nothing_pulls();
    test_a_trip_stops_until_python_starts_anew();
    test_a_request_refused_whole_pulls_and_waits();
    test_a_cancel_answered_before_the_quotes_is_sent_again();
    test_a_lost_connection_leaves_nothing_and_a_new_one_clears_first();
    test_a_stale_book_loses_its_quote_until_it_is_healed();
    test_a_chain_that_breaks_with_no_packet_missing_empties_its_channel();
    printf("path pull: ok\n");
    return 0;
}
