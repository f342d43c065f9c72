/* hr_loop_state.h: what a loop remembers; private to the hr_loop*.c files. */
#ifndef HR_LOOP_STATE_H
#define HR_LOOP_STATE_H

#include "hr_loop.h"

#include <pthread.h>
#include <stdatomic.h>

#define HR_LOOP_MAGIC 0x48524c50u /* "HRLP" */
#define HR_LOOP_SOCKETS 16        /* 8 of each kind. */
#define HR_LOOP_BATCH 32          /* Datagrams of one socket before the others'. */
#define HR_LOOP_DATAGRAM_BYTES 2048
#define HR_LOOP_STREAM_BYTES 65536
#define HR_LOOP_NO_SOCKET (-1)
#define HR_LOOP_NO_CHANGE (-2)

typedef struct {
    int32_t socket;
    int32_t is_snapshot;
} hr_loop_source;

struct hr_loop {
    uint64_t magic;
    hr_path *path;
    hr_loop_config config;
    hr_loop_source sources[HR_LOOP_SOCKETS];
    int32_t source_count;
    int32_t stream; /* The FIX connection; HR_LOOP_NO_SOCKET: none. */
    int32_t epoll;
    int32_t waker; /* eventfd: ends the wait. */
    int32_t is_urgent;
    pthread_t thread;
    int64_t anchor_cycles; /* Desk time and cycles at the last look at the system's clock; */
    int64_t anchor_ns;
    int64_t rate_cycles; /* and where the rate is counted from. */
    int64_t rate_ns;
    double ns_per_cycle;  /* 0: not known yet, or no such counter. */
    int64_t time_ns;      /* When the path last saw time pass. */
    int64_t published_ns; /* When its counters were last published. */
    unsigned char apart[128];
    _Atomic int32_t is_asked_to_stop;
    _Atomic int32_t is_running;
    _Atomic int32_t next_stream; /* A socket handed over; HR_LOOP_NO_CHANGE: none. */
    _Atomic int32_t error;       /* errno of what failed last. */
    unsigned char after[128];
    unsigned char datagram[HR_LOOP_DATAGRAM_BYTES];
    unsigned char stream_bytes[HR_LOOP_STREAM_BYTES];
};

/* Desk time, from the cycle counter where the processor has one that never stops. */
int64_t hr_loop_now(void *loop);
/* Sets the counter against the system's clock anew. */
void hr_loop_anchor(hr_loop *loop);

/* The thread (hr_loop_run.c). */
void *hr_loop_run(void *loop);

#endif
