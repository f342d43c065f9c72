/* Goal: the loop carries ticks to quotes over real sockets in every waiting mode, and while it does
 * it allocates nothing and calls the system for nothing but receive, send and the wait. */
#define _GNU_SOURCE
#include "loop_fixture.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { TICKS = 400, EXIT_GOOD = 0, EXIT_BAD = 3 };

static _Atomic int64_t allocations;
static hr_record records[4096];

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void count_malloc(const volatile void *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
    atomic_fetch_add(&allocations, 1);
}

static void count_free(const volatile void *memory) {
    (void)memory;
    atomic_fetch_add(&allocations, 1);
}

static hr_loop *open_loop(int32_t mode, int *events_port, int *snapshots_port) {
    const hr_loop_config config = {
        .offset_ns = offset_ns,
        .wake_ns = 20000000,
        .spin_ns = 50000,
        .stats_ns = 10000000,
        .mode = mode,
        .cpu = -1,
        .receive_bytes = 1 << 20,
    };
    hr_path_config path_config = config_of();
    hr_loop *loop = NULL;
    path_config.feed_silence_ns = 10000000000;
    path_config.answer_ns_max = 10000000000;
    open_venue(&one, &path_config);
    void *memory = aligned_alloc(64, (size_t)hr_loop_size());
    assert(hr_loop_init(memory, hr_loop_size(), one.path, &config, &loop) == HR_OK);
    assert(hr_loop_listen(loop, 0, "127.0.0.1", 0, "127.0.0.1", events_port) == HR_OK);
    assert(hr_loop_listen(loop, 1, "127.0.0.1", 0, "127.0.0.1", snapshots_port) == HR_OK);
    assert(hr_loop_start(loop) == HR_OK && hr_loop_is_running(loop));
    return loop;
}

/* Waits until the loop shows a phase, with the index ticking unless the connection is gone. */
static hr_path_stats await_phase(int32_t phase) {
    static hr_path_stats stats;
    const int64_t until = bench_now() + 5000000000;
    do {
        assert(bench_now() < until);
        if (phase == HR_PHASE_DOWN) {
            usleep(1000);
        } else {
            idle_ms(10);
        }
        hr_path_read_stats(one.path, &stats);
    } while (stats.underlyings[0].phase != phase);
    return stats;
}

/* A loop that quotes everything over its sockets. */
static hr_loop *open_quoting_loop(int32_t mode) {
    int events_port = 0;
    int snapshots_port = 0;
    const int listener = listen_loopback();
    memset(&world, 0, sizeof world);
    offset_ns = start_ns - bench_system_now();
    hr_loop *loop = open_loop(mode, &events_port, &snapshots_port);
    world.source = open_source(events_port);
    assert(hr_loop_connect(loop, connect_loopback(listener)) == HR_OK);
    world.stream = accept_outside(listener);
    close(listener);
    one.answers_out = 1;
    one.now_ns = desk_now();
    put_blocks(&one);
    open_books(snapshots_port);
    command(&one, (hr_command){.kind = HR_COMMAND_LOGGED_ON, .flag = 1});
    command(&one, (hr_command){.kind = HR_COMMAND_START});
    assert(hr_loop_wake(loop) == HR_OK);
    await_phase(HR_PHASE_QUOTING);
    idle_ms(100);
    return loop;
}

/* Ticks that each move one quote; returns how many were answered. */
static int64_t tick(int64_t count) {
    const int64_t before = world.received;
    for (int64_t i = 0; i < count; i++) {
        one.now_ns = desk_now();
        compose_bid(&one, RIVAL_SLOT, i % 2 ? RIVAL_LOW : RIVAL_HIGH);
        send_datagram();
        const int64_t until = bench_now() + 1000000000;
        while (world.received <= before + i && bench_now() < until) {
            look();
        }
        if (i % 64 == 0) {
            hr_path_take_records(one.path, records, 4096);
        }
    }
    return world.received - before;
}

static void close_loop(hr_loop *loop) {
    assert(hr_loop_stop(loop) == HR_OK && !hr_loop_is_running(loop));
    assert(hr_loop_close(loop) == HR_OK);
    close(world.source);
    close(world.stream);
    free(loop);
    close_venue(&one);
}

static void test_ticks_become_quotes_in_every_mode(void) {
    for (int32_t mode = HR_LOOP_BLOCKING; mode <= HR_LOOP_BUSY; mode++) {
        hr_loop *loop = open_quoting_loop(mode);
        assert(world.received > 0);
        assert(tick(TICKS) == TICKS);
        usleep(50000);
        const hr_path_stats stats = await_phase(HR_PHASE_QUOTING);
        assert(stats.records_lost == 0);
        int64_t timed = 0;
        for (int64_t i = 0; i < HR_HISTOGRAM_BUCKETS; i++) {
            timed += stats.tick_to_quote[i];
        }
        assert(timed >= TICKS);
        close_loop(loop);
    }
}

