/* hr_loop_run.c: the thread: wait, receive, hand to the path, send. Nothing else calls the system
 * while it runs, but to take or drop a connection. */
#define _GNU_SOURCE
#include "hr_loop_state.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_MS 1000000
#define WAKER HR_LOOP_SOCKETS
#define STREAM (HR_LOOP_SOCKETS + 1)
#define PASSES_MAX 64 /* Receptions in a row before the path sees time pass. */

static void lose(hr_loop *loop, int32_t error) {
    if (loop->stream == HR_LOOP_NO_SOCKET) {
        return;
    }
    if (error != 0) {
        atomic_store_explicit(&loop->error, error, memory_order_relaxed);
    }
    close(loop->stream); /* The kernel takes it off the list of what is waited for. */
    loop->stream = HR_LOOP_NO_SOCKET;
    hr_path_on_lost(loop->path, hr_loop_now(loop));
}

/* Sends what waits; what the socket does not take stays for the next time. */
static void send_output(hr_loop *loop) {
    const uint8_t *bytes = NULL;
    int64_t count = hr_path_output(loop->path, &bytes);
    while (count > 0 && loop->stream != HR_LOOP_NO_SOCKET) {
        const ssize_t sent = send(loop->stream, bytes, (size_t)count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN) {
            lose(loop, errno);
            return;
        }
        hr_path_on_sent(loop->path, sent < 0 ? 0 : sent, hr_loop_now(loop));
        if (sent < count) {
            return;
        }
        count = hr_path_output(loop->path, &bytes);
    }
}

/* Takes the datagrams of one socket that are there, one by one: the first is not kept waiting for
 * the second. Returns how many. */
static int32_t receive_datagrams(hr_loop *loop, const hr_loop_source *source) {
    int32_t count = 0;
    for (; count < HR_LOOP_BATCH; count++) {
        unsigned char *bytes = loop->datagram;
        const ssize_t size =
            recv(source->socket, bytes, HR_LOOP_DATAGRAM_BYTES, MSG_DONTWAIT | MSG_TRUNC);
        if (size < 0) {
            break;
        }
        if (size > 0 && size <= HR_LOOP_DATAGRAM_BYTES) {
            hr_path_on_datagram(loop->path, source->is_snapshot, bytes, size, hr_loop_now(loop));
            send_output(loop);
        }
    }
    return count;
}

/* Returns whether anything came. */
static int32_t receive_stream(hr_loop *loop) {
    if (loop->stream == HR_LOOP_NO_SOCKET) {
        return 0;
    }
    const ssize_t size = recv(loop->stream, loop->stream_bytes, HR_LOOP_STREAM_BYTES, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        lose(loop, size == 0 ? ECONNRESET : errno);
        return 1;
    }
    if (size > 0) {
        hr_path_on_stream(loop->path, loop->stream_bytes, size, hr_loop_now(loop));
        send_output(loop);
    }
    return size > 0;
}

static void watch(hr_loop *loop, int32_t socket, uint32_t index) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, socket, &event);
}

/* Takes over a connection that was handed over since the last look. */
static void take_stream(hr_loop *loop) {
    if (atomic_load_explicit(&loop->next_stream, memory_order_relaxed) == HR_LOOP_NO_CHANGE) {
        return;
    }
    const int32_t next =
        atomic_exchange_explicit(&loop->next_stream, HR_LOOP_NO_CHANGE, memory_order_acq_rel);
    lose(loop, 0);
    if (next == HR_LOOP_NO_SOCKET) {
        return;
    }
    loop->stream = next;
    watch(loop, next, STREAM);
    hr_path_on_connected(loop->path, hr_loop_now(loop));
}

static void pass_time(hr_loop *loop, int64_t now_ns) {
    if (now_ns - loop->time_ns < loop->config.wake_ns && now_ns >= loop->time_ns) {
        return;
    }
    hr_loop_anchor(loop);
    loop->time_ns = now_ns;
    take_stream(loop);
    hr_path_on_time(loop->path, now_ns);
    send_output(loop);
    if (now_ns - loop->published_ns >= loop->config.stats_ns || now_ns < loop->published_ns) {
        loop->published_ns = now_ns;
        hr_path_publish_stats(loop->path, now_ns);
    }
}

/* Returns whether anything came on any socket. */
static int32_t look(hr_loop *loop) {
    int32_t came = 0;
    for (int32_t i = 0; i < loop->source_count; i++) {
        came |= receive_datagrams(loop, &loop->sources[i]);
    }
    return came | receive_stream(loop);
}

/* Sleeps until something comes, or time is to pass. */
static void wait(hr_loop *loop) {
    struct epoll_event events[HR_LOOP_SOCKETS + 2];
    const int64_t left_ns = loop->time_ns + loop->config.wake_ns - hr_loop_now(loop);
    const int32_t timeout_ms = left_ns <= 0 ? 0 : (int32_t)(left_ns / NS_PER_MS + 1);
    const int32_t count = epoll_wait(loop->epoll, events, HR_LOOP_SOCKETS + 2, timeout_ms);
    for (int32_t i = 0; i < count; i++) {
        const uint32_t index = events[i].data.u32;
        if (index < WAKER) {
            receive_datagrams(loop, &loop->sources[index]);
        } else if (index == STREAM) {
            receive_stream(loop);
        } else {
            uint64_t woken = 0;
            loop->time_ns = 0; /* News: time passes now. */
            if (read(loop->waker, &woken, sizeof woken) < 0) {
                continue;
            }
        }
    }
}

void *hr_loop_run(void *argument) {
    hr_loop *loop = argument;
    int64_t heard_ns = 0;
    hr_loop_anchor(loop);
    hr_path_set_clock(loop->path, hr_loop_now, loop);
    while (!atomic_load_explicit(&loop->is_asked_to_stop, memory_order_acquire)) {
        const int32_t mode = loop->config.mode;
        if (mode == HR_LOOP_BLOCKING) {
            wait(loop);
            pass_time(loop, hr_loop_now(loop));
            continue;
        }
        const int32_t came = look(loop);
        const int64_t now_ns = hr_loop_now(loop);
        heard_ns = came ? now_ns : heard_ns;
        pass_time(loop, now_ns);
        if (mode == HR_LOOP_ADAPTIVE && now_ns - heard_ns > loop->config.spin_ns) {
            wait(loop);
            heard_ns = hr_loop_now(loop);
        }
    }
    lose(loop, 0);
    hr_path_publish_stats(loop->path, hr_loop_now(loop));
    hr_path_set_clock(loop->path, NULL, NULL);
    atomic_store_explicit(&loop->is_running, 0, memory_order_release);
    return NULL;
}
