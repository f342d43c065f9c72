/* Wire to wire on loopback: a UDP datagram sent, a TCP quote received. One thread is the outside
 * world: it sends each datagram when it is due, whether or not the one before was answered, and
 * stamps what comes back; the other is what is measured:
 *
 *   hedgerow   the whole loop: receive, decode, decide, gate, encode, record, send
 *   floor      the least there can be: receive the datagram, send as many bytes
 *
 *   bench_wire hedgerow|floor blocking|adaptive|busy RATE SECONDS FILE BYTES
 *
 * Both sides of a pair are run with the same BYTES, what a quote of the loop's measures; FILE gets
 * the samples, from due to quote received. A record drainer runs beside the loop as in the desk. */
#define _GNU_SOURCE
#include "loop_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MODES = 3, WARM_TICKS = 500, LATE_NS = 1000000000 };
static const char *const mode_names[MODES] = {"blocking", "adaptive", "busy"};

static hr_record records[65536];
static _Atomic int is_ended;

/* ---- the floor ---- */

typedef struct {
    int datagrams;
    int stream;
    int mode;
    int64_t bytes;
} floor_side;

/* Receives, sends. Blocking waits in the receive itself, busy asks again and again; adaptive asks
 * for as long as the loop does, then waits. */
static void *run_floor(void *argument) {
    const floor_side *side = argument;
    uint8_t in[2048];
    uint8_t *out = calloc(1, (size_t)side->bytes);
    int64_t heard_ns = bench_now();
    while (!atomic_load_explicit(&is_ended, memory_order_relaxed)) {
        const int waits = side->mode == HR_LOOP_BLOCKING ||
                          (side->mode == HR_LOOP_ADAPTIVE && bench_now() - heard_ns > 50000);
        const ssize_t count = recv(side->datagrams, in, sizeof in, waits ? 0 : MSG_DONTWAIT);
        if (count > 0) {
            if (send(side->stream, out, (size_t)side->bytes, MSG_NOSIGNAL) < 0) {
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
    const int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    if (datagrams < 0 || bind(datagrams, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(datagrams, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        getsockname(datagrams, (struct sockaddr *)&address, &size) < 0) {
        fail("bind");
    }
    *port_out = ntohs(address.sin_port);
    return datagrams;
}

static void send_ticks(int64_t first, int64_t count, int64_t period) {
    int64_t due = bench_now() + period;
    const int64_t received = world.received;
    for (int64_t i = 0; i < count; i++, due += period) {
        one.now_ns = desk_now();
        compose_bid(&one, RIVAL_SLOT, (first + i) % 2 ? RIVAL_LOW : RIVAL_HIGH);
        while (bench_now() < due) {
            look();
        }
        world.due[world.sent++] = due;
        send_datagram();
    }
    const int64_t until = bench_now() + LATE_NS;
    while (world.received < received + count && bench_now() < until) {
        look();
    }
}

/* ---- the loop ---- */

static void *drain(void *argument) {
    hr_path *path = argument;
    const struct timespec pause = {.tv_nsec = 5000000};
    while (!atomic_load_explicit(&is_ended, memory_order_relaxed)) {
        hr_path_take_records(path, records, 65536);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static hr_loop *open_loop(int mode, int *events_port, int *snapshots_port) {
    const hr_loop_config config = {
        .offset_ns = offset_ns,
        .wake_ns = 20000000,
        .spin_ns = 50000,
        .stats_ns = 100000000,
        .mode = mode,
        .cpu = -1,
    };
    hr_path_config path_config = config_of();
    hr_loop *loop = NULL;
    path_config.feed_silence_ns = 10000000000;
    path_config.answer_ns_max = 10000000000;
    path_config.decide_ns = 60000000000;
    open_venue(&one, &path_config);
    void *memory = aligned_alloc(64, (size_t)hr_loop_size());
    if (hr_loop_init(memory, hr_loop_size(), one.path, &config, &loop) != HR_OK ||
        hr_loop_listen(loop, 0, "127.0.0.1", 0, "127.0.0.1", events_port) != HR_OK ||
        hr_loop_listen(loop, 1, "127.0.0.1", 0, "127.0.0.1", snapshots_port) != HR_OK ||
        hr_loop_start(loop) != HR_OK) {
        fail("loop");
    }
    return loop;
}

static void run_hedgerow(int listener, int mode, int64_t ticks, int64_t period) {
    int events_port = 0;
    int snapshots_port = 0;
    pthread_t drainer;
    hr_loop *loop = open_loop(mode, &events_port, &snapshots_port);
    world.source = open_source(events_port);
    if (hr_loop_connect(loop, connect_loopback(listener)) != HR_OK) {
        fail("hand over");
    }
    world.stream = accept_outside(listener);
    pthread_create(&drainer, NULL, drain, one.path);
    one.answers_out = 1;
    one.now_ns = desk_now();
    put_blocks(&one);
    open_books(snapshots_port);
    command(&one, (hr_command){.kind = HR_COMMAND_LOGGED_ON, .flag = 1});
    command(&one, (hr_command){.kind = HR_COMMAND_START});
    idle_ms(300);
    send_ticks(0, WARM_TICKS, period);
    world.received = world.sent = world.largest = 0;
    send_ticks(WARM_TICKS, ticks, period);
    static hr_path_stats stats;
    usleep(150000);
    hr_path_read_stats(one.path, &stats);
    printf("{\"bytes\": %lld, \"sent\": %lld, \"received\": %lld, \"records\": %lld, "
           "\"records_lost\": %lld, \"pulls\": %lld}\n",
           (long long)world.largest, (long long)world.sent, (long long)world.received,
           (long long)stats.records, (long long)stats.records_lost,
           (long long)stats.underlyings[0].pulls);
    atomic_store(&is_ended, 1);
    pthread_join(drainer, NULL);
    hr_loop_stop(loop);
}

static void run_pair_floor(int listener, int mode, int64_t ticks, int64_t period) {
    int port = 0;
    pthread_t thread;
    floor_side side = {.mode = mode, .bytes = world.quote_bytes};
    side.datagrams = bind_loopback(&port);
    side.stream = connect_loopback(listener);
    world.stream = accept_outside(listener);
    world.source = open_source(port);
    world.is_floor = 1;
    for (int64_t slot = 0; slot < OPTIONS; slot++) {
        one.books[slot] = (venue_book){1, 5000, 100};
    }
    pthread_create(&thread, NULL, run_floor, &side);
    send_ticks(0, WARM_TICKS, period);
    world.received = world.sent = world.largest = 0;
    send_ticks(WARM_TICKS, ticks, period);
    printf("{\"bytes\": %lld, \"sent\": %lld, \"received\": %lld}\n", (long long)world.quote_bytes,
           (long long)world.sent, (long long)world.received);
    atomic_store(&is_ended, 1);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
    int mode = 0;
    while (argc == 7 && mode < MODES && strcmp(argv[2], mode_names[mode]) != 0) {
        mode++;
    }
    if (argc != 7 || mode == MODES) {
        fprintf(stderr, "bench_wire hedgerow|floor blocking|adaptive|busy RATE SECONDS FILE "
                        "BYTES\n");
        return 2;
    }
    const int64_t period = (int64_t)(1e9 / atof(argv[3]));
    const int64_t ticks = (int64_t)(atof(argv[3]) * atof(argv[4]));
    bench_clock_open();
    offset_ns = start_ns - bench_system_now();
    world.quote_bytes = atoll(argv[6]);
    world.due = calloc((size_t)(ticks + WARM_TICKS), sizeof *world.due);
    world.samples = calloc((size_t)(ticks + WARM_TICKS), sizeof *world.samples);
    const int listener = listen_loopback();
    if (strcmp(argv[1], "floor") == 0) {
        run_pair_floor(listener, mode, ticks, period);
    } else {
        run_hedgerow(listener, mode, ticks, period);
    }
    bench_write(argv[5], world.samples, world.received < ticks ? world.received : ticks);
    return world.received == world.sent ? 0 : 1;
}
