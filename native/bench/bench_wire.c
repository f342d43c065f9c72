/* Wire to wire on loopback: a UDP datagram sent, a TCP quote received. One thread is the outside
 * world, on a core of its own; the other is what is measured, in rounds that alternate:
 *
 *   hedgerow   the whole loop: receive, decode, decide, gate, encode, record, send
 *   floor      the least there can be: receive the same datagram, send as many bytes
 *
 *   bench_wire MODE urgent|ordinary RATE ROUNDS ROUND_MS PAUSE_MS FOLDER
 *
 * MODE is blocking, adaptive or busy, and counts for both. `urgent`: real-time priority for the
 * outside and for both sides, where it is permitted. FOLDER gets of each side the ticks (number,
 * when due) and the quotes (number, when received, bid), and the loop's records, which say what
 * tick a quote reflects. A drainer of ordinary priority takes the records meanwhile. */
#define _GNU_SOURCE
#include "bench_source.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MODES = 3, SPIN_NS = 50000, WAKE_NS = 20000000, RECEIVE_BYTES = 4 << 20, BATCH = 4096 };
static const char *const mode_names[MODES] = {"blocking", "adaptive", "busy"};

typedef struct {
    int mode;
    int is_urgent;
    int core; /* Of what is measured; -1: any. */
    int64_t count;
    int64_t period;
    tick_mark *marks;
} rounds;

typedef struct {
    FILE *ticks;
    FILE *quotes;
} outputs;

static hr_record *records; /* Of the quotes that ticks cause. */
static int64_t records_max;
static int64_t record_count;
static _Atomic int is_over;       /* The bench, */
static _Atomic int is_floor_over; /* and a round of the floor. */
static venue floor_venue;         /* What the floor is sent: the same, with numbers of its own. */

/* ---- the floor ---- */

typedef struct {
    const rounds *how;
    int datagrams;
    int stream;
} floor_side;

/* Receives, sends. Blocking waits in the receive itself, busy asks again and again; adaptive asks
 * for as long as the loop does, then waits. */
static void *run_floor(void *argument) {
    const floor_side *side = argument;
    const int mode = side->how->mode;
    uint8_t in[2048];
    uint8_t *out = calloc(1, (size_t)world.quote_bytes);
    int64_t heard_ns = bench_now();
    while (!atomic_load_explicit(&is_floor_over, memory_order_relaxed)) {
        const int waits = mode == HR_LOOP_BLOCKING ||
                          (mode == HR_LOOP_ADAPTIVE && bench_now() - heard_ns > SPIN_NS);
        const ssize_t count = recv(side->datagrams, in, sizeof in, waits ? 0 : MSG_DONTWAIT);
        if (count > 0) {
            memcpy(out, in, HR_SBE_FRAME_BYTES);
            if (send(side->stream, out, (size_t)world.quote_bytes, MSG_NOSIGNAL) < 0) {
                break;
            }
            heard_ns = bench_now();
        } else if (waits) {
            heard_ns = bench_now();
        }
    }
    free(out);
    return NULL;
}

static int bind_loopback(int *port_out) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const struct timeval patience = {.tv_usec = 20000};
    const int bytes = RECEIVE_BYTES;
    const int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    if (datagrams < 0 || bind(datagrams, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(datagrams, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) < 0 ||
        setsockopt(datagrams, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        getsockname(datagrams, (struct sockaddr *)&address, &size) < 0) {
        fail("bind");
    }
    *port_out = ntohs(address.sin_port);
    return datagrams;
}

/* On the core that the loop has, from the start. */
static void start_floor(pthread_t *thread, floor_side *side) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (side->how->core >= 0) {
        const cpu_set_t cores = set_of(side->how->core);
        pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores);
    }
    pthread_create(thread, &attributes, run_floor, side);
    pthread_attr_destroy(&attributes);
}

