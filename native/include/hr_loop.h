/* hr_loop.h: the one part of the C core that calls the system: a thread with three sockets.
 *
 * It receives multicast events and snapshots (UDP), receives and sends FIX (TCP), and waits; all
 * between receiving and sending is the path's. Once running it calls nothing but receive, send and
 * the wait, and allocates nothing. Desk time is CLOCK_REALTIME plus an offset.
 */
#ifndef HR_LOOP_H
#define HR_LOOP_H

#include "hedgerow.h"
#include "hr_path.h"

/* cdef: begin */
#define HR_LOOP_BLOCKING 0 /* Sleeps until something comes. */
#define HR_LOOP_ADAPTIVE 1 /* Looks again for `spin_ns`, then sleeps. */
#define HR_LOOP_BUSY 2     /* Never sleeps; needs a core of its own. */

typedef struct {
    int64_t offset_ns;     /* Desk time less CLOCK_REALTIME. */
    int64_t wake_ns;       /* The path sees time pass at least so often: 1e6 to 50e6. */
    int64_t spin_ns;       /* HR_LOOP_ADAPTIVE. */
    int64_t stats_ns;      /* Between publications of the counters. */
    int32_t mode;          /* HR_LOOP_ */
    int32_t cpu;           /* The core to run on; -1: any. */
    int32_t busy_poll_us;  /* SO_BUSY_POLL; 0: not. */
    int32_t receive_bytes; /* SO_RCVBUF of the datagram sockets; 0: the system's own. */
    int32_t priority;      /* SCHED_FIFO, where it is permitted; 0: as the starting thread. */
    int32_t reserved;
} hr_loop_config;

typedef struct hr_loop hr_loop;

/* Returns the bytes of a loop. */
int64_t hr_loop_size(void);

/* Makes a loop around a path, in memory, 64-byte aligned. Nothing runs yet. */
hr_status hr_loop_init(void *memory, int64_t bytes, hr_path *path, const hr_loop_config *config,
                       hr_loop **loop_out);

/* Control plane, before the start. Binds a datagram socket and joins `address` if it is a group;
 * `interface` names the local address to join on ("0.0.0.0": any). At most 8 of each kind;
 * HR_ERR_SYSTEM with errno in hr_loop_error. `port_out` tells the port bound, for port 0. */
hr_status hr_loop_listen(hr_loop *loop, int32_t is_snapshot, const char *address, int32_t port,
                         const char *interface, int32_t *port_out);

/* Control plane. Starts the thread; stops it (all quotes are gone with the connection) and joins
 * it. A loop can be started again. */
hr_status hr_loop_start(hr_loop *loop);
hr_status hr_loop_stop(hr_loop *loop);
/* Control plane, when stopped. Closes the datagram sockets. */
hr_status hr_loop_close(hr_loop *loop);

/* Control plane, at any time. Hands over a connected TCP socket, which the loop now owns and
 * closes; an older one is closed first. -1 only closes. */
hr_status hr_loop_connect(hr_loop *loop, int32_t socket);

/* Control plane. Ends the wait now: a command or a block was put. */
hr_status hr_loop_wake(hr_loop *loop);

/* Control plane, once started. Did the thread get its real-time priority. */
int32_t hr_loop_is_urgent(const hr_loop *loop);

/* Control plane, at any time. Is the thread running; the errno of what failed last. */
int32_t hr_loop_is_running(const hr_loop *loop);
int32_t hr_loop_error(const hr_loop *loop);
/* cdef: end */

_Static_assert(sizeof(hr_loop_config) == 56, "hr_loop_config crosses: no padding");

#endif
