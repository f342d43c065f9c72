/* Goal: messages, credits, executions and trips are counted exactly, up to each bound and past it.
 */
#undef NDEBUG
#include "hr_gate.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static const int64_t second_ns = 1000000000;
static const int64_t start_ns = 1795344392306789012;

static hr_gate_rate rate; /* Large: its ring. */

static void test_no_window_of_a_second_holds_more_messages_than_allowed(void) {
    memset(&rate, 0, sizeof rate);
    assert(hr_gate_rate_check(&rate, start_ns, 0) == HR_GATE_RATE); /* Not set yet. */
    assert(hr_gate_rate_set(&rate, 5, 2) == HR_OK);
    for (int64_t sent = 0; sent < 3; sent++) {
        assert(hr_gate_rate_check(&rate, start_ns + sent, 0) == HR_GATE_OK);
        hr_gate_rate_sent(&rate, start_ns + sent);
    }
    assert(rate.sent_count == 3);
    assert(hr_gate_rate_check(&rate, start_ns + 3, 0) == HR_GATE_RATE);
    assert(hr_gate_rate_check(&rate, start_ns + 3, 1) == HR_GATE_OK); /* A cancel. */
    assert(hr_gate_rate_check(&rate, start_ns + second_ns - 1, 0) == HR_GATE_RATE);
    assert(hr_gate_rate_check(&rate, start_ns + second_ns, 0) == HR_GATE_OK);
    hr_gate_rate_sent(&rate, start_ns + second_ns);
    assert(hr_gate_rate_check(&rate, start_ns + second_ns, 0) == HR_GATE_RATE);
    assert(hr_gate_rate_check(&rate, start_ns + second_ns + 1, 0) == HR_GATE_OK);
}

static void test_cancels_count_against_quotes(void) {
    memset(&rate, 0, sizeof rate);
    assert(hr_gate_rate_set(&rate, 2, 1) == HR_OK);
    hr_gate_rate_sent(&rate, start_ns); /* A cancel takes the one message there is for quotes. */
    assert(hr_gate_rate_check(&rate, start_ns + 1, 0) == HR_GATE_RATE);
    assert(hr_gate_rate_check(&rate, start_ns + 1, 1) == HR_GATE_OK);
}

static void test_the_ring_of_messages_goes_round(void) {
    memset(&rate, 0, sizeof rate);
    assert(hr_gate_rate_set(&rate, HR_GATE_MESSAGES_MAX, 0) == HR_OK);
    for (int64_t sent = 0; sent < 3 * HR_GATE_MESSAGES_MAX; sent++) {
        const int64_t now_ns = start_ns + sent / HR_GATE_MESSAGES_MAX * second_ns;
        assert(hr_gate_rate_check(&rate, now_ns, 0) == HR_GATE_OK);
        hr_gate_rate_sent(&rate, now_ns);
        assert(rate.sent_count == sent + 1);
        const int is_full = (sent + 1) % HR_GATE_MESSAGES_MAX == 0;
        assert(hr_gate_rate_check(&rate, now_ns, 0) == (is_full ? HR_GATE_RATE : HR_GATE_OK));
    }
}

static void test_rates_that_cannot_be_stop_everything(void) {
    static const int64_t bad[][2] = {{0, 0},  {-1, 0}, {HR_GATE_MESSAGES_MAX + 1, 0},
                                     {5, -1}, {5, 5},  {5, 6}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        memset(&rate, 0, sizeof rate);
        assert(hr_gate_rate_set(&rate, 5, 3) == HR_OK);
        assert(rate.messages_max == 5 && rate.reserved == 3);
        assert(hr_gate_rate_set(&rate, bad[k][0], bad[k][1]) == HR_ERR_ARGUMENT);
        assert(rate.messages_max == 0 && rate.reserved == 0);
        assert(hr_gate_rate_check(&rate, start_ns, 0) == HR_GATE_RATE);
        assert(hr_gate_rate_check(&rate, start_ns, 1) == HR_GATE_OK);
    }
    assert(hr_gate_rate_set(&rate, 1, 0) == HR_OK);
    assert(hr_gate_rate_check(&rate, start_ns, 0) == HR_GATE_OK);
    assert(hr_gate_rate_set(&rate, 5, 4) == HR_OK);
    assert(hr_gate_rate_set(NULL, 5, 0) == HR_ERR_ARGUMENT);
}

