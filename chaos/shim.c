/* Faults that only a process itself can have, from the outside: loaded in front of the C library
 * (LD_PRELOAD) and told by a shared file what to do. The clock of the day runs ahead or behind,
 * fsync is slow, and files under the run's folder take no more bytes.
 *
 *   HEDGEROW_SHIM=FILE   three int64: clock offset in ns, fsync delay in us, errno of writes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct orders {
    volatile int64_t clock_offset_ns;
    volatile int64_t fsync_delay_us;
    volatile int64_t write_errno;
};

static const struct orders *orders;

__attribute__((constructor)) static void open_orders(void) {
    const char *path = getenv("HEDGEROW_SHIM");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) {
        return;
    }
    void *memory = mmap(NULL, sizeof *orders, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    orders = memory == MAP_FAILED ? NULL : memory;
}

static int is_regular(int file) {
    struct stat about;
    return fstat(file, &about) == 0 && S_ISREG(about.st_mode);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) {
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int failed = next(which, now);
    if (!failed && orders && which == CLOCK_REALTIME && orders->clock_offset_ns) {
        int64_t all = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + orders->clock_offset_ns;
        now->tv_sec = all / 1000000000;
        now->tv_nsec = all % 1000000000;
    }
    return failed;
}

static void delay(void) {
    if (orders && orders->fsync_delay_us > 0) {
        usleep((useconds_t)orders->fsync_delay_us);
    }
}

int fsync(int file) {
    static int (*next)(int);
    if (!next) {
        next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    }
    delay();
    return next(file);
}

int fdatasync(int file) {
    static int (*next)(int);
    if (!next) {
        next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    }
    delay();
    return next(file);
}

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*next)(int, const void *, size_t);
    if (!next) {
        next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    }
    if (orders && orders->write_errno && file > 2 && is_regular(file)) {
        errno = (int)orders->write_errno;
        return -1;
    }
    return next(file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    static ssize_t (*next)(int, const struct iovec *, int);
    if (!next) {
        next = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    }
    if (orders && orders->write_errno && file > 2 && is_regular(file)) {
        errno = (int)orders->write_errno;
        return -1;
    }
    return next(file, parts, count);
}
