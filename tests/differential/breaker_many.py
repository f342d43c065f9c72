"""`make breakers`: random call sequences to the breaker and to its model, and planted bugs.

Prints how many whole sequences were compared, their steps, and the first disagreement if there is
one; then breaks the breaker in one place at a time, each of which must be noticed.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
import types
from pathlib import Path

import shared.breaker
import shared.sliding_window
from shared.breaker import Breaker
from tests.differential.breaker_sequences import search

CHUNK = 2_000
PLANTED_SEQUENCES_MAX = 20_000
BREAKER, WINDOW = shared.breaker, shared.sliding_window
# What is broken: the module, the text, and what takes its place.
PLANTED = {
    "failure rate above, not at, its threshold": (
        BREAKER, "failure >= settings.failure_rate", "failure > settings.failure_rate"),
    "slow rate above, not at, its threshold": (
        BREAKER, "slow >= settings.slow_call_rate", "slow > settings.slow_call_rate"),
    "a call as long as the bound is slow": (
        BREAKER, "duration_ns > self.settings.slow", "duration_ns >= self.settings.slow"),
    "one call too few is enough": (
        BREAKER, "calls if calls >= least", "max(1, calls) if calls + 1 >= least"),
    "a small count window never has enough": (
        BREAKER, "least = min(least, settings.window_size)", "pass"),
    "slow calls do not open it": (BREAKER, "return is_failing or is_slow", "return is_failing"),
    "the count window does not slide": (
        WINDOW, "self.failed_count -= was_failed", "pass"),
    "the count window forgets no slow call": (
        WINDOW, "self.slow_count -= was_slow", "pass"),
    "the time window keeps a second too many": (
        WINDOW, "<= second - self._seconds", "< second - self._seconds"),
    "the time window does not slide when it is read": (
        BREAKER, "self._window.slide(now_ns // NS_PER_S)", "pass"),
    "half-open lets anybody through": (BREAKER, "self._permits_left -= 1", "pass"),
    "half-open has a permit too many": (
        BREAKER, "self._permits_left = settings.permitted_half_open_count",
        "self._permits_left = settings.permitted_half_open_count + 1"),
    "a permission is not given back": (
        BREAKER, "min(most, self._permits_left + 1)", "self._permits_left"),
    "more permissions come back than went out": (
        BREAKER, "min(most, self._permits_left + 1)", "self._permits_left + 1"),
    "half-open decides on the first call": (
        BREAKER, "self._window.call_count >= self.settings.permitted_half_open_count",
        "self._window.call_count >= 1"),
    "half-open closes whatever happened": (
        BREAKER, "State.OPEN if is_bad else State.CLOSED", "State.CLOSED"),
    "half-open starts with the calls of before": (
        BREAKER, "self._window = CountWindow(settings.permitted_half_open_count)", "pass"),
    "open ends too early": (
        BREAKER, "self.since_ns + self.settings.open_ns",
        "self.since_ns + self.settings.open_ns // 2"),
    "open ends a nanosecond late": (
        BREAKER, "now_ns >= self.since_ns + self", "now_ns > self.since_ns + self"),
    "automatic is forgotten": (BREAKER, "if settings.is_automatic and not", "if False and not"),
    "the automatic wait starts when it is noticed": (
        BREAKER, "self._enter(after, self._due_ns)", "self._enter(after, now_ns)"),
    "the longest stay in half-open is forgotten": (
        BREAKER, "if settings.half_open_ns_max:", "if False:"),
    "late results move an open breaker": (
        BREAKER, "if state is State.CLOSED or state is State.METRICS_ONLY:\n            if",
        "if state is not State.HALF_OPEN:\n            if"),
    "metrics-only opens": (BREAKER, "and state is State.CLOSED:", ":"),
    "metrics-only tells a rate again and again": (
        BREAKER, "self._is_rate_told[which] = True", "pass"),
    "disabled tells of calls": (
        BREAKER, "(self.state is not State.DISABLED and", "(True and"),
    "forced-open lets a trial through": (
        BREAKER, "state is State.OPEN\n            and not", "self.is_open\n            and not"),
    "a reset keeps the window": (
        BREAKER, "else:\n            self._window = self._fresh_window()",
        "else:\n            pass"),
    "a latched breaker tries again": (
        BREAKER, "and not self.settings.is_latched", "and True"),
    "a latched breaker tries again by itself": (
        BREAKER, "and not settings.is_latched", "and True"),
    "a refused call is not counted": (BREAKER, "self.not_permitted_count += 1", "pass"),
    "an ignored call keeps its permission": (
        BREAKER, "self.release(now_ns)\n        self.ig", "self.advance(now_ns)\n        self.ig"),
}  # fmt: skip


def planted(name):
    """Returns the breaker with one bug in it."""
    broken, old, new = PLANTED[name]
    sources = {}
    for module in (WINDOW, BREAKER):
        source = Path(module.__file__).read_text(encoding="utf-8")
        if module is broken:
            assert old in source, f"{name}: there is no {old!r} any more"
            source = source.replace(old, new)
        sources[module] = source
    window = types.ModuleType("planted_window")
    exec(compile(sources[WINDOW], "planted_window", "exec"), window.__dict__)  # noqa: S102
    module = types.ModuleType("planted_breaker")
    sys.modules["planted_window"], sys.modules["planted_breaker"] = window, module
    text = sources[BREAKER].replace("shared.sliding_window", "planted_window")
    exec(compile(text, "planted_breaker", "exec"), module.__dict__)  # noqa: S102
    return module.Breaker


def noticed_after(name, seed):
    """Returns after how many sequences a planted bug is noticed; 0: never."""
    kind = planted(name)
    tried, _, found = search(kind, seed, PLANTED_SEQUENCES_MAX)
    return tried if found else 0


def chunk(arguments):
    return search(Breaker, *arguments)


def run(sequences, seed):
    """Returns what comparing so many sequences came to."""
    began_s = time.monotonic()
    chunks = [
        (seed * 1_000_000 + number, min(CHUNK, sequences - number * CHUNK))
        for number in range((sequences + CHUNK - 1) // CHUNK)
    ]
    compared, steps, disagreements = 0, 0, []
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for tried, taken, found in pool.imap_unordered(chunk, chunks):
            compared, steps = compared + tried, steps + taken
            disagreements += [found] if found else []
    return {
        "seed": seed,
        "sequences": compared,
        "steps": steps,
        "disagreements": len(disagreements),
        "first_disagreement": disagreements[0] if disagreements else "",
        "wall_s": round(time.monotonic() - began_s, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sequences", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()
    result = run(arguments.sequences, arguments.seed)
    result["planted"] = {name: noticed_after(name, arguments.seed) for name in PLANTED}
    missed = [name for name, after in result["planted"].items() if not after]
    say = sys.stdout.write
    say(
        f"{result['sequences']:,} random call sequences ({result['steps']:,} calls and other steps)"
        f" from seed {result['seed']} in {result['wall_s']} s:"
        f" {result['disagreements']} disagree with the model\n"
    )
    if result["first_disagreement"]:
        say(f"{result['first_disagreement']}\n")
    say(f"{len(PLANTED)} planted bugs, {len(PLANTED) - len(missed)} noticed\n")
    for name in missed:
        say(f"  not noticed: {name}\n")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 1 if result["disagreements"] or missed else 0


if __name__ == "__main__":
    sys.exit(main())
