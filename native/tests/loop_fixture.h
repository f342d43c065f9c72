/* The outside world of a loop: a socket for datagrams, the other end of its FIX connection, and the
 * answers of a venue. One loop at a time. */
#ifndef LOOP_FIXTURE_H
#define LOOP_FIXTURE_H

#include "../bench/bench_clock.h"
#include "hr_loop.h"
#include "path_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STREAM_BYTES = 1 << 20 };

static venue one;
static int64_t offset_ns; /* Desk time starts where the options do. */

static inline int64_t desk_now(void) {
    return bench_system_now() + offset_ns;
}

static inline void fail(const char *what) {
    perror(what);
    exit(1);
}

static inline int connect_loopback(int listener) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    const int on = 1;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        fail("getsockname");
    }
    const int stream = socket(AF_INET, SOCK_STREAM, 0);
    if (stream < 0 || connect(stream, (struct sockaddr *)&address, size) < 0 ||
        setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        fail("connect");
    }
    return stream;
}

static inline int listen_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 1) < 0) {
        fail("listen");
    }
    return listener;
}

static inline int accept_outside(int listener) {
    const int on = 1;
    const int stream = accept(listener, NULL, NULL);
    if (stream < 0 || setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        fcntl(stream, F_SETFL, O_NONBLOCK) < 0) {
        fail("accept");
    }
    return stream;
}

/* A quote that came. */
typedef struct {
    int64_t number; /* Its QuoteID; of the floor, the number of the datagram it answers. */
    int64_t at_ns;
    int64_t bid_ticks; /* 0: the bid did not move. */
} sighting;

typedef struct {
    int source; /* UDP, connected to what is measured. */
    int stream;
    int is_floor;
    int64_t quote_bytes;
    char bytes[STREAM_BYTES];
    int64_t end;
    int64_t received;   /* Quotes, */
    int64_t last_bytes; /* and the size of the last one. */
    sighting *seen;     /* NULL: nobody wants them; else the first `seen_max` quotes. */
    int64_t seen_max;
} outside;

static outside world;

static inline int open_source(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int source = socket(AF_INET, SOCK_DGRAM, 0);
    if (source < 0 || connect(source, (struct sockaddr *)&address, sizeof address) < 0) {
        fail("source");
    }
    return source;
}

static inline void send_all(const char *bytes, int64_t count) {
    while (count > 0) {
        const ssize_t sent = send(world.stream, bytes, (size_t)count, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            fail("answer");
        }
        bytes += sent > 0 ? sent : 0;
        count -= sent > 0 ? sent : 0;
    }
}

static inline void reply(char type, const char *body) {
    char bytes[8192];
    send_all(bytes, frame_answer(&one, type, body, bytes));
}

static inline void quote_came(int64_t number, int64_t bid_ticks, int64_t now_ns) {
    if (world.received < world.seen_max) {
        world.seen[world.received] = (sighting){number, now_ns, bid_ticks};
    }
    world.received++;
}

static inline void read_quote(const char *message, int64_t now_ns) {
    char body[128];
    const int64_t number = atoll(field(message, "\001117="));
    const char *bid = field(message, "\001132=");
    quote_came(number, bid != NULL ? (int64_t)(atof(bid) / tick_coin() + 0.5) : 0, now_ns);
    snprintf(body, sizeof body, "117=%lld\001297=0\001", (long long)number);
    reply('b', body);
}

/* Reads whole FIX messages out of what has come; answers each. */
static inline void read_fix(int64_t now_ns) {
    char *at = world.bytes;
    for (;;) {
        const char *length = field(at, "\0019=");
        const char *head = length != NULL ? strchr(length, 1) : NULL;
        if (head == NULL || head + 1 + atoll(length) + 7 > world.bytes + world.end) {
            break;
        }
        char *next = (char *)head + 1 + atoll(length) + 7;
        const char kept = *next;
        char body[128];
        *next = 0;
        if (strstr(at, "\00135=i\001") != NULL) {
            world.last_bytes = next - at;
            read_quote(at, now_ns);
        } else if (strstr(at, "\00135=Z\001") != NULL) {
            snprintf(body, sizeof body, "11=%lld\001530=7\001531=7\001",
                     atoll(field(at, "\0011166=")));
            reply('r', body);
        } else if (strstr(at, "\00135=A\001") != NULL) {
            reply('A', "98=0\001108=1\001141=Y\001");
        }
        *next = kept;
        at = next;
    }
    const int64_t left = world.bytes + world.end - at;
    memmove(world.bytes, at, (size_t)left);
    world.end = left;
    world.bytes[left] = 0;
}

/* The floor sends back the head of the datagram, with its number, and fills up with nothing. */
static inline void read_floor(int64_t now_ns) {
    const char *at = world.bytes;
    for (; world.bytes + world.end - at >= world.quote_bytes; at += world.quote_bytes) {
        uint32_t sequence = 0;
        memcpy(&sequence, at + 4, sizeof sequence);
        quote_came(sequence, 0, now_ns);
    }
    world.end -= at - world.bytes;
    memmove(world.bytes, at, (size_t)world.end);
}

/* Takes what came back, if anything did. */
static inline void look(void) {
    const ssize_t count = recv(world.stream, world.bytes + world.end,
                               (size_t)(STREAM_BYTES - 1 - world.end), MSG_DONTWAIT);
    if (count <= 0) {
        return;
    }
    const int64_t now_ns = bench_now();
    world.end += count;
    if (world.is_floor) {
        read_floor(now_ns);
        return;
    }
    world.bytes[world.end] = 0;
    read_fix(now_ns);
}

static inline void send_datagram(void) {
    if (send(world.source, one.datagram, (size_t)one.datagram_bytes, 0) < 0) {
        fail("datagram");
    }
}

/* Turns for so long, with the index ticking. */
static inline void idle_ms(int64_t ms) {
    const int64_t until = bench_now() + ms * 1000000;
    int64_t next = 0;
    while (bench_now() < until) {
        look();
        if (!world.is_floor && bench_now() > next) {
            next = bench_now() + 5000000;
            one.now_ns = desk_now();
            compose_index(&one, 90000.0);
            send_datagram();
        }
    }
}

static inline void open_books(int snapshots_port) {
    const int snapshots = open_source(snapshots_port);
    const int events = world.source;
    one.now_ns = desk_now();
    for (int64_t slot = 0; slot < OPTIONS; slot++) {
        one.books[slot] = (venue_book){1, 5000, 100};
    }
    compose_index(&one, 90000.0);
    send_datagram();
    compose_bid(&one, 0, 2);
    send_datagram();
    idle_ms(20);
    one.now_ns = desk_now() + 100000000;
    world.source = snapshots;
    compose_snapshot(&one, 0);
    send_datagram();
    for (int64_t slot = 0; slot < OPTIONS; slot++) {
        compose_snapshot(&one, slot);
        send_datagram();
        if (slot % 32 == 0) {
            usleep(2000);
        }
    }
    world.source = events;
    close(snapshots);
    usleep(120000);
}

#endif