static hr_gate_budget rates_of(void) {
    return (hr_gate_budget){.requests_per_s = 10.0,
                            .requests_burst = 20.0,
                            .requests_reserved = 2.0,
                            .quotes_per_s = 100.0,
                            .quotes_burst = 500.0};
}

static void test_credits_are_spent_and_come_back(void) {
    hr_gate_budget budget = {0};
    const hr_gate_budget rates = rates_of();
    assert(hr_gate_budget_requests(&budget, start_ns) == 0); /* Not set yet. */
    budget = (hr_gate_budget){0};
    assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
    assert(hr_gate_budget_requests(&budget, start_ns) == 18);
    assert(hr_gate_budget_quotes(&budget, start_ns) == 500);
    hr_gate_budget_pay(&budget, 17, 499);
    assert(hr_gate_budget_requests(&budget, start_ns) == 1);
    assert(hr_gate_budget_quotes(&budget, start_ns) == 1);
    hr_gate_budget_pay(&budget, 4, 2); /* Cancels go below. */
    assert(budget.requests == -1.0 && budget.quotes == -1.0);
    assert(hr_gate_budget_requests(&budget, start_ns) == 0);
    assert(hr_gate_budget_requests(&budget, start_ns - 5 * second_ns) == 0); /* Clocks go back. */
    assert(hr_gate_budget_quotes(&budget, start_ns) == 0 && budget.refilled_ns == start_ns);
    assert(hr_gate_budget_requests(&budget, start_ns + second_ns / 2) == 2);
    assert(budget.requests == 4.0 && budget.quotes == 49.0);
    assert(hr_gate_budget_quotes(&budget, start_ns + second_ns / 2) == 49);
    assert(hr_gate_budget_quotes(&budget, start_ns + second_ns) == 99 && budget.requests == 9.0);
    assert(hr_gate_budget_requests(&budget, start_ns + 60 * second_ns) == 18);
    assert(hr_gate_budget_quotes(&budget, start_ns + 60 * second_ns) == 500);
}

static void test_credits_paid_before_the_first_look_stay_paid(void) {
    hr_gate_budget budget = {0};
    const hr_gate_budget rates = rates_of();
    assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
    hr_gate_budget_pay(&budget, 5, 100);
    assert(hr_gate_budget_requests(&budget, start_ns) == 13);
    assert(hr_gate_budget_quotes(&budget, start_ns) == 400);
}

static void test_part_of_a_credit_is_none(void) {
    hr_gate_budget budget = {0};
    hr_gate_budget rates = rates_of();
    rates.requests_reserved = 0.0;
    assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
    assert(hr_gate_budget_requests(&budget, 1) == 20);
    hr_gate_budget_pay(&budget, 20, 500);
    assert(hr_gate_budget_requests(&budget, 1 + second_ns / 20) == 0 && budget.requests == 0.5);
    assert(hr_gate_budget_quotes(&budget, 1 + second_ns / 20) == 5);
    assert(hr_gate_budget_requests(&budget, 1 + second_ns / 10) == 1);
}

static void test_new_rates_keep_what_is_held(void) {
    hr_gate_budget budget = {0};
    hr_gate_budget rates = rates_of();
    assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
    assert(hr_gate_budget_requests(&budget, start_ns) == 18);
    hr_gate_budget_pay(&budget, 5, 100);
    assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
    assert(budget.requests == 15.0 && budget.quotes == 400.0 && budget.refilled_ns == start_ns);
    rates.requests_burst = 10.0;
    rates.quotes_burst = 50.0;
    assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
    assert(budget.requests == 10.0 && budget.quotes == 50.0);
    assert(hr_gate_budget_requests(&budget, start_ns) == 8);
}

