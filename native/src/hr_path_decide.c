/* hr_path_decide.c: what is decided of what has come in, and when an underlying is quoted. */
#include "hr_path_state.h"

/* Returns why an underlying may not be quoted now, or 0. Cheap: for every tick. */
static int32_t hindrance(const hr_path *path, const hr_path_book *book, int64_t now_ns) {
    if (path->is_behind || path->is_broken) {
        return HR_PULL_SESSION;
    }
    if (now_ns - path->event_ns > path->config.feed_silence_ns) {
        return HR_PULL_FEED;
    }
    if (path->stalled_ns > 0 && now_ns - path->stalled_ns > path->config.retry_ns) {
        return HR_PULL_SEND;
    }
    return book->is_started ? 0 : HR_PULL_ASKED;
}

static int is_records_short(hr_path *path, int64_t share) {
    return !hr_path_has_room(path, path->config.record_capacity / share);
}

static int is_unanswered(const hr_path *path, int32_t underlying, int64_t now_ns) {
    for (int32_t i = 0; i < HR_PATH_REQUESTS; i++) {
        const hr_path_request *request = &path->requests[i];
        if (request->id != 0 && request->underlying == underlying &&
            now_ns - request->sent_ns > path->config.answer_ns_max) {
            return 1;
        }
    }
    return 0;
}

static void passed(hr_path *path, int32_t underlying, const hr_engine_pass *pass, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    book->shown.pass = *pass;
    book->decided_ns = now_ns;
    book->is_index_moved = 0;
    book->has_more = pass->candidate_count > pass->decision_count;
    path->stats.index_passes++;
    if (path->config.is_recording_passes) {
        hr_record *record = hr_path_record(path, HR_RECORD_PASS, underlying);
        record->valued_ns = path->valued_ns;
        record->count = pass->candidate_count;
        record->lots[0] = pass->quotable_count;
        record->lots[1] = pass->two_sided_count;
    }
}

void hr_path_decide(hr_path *path, int32_t underlying, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    if (book->shown.phase != HR_PHASE_QUOTING) {
        return;
    }
    const int32_t why = hindrance(path, book, now_ns);
    if (why != 0) {
        hr_path_pull(path, underlying, why, now_ns);
        return;
    }
    const int64_t capacity = hr_path_capacity(path, underlying, now_ns);
    if (capacity < 1) {
        book->has_more = 1;
        if (is_records_short(path, 4)) {
            hr_path_pull(path, underlying, HR_PULL_RECORDS, now_ns);
        }
        return;
    }
    hr_engine_pass pass;
    hr_engine_decide_index(book->engine, now_ns, capacity, path->decisions, &pass);
    passed(path, underlying, &pass, now_ns);
    hr_path_quote(path, underlying, path->decisions, pass.decision_count, now_ns);
    if (pass.blocked_reason != HR_GATE_OK) {
        book->shown.blocked_reason = pass.blocked_reason;
        hr_path_pull(path, underlying, pass.blocked_reason, now_ns);
    } else if (pass.exposed_count > path->config.exposed_max) {
        hr_path_pull(path, underlying, HR_PULL_EXPOSED, now_ns);
    }
}

/* Decides the touched options of one underlying, from `first` on; returns how many were its. */
static int64_t decide_run(hr_path *path, int64_t first, int64_t now_ns) {
    const int32_t underlying = hr_path_place_of(path, path->touched[first]).underlying;
    hr_path_book *book = &path->books[underlying];
    int64_t at = first;
    int64_t found = 0;
    int32_t why = book->shown.phase == HR_PHASE_QUOTING ? hindrance(path, book, now_ns) : -1;
    const int64_t capacity = why == 0 ? hr_path_capacity(path, underlying, now_ns) : 0;
    for (; at < path->touched_count; at++) {
        const hr_path_place place = hr_path_place_of(path, path->touched[at]);
        const int64_t slot = place.slot;
        if (place.underlying != underlying) {
            break;
        }
        if (why != 0 || found >= capacity) {
            hr_engine_mark(book->engine, slot);
            book->has_more = 1;
            continue;
        }
        hr_engine_pass pass;
        if (hr_engine_decide_slot(book->engine, slot, now_ns, &path->decisions[found], &pass) !=
            HR_OK) {
            continue; /* No slot of ours: it has no book either. */
        }
        path->stats.book_decisions++;
        found += pass.decision_count;
        book->has_more |= pass.candidate_count > pass.decision_count;
        if (pass.blocked_reason != HR_GATE_OK) {
            book->shown.blocked_reason = why = pass.blocked_reason;
        }
    }
    if (found > 0) {
        hr_path_quote(path, underlying, path->decisions, found, now_ns);
    }
    if (why > 0) {
        hr_path_pull(path, underlying, why, now_ns);
    } else if (why == 0 && capacity < 1 && is_records_short(path, 4)) {
        hr_path_pull(path, underlying, HR_PULL_RECORDS, now_ns);
    }
    return at - first;
}

void hr_path_decide_touched(hr_path *path, int64_t now_ns) {
    for (int64_t at = 0; at < path->touched_count;) {
        const hr_path_place place = hr_path_place_of(path, path->touched[at]);
        if (path->books[place.underlying].is_index_moved) {
            hr_engine_mark(path->books[place.underlying].engine, place.slot);
            at++;
        } else {
            at += decide_run(path, at, now_ns);
        }
    }
    for (int32_t i = 0; i < path->config.underlying_count; i++) {
        if (path->books[i].is_index_moved) {
            hr_path_decide(path, i, now_ns);
        }
    }
    path->touched_count = 0;
}

void hr_path_step(hr_path *path, int32_t underlying, int64_t now_ns) {
    hr_path_book *book = &path->books[underlying];
    const int32_t blocked = hr_engine_blocked(book->engine, now_ns);
    int32_t why = hindrance(path, book, now_ns);
    why = why == 0 ? blocked : why;
    book->shown.blocked_reason = blocked;
    if (book->shown.phase == HR_PHASE_QUOTING) {
        why = why == 0 && is_records_short(path, 4) ? HR_PULL_RECORDS : why;
        why = why == 0 && is_unanswered(path, underlying, now_ns) ? HR_PULL_UNANSWERED : why;
        if (why != 0) {
            hr_path_pull(path, underlying, why, now_ns);
        } else if (book->has_more || now_ns - book->decided_ns >= path->config.decide_ns) {
            hr_path_decide(path, underlying, now_ns);
        }
    } else if (book->shown.phase == HR_PHASE_CLEARING) {
        if (is_unanswered(path, underlying, now_ns)) {
            hr_path_forget(path, underlying);
            hr_path_cancel(path, underlying, now_ns);
        } else if (now_ns >= book->cancel_ns) {
            hr_path_cancel(path, underlying, now_ns);
        }
    } else if (book->shown.phase == HR_PHASE_CLEAR && why == 0 && now_ns >= book->hold_ns &&
               !is_records_short(path, 2)) {
        hr_path_enter(path, underlying, HR_PHASE_QUOTING);
        hr_path_decide(path, underlying, now_ns);
    }
}