static void test_a_closed_connection_is_noticed_and_a_new_one_taken(void) {
    hr_loop *loop = open_quoting_loop(HR_LOOP_BLOCKING);
    close(world.stream);
    await_phase(HR_PHASE_DOWN);
    const int listener = listen_loopback();
    assert(hr_loop_connect(loop, connect_loopback(listener)) == HR_OK);
    world.stream = accept_outside(listener);
    close(listener);
    world.end = 0;
    one.answers_out = 1;
    usleep(100000); /* Until the loop has taken it: a log-on before that is refused. */
    command(&one, (hr_command){.kind = HR_COMMAND_LOGGED_ON, .flag = 1});
    command(&one, (hr_command){.kind = HR_COMMAND_START});
    assert(hr_loop_wake(loop) == HR_OK);
    await_phase(HR_PHASE_QUOTING);
    idle_ms(100);
    assert(tick(10) == 10);
    close_loop(loop);
}

static void test_what_cannot_be_is_refused(void) {
    hr_loop_config config = {.wake_ns = 20000000, .stats_ns = 1, .mode = 7, .cpu = -1};
    const hr_path_config path_config = config_of();
    hr_loop *loop = NULL;
    int32_t port = 0;
    void *memory = aligned_alloc(64, (size_t)hr_loop_size());
    open_venue(&one, &path_config);
    assert(hr_loop_init(memory, hr_loop_size(), one.path, &config, &loop) == HR_ERR_ARGUMENT);
    config.mode = HR_LOOP_BLOCKING;
    config.wake_ns = 1;
    assert(hr_loop_init(memory, hr_loop_size(), one.path, &config, &loop) == HR_ERR_ARGUMENT);
    config.wake_ns = 20000000;
    assert(hr_loop_init(memory, hr_loop_size(), one.path, &config, &loop) == HR_OK);
    assert(hr_loop_listen(loop, 0, "no address", 0, "0.0.0.0", &port) == HR_ERR_ARGUMENT);
    assert(hr_loop_listen(loop, 0, "203.0.113.1", 0, "0.0.0.0", &port) == HR_ERR_SYSTEM);
    assert(hr_loop_error(loop) != 0);
    assert(hr_loop_stop(loop) == HR_ERR_ARGUMENT);
    free(memory);
    close_venue(&one);
}

#if defined(__x86_64__)
#define ALLOW(number)                                                                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* From here on any thread that calls anything else is killed, and the process with it. The last
 * two are the test's own. */
static void forbid_system(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_recvfrom),
        ALLOW(SYS_sendto),
        ALLOW(SYS_epoll_wait),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_clock_nanosleep),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
    assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    assert(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0);
}

/* Returns how a child ended that ticked under the filter. */
static int status_of_child(int32_t mode, int is_planted) {
    const pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        open_quoting_loop(mode);
        assert(__sanitizer_install_malloc_and_free_hooks(count_malloc, count_free) > 0);
        forbid_system();
        atomic_store(&allocations, 0);
        const int64_t answered = tick(TICKS);
        if (is_planted) {
            syscall(SYS_write, STDOUT_FILENO, "", 0);
        }
        /* The sanitizer looks for leaks on the usual way out. */
        syscall(SYS_exit_group,
                answered == TICKS && atomic_load(&allocations) == 0 ? EXIT_GOOD : EXIT_BAD);
    }
    int status = 0;
    assert(waitpid(child, &status, 0) == child);
    return status;
}

static void test_a_running_loop_calls_receive_send_and_wait_only(void) {
    for (int32_t mode = HR_LOOP_BLOCKING; mode <= HR_LOOP_BUSY; mode++) {
        const int status = status_of_child(mode, 0);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_GOOD);
    }
}

static void test_the_filter_kills_what_calls_anything_else(void) {
    const int status = status_of_child(HR_LOOP_BLOCKING, 1);
    assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
#endif

static void test_the_hooks_see_an_allocation(void) {
    assert(__sanitizer_install_malloc_and_free_hooks(count_malloc, count_free) > 0);
    atomic_store(&allocations, 0);
    void *volatile memory = malloc(1);
    free(memory);
    assert(atomic_load(&allocations) == 2);
}

int main(void) {
    bench_clock_open();
    test_what_cannot_be_is_refused();
    test_ticks_become_quotes_in_every_mode();
    test_a_closed_connection_is_noticed_and_a_new_one_taken();
#if defined(__x86_64__)
    test_a_running_loop_calls_receive_send_and_wait_only();
    test_the_filter_kills_what_calls_anything_else();
#endif
    test_the_hooks_see_an_allocation();
    printf("loop: ok\n");
    return 0;
}