static void test_credits_that_cannot_be_stop_everything(void) {
    static const struct {
        size_t offset;
        double least;
        int is_least_bad;
    } fields[] = {
        {offsetof(hr_gate_budget, requests_per_s), 0.0, 1},
        {offsetof(hr_gate_budget, quotes_per_s), 0.0, 1},
        {offsetof(hr_gate_budget, requests_burst), 1.0, 0},
        {offsetof(hr_gate_budget, quotes_burst), 1.0, 0},
        {offsetof(hr_gate_budget, requests_reserved), 0.0, 0},
    };
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        const double least = fields[k].least;
        const double bad[] = {NAN,
                              INFINITY,
                              -INFINITY,
                              nextafter(least, -1.0),
                              -1.0,
                              nextafter(1e9, INFINITY),
                              fields[k].is_least_bad ? least : (double)NAN};
        const double good[] = {1e9, nextafter(least, 1e9), fields[k].is_least_bad ? 1e9 : least};
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            hr_gate_budget budget = {0};
            hr_gate_budget rates = rates_of();
            assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
            memcpy((uint8_t *)&rates + fields[k].offset, &bad[j], sizeof bad[j]);
            assert(hr_gate_budget_set(&budget, &rates) == HR_ERR_ARGUMENT);
            assert(hr_gate_budget_requests(&budget, start_ns) == 0);
            assert(hr_gate_budget_requests(&budget, start_ns + second_ns) == 0);
            assert(hr_gate_budget_quotes(&budget, start_ns + 2 * second_ns) == 0);
        }
        for (size_t j = 0; j < sizeof good / sizeof *good; j++) {
            hr_gate_budget budget = {0};
            hr_gate_budget rates = rates_of();
            memcpy((uint8_t *)&rates + fields[k].offset, &good[j], sizeof good[j]);
            assert(hr_gate_budget_set(&budget, &rates) == HR_OK);
        }
    }
    hr_gate_budget budget = {0};
    const hr_gate_budget rates = rates_of();
    assert(hr_gate_budget_set(NULL, &rates) == HR_ERR_ARGUMENT);
    assert(hr_gate_budget_set(&budget, NULL) == HR_ERR_ARGUMENT);
}

static void test_more_executed_than_can_rest_is_excess(void) {
    hr_gate_account account = {0};
    assert(hr_gate_account_filled(&account, 1, start_ns) == HR_GATE_EXCESS);
    hr_gate_account_sent(&account, 10, start_ns);
    assert(hr_gate_account_filled(&account, 4, start_ns) == HR_GATE_OK && account.live_lots == 6);
    assert(hr_gate_account_filled(&account, 6, start_ns) == HR_GATE_OK && account.live_lots == 0);
    assert(hr_gate_account_filled(&account, 1, start_ns) == HR_GATE_EXCESS);
    hr_gate_account_sent(&account, 10, start_ns);
    assert(account.left_lots == 0); /* Nothing rested. */
    assert(hr_gate_account_filled(&account, 11, start_ns) == HR_GATE_EXCESS);
    assert(account.live_lots == 0 && account.left_lots == 0);
}

static void test_what_was_replaced_may_still_be_filled_for_a_while(void) {
    const hr_gate_account rested = {.live_lots = 10};
    hr_gate_account account = rested;
    hr_gate_account_sent(&account, 5, start_ns);
    assert(account.live_lots == 5 && account.left_lots == 10);
    assert(account.left_until_ns == start_ns + 3 * second_ns);
    hr_gate_account before = account;
    assert(hr_gate_account_filled(&account, 7, start_ns + 3 * second_ns - 1) == HR_GATE_OK);
    assert(account.live_lots == 5 && account.left_lots == 3);
    assert(hr_gate_account_filled(&account, 5, start_ns + 9 * second_ns) == HR_GATE_OK);
    assert(account.live_lots == 0 && account.left_lots == 0);
    account = before;
    assert(hr_gate_account_filled(&account, 15, start_ns + 1) == HR_GATE_OK);
    assert(account.live_lots == 0 && account.left_lots == 0);
    account = before;
    assert(hr_gate_account_filled(&account, 16, start_ns + 1) == HR_GATE_EXCESS);
    assert(account.live_lots == 0 && account.left_lots == 0);
    account = before;
    assert(hr_gate_account_filled(&account, 6, start_ns + 3 * second_ns) == HR_GATE_EXCESS);
    account = before;
    assert(hr_gate_account_filled(&account, 5, start_ns + 3 * second_ns) == HR_GATE_OK);
    assert(account.left_lots == 0);
    account = (hr_gate_account){.left_lots = 10, .left_until_ns = start_ns + 5};
    hr_gate_account_sent(&account, 3, start_ns + 1); /* Nothing leaves: no longer wait. */
    assert(account.left_until_ns == start_ns + 5 && account.left_lots == 10);
    account = before;
    hr_gate_account_sent(&account, 0, start_ns + 1); /* A cancel: both may still come. */
    assert(account.live_lots == 0 && account.left_lots == 15);
    assert(account.left_until_ns == start_ns + 1 + 3 * second_ns);
    account = before;
    hr_gate_account_sent(&account, 7, start_ns + 3 * second_ns); /* The older is over. */
    assert(account.live_lots == 7 && account.left_lots == 5);
    hr_gate_account_sent(&account, -1, start_ns + 3 * second_ns + 1);
    assert(account.live_lots == 0 && account.left_lots == 12);
    hr_gate_account_sent(&account, 1, start_ns + 3 * second_ns + 2);
    assert(account.live_lots == 1 && account.left_lots == 12);
    hr_gate_account_sent(&account, 2, start_ns + 3 * second_ns + 2);
    assert(account.live_lots == 2 && account.left_lots == 13);
}