static void run_floor_round(const rounds *how, int listener) {
    int port = 0;
    pthread_t thread;
    floor_side side = {.how = how};
    const int events = world.source;
    side.datagrams = bind_loopback(&port);
    side.stream = connect_loopback(listener);
    world.stream = accept_outside(listener);
    world.source = open_source(port);
    world.is_floor = 1;
    world.end = 0;
    world.quote_bytes = world.last_bytes;
    atomic_store(&is_floor_over, 0);
    start_floor(&thread, &side);
    send_round(&floor_venue, how->count, how->period, 1, how->marks);
    atomic_store(&is_floor_over, 1);
    pthread_join(thread, NULL);
    close(side.datagrams);
    close(side.stream);
    close(world.stream);
    close(world.source);
    world.source = events;
    world.is_floor = 0;
}

/* ---- the loop ---- */

static void take_records(hr_path *path) {
    static hr_record batch[BATCH];
    int64_t count = 0;
    do {
        count = hr_path_take_records(path, batch, BATCH);
        for (int64_t i = 0; i < count && record_count < records_max; i++) {
            if (batch[i].kind == HR_RECORD_QUOTE && batch[i].slot == RIVAL_SLOT) {
                records[record_count++] = batch[i];
            }
        }
    } while (count == BATCH);
}

