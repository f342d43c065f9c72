/* Goal: a datagram becomes the right quote, fills move what follows, and all of it is recorded. */
#include "path_fixture.h"

static venue one;
static hr_record records[65536];

static int64_t take_records(void) {
    return hr_path_take_records(one.path, records, 65536);
}

static const hr_record *find_record(int64_t count, int32_t kind) {
    for (int64_t i = 0; i < count; i++) {
        if (records[i].kind == kind) {
            return &records[i];
        }
    }
    return NULL;
}

static int64_t count_kind(int64_t count, int32_t kind) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        found += records[i].kind == kind;
    }
    return found;
}

static void open_here(void) {
    const hr_path_config config = config_of();
    open_quoting(&one, &config);
    take_records();
}

static void test_a_configuration_that_cannot_be_is_refused(void) {
    hr_path_config config = config_of();
    hr_path *path = NULL;
    assert(hr_path_size(NULL) == 0);
    config.underlying_count = HR_PATH_UNDERLYINGS_MAX + 1;
    assert(hr_path_size(&config) == 0);
    config = config_of();
    config.record_capacity = 5000;
    assert(hr_path_size(&config) == 0);
    config = config_of();
    config.feed_silence_ns = 0;
    assert(hr_path_size(&config) == 0);
    config = config_of();
    config.sender[0] = 0;
    assert(hr_path_size(&config) == 0);
    config = config_of();
    const int64_t bytes = hr_path_size(&config);
    unsigned char *memory = aligned_alloc(64, (size_t)bytes + 64);
    assert(hr_path_init(memory + 8, bytes, &config, &path) == HR_ERR_ARGUMENT);
    assert(hr_path_init(memory, bytes - 64, &config, &path) == HR_ERR_ARGUMENT);
    assert(hr_path_init(NULL, bytes, &config, &path) == HR_ERR_ARGUMENT);
    free(memory);
}

static void test_everything_is_quoted_after_log_on_and_nothing_before(void) {
    const hr_path_config config = config_of();
    open_venue(&one, &config);
    open_market(&one);
    pass_ms(&one, 1);
    assert(one.quotes == 0 && one.wire_bytes == 0);
    start_quoting(&one);
    const hr_path_underlying book = shown(&one);
    assert(book.phase == HR_PHASE_QUOTING && one.cancels == 1);
    assert(book.pass.quotable_count == OPTIONS && one.quotes >= OPTIONS);
    assert(book.in_flight == 0);
    assert(count_kind(take_records(), HR_RECORD_QUOTE) == one.quotes);
    close_venue(&one);
}

static void test_a_new_session_begins_with_no_credits(void) {
    const hr_path_config config = config_of();
    open_venue(&one, &config);
    open_market(&one);
    hr_command rates = rates_command();
    rates.budget.requests_per_s = rates.budget.quotes_per_s = 40;
    rates.budget.requests_burst = rates.budget.quotes_burst = 10 * OPTIONS;
    command(&one, rates);
    start_quoting(&one); /* 4 ms: the venue may remember an earlier session's last burst */
    assert(one.quotes == 0);
    for (int i = 0; i < 1000; i++) {
        pass_ms(&one, 1);
    }
    assert(one.quotes > 0 && one.quotes <= 41);
    close_venue(&one);
}

static void test_a_book_tick_moves_its_own_quote_and_is_stamped_through(void) {
    open_here();
    const int64_t before = one.quotes;
    one.now_ns += 1000;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    serve(&one);
    assert(one.quotes == before + 1);
    const int64_t count = take_records();
    const hr_record *quote = find_record(count, HR_RECORD_QUOTE);
    assert(quote != NULL && quote->slot == RIVAL_SLOT && quote->request == one.last_request);
    assert(quote->is_moved[HR_SIDE_BID] && quote->ticks[HR_SIDE_BID] == 605);
    assert(quote->received_ns == one.now_ns && quote->sent_ns == one.now_ns);
    assert(quote->decoded_ns > 0 && quote->valued_ns > 0 && quote->decided_ns > 0);
    assert(quote->gated_ns > 0);
    assert(quote->surface_version == 1 && quote->policy_version == 1);
    assert(quote->limits_version == 1 && quote->lease_expires_ns == INT64_MAX);
    assert(quote->feed_change_id == (int64_t)one.books[RIVAL_SLOT].change_id);
    const hr_record *answered = find_record(count, HR_RECORD_ANSWER);
    assert(answered != NULL && answered->request == quote->request);
    close_venue(&one);
}

/* Its record is written once its bytes are out, or when the next input comes, whichever is first.
 */
static void test_a_record_tells_of_its_own_tick_however_late_its_bytes_go(void) {
    open_here();
    one.now_ns += 1000000;
    const int64_t first_ns = one.now_ns;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    const int64_t change_id = (int64_t)one.books[RIVAL_SLOT].change_id;
    deliver(&one, 0);
    assert(find_record(take_records(), HR_RECORD_QUOTE) == NULL); /* Nothing is told unsent. */
    one.now_ns += 1000000;
    compose_bid(&one, RIVAL_SLOT, RIVAL_LOW);
    deliver(&one, 0);
    serve(&one);
    const int64_t count = take_records();
    const hr_record *quote = find_record(count, HR_RECORD_QUOTE);
    assert(quote != NULL && quote->slot == RIVAL_SLOT && quote->ticks[HR_SIDE_BID] == 605);
    assert(quote->received_ns == first_ns && quote->decided_ns == first_ns);
    assert(quote->feed_change_id == change_id && quote->sent_ns == one.now_ns);
    close_venue(&one);
}

