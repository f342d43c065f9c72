/* hr_path.c: memory and the control plane's side of a path; see hr_path.h. */
#include "hr_path_state.h"

#include <stddef.h>
#include <string.h>

#define ALIGNMENT 64
#define INTERVAL_NS_MAX 60000000000
#define BUCKETS_PER_OCTAVE 32
#define OCTAVE_BITS 5

static int64_t aligned(int64_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int is_interval(int64_t ns) {
    return ns > 0 && ns <= INTERVAL_NS_MAX;
}

static int is_text(const char *text) {
    return text[0] != 0 && memchr(text, 0, HR_PATH_NAME_BYTES) != NULL;
}

static int is_config(const hr_path_config *config) {
    return config != NULL && config->underlying_count >= 1 &&
           config->underlying_count <= HR_PATH_UNDERLYINGS_MAX &&
           hr_engine_size(config->slot_count) > 0 &&
           hr_ring_size((int64_t)sizeof(hr_record), config->record_capacity) > 0 &&
           hr_ring_size((int64_t)sizeof(hr_command), config->command_capacity) > 0 &&
           hr_ring_size((int64_t)sizeof(hr_path_message), config->message_capacity) > 0 &&
           config->record_capacity >= HR_PATH_RECORDS_MIN && config->in_flight_max >= 1 &&
           config->in_flight_max <= HR_PATH_IN_FLIGHT_MAX && is_interval(config->feed_silence_ns) &&
           is_interval(config->answer_ns_max) && is_interval(config->retry_ns) &&
           is_interval(config->refused_hold_ns) && is_interval(config->failed_hold_ns) &&
           is_interval(config->decide_ns) && config->exposed_max >= 0 && is_text(config->sender) &&
           is_text(config->target);
}

static int64_t option_count(const hr_path_config *config) {
    return config->underlying_count * config->slot_count;
}

/* A power of two, at least twice the options. */
static int64_t names_capacity(const hr_path_config *config) {
    int64_t capacity = 16;
    while (capacity < 2 * option_count(config)) {
        capacity *= 2;
    }
    return capacity;
}

/* Hands out the memory piece by piece; without memory it only adds up. */
typedef struct {
    unsigned char *memory;
    int64_t used;
} carver;

static void *carve(carver *from, int64_t bytes) {
    unsigned char *piece = from->memory != NULL ? from->memory + from->used : NULL;
    from->used += aligned(bytes);
    return piece;
}

static void *carve_swap(carver *from, int64_t block_bytes, hr_swap **swap_out) {
    const int64_t bytes = hr_swap_size(block_bytes);
    void *piece = carve(from, bytes);
    if (piece != NULL) {
        hr_swap_init(piece, bytes, block_bytes, swap_out);
    }
    return piece;
}

static void carve_ring(carver *from, int64_t slot_bytes, int64_t capacity, hr_ring **ring_out) {
    const int64_t bytes = hr_ring_size(slot_bytes, capacity);
    void *piece = carve(from, bytes);
    if (piece != NULL) {
        hr_ring_init(piece, bytes, slot_bytes, capacity, ring_out);
    }
}

static void carve_book(carver *from, const hr_path_config *config, hr_path_book *book) {
    const int64_t bytes = hr_engine_size(config->slot_count);
    void *piece = carve(from, bytes);
    if (piece != NULL) {
        hr_engine_init(piece, bytes, config->slot_count, &book->engine);
    }
    carve_swap(from, (int64_t)sizeof(hr_engine_surface), &book->surface);
    carve_swap(from, (int64_t)sizeof(hr_engine_policy), &book->policy);
    carve_swap(from, (int64_t)sizeof(hr_gate_limits), &book->limits);
    carve_swap(from, (int64_t)sizeof(hr_path_lease), &book->lease);
}

/* Lays the parts into memory behind the path; returns the bytes of all. */
static int64_t lay_out(const hr_path_config *config, hr_path *path) {
    hr_path unused = {0};
    hr_path *to = path != NULL ? path : &unused;
    carver from = {(unsigned char *)path, 0};
    carve(&from, (int64_t)sizeof(hr_path));
    for (int64_t i = 0; i < config->underlying_count; i++) {
        carve_book(&from, config, &to->books[i]);
    }
    carve_swap(&from, (int64_t)sizeof(hr_path_stats), &to->stats_swap);
    carve_ring(&from, (int64_t)sizeof(hr_record), config->record_capacity, &to->records);
    carve_ring(&from, (int64_t)sizeof(hr_command), config->command_capacity, &to->commands);
    carve_ring(&from, (int64_t)sizeof(hr_path_message), config->message_capacity, &to->messages);
    to->options = carve(&from, option_count(config) * (int64_t)sizeof(hr_path_option));
    to->by_name = carve(&from, names_capacity(config) * (int64_t)sizeof(int32_t));
    to->events = carve(&from, HR_FEED_EVENTS_MAX * (int64_t)sizeof(hr_feed_event));
    to->touched = carve(&from, HR_FEED_EVENTS_MAX * (int64_t)sizeof(int32_t));
    to->decisions = carve(&from, config->slot_count * (int64_t)sizeof(hr_engine_decision));
    to->out = carve(&from, HR_PATH_OUT_BYTES);
    unsigned char *stream = carve(&from, 2 * HR_FIX_STREAM_BYTES_MIN);
    void *trades = carve(&from, hr_trades_size());
    void *feed = carve(&from, hr_feed_size());
    if (path != NULL) {
        hr_trades_init(trades, hr_trades_size(), &to->trades);
        hr_feed_init(feed, hr_feed_size(), &to->feed);
        hr_fix_stream_init(&to->stream, stream, 2 * HR_FIX_STREAM_BYTES_MIN);
    }
    return from.used;
}

int64_t hr_path_size(const hr_path_config *config) {
    return is_config(config) ? lay_out(config, NULL) : 0;
}

hr_status hr_path_init(void *memory, int64_t bytes, const hr_path_config *config,
                       hr_path **path_out) {
    const int64_t needed = hr_path_size(config);
    if (memory == NULL || path_out == NULL || needed == 0 || bytes < needed ||
        (uintptr_t)memory % ALIGNMENT != 0) {
        return HR_ERR_ARGUMENT;
    }
    memset(memory, 0, (size_t)needed);
    hr_path *path = memory;
    path->config = *config;
    path->names_capacity = names_capacity(config);
    lay_out(config, path);
    path->request_id = 1;
    for (int64_t i = 0; i < option_count(config); i++) {
        path->options[i].newest[0] = path->options[i].newest[1] = 0;
    }
    path->magic = HR_PATH_MAGIC;
    *path_out = path;
    return HR_OK;
}

static hr_status book_of(hr_path *path, int32_t underlying, const void *block,
                         hr_path_book **book_out) {
    if (path == NULL || path->magic != HR_PATH_MAGIC) {
        return HR_ERR_MAGIC;
    }
    if (block == NULL || underlying < 0 || underlying >= path->config.underlying_count) {
        return HR_ERR_ARGUMENT;
    }
    *book_out = &path->books[underlying];
    return HR_OK;
}

static hr_status put(hr_path *path, hr_swap *swap, const void *block) {
    hr_swap_put(swap, block);
    atomic_fetch_add_explicit(&path->news, 1, memory_order_release);
    return HR_OK;
}

hr_status hr_path_put_surface(hr_path *path, int32_t underlying, const hr_engine_surface *surface) {
    hr_path_book *book = NULL;
    const hr_status status = book_of(path, underlying, surface, &book);
    return status == HR_OK ? put(path, book->surface, surface) : status;
}

hr_status hr_path_put_policy(hr_path *path, int32_t underlying, const hr_engine_policy *policy) {
    hr_path_book *book = NULL;
    const hr_status status = book_of(path, underlying, policy, &book);
    return status == HR_OK ? put(path, book->policy, policy) : status;
}

hr_status hr_path_put_limits(hr_path *path, int32_t underlying, const hr_gate_limits *limits) {
    hr_path_book *book = NULL;
    const hr_status status = book_of(path, underlying, limits, &book);
    return status == HR_OK ? put(path, book->limits, limits) : status;
}

hr_status hr_path_put_lease(hr_path *path, int32_t underlying, int32_t state, int64_t expires_ns) {
    const hr_path_lease lease = {state, 0, expires_ns};
    hr_path_book *book = NULL;
    const hr_status status = book_of(path, underlying, &lease, &book);
    return status == HR_OK ? put(path, book->lease, &lease) : status;
}

hr_status hr_path_command(hr_path *path, const hr_command *command) {
    if (path == NULL || path->magic != HR_PATH_MAGIC) {
        return HR_ERR_MAGIC;
    }
    if (command == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const hr_status status = hr_ring_push(path->commands, command);
    if (status == HR_OK) {
        atomic_fetch_add_explicit(&path->news, 1, memory_order_release);
    }
    return status;
}

int64_t hr_path_take_records(hr_path *path, hr_record *records_out, int64_t count_max) {
    return hr_ring_pop(path->records, records_out, count_max);
}

int64_t hr_path_urgent_count(const hr_path *path) {
    return atomic_load_explicit(&path->urgent_published, memory_order_acquire);
}

int64_t hr_path_take_messages(hr_path *path, hr_path_message *messages_out, int64_t count_max) {
    return hr_ring_pop(path->messages, messages_out, count_max);
}

hr_status hr_path_read_stats(hr_path *path, hr_path_stats *stats_out) {
    const hr_path_stats *newest = hr_swap_take(path->stats_swap);
    if (newest == NULL) {
        return HR_ERR_NOT_FOUND;
    }
    *stats_out = *newest;
    return HR_OK;
}

hr_status hr_path_set_clock(hr_path *path, hr_path_clock clock, void *context) {
    path->clock = clock;
    path->clock_context = context;
    return HR_OK;
}

int64_t hr_histogram_bucket(int64_t ns) {
    if (ns < BUCKETS_PER_OCTAVE) {
        return ns < 0 ? 0 : ns;
    }
    const int64_t top = 63 - __builtin_clzll((unsigned long long)ns);
    const int64_t within = (ns >> (top - OCTAVE_BITS)) & (BUCKETS_PER_OCTAVE - 1);
    const int64_t bucket = (top - OCTAVE_BITS + 1) * BUCKETS_PER_OCTAVE + within;
    return bucket < HR_HISTOGRAM_BUCKETS ? bucket : HR_HISTOGRAM_BUCKETS - 1;
}

int64_t hr_histogram_least_ns(int64_t bucket) {
    if (bucket < BUCKETS_PER_OCTAVE) {
        return bucket < 0 ? 0 : bucket;
    }
    const int64_t octave = bucket / BUCKETS_PER_OCTAVE - 1;
    return (BUCKETS_PER_OCTAVE + bucket % BUCKETS_PER_OCTAVE) << octave;
}
