/* hr_loop.c: the sockets and the thread, from Python's side; see hr_loop.h. */
#define _GNU_SOURCE
#include "hr_loop_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALIGNMENT 64
#define WAKE_NS_MIN 1000000
#define WAKE_NS_MAX 50000000
#define SPIN_NS_MAX 1000000000
#define BUSY_POLL_US_MAX 1000
#define PORT_MAX 65535
#define PRIORITY_MAX 99

int64_t hr_loop_size(void) {
    return ((int64_t)sizeof(hr_loop) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int is_config(const hr_loop_config *config) {
    return config != NULL && config->wake_ns >= WAKE_NS_MIN && config->wake_ns <= WAKE_NS_MAX &&
           config->spin_ns >= 0 && config->spin_ns <= SPIN_NS_MAX && config->stats_ns > 0 &&
           config->mode >= HR_LOOP_BLOCKING && config->mode <= HR_LOOP_BUSY && config->cpu >= -1 &&
           config->cpu < CPU_SETSIZE && config->busy_poll_us >= 0 &&
           config->busy_poll_us <= BUSY_POLL_US_MAX && config->receive_bytes >= 0 &&
           config->priority >= 0 && config->priority <= PRIORITY_MAX;
}

hr_status hr_loop_init(void *memory, int64_t bytes, hr_path *path, const hr_loop_config *config,
                       hr_loop **loop_out) {
    if (memory == NULL || loop_out == NULL || path == NULL || !is_config(config) ||
        bytes < hr_loop_size() || (uintptr_t)memory % ALIGNMENT != 0) {
        return HR_ERR_ARGUMENT;
    }
    memset(memory, 0, sizeof(hr_loop));
    hr_loop *loop = memory;
    loop->path = path;
    loop->config = *config;
    loop->stream = loop->epoll = loop->waker = HR_LOOP_NO_SOCKET;
    atomic_store(&loop->next_stream, HR_LOOP_NO_CHANGE);
    loop->magic = HR_LOOP_MAGIC;
    *loop_out = loop;
    return HR_OK;
}

static hr_status fail(hr_loop *loop, int32_t descriptor) {
    atomic_store(&loop->error, errno);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return HR_ERR_SYSTEM;
}

/* Joins the group, or does nothing for an address that is none. */
static int join(int32_t socket_fd, struct in_addr group, const char *interface) {
    if (!IN_MULTICAST(ntohl(group.s_addr))) {
        return 0;
    }
    struct ip_mreq membership = {.imr_multiaddr = group};
    if (inet_pton(AF_INET, interface, &membership.imr_interface) != 1) {
        errno = EINVAL;
        return -1;
    }
    return setsockopt(socket_fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership);
}

static int prepare(const hr_loop *loop, int32_t socket_fd) {
    const int on = 1;
    const hr_loop_config *config = &loop->config;
    int failed = setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0;
    if (config->receive_bytes > 0) {
        failed |= setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUF, &config->receive_bytes,
                             sizeof config->receive_bytes) < 0;
    }
    if (config->busy_poll_us > 0) {
        failed |= setsockopt(socket_fd, SOL_SOCKET, SO_BUSY_POLL, &config->busy_poll_us,
                             sizeof config->busy_poll_us) < 0;
    }
    return failed ? -1 : 0;
}

hr_status hr_loop_listen(hr_loop *loop, int32_t is_snapshot, const char *address, int32_t port,
                         const char *interface, int32_t *port_out) {
    struct sockaddr_in bound = {.sin_family = AF_INET};
    if (loop == NULL || loop->magic != HR_LOOP_MAGIC || address == NULL || interface == NULL ||
        port_out == NULL || port < 0 || port > PORT_MAX ||
        inet_pton(AF_INET, address, &bound.sin_addr) != 1) {
        return HR_ERR_ARGUMENT;
    }
    if (loop->source_count == HR_LOOP_SOCKETS) {
        return HR_ERR_FULL;
    }
    const int32_t socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_fd < 0) {
        return fail(loop, socket_fd);
    }
    socklen_t size = sizeof bound;
    bound.sin_port = htons((uint16_t)port);
    if (prepare(loop, socket_fd) < 0 ||
        bind(socket_fd, (const struct sockaddr *)&bound, sizeof bound) < 0 ||
        join(socket_fd, bound.sin_addr, interface) < 0 ||
        getsockname(socket_fd, (struct sockaddr *)&bound, &size) < 0) {
        return fail(loop, socket_fd);
    }
    loop->sources[loop->source_count++] = (hr_loop_source){socket_fd, is_snapshot};
    *port_out = ntohs(bound.sin_port);
    return HR_OK;
}