static void test_a_record_outlives_the_session_that_it_was_sent_on(void) {
    open_here();
    one.now_ns += 1000000;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    assert(hr_path_on_lost(one.path, one.now_ns) == HR_OK);
    const hr_record *quote = find_record(take_records(), HR_RECORD_QUOTE);
    assert(quote != NULL && quote->slot == RIVAL_SLOT && quote->sent_ns == 0);
    close_venue(&one);
}

static void test_an_index_tick_moves_many_quotes_in_few_messages(void) {
    open_here();
    const int64_t before = one.quotes;
    const int64_t messages = one.quote_messages;
    compose_index(&one, 90400.0);
    deliver(&one, 0);
    serve(&one);
    assert(one.quotes > before + OPTIONS / 4);
    assert(one.quote_messages <= messages + 1 + (one.quotes - before) / HR_FIX_QUOTES_MAX);
    close_venue(&one);
}

static void test_what_a_block_moves_is_decided_before_the_next_tick(void) {
    open_here();
    hr_engine_surface surface = surface_of(one.now_ns, 0.55);
    surface.version = 2;
    int64_t before = one.quotes;
    assert(hr_path_put_surface(one.path, 0, &surface) == HR_OK);
    pass_ms(&one, 1);
    assert(one.quotes > before + OPTIONS / 4);
    hr_engine_policy policy = policy_of();
    policy.version = 2;
    policy.edge_coin *= 4.0;
    before = one.quotes;
    assert(hr_path_put_policy(one.path, 0, &policy) == HR_OK);
    pass_ms(&one, 1);
    assert(one.quotes > before + OPTIONS / 4);
    hr_gate_limits limits = limits_of();
    limits.version = 2;
    limits.quote_lots_max = policy.amount_lots - 1;
    const int64_t messages = one.quote_messages;
    assert(hr_path_put_limits(one.path, 0, &limits) == HR_OK);
    pass_ms(&one, 1);
    assert(one.quote_messages > messages);
    close_venue(&one);
}

static void test_records_are_in_sequence_and_wait_for_the_socket(void) {
    open_here();
    compose_bid(&one, 100, 3);
    deliver(&one, 0);
    compose_index(&one, 90300.0);
    deliver(&one, 0);
    const uint8_t *bytes = NULL;
    const int64_t waiting = hr_path_output(one.path, &bytes);
    assert(waiting > 100 && take_records() == 0);
    assert(hr_path_on_sent(one.path, waiting + 1, one.now_ns) == HR_ERR_ARGUMENT);
    assert(hr_path_on_sent(one.path, 100, one.now_ns) == HR_OK);
    assert(take_records() == 0);
    /* With bytes waiting nothing new is quoted. */
    compose_index(&one, 89000.0);
    deliver(&one, 0);
    assert(hr_path_output(one.path, &bytes) == waiting - 100);
    assert(hr_path_on_sent(one.path, waiting - 100, one.now_ns) == HR_OK);
    const int64_t count = take_records();
    assert(count_kind(count, HR_RECORD_QUOTE) > 0);
    for (int64_t i = 1; i < count; i++) {
        assert(records[i].sequence == records[i - 1].sequence + 1);
    }
    close_venue(&one);
}

static void report_fill(int64_t slot, const char *trade_id, double amount, int64_t ticks) {
    char body[512];
    const hr_engine_instrument option = instrument_of(slot);
    snprintf(
        body, sizeof body,
        "37=1\00141=2\001117=7\001150=I\00139=1\00155=BTC-%lld-%d-%c\00154=1\00138=0.5\001151=0\001"
        "14=%.1f\0011362=1\0011363=%s\0011364=%.4f\0011365=%.1f\0011443=1\001",
        (long long)(slot / 64), (int)option.strike_usd, option.is_call ? 'C' : 'P', amount,
        trade_id, (double)ticks * tick_coin(), amount);
    answer(&one, '8', body);
}

