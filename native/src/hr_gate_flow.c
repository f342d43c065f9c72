/* hr_gate_flow.c: the controls that count over time: messages, credits, executions, trips. */
#include "hr_gate.h"

#include <math.h>
#include <stddef.h>

#define SECOND_NS INT64_C(1000000000)
#define RATE_MAX 1e9             /* A second; no venue gives more. */
#define LEFT_NS (3 * SECOND_NS)  /* How late a fill of a quote that has left may be reported. */
#define RESET_WAIT_NS SECOND_NS  /* After a trip; doubles with each in a row, */
#define RESET_DOUBLINGS_MAX 5    /* so often at most; */
#define CALM_NS (60 * SECOND_NS) /* after so long without one, the row is over. */

hr_status hr_gate_rate_set(hr_gate_rate *rate, int64_t messages_max, int64_t reserved) {
    if (rate == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const int is_good = messages_max >= 1 && messages_max <= HR_GATE_MESSAGES_MAX &&
                        reserved >= 0 && reserved < messages_max;
    rate->messages_max = is_good ? messages_max : 0;
    rate->reserved = is_good ? reserved : 0;
    return is_good ? HR_OK : HR_ERR_ARGUMENT;
}

int32_t hr_gate_rate_check(const hr_gate_rate *rate, int64_t now_ns, int32_t is_cancel) {
    if (is_cancel) {
        return HR_GATE_OK;
    }
    const int64_t allowed = rate->messages_max - rate->reserved;
    if (allowed < 1) {
        return HR_GATE_RATE;
    }
    if (rate->sent_count < allowed) {
        return HR_GATE_OK;
    }
    const int64_t stamp_ns = rate->stamps_ns[(rate->sent_count - allowed) % HR_GATE_MESSAGES_MAX];
    return now_ns - stamp_ns >= SECOND_NS ? HR_GATE_OK : HR_GATE_RATE;
}

void hr_gate_rate_sent(hr_gate_rate *rate, int64_t now_ns) {
    rate->stamps_ns[rate->sent_count % HR_GATE_MESSAGES_MAX] = now_ns;
    rate->sent_count++;
}

static int is_rate(double value, double least) {
    return value >= least && value <= RATE_MAX;
}

hr_status hr_gate_budget_set(hr_gate_budget *budget, const hr_gate_budget *rates) {
    if (budget == NULL || rates == NULL) {
        return HR_ERR_ARGUMENT;
    }
    if (!(rates->requests_per_s > 0.0) || !(rates->quotes_per_s > 0.0) ||
        !is_rate(rates->requests_per_s, 0.0) || !is_rate(rates->quotes_per_s, 0.0) ||
        !is_rate(rates->requests_burst, 1.0) || !is_rate(rates->quotes_burst, 1.0) ||
        !is_rate(rates->requests_reserved, 0.0)) {
        *budget = (hr_gate_budget){0};
        return HR_ERR_ARGUMENT;
    }
    const int is_new = budget->refilled_ns == 0;
    const double requests = is_new ? rates->requests_burst : budget->requests;
    const double quotes = is_new ? rates->quotes_burst : budget->quotes;
    const int64_t refilled_ns = budget->refilled_ns;
    *budget = *rates;
    budget->requests = requests < rates->requests_burst ? requests : rates->requests_burst;
    budget->quotes = quotes < rates->quotes_burst ? quotes : rates->quotes_burst;
    budget->refilled_ns = refilled_ns;
    return HR_OK;
}

static double refilled(double held, double per_s, double burst, double elapsed_s) {
    const double more = held + elapsed_s * per_s;
    return more < burst ? more : burst;
}

static void refill(hr_gate_budget *budget, int64_t now_ns) {
    if (budget->refilled_ns > 0 && now_ns > budget->refilled_ns) {
        const double elapsed_s = (double)(now_ns - budget->refilled_ns) / (double)SECOND_NS;
        budget->requests =
            refilled(budget->requests, budget->requests_per_s, budget->requests_burst, elapsed_s);
        budget->quotes =
            refilled(budget->quotes, budget->quotes_per_s, budget->quotes_burst, elapsed_s);
    }
    if (now_ns > budget->refilled_ns) {
        budget->refilled_ns = now_ns;
    }
}

int64_t hr_gate_budget_requests(hr_gate_budget *budget, int64_t now_ns) {
    refill(budget, now_ns);
    const double free = budget->requests - budget->requests_reserved;
    return free >= 1.0 ? (int64_t)free : 0;
}

int64_t hr_gate_budget_quotes(hr_gate_budget *budget, int64_t now_ns) {
    refill(budget, now_ns);
    return budget->quotes >= 1.0 ? (int64_t)budget->quotes : 0;
}

void hr_gate_budget_pay(hr_gate_budget *budget, int64_t requests, int64_t quotes) {
    budget->requests -= (double)requests;
    budget->quotes -= (double)quotes;
}

void hr_gate_account_sent(hr_gate_account *account, int64_t lots, int64_t now_ns) {
    if (account->live_lots > 0) {
        const int64_t older = now_ns < account->left_until_ns ? account->left_lots : 0;
        account->left_lots = older + account->live_lots;
        account->left_until_ns = now_ns + LEFT_NS;
    }
    account->live_lots = lots > 0 ? lots : 0;
}

int32_t hr_gate_account_filled(hr_gate_account *account, int64_t lots, int64_t now_ns) {
    const int64_t left = now_ns < account->left_until_ns ? account->left_lots : 0;
    if (lots > account->live_lots + left) {
        account->live_lots = 0;
        account->left_lots = 0;
        return HR_GATE_EXCESS;
    }
    /* What was replaced is filled first: counted the other way round, its end would take away what
     * the live quote may still have executed. */
    const int64_t from_left = lots < left ? lots : left;
    account->left_lots = left - from_left;
    account->live_lots -= lots - from_left;
    return HR_GATE_OK;
}

void hr_gate_trip_on(hr_gate_trip *trip, int64_t now_ns) {
    if (trip->is_tripped) {
        return; /* Said twice: once in the answer, once as news. */
    }
    const int is_row = trip->tripped_ns > 0 && now_ns - trip->tripped_ns < CALM_NS;
    trip->row_count = is_row ? trip->row_count + 1 : 1;
    const int64_t doublings =
        trip->row_count - 1 < RESET_DOUBLINGS_MAX ? trip->row_count - 1 : RESET_DOUBLINGS_MAX;
    trip->tripped_ns = now_ns;
    trip->open_ns = now_ns + RESET_WAIT_NS * ((int64_t)1 << doublings);
    trip->trip_count++;
    trip->is_tripped = 1;
}

hr_status hr_gate_trip_reset(hr_gate_trip *trip, int64_t now_ns) {
    if (trip->is_tripped && now_ns < trip->open_ns) {
        return HR_ERR_STALE;
    }
    trip->is_tripped = 0;
    return HR_OK;
}
