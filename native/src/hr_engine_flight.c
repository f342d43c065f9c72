/* hr_engine_flight.c: what live quotes may still add to the book before a decision can take them
 * back.
 */
#include "hr_engine_state.h"

#include <math.h>

static double least(double one, double other) {
    return one < other ? one : other;
}

static double most(double one, double other) {
    return one > other ? one : other;
}

/* What a bid and an ask may bring of a greek, up and down: a bid brings it up, unless it is
 * negative.
 */
static hr_pair brought(double greek, hr_pair sides_coin) {
    const hr_pair turned_coin = {sides_coin[1], sides_coin[0]};
    return fabs(greek) * (greek < 0.0 ? turned_coin : sides_coin);
}

hr_in_flight hr_engine_in_flight_of(const hr_slot *slot, const int64_t *side_lots) {
    if ((side_lots[HR_SIDE_BID] | side_lots[HR_SIDE_ASK]) == 0) {
        return (hr_in_flight){0};
    }
    const hr_engine_value *value = &slot->value;
    const hr_pair lots = {(double)side_lots[HR_SIDE_BID], (double)side_lots[HR_SIDE_ASK]};
    const hr_pair sides_coin = lots * slot->spec.lot_coin;
    return (hr_in_flight){
        .delta = brought(value->delta_coin, sides_coin),
        .vega = brought(value->vega_usd, sides_coin),
        .gamma = brought(value->gamma_coin_per_usd, sides_coin),
        .gamma_most = fabs(value->gamma_coin_per_usd),
    };
}

void hr_engine_add_in_flight(hr_in_flight *sums, const hr_in_flight *more) {
    sums->delta += more->delta;
    sums->vega += more->vega;
    sums->gamma += more->gamma;
    sums->gamma_most = most(sums->gamma_most, more->gamma_most);
}

/* The largest gamma stays: whose it was is not known. */
hr_in_flight hr_engine_in_flight_without(const hr_in_flight *sums, const hr_in_flight *less) {
    return (hr_in_flight){
        .delta = sums->delta - less->delta,
        .vega = sums->vega - less->vega,
        .gamma = sums->gamma - less->gamma,
        .gamma_most = sums->gamma_most,
    };
}

/* What may be filled before it can be taken back, no more than the window lets through. */
void hr_engine_set_flight(hr_engine *engine, const hr_in_flight *sums) {
    const hr_engine_policy *policy = &engine->policy;
    const hr_book_error *error = &engine->book_error;
    hr_gate_state *state = &engine->gate;
    const double gamma_bound = policy->window_quantity_coin * sums->gamma_most;
    state->delta_up_in_flight_coin =
        least(sums->delta[0], policy->window_delta_coin) + error->delta_coin;
    state->delta_down_in_flight_coin =
        least(sums->delta[1], policy->window_delta_coin) + error->delta_coin;
    state->vega_up_in_flight_usd = least(sums->vega[0], policy->window_vega_usd) + error->vega_usd;
    state->vega_down_in_flight_usd =
        least(sums->vega[1], policy->window_vega_usd) + error->vega_usd;
    state->gamma_up_in_flight = least(sums->gamma[0], gamma_bound) + error->gamma_coin_per_usd;
    state->gamma_down_in_flight = least(sums->gamma[1], gamma_bound) + error->gamma_coin_per_usd;
}
