/* In-core: tick bytes in, quote bytes out, one thread, no socket. A paced source: each tick is due
 * at its time whether or not the one before is done, and is timed from when it was due.
 *
 *   bench_core book|index RATE SECONDS FOLDER
 *
 * FOLDER gets response.bin (from due to quote bytes), service.bin (from begun to quote bytes) and
 * still.bin (service of ticks that moved no quote), moved.bin the quotes that each tick moved, and
 * width.bin bench_width() in thousandths, at times between ticks. Path time runs at 1 ms a book
 * tick and 100 ms an index tick, whatever the rate: so often the desk's venue says the index, and
 * what a tick moves hangs on how far and how long ago it moved. */
#define _GNU_SOURCE
#include "bench_clock.h"
#include "path_fixture.h"

enum {
    DRAIN_EVERY = 256,
    LOOK_EVERY = 16,         /* Ticks from one bench_width() to the next, */
    LOOK_PERIOD_MIN = 50000, /* where there is time for it between two. */
    WAKE_NS = 20000000,
    IDLE_NS_MAX = 1000000000
};

static venue one;
static hr_record records[65536];
static uint64_t random_state = 88172645463325252u;

static int64_t path_clock(void *context) {
    (void)context;
    return one.now_ns + (bench_cycles() & 1023); /* Costs what the loop's clock costs. */
}

static double next_step(void) {
    double sum = 0.0;
    for (int i = 0; i < 4; i++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        sum += (double)(random_state >> 40) / (double)(1 << 24) - 0.5;
    }
    return sum;
}

/* A tick of the index: a walk of 2.3 USD a step, 46 % a year, that stays near 90,000. A tick moves
 * 0.2 per cent of the quotes, as BTC's did in a desk's run of a minute (0.2, at p99 2.6); the tail
 * is heavier here. */
static double next_index(double index_usd) {
    return index_usd + 4.0 * next_step() - 0.001 * (index_usd - 90000.0);
}

/* Lets path time pass, and the path see it as often as the loop lets it. */
static void pass_time(int64_t ns) {
    static int64_t seen_ns;
    one.now_ns += ns;
    while (one.now_ns - seen_ns >= WAKE_NS) {
        seen_ns = one.now_ns - seen_ns > IDLE_NS_MAX ? one.now_ns : seen_ns + WAKE_NS;
        hr_path_on_time(one.path, seen_ns);
        serve(&one);
    }
}

static void compose_tick(int32_t is_book, int64_t number, double *index_usd) {
    pass_time(is_book ? 1000000 : 100000000);
    if (is_book) {
        compose_bid(&one, RIVAL_SLOT, number % 2 ? RIVAL_LOW : RIVAL_HIGH);
    } else {
        *index_usd = next_index(*index_usd);
        compose_index(&one, *index_usd);
    }
}

/* No surface comes while ticks are timed: this one may grow old. */
static void keep_surface(void) {
    hr_gate_limits limits = limits_of();
    limits.surface_age_ns_max = INT64_MAX / 2;
    hr_path_put_limits(one.path, 0, &limits);
    compose_index(&one, 90000.0);
    deliver(&one, 0);
    serve(&one);
}

static void write_samples(const char *folder, const char *name, const int64_t *samples,
                          int64_t count) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.bin", folder, name);
    bench_write(path, samples, count);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "bench_core book|index RATE SECONDS FOLDER\n");
        return 2;
    }
    const int32_t is_book = strcmp(argv[1], "book") == 0;
    const int64_t period = (int64_t)(1e9 / atof(argv[2]));
    const int64_t ticks = (int64_t)(atof(argv[2]) * atof(argv[3]));
    int64_t *response = calloc((size_t)ticks, sizeof *response);
    int64_t *service = calloc((size_t)ticks, sizeof *service);
    int64_t *still = calloc((size_t)ticks, sizeof *still);
    int64_t *moved = calloc((size_t)ticks, sizeof *moved);
    int64_t *width = calloc((size_t)ticks, sizeof *width);
    int64_t still_count = 0;
    int64_t width_count = 0;
    double index_usd = 90000.0;
    hr_path_config config = config_of();
    config.decide_ns = 60000000000;
    bench_clock_open();
    open_quoting(&one, &config);
    keep_surface();
    hr_path_set_clock(one.path, path_clock, NULL);
    const int64_t quotes_before = one.quotes;
    const int64_t warm = ticks / 20 < 1000 ? ticks / 20 : 1000;
    int64_t due = bench_now() + period;
    for (int64_t i = -warm; i < ticks; i++) {
        const int64_t before = one.quotes;
        compose_tick(is_book, i, &index_usd);
        const int64_t begun = bench_wait_until(due);
        hr_path_on_datagram(one.path, 0, one.datagram, one.datagram_bytes, one.now_ns);
        const int64_t done = bench_now();
        serve(&one);
        if (i >= 0) {
            response[i] = done - due;
            service[i] = done - begun;
            moved[i] = one.quotes - before;
            if (one.quotes == before) {
                still[still_count++] = done - begun;
            }
        }
        if (i % DRAIN_EVERY == 0) {
            hr_path_take_records(one.path, records, 65536);
        }
        if (i >= 0 && i % LOOK_EVERY == 0 && period >= LOOK_PERIOD_MIN) {
            width[width_count++] = (int64_t)(1000.0 * bench_width());
        }
        due += period;
    }
    write_samples(argv[4], "response", response, ticks);
    write_samples(argv[4], "service", service, ticks);
    write_samples(argv[4], "still", still, still_count);
    write_samples(argv[4], "moved", moved, ticks);
    write_samples(argv[4], "width", width, width_count);
    const hr_path_underlying book = shown(&one);
    printf(
        "{\"ticks\": %lld, \"quotes\": %lld, \"quotable\": %lld, \"pulls\": %lld, \"ghz\": %.3f}\n",
        (long long)ticks, (long long)(one.quotes - quotes_before),
        (long long)book.pass.quotable_count, (long long)book.pulls, bench_ghz());
    free(response);
    free(service);
    free(still);
    free(moved);
    free(width);
    close_venue(&one);
    return book.phase == HR_PHASE_QUOTING ? 0 : 1;
}