static int watch(const hr_loop *loop, int32_t descriptor, uint32_t index) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static int open_wait(hr_loop *loop) {
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = loop->epoll < 0 || loop->waker < 0;
    for (int32_t i = 0; i < loop->source_count && !failed; i++) {
        failed = watch(loop, loop->sources[i].socket, (uint32_t)i) < 0;
    }
    return failed || watch(loop, loop->waker, HR_LOOP_SOCKETS) < 0 ? -1 : 0;
}

static void close_wait(hr_loop *loop) {
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    if (loop->waker >= 0) {
        close(loop->waker);
    }
    loop->epoll = loop->waker = HR_LOOP_NO_SOCKET;
}

/* A thread that no signal interrupts, on its own core if one is named. */
static int start_thread(hr_loop *loop) {
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    if (loop->config.cpu >= 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET((size_t)loop->config.cpu, &cores);
        pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores);
    }
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int error = pthread_create(&loop->thread, &attributes, hr_loop_run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    errno = error;
    return error == 0 ? 0 : -1;
}

/* A wake-up then preempts whatever ordinary thread runs. Refused to most users: no failure. */
static void raise_thread(hr_loop *loop) {
    const struct sched_param parameters = {.sched_priority = loop->config.priority};
    loop->is_urgent = loop->config.priority > 0 &&
                      pthread_setschedparam(loop->thread, SCHED_FIFO, &parameters) == 0;
}

hr_status hr_loop_start(hr_loop *loop) {
    if (loop == NULL || loop->magic != HR_LOOP_MAGIC || hr_loop_is_running(loop)) {
        return HR_ERR_ARGUMENT;
    }
    atomic_store(&loop->is_asked_to_stop, 0);
    atomic_store(&loop->is_running, 1);
    if (open_wait(loop) < 0 || start_thread(loop) < 0) {
        const hr_status status = fail(loop, HR_LOOP_NO_SOCKET);
        close_wait(loop);
        atomic_store(&loop->is_running, 0);
        return status;
    }
    raise_thread(loop);
    return HR_OK;
}

hr_status hr_loop_stop(hr_loop *loop) {
    if (loop == NULL || loop->magic != HR_LOOP_MAGIC || loop->epoll < 0) {
        return HR_ERR_ARGUMENT;
    }
    atomic_store_explicit(&loop->is_asked_to_stop, 1, memory_order_release);
    hr_loop_wake(loop);
    pthread_join(loop->thread, NULL);
    close_wait(loop);
    return HR_OK;
}

hr_status hr_loop_close(hr_loop *loop) {
    if (loop == NULL || loop->magic != HR_LOOP_MAGIC || loop->epoll >= 0) {
        return HR_ERR_ARGUMENT;
    }
    for (int32_t i = 0; i < loop->source_count; i++) {
        close(loop->sources[i].socket);
    }
    loop->source_count = 0;
    const int32_t waiting = atomic_exchange(&loop->next_stream, HR_LOOP_NO_CHANGE);
    if (waiting >= 0) {
        close(waiting);
    }
    return HR_OK;
}

hr_status hr_loop_connect(hr_loop *loop, int32_t socket_fd) {
    const int on = 1;
    if (loop == NULL || loop->magic != HR_LOOP_MAGIC || socket_fd < HR_LOOP_NO_SOCKET) {
        return HR_ERR_ARGUMENT;
    }
    if (socket_fd >= 0) {
        const int flags = fcntl(socket_fd, F_GETFL);
        if (flags < 0 || fcntl(socket_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
            return fail(loop, HR_LOOP_NO_SOCKET);
        }
        if (loop->config.busy_poll_us > 0) {
            setsockopt(socket_fd, SOL_SOCKET, SO_BUSY_POLL, &loop->config.busy_poll_us,
                       sizeof loop->config.busy_poll_us);
        }
    }
    const int32_t before =
        atomic_exchange_explicit(&loop->next_stream, socket_fd, memory_order_acq_rel);
    if (before >= 0) {
        close(before);
    }
    return hr_loop_wake(loop);
}

hr_status hr_loop_wake(hr_loop *loop) {
    const uint64_t one = 1;
    if (loop == NULL || loop->magic != HR_LOOP_MAGIC) {
        return HR_ERR_ARGUMENT;
    }
    if (loop->waker >= 0 && write(loop->waker, &one, sizeof one) < 0 && errno != EAGAIN) {
        return fail(loop, HR_LOOP_NO_SOCKET);
    }
    return HR_OK;
}

int32_t hr_loop_is_urgent(const hr_loop *loop) {
    return loop->is_urgent;
}

int32_t hr_loop_is_running(const hr_loop *loop) {
    return atomic_load_explicit(&loop->is_running, memory_order_acquire);
}

int32_t hr_loop_error(const hr_loop *loop) {
    return atomic_load_explicit(&loop->error, memory_order_relaxed);
}
