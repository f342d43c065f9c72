/* hr_path_commands.c: what the control plane has put: whole blocks, then commands in order. */
#include "hr_path_state.h"

#include <stddef.h>
#include <string.h>

#define UNIT_DIGITS 12
#define COMMANDS_PER_LOOK 64 /* No more at once: a tick may wait behind them. */

static int is_ended(const char *text, size_t bytes) {
    return memchr(text, 0, bytes) != NULL;
}

static uint64_t hash_of(const char *text) {
    const uint64_t hash = hr_fix_hash((const uint8_t *)text, (int64_t)strlen(text));
    return hash == 0 ? 1 : hash;
}

static int64_t place_of(const hr_path *path, uint64_t hash) {
    int64_t at = (int64_t)(hash & (uint64_t)(path->names_capacity - 1));
    while (path->by_name[at] != 0 && path->options[path->by_name[at] - 1].name_hash != hash) {
        at = (at + 1) & (path->names_capacity - 1);
    }
    return at;
}

int64_t hr_path_find_name(const hr_path *path, const uint8_t *name, int64_t count) {
    const uint64_t hash = hr_fix_hash(name, count);
    return path->by_name[place_of(path, hash == 0 ? 1 : hash)] - 1;
}

static void index_names(hr_path *path) {
    memset(path->by_name, 0, (size_t)path->names_capacity * sizeof(int32_t));
    for (int64_t i = 0; i < path->config.underlying_count * path->config.slot_count; i++) {
        if (path->options[i].name_hash != 0) {
            path->by_name[place_of(path, path->options[i].name_hash)] = (int32_t)i + 1;
        }
    }
}

/* Writes a positive number as mantissa * 10^exponent, without zeros at its end. */
static void to_decimal(double value, int64_t *mantissa_out, int32_t *exponent_out) {
    double scaled = value;
    int32_t exponent = 0;
    for (; exponent > -UNIT_DIGITS; exponent--) {
        const double rounded = (double)(int64_t)(scaled + 0.5);
        const double off = scaled - rounded;
        if (rounded > 0.0 && off < 1e-9 * scaled && off > -1e-9 * scaled) {
            break;
        }
        scaled *= 10.0;
    }
    *mantissa_out = (int64_t)(scaled + 0.5);
    *exponent_out = exponent;
}

void hr_path_update_option(hr_path *path, int64_t handle) {
    hr_path_option *option = &path->options[handle];
    const int32_t is_quotable =
        option->name_hash != 0 && option->is_tradable && option->is_open && option->is_fresh;
    if (is_quotable == option->is_quotable) {
        return;
    }
    option->is_quotable = is_quotable;
    const hr_path_place place = hr_path_place_of(path, handle);
    hr_engine_set_barred(path->books[place.underlying].engine, place.slot, !is_quotable);
    path->books[place.underlying].has_more = 1;
}

static hr_status set_underlying(hr_path *path, hr_path_book *book, const hr_command *command) {
    if (!is_ended(command->name, sizeof command->name) || command->name[0] == 0 ||
        !is_ended(command->text, sizeof command->text) || command->text[0] == 0 ||
        !is_ended(command->body, sizeof command->body)) {
        return HR_ERR_ARGUMENT;
    }
    const hr_status status = hr_fix_quote_form_init(
        &book->form, (const uint8_t *)command->body, (int64_t)strlen(command->body),
        (const uint8_t *)command->name, (int64_t)strlen(command->name), HR_FIX_POST_OR_FAIL);
    if (status != HR_OK) {
        return status;
    }
    memcpy(book->name, command->name, sizeof book->name);
    book->is_used = 1;
    return hr_feed_add_index(path->feed, command->text, command->underlying);
}

static void release(hr_path *path, int64_t handle) {
    hr_path_option *option = &path->options[handle];
    if (option->name_hash == 0) {
        return;
    }
    const hr_path_place place = hr_path_place_of(path, handle);
    hr_path_book *book = &path->books[place.underlying];
    const int64_t slot = place.slot;
    hr_feed_remove(path->feed, (uint32_t)option->instrument_id);
    const hr_engine_instrument none = {0};
    hr_engine_set_instrument(book->engine, slot, &none);
    hr_engine_set_live(book->engine, slot, HR_SIDE_BID, 0, 0, 0);
    hr_engine_set_live(book->engine, slot, HR_SIDE_ASK, 0, 0, 0);
    memset(option, 0, sizeof *option);
    index_names(path);
}

