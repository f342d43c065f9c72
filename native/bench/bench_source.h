/* The outside world of a wire bench: a paced source of ticks that can be told apart, and all that
 * came back. A tick is due at its time whether or not the one before was answered; its number (the
 * version of the book it makes) is in the datagram, and in the record of the quote it causes. */
#ifndef BENCH_SOURCE_H
#define BENCH_SOURCE_H

#include "../tests/loop_fixture.h"

#include <sched.h>

enum {
    WARM_TICKS = 200,
    LAST_TICKS = 5, /* Not counted: they bring out what waited for the next. */
    LAST_NS = 2000000,
    QUIET_NS = 20000000,
    PRIORITY = 40,
};

typedef struct {
    int64_t number;
    int64_t due_ns;
} tick_mark;

/* Real-time priority on the calling thread, where it is permitted; returns whether it is. */
static inline int be_urgent(void) {
    const struct sched_param parameters = {.sched_priority = PRIORITY};
    return sched_setscheduler(0, SCHED_FIFO, &parameters) == 0;
}

static inline int core_count(void) {
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static inline cpu_set_t set_of(int core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    return cores;
}

/* Moves the best bid, and with it our quote, up for an even version of the book, down for an odd:
 * the quote's price says which. With `move_every` so many versions share a price. */
static inline void send_tick(venue *from, int64_t move_every) {
    const int64_t version = (int64_t)from->books[RIVAL_SLOT].change_id + 1;
    from->now_ns = desk_now();
    compose_bid(from, RIVAL_SLOT, version / move_every % 2 ? RIVAL_LOW : RIVAL_HIGH);
    if (send(world.source, from->datagram, (size_t)from->datagram_bytes, 0) < 0) {
        fail("datagram");
    }
}

static inline void wait_until(int64_t due_ns) {
    do {
        look();
    } while (bench_now() < due_ns);
}

/* Sends `count` ticks, a period apart; marks them if there is room for it. */
static inline void send_ticks(venue *from, int64_t count, int64_t period, int64_t move_every,
                              tick_mark *marks) {
    int64_t due = bench_now() + period;
    for (int64_t i = 0; i < count; i++, due += period) {
        wait_until(due);
        send_tick(from, move_every);
        if (marks != NULL) {
            const int64_t number = world.is_floor ? (int64_t)from->sequences[EVENTS_CHANNEL]
                                                  : (int64_t)from->books[RIVAL_SLOT].change_id;
            marks[i] = (tick_mark){number, due};
        }
    }
}

/* A round: warm up, `count` ticks that count, and enough after them that each is answered. */
static inline void send_round(venue *from, int64_t count, int64_t period, int64_t move_every,
                              tick_mark *marks) {
    send_ticks(from, WARM_TICKS, period, move_every, NULL);
    wait_until(bench_now() + QUIET_NS);
    world.received = 0;
    send_ticks(from, count, period, move_every, marks);
    send_ticks(from, LAST_TICKS, LAST_NS, 1, NULL);
    wait_until(bench_now() + QUIET_NS);
}

static inline FILE *open_output(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        fail(path);
    }
    return file;
}

static inline void write_output(FILE *file, const void *items, int64_t bytes, int64_t count) {
    if (fwrite(items, (size_t)bytes, (size_t)count, file) != (size_t)count) {
        fail("write");
    }
}

#endif
