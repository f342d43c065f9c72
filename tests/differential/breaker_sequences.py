"""Random sequences of calls to a breaker and to its model, and what they disagree on.

A sequence is random settings and some twenty steps; a step lets time pass (by steps that like to
fall on the edges of waits and seconds) and does one thing. After every step the two must agree on
the answer, the state and when it was entered, all events, all counts and both rates.
"""

import random

from shared.breaker import BreakerSettings
from tests.differential.breaker_model import Model

NS = 1_000_000_000
STEPS_MIN, STEPS_MAX = 6, 22
OPEN_NS = (NS // 2, NS, NS, 3 * NS)
SLOW_NS = 1_000_000
TOOK_NS = (0, SLOW_NS - 1, SLOW_NS, SLOW_NS + 1, 60 * NS)
THRESHOLDS = (0.5, 10.0, 33.0, 50.0, 50.0, 66.0, 100.0)
SILENT = {"open", "disabled", "forced_open"}  # where no rate decides anything
COMMANDS = ("closed", "open", "disabled", "forced_open", "metrics_only")


def settings_of(random_):
    choice, below = random_.choice, random_.random
    return BreakerSettings(
        failure_rate_threshold=choice(THRESHOLDS),
        slow_call_rate_threshold=choice(THRESHOLDS),
        slow_call_ns=SLOW_NS,
        window="count" if below() < 0.6 else "time",
        window_size=1 + int(below() * 5),
        call_count_min=1 + int(below() * 6),
        open_ns=choice(OPEN_NS),
        is_automatic=below() < 0.5,
        permitted_half_open_count=1 + int(below() * 4),
        half_open_ns_max=choice((0, 0, NS // 2, NS, 2 * NS)),
        is_latched=below() < 0.1,
    )


def steps_of(random_):
    """Yields (kind, nanoseconds passed, argument)."""
    below = random_.random
    failing = below()
    for _ in range(STEPS_MIN + int(below() * (STEPS_MAX - STEPS_MIN))):
        moment = below()
        if moment < 0.55:
            passed = 0
        elif moment < 0.75:
            passed = int(below() * 2 * NS)
        else:
            passed = (1, NS // 2, NS - 1, NS, NS + 1, 3 * NS - 1, 3 * NS, 5 * NS)[int(below() * 8)]
        kind = below()
        if kind < 0.38:
            yield "acquire", passed, None
        elif kind < 0.84:
            took_ns = TOOK_NS[int(below() * 5)]
            yield "end", passed, (took_ns, below() < failing)
        elif kind < 0.88:
            yield "ignore", passed, None
        elif kind < 0.91:
            yield "release", passed, None
        elif kind < 0.95:
            yield "advance", passed, None
        elif kind < 0.985:
            yield "command", passed, COMMANDS[int(below() * 5)]
        else:
            yield "reset", passed, None


def disagreement(breaker_kind, settings, steps):
    """Returns what the two first disagree on, in words, or the empty string."""
    events = []
    breaker, model = breaker_kind(settings, events.append), Model(settings)
    now_ns = 0
    for number, (kind, passed_ns, argument) in enumerate(steps):
        now_ns += passed_ns
        answers = act(breaker, model, kind, argument, now_ns)
        _, state, since_ns = model.chapter()[0]
        ours = (
            answers[0], breaker.state._value_, breaker.since_ns, [plain(one) for one in events],
            breaker.ok_count, breaker.failed_count, breaker.slow_count, breaker.ignored_count,
            breaker.not_permitted_count,
        )  # fmt: skip
        theirs = (answers[1], state, since_ns, model.said, *model.totals.values())
        if state not in SILENT:
            ours += (breaker.failure_rate(now_ns), breaker.slow_call_rate(now_ns))
            theirs += model.rates(now_ns)
        if ours != theirs:
            return f"step {number} ({kind} at {now_ns}): {ours} is not {theirs}"
        events.clear()
        model.said.clear()
    return ""


def act(breaker, model, kind, argument, now_ns):
    """Does one thing to both; returns both answers."""
    if kind == "acquire":
        return breaker.try_acquire(now_ns), model.acquire(now_ns)
    if kind == "end":
        took_ns, failed = argument
        end = breaker.on_error if failed else breaker.on_success
        return end(took_ns, now_ns), model.end(now_ns, took_ns, failed)
    if kind == "ignore":
        return breaker.on_ignored(now_ns), model.ignore(now_ns)
    if kind == "release":
        return breaker.release(now_ns), model.release(now_ns)
    if kind == "advance":
        return breaker.advance(now_ns), model.pass_time(now_ns)
    if kind == "command":
        return breaker.transition(type(breaker.state)(argument), now_ns), model.command(
            argument, now_ns
        )
    return breaker.reset(now_ns), model.reset(now_ns)


def plain(event):
    kind, at_ns, before, after, rate = event
    return kind, at_ns, before._value_, after._value_, rate


def search(breaker_kind, seed, count):
    """Returns (sequences tried, steps taken, the first disagreement)."""
    steps_taken = 0
    for number in range(count):
        random_ = random.Random(seed * 1_000_003 + number)
        settings = settings_of(random_)
        steps = list(steps_of(random_))
        steps_taken += len(steps)
        found = disagreement(breaker_kind, settings, steps)
        if found:
            shortest = shorten(breaker_kind, settings, steps)
            text = disagreement(breaker_kind, settings, shortest)
            return number + 1, steps_taken, f"{settings}\n{shortest}\n{text}"
    return count, steps_taken, ""


def shorten(breaker_kind, settings, steps):
    """Returns the steps with all left out that the disagreement does not need."""
    position = 0
    while position < len(steps):
        fewer = steps[:position] + steps[position + 1 :]
        if disagreement(breaker_kind, settings, fewer):
            steps = fewer
        else:
            position += 1
    return steps