static hr_status set_instrument(hr_path *path, hr_path_book *book, const hr_command *command) {
    if (command->slot < 0 || command->slot >= path->config.slot_count ||
        command->instrument_id <= 0 || command->instrument_id > UINT32_MAX ||
        !is_ended(command->name, sizeof command->name) || !command->instrument.is_listed) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t handle = hr_path_handle(path, command->underlying, command->slot);
    release(path, handle);
    hr_path_option option = {0};
    int64_t mantissa[2];
    int32_t exponent[2];
    to_decimal(command->instrument.tick_coin, &mantissa[0], &exponent[0]);
    to_decimal(command->instrument.lot_coin, &mantissa[1], &exponent[1]);
    hr_status status = hr_fix_instrument_init(&option.form, (const uint8_t *)command->name,
                                              (int64_t)strlen(command->name), (int32_t)handle,
                                              mantissa[0], exponent[0], mantissa[1], exponent[1]);
    const hr_feed_instrument fed = {
        .tick = command->instrument.tick_coin,
        .lot = command->instrument.lot_coin,
        .instrument_id = (uint32_t)command->instrument_id,
        .handle = (int32_t)handle,
    };
    if (status == HR_OK) {
        status = hr_engine_set_instrument(book->engine, command->slot, &command->instrument);
    }
    if (status == HR_OK) {
        status = hr_feed_add(path->feed, &fed);
    }
    if (status != HR_OK) {
        return status;
    }
    hr_engine_set_barred(book->engine, command->slot, 1);
    option.spec = command->instrument;
    option.name_hash = hash_of(command->name);
    option.instrument_id = command->instrument_id;
    option.is_tradable = command->flag;
    option.is_open = 1;
    path->options[handle] = option;
    path->by_name[place_of(path, option.name_hash)] = (int32_t)handle + 1;
    return HR_OK;
}

static hr_status take_fill(hr_path *path, const hr_command *command, int64_t now_ns) {
    if (command->slot < 0 || command->slot >= path->config.slot_count ||
        !is_ended(command->text, sizeof command->text)) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t handle = hr_path_handle(path, command->underlying, command->slot);
    hr_path_fill(path, handle, command->lots, command->ticks, (const uint8_t *)command->text,
                 (int64_t)strlen(command->text), command->flag, now_ns);
    return HR_OK;
}

static hr_status start(hr_path_book *book, int64_t now_ns) {
    const hr_status status = hr_engine_reset_trip(book->engine, now_ns);
    book->is_started = status == HR_OK;
    return status;
}

static hr_status log_on(hr_path *path, int32_t flag, int64_t now_ns) {
    path->is_logged_on = flag && path->is_connected;
    /* What an earlier session left of the venue's credits is not known. */
    path->budget.requests = 0.0;
    path->budget.quotes = 0.0;
    path->budget.refilled_ns = now_ns;
    for (int32_t i = 0; i < path->config.underlying_count; i++) {
        path->books[i].is_started = 0;
        if (path->is_logged_on && path->books[i].is_used) {
            hr_path_enter(path, i, HR_PHASE_CLEARING);
            path->books[i].shown.pull_reason = HR_PULL_ASKED;
            hr_path_cancel(path, i, now_ns);
        }
    }
    return flag && !path->is_connected ? HR_ERR_NOT_FOUND : HR_OK;
}

static hr_status set_rates(hr_path *path, const hr_command *command) {
    const hr_status status = hr_gate_rate_set(&path->rate, command->lots, command->number);
    return status == HR_OK ? hr_gate_budget_set(&path->budget, &command->budget) : status;
}