static void test_trips_wait_longer_each_time_in_a_row(void) {
    hr_gate_trip trip = {0};
    assert(hr_gate_trip_reset(&trip, 1) == HR_OK); /* Nothing to end. */
    int64_t now_ns = start_ns;
    static const int64_t waits_s[] = {1, 2, 4, 8, 16, 32, 32, 32};
    for (int64_t k = 0; k < 8; k++) {
        hr_gate_trip_on(&trip, now_ns);
        assert(trip.is_tripped == 1 && trip.trip_count == k + 1 && trip.row_count == k + 1);
        assert(trip.tripped_ns == now_ns && trip.open_ns == now_ns + waits_s[k] * second_ns);
        hr_gate_trip_on(&trip, now_ns + 1); /* Said twice. */
        assert(trip.trip_count == k + 1 && trip.tripped_ns == now_ns);
        assert(hr_gate_trip_reset(&trip, trip.open_ns - 1) == HR_ERR_STALE && trip.is_tripped);
        assert(hr_gate_trip_reset(&trip, trip.open_ns) == HR_OK && trip.is_tripped == 0);
        assert(hr_gate_trip_reset(&trip, trip.open_ns - 1) == HR_OK); /* Ended already. */
        now_ns += 60 * second_ns - 1;
    }
    now_ns = trip.tripped_ns + 60 * second_ns;
    hr_gate_trip_on(&trip, now_ns);
    assert(trip.row_count == 1 && trip.open_ns == now_ns + second_ns && trip.trip_count == 9);
}

static void test_the_first_trip_of_a_young_clock_is_no_row(void) {
    hr_gate_trip trip = {0};
    hr_gate_trip_on(&trip, second_ns);
    assert(trip.row_count == 1);
    trip = (hr_gate_trip){.tripped_ns = 1};
    hr_gate_trip_on(&trip, second_ns);
    assert(trip.row_count == 1 && trip.open_ns == 2 * second_ns);
    trip = (hr_gate_trip){.tripped_ns = 1, .row_count = 1};
    hr_gate_trip_on(&trip, second_ns);
    assert(trip.row_count == 2 && trip.open_ns == 3 * second_ns);
    trip = (hr_gate_trip){.tripped_ns = 0, .row_count = 1};
    hr_gate_trip_on(&trip, second_ns);
    assert(trip.row_count == 1);
}

int main(void) {
    test_no_window_of_a_second_holds_more_messages_than_allowed();
    test_cancels_count_against_quotes();
    test_the_ring_of_messages_goes_round();
    test_rates_that_cannot_be_stop_everything();
    test_credits_are_spent_and_come_back();
    test_credits_paid_before_the_first_look_stay_paid();
    test_part_of_a_credit_is_none();
    test_new_rates_keep_what_is_held();
    test_credits_that_cannot_be_stop_everything();
    test_more_executed_than_can_rest_is_excess();
    test_what_was_replaced_may_still_be_filled_for_a_while();
    test_trips_wait_longer_each_time_in_a_row();
    test_the_first_trip_of_a_young_clock_is_no_row();
    return 0;
}