static void test_a_fill_moves_the_book_once_and_requotes(void) {
    open_here();
    const double before = shown(&one).risk.option_delta_coin;
    const int64_t quotes = one.quotes;
    report_fill(RIVAL_SLOT, "BTC-771", 0.5, 210);
    serve(&one);
    assert(one.quotes > quotes);
    const double after = shown(&one).risk.option_delta_coin;
    assert(fabs(after - before) > 0.05);
    const int64_t count = take_records();
    const hr_record *fill = find_record(count, HR_RECORD_FILL);
    assert(fill != NULL && fill->slot == RIVAL_SLOT && fill->lots[0] == 5 && fill->ticks[0] == 210);
    assert(strcmp(fill->text, "BTC-771") == 0);
    report_fill(RIVAL_SLOT, "BTC-771", 0.5, 210);
    hr_command again = {.kind = HR_COMMAND_FILL, .slot = RIVAL_SLOT, .lots = 5, .ticks = 210};
    strcpy(again.text, "BTC-771");
    command(&one, again);
    pass_ms(&one, 1);
    assert(shown(&one).fills == 1);
    command(&one, (hr_command){.kind = HR_COMMAND_SEEN, .text = "BTC-772"});
    pass_ms(&one, 1);
    report_fill(RIVAL_SLOT, "BTC-772", 0.5, 210);
    assert(shown(&one).fills == 1);
    strcpy(again.text, "BTC-773");
    command(&one, again);
    pass_ms(&one, 1);
    assert(shown(&one).fills == 2);
    close_venue(&one);
}

static void test_what_somebody_waits_for_is_counted_once_it_can_be_taken(void) {
    open_here();
    const int64_t urgent = hr_path_urgent_count(one.path);
    assert(urgent > 0);
    take_records();
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    serve(&one);
    const int64_t patient = take_records();
    assert(count_kind(patient, HR_RECORD_QUOTE) > 0 && count_kind(patient, HR_RECORD_ANSWER) > 0);
    assert(hr_path_urgent_count(one.path) == urgent);
    report_fill(RIVAL_SLOT, "BTC-781", 0.5, 210);
    assert(take_records() == 0 && hr_path_urgent_count(one.path) == urgent);
    serve(&one);
    assert(find_record(take_records(), HR_RECORD_FILL) != NULL);
    assert(hr_path_urgent_count(one.path) == urgent + 1);
    close_venue(&one);
}

static void test_a_refused_side_is_quoted_again_after_its_hold(void) {
    open_here();
    one.is_mute = 1;
    compose_bid(&one, RIVAL_SLOT, RIVAL_HIGH);
    deliver(&one, 0);
    serve(&one);
    char body[256];
    snprintf(body, sizeof body,
             "117=%lld\001297=0\001295=1\001299=%lld\0019020=2\00154=1\001368=11029\001",
             (long long)one.last_request, (long long)RIVAL_SLOT);
    one.is_mute = 0;
    take_records();
    answer(&one, 'b', body);
    serve(&one);
    const hr_record *side = find_record(take_records(), HR_RECORD_SIDE);
    assert(side != NULL && side->slot == RIVAL_SLOT && side->is_moved[HR_SIDE_BID] &&
           side->code == 11029);
    assert(shown(&one).sides_rejected == 1);
    const int64_t before = one.quotes;
    for (int i = 0; i < 8; i++) {
        compose_index(&one, 90000.0);
        deliver(&one, 0);
        pass_ms(&one, 100);
        assert((one.quotes > before) == (i >= 5)); /* Held for half a second. */
    }
    close_venue(&one);
}

static void test_the_same_bytes_at_the_same_times_give_the_same_output(void) {
    static uint8_t first[WIRE_BYTES];
    int64_t first_bytes = 0;
    for (int run = 0; run < 2; run++) {
        open_here();
        compose_index(&one, 90250.0);
        deliver(&one, 0);
        take_output(&one);
        if (run == 0) {
            memcpy(first, one.wire, (size_t)one.wire_bytes);
            first_bytes = one.wire_bytes;
        }
        assert(one.wire_bytes == first_bytes && memcmp(first, one.wire, (size_t)first_bytes) == 0);
        close_venue(&one);
    }
    assert(first_bytes > 1000);
}

static void test_histogram_buckets_cover_every_time_once(void) {
    for (int64_t bucket = 0; bucket < HR_HISTOGRAM_BUCKETS - 1; bucket++) {
        const int64_t least = hr_histogram_least_ns(bucket);
        assert(hr_histogram_bucket(least) == bucket);
        assert(hr_histogram_bucket(hr_histogram_least_ns(bucket + 1) - 1) == bucket);
    }
    assert(hr_histogram_bucket(-5) == 0);
    assert(hr_histogram_bucket(INT64_MAX) == HR_HISTOGRAM_BUCKETS - 1);
}

int main(void) {
    test_a_configuration_that_cannot_be_is_refused();
    test_a_record_tells_of_its_own_tick_however_late_its_bytes_go();
    test_a_record_outlives_the_session_that_it_was_sent_on();
    test_everything_is_quoted_after_log_on_and_nothing_before();
    test_a_new_session_begins_with_no_credits();
    test_a_book_tick_moves_its_own_quote_and_is_stamped_through();
    test_an_index_tick_moves_many_quotes_in_few_messages();
    test_what_a_block_moves_is_decided_before_the_next_tick();
    test_records_are_in_sequence_and_wait_for_the_socket();
    test_a_fill_moves_the_book_once_and_requotes();
    test_what_somebody_waits_for_is_counted_once_it_can_be_taken();
    test_a_refused_side_is_quoted_again_after_its_hold();
    test_the_same_bytes_at_the_same_times_give_the_same_output();
    test_histogram_buckets_cover_every_time_once();
    printf("path: ok\n");
    return 0;
}