static hr_status of_book(hr_path *path, const hr_command *command, int64_t now_ns) {
    if (command->underlying < 0 || command->underlying >= path->config.underlying_count) {
        return HR_ERR_ARGUMENT;
    }
    hr_path_book *book = &path->books[command->underlying];
    switch (command->kind) {
    case HR_COMMAND_UNDERLYING:
        return set_underlying(path, book, command);
    case HR_COMMAND_INSTRUMENT:
        return set_instrument(path, book, command);
    case HR_COMMAND_FILL:
        return take_fill(path, command, now_ns);
    case HR_COMMAND_HEDGE:
        return hr_engine_set_hedge(book->engine, command->amount);
    case HR_COMMAND_HALT:
        return hr_engine_set_halted(book->engine, command->flag);
    case HR_COMMAND_REARM:
        return hr_engine_rearm(book->engine);
    case HR_COMMAND_LATCH:
        return hr_engine_latch(book->engine, command->slot, command->flag);
    case HR_COMMAND_START:
        return start(book, now_ns);
    case HR_COMMAND_STOP:
        book->is_started = 0;
        hr_path_pull(path, command->underlying, command->code, now_ns);
        return HR_OK;
    default:
        break;
    }
    if (command->slot < 0 || command->slot >= path->config.slot_count) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t handle = hr_path_handle(path, command->underlying, command->slot);
    if (command->kind == HR_COMMAND_RELEASE) {
        release(path, handle);
        return HR_OK;
    }
    if (command->kind == HR_COMMAND_TRADABLE) {
        path->options[handle].is_tradable = command->flag;
        hr_path_update_option(path, handle);
        return HR_OK;
    }
    return HR_ERR_ARGUMENT;
}

static hr_status execute(hr_path *path, const hr_command *command, int64_t now_ns) {
    switch (command->kind) {
    case HR_COMMAND_SEEN:
        if (!is_ended(command->text, sizeof command->text)) {
            return HR_ERR_ARGUMENT;
        }
        hr_trades_add(path->trades, hash_of(command->text));
        return HR_OK;
    case HR_COMMAND_RATES:
        return set_rates(path, command);
    case HR_COMMAND_LOGGED_ON:
        return log_on(path, command->flag, now_ns);
    case HR_COMMAND_SEND:
        return hr_path_send_body(path, command, now_ns);
    default:
        return of_book(path, command, now_ns);
    }
}

/* What a block moves is decided as soon as time is seen to pass, not by the next tick. */
static void take_blocks(hr_path *path, hr_path_book *book) {
    const hr_engine_surface *surface = hr_swap_take(book->surface);
    if (surface != NULL && hr_engine_set_surface(book->engine, surface) == HR_OK) {
        book->surface_version = surface->version;
        book->has_more = 1;
    }
    const hr_engine_policy *policy = hr_swap_take(book->policy);
    if (policy != NULL && hr_engine_set_policy(book->engine, policy) == HR_OK) {
        book->policy_version = policy->version;
        book->has_more = 1;
    }
    const hr_gate_limits *limits = hr_swap_take(book->limits);
    if (limits != NULL && hr_engine_set_limits(book->engine, limits) == HR_OK) {
        book->limits_version = limits->version;
        book->has_more = 1;
    }
    const hr_path_lease *lease = hr_swap_take(book->lease);
    if (lease != NULL &&
        hr_engine_set_lease(book->engine, lease->state, lease->expires_ns) == HR_OK) {
        book->lease_expires_ns = lease->expires_ns;
    }
    path->stats.blocks += surface != NULL || policy != NULL || limits != NULL || lease != NULL;
}

void hr_path_take_news(hr_path *path, int64_t now_ns) {
    const int64_t news = atomic_load_explicit(&path->news, memory_order_acquire);
    if (news == path->news_seen) {
        return;
    }
    for (int32_t i = 0; i < path->config.underlying_count; i++) {
        take_blocks(path, &path->books[i]);
    }
    for (int32_t i = 0; i < COMMANDS_PER_LOOK; i++) {
        const hr_command *command = hr_ring_front(path->commands);
        if (command == NULL) {
            path->news_seen = news;
            break;
        }
        const hr_status status = execute(path, command, now_ns);
        path->stats.commands++;
        if (status != HR_OK) {
            path->stats.commands_refused++;
            hr_path_note(path, HR_RECORD_COMMAND, command->underlying, status, command->kind);
        }
        hr_ring_release(path->commands);
    }
}