static void *drain(void *argument) {
    const struct timespec pause = {.tv_nsec = 5000000};
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        take_records(argument);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static hr_loop *open_loop(const rounds *how, int *events_port, int *snapshots_port) {
    const hr_loop_config config = {
        .offset_ns = offset_ns,
        .wake_ns = WAKE_NS,
        .spin_ns = SPIN_NS,
        .stats_ns = 100000000,
        .mode = how->mode,
        .cpu = how->core,
        .receive_bytes = RECEIVE_BYTES,
        .priority = how->is_urgent ? PRIORITY : 0,
    };
    hr_path_config path_config = config_of();
    hr_loop *loop = NULL;
    path_config.feed_silence_ns = 60000000000;
    path_config.answer_ns_max = 10000000000;
    path_config.decide_ns = 60000000000;
    open_venue(&one, &path_config);
    void *memory = aligned_alloc(64, (size_t)hr_loop_size());
    if (hr_loop_init(memory, hr_loop_size(), one.path, &config, &loop) != HR_OK ||
        hr_loop_listen(loop, 0, "127.0.0.1", 0, "127.0.0.1", events_port) != HR_OK ||
        hr_loop_listen(loop, 1, "127.0.0.1", 0, "127.0.0.1", snapshots_port) != HR_OK) {
        fail("loop");
    }
    return loop;
}

static void log_on(hr_loop *loop, int listener) {
    if (hr_loop_start(loop) != HR_OK ||
        hr_loop_connect(loop, connect_loopback(listener)) != HR_OK) {
        fail("start");
    }
    world.stream = accept_outside(listener);
    world.end = world.received = 0;
    one.answers_out = 1;
    one.now_ns = desk_now();
    usleep(2 * WAKE_NS / 1000); /* The loop takes the connection before it is told more. */
    command(&one, (hr_command){.kind = HR_COMMAND_LOGGED_ON, .flag = 1});
    command(&one, (hr_command){.kind = HR_COMMAND_START});
    hr_loop_wake(loop);
}

static void run_hedgerow_round(const rounds *how, hr_loop *loop, int listener, int snapshots_port) {
    log_on(loop, listener);
    if (snapshots_port != 0) {
        put_blocks(&one);
        open_books(snapshots_port);
    }
    for (int i = 0; i < 100 && world.received == 0; i++) {
        idle_ms(50);
    }
    if (world.received == 0) {
        fail("no quotes");
    }
    idle_ms(100);
    send_round(&one, how->count, how->period, 1, how->marks);
    usleep(20000); /* The drainer takes what is left. */
    hr_loop_stop(loop);
    close(world.stream);
}

/* ---- both ---- */

static void write_round(const outputs *to, const rounds *how) {
    const int64_t seen = world.received < world.seen_max ? world.received : world.seen_max;
    write_output(to->ticks, how->marks, (int64_t)sizeof *how->marks, how->count);
    write_output(to->quotes, world.seen, (int64_t)sizeof *world.seen, seen);
}

static void run_rounds(const rounds *how, hr_loop *loop, int snapshots_port, int64_t round_count,
                       int64_t pause_ms, const char *folder) {
    const int listener = listen_loopback();
    const outputs ours = {open_output(folder, "hedgerow.ticks"),
                          open_output(folder, "hedgerow.quotes")};
    const outputs least = {open_output(folder, "floor.ticks"), open_output(folder, "floor.quotes")};
    floor_venue.books[RIVAL_SLOT] = (venue_book){1, 5000, 100};
    for (int64_t i = 0; i < round_count; i++) {
        run_hedgerow_round(how, loop, listener, i == 0 ? snapshots_port : 0);
        write_round(&ours, how);
        usleep((useconds_t)pause_ms * 1000);
        run_floor_round(how, listener);
        write_round(&least, how);
        usleep((useconds_t)pause_ms * 1000);
    }
    fclose(ours.ticks);
    fclose(ours.quotes);
    fclose(least.ticks);
    fclose(least.quotes);
}

static void print_outcome(const rounds *how, hr_loop *loop) {
    static hr_path_stats stats;
    hr_path_read_stats(one.path, &stats);
    printf("{\"bytes\": %lld, \"urgent\": %d, \"core\": %d, \"records_lost\": %lld, "
           "\"pulls\": %lld}\n",
           (long long)world.last_bytes, how->is_urgent && hr_loop_is_urgent(loop), how->core,
           (long long)stats.records_lost, (long long)stats.underlyings[0].pulls);
}

/* Memory that is there, and not only promised: no page is faulted in while we measure. */
static void *touched(int64_t count, int64_t bytes) {
    void *memory = malloc((size_t)(count * bytes));
    if (memory == NULL) {
        fail("memory");
    }
    return memset(memory, 1, (size_t)(count * bytes));
}

int main(int argc, char **argv) {
    int mode = 0;
    while (argc == 8 && mode < MODES && strcmp(argv[1], mode_names[mode]) != 0) {
        mode++;
    }
    if (argc != 8 || mode == MODES) {
        fprintf(stderr, "bench_wire blocking|adaptive|busy urgent|ordinary RATE ROUNDS ROUND_MS "
                        "PAUSE_MS FOLDER\n");
        return 2;
    }
    int events_port = 0;
    int snapshots_port = 0;
    pthread_t drainer;
    const double rate = atof(argv[3]);
    rounds how = {
        .mode = mode,
        .core = core_count() > 1 ? core_count() - 1 : -1,
        .count = (int64_t)(rate * atof(argv[5]) / 1000.0),
        .period = (int64_t)(1e9 / rate),
    };
    bench_clock_open();
    offset_ns = start_ns - bench_system_now();
    how.marks = touched(how.count, (int64_t)sizeof *how.marks);
    world.seen_max = how.count + 1024;
    world.seen = touched(world.seen_max, (int64_t)sizeof *world.seen);
    records_max = atoll(argv[4]) * (how.count + 1024);
    records = touched(records_max, (int64_t)sizeof *records);
    how.is_urgent = strcmp(argv[2], "urgent") == 0;
    hr_loop *loop = open_loop(&how, &events_port, &snapshots_port);
    pthread_create(&drainer, NULL, drain, one.path);
    how.is_urgent = how.is_urgent && be_urgent();
    if (how.core >= 0) {
        const cpu_set_t cores = set_of(0);
        sched_setaffinity(0, sizeof cores, &cores);
    }
    world.source = open_source(events_port);
    run_rounds(&how, loop, snapshots_port, atoll(argv[4]), atoll(argv[6]), argv[7]);
    print_outcome(&how, loop);
    atomic_store(&is_over, 1);
    pthread_join(drainer, NULL);
    FILE *kept = open_output(argv[7], "records");
    write_output(kept, records, (int64_t)sizeof *records, record_count);
    return fclose(kept) != 0;
}
