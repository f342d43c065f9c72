/* The outside world of a loop that lives in another process' hands: a shared object that Python
 * loads beside the core. It sets up a path of Python's own, plays the venue on its sockets, paces
 * ticks in rounds, and, where a round is to be unobserved, takes its records and forgets them. */
#define _GNU_SOURCE
#include "bench_source.h"

#include <pthread.h>
#include <stdatomic.h>

#define EXPORTED __attribute__((visibility("default"))) /* To ctypes. */

enum { BATCH = 4096 };

static hr_record *kept; /* Of quotes that ticks cause, in unobserved rounds. */
static int64_t kept_max;
static int64_t kept_count;
static _Atomic int32_t is_discarding;
static _Atomic int32_t is_taking; /* The other side of a change of hands. */
static int listener;

static void *discard(void *unused) {
    static hr_record batch[BATCH];
    const struct timespec pause = {.tv_nsec = 5000000};
    (void)unused;
    for (;; nanosleep(&pause, NULL)) {
        atomic_store(&is_taking, 1);
        while (atomic_load(&is_discarding)) {
            const int64_t count = hr_path_take_records(one.path, batch, BATCH);
            for (int64_t i = 0; i < count && kept_count < kept_max; i++) {
                if (batch[i].kind == HR_RECORD_QUOTE && batch[i].slot == RIVAL_SLOT) {
                    kept[kept_count++] = batch[i];
                }
            }
            if (count < BATCH) {
                break;
            }
        }
        atomic_store(&is_taking, 0);
    }
    return NULL;
}

/* Before the path exists: desk time less the system's. */
EXPORTED int64_t bench_cost_offset(void) {
    bench_clock_open();
    offset_ns = start_ns - bench_system_now();
    return offset_ns;
}

/* Before the loop runs: options and blocks into its path; returns the port of the venue. */
EXPORTED int bench_cost_open(void *path) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    one.path = path;
    one.now_ns = desk_now();
    one.answers_out = 1;
    command(&one, (hr_command){.kind = HR_COMMAND_UNDERLYING,
                               .name = "BTC",
                               .text = "btc_usd",
                               .body = "hedgerow-btc"});
    command(&one, rates_command());
    register_options(&one);
    put_blocks(&one);
    listener = listen_loopback();
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        fail("getsockname");
    }
    return ntohs(address.sin_port);
}

/* Once the loop runs: takes its connection, answers its Logon and opens the books. The thread that
 * calls is the outside from here on. */
EXPORTED int bench_cost_connect(int events_port, int snapshots_port, int64_t records_max) {
    pthread_t thread;
    kept_max = records_max;
    kept = malloc((size_t)records_max * sizeof *kept);
    if (kept == NULL) {
        fail("memory");
    }
    memset(kept, 1, (size_t)records_max * sizeof *kept);
    pthread_create(&thread, NULL, discard, NULL);
    world.source = open_source(events_port);
    world.stream = accept_outside(listener);
    open_books(snapshots_port);
    return 0;
}

EXPORTED int bench_cost_place(int is_urgent) {
    if (core_count() > 1) {
        const cpu_set_t cores = set_of(0);
        sched_setaffinity(0, sizeof cores, &cores);
    }
    return is_urgent && be_urgent();
}

/* Returns the quotes that came meanwhile. */
EXPORTED int64_t bench_cost_idle(int64_t ms) {
    const int64_t before = world.received;
    idle_ms(ms);
    return world.received - before;
}

/* Takes the records from here on, or lets them lie for whoever else does. */
EXPORTED void bench_cost_discard(int is_on) {
    atomic_store(&is_discarding, is_on);
    while (!is_on && atomic_load(&is_taking)) {
    }
}

/* Returns how many quotes came. */
EXPORTED int64_t bench_cost_round(int64_t count, int64_t period, int64_t move_every,
                                  tick_mark *marks, sighting *seen, int64_t seen_max) {
    world.seen = seen;
    world.seen_max = seen_max;
    send_round(&one, count, period, move_every, marks);
    return world.received < seen_max ? world.received : seen_max;
}

/* Ticks in bursts, as a feed has them, and asleep between: what is asked is whether all of it is
 * recorded, not how fast. Returns how many quotes came. */
EXPORTED int64_t bench_cost_bursts(int64_t bursts, int64_t burst, int64_t period,
                                   int64_t move_every) {
    int64_t due = bench_now() + period;
    world.seen_max = world.received = 0;
    for (int64_t i = 0; i < bursts; i++, due += period) {
        const int64_t left = due - bench_now();
        const struct timespec pause = {.tv_nsec = left};
        if (left > 0) {
            nanosleep(&pause, NULL);
        }
        for (int64_t k = 0; k < burst; k++) {
            send_tick(&one, move_every);
        }
        look();
    }
    wait_until(bench_now() + QUIET_NS);
    return world.received;
}

EXPORTED int64_t bench_cost_records(const hr_record **records_out) {
    *records_out = kept;
    return kept_count;
}
