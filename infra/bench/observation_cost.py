"""The whole desk, observed and not: what tracing, metrics and logs cost together.

    make observation-cost [PAIRS=5] [SECONDS=30] [JSON=FILE]

Runs of the desk on one seed alternate, with everything on (A) and everything off (B), in the order
AB BA AB ... (infra/bench/observed_run.py: what on and off are). Of each run only the steady part
counts. Times of ticks are pooled over a side's runs; intervals are bootstrapped over pairs, whose
two runs had the same machine. CPU seconds bear a busy machine, percentiles of times do not: the
conditions are printed with each run. Exit 1 if a bound is missed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from infra.bench.observed_run import SUPERVISOR, WATCHER, Observed, observe
from infra.bench.ticks import conditions, print_conditions
from infra.topology import SERVICES

RESAMPLES = 2_000
LEVEL = 0.95
SECONDS_MIN = 5.0
PERCENTILES = (50.0, 99.0)
TIME_RATIO_MAX = 1.01
CPU_RATIO_MAX = 1.15
BESIDE = ("nats", SUPERVISOR, WATCHER)  # processes that are no agents

Pair = dict[str, Observed]  # by side: on, off
Pairs = Sequence[Pair]


class Bound(NamedTuple):
    """A ratio of on to off, with its interval, against the most it may be."""

    name: str
    ratio: float
    low: float
    high: float
    most: float | None = None

    @property
    def verdict(self) -> str:
        """`held` or `missed` if the whole interval says so."""
        if self.most is None:
            return "no bound"
        if self.high <= self.most:
            return "held"
        return "missed" if self.low > self.most else "undecided"


def percentile_ratio(rank: float) -> Callable[[Pairs], float]:
    """Returns what takes the ratio of a percentile, the samples of each side pooled."""

    def ratio(pairs: Pairs) -> float:
        on, off = (
            np.percentile(np.concatenate([pair[side].took_us for pair in pairs]), rank)
            for side in ("on", "off")
        )
        return float(on / off)

    return ratio


def cpu_ratio(names: Iterable[str]) -> Callable[[Pairs], float]:
    """Returns what takes the ratio of the CPU of some processes together; a process that one side
    does not have counts on the other."""
    wanted = tuple(names)

    def ratio(pairs: Pairs) -> float:
        on, off = (
            sum(pair[side].cpu.get(name, 0.0) for pair in pairs for name in wanted)
            for side in ("on", "off")
        )
        return on / off

    return ratio


def interval(pairs: Pairs, ratio: Callable[[Pairs], float], seed: int = 1) -> tuple[float, float]:
    """Returns the percentile bootstrap's interval, pairs drawn with replacement (Efron 1979)."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(pairs), size=(RESAMPLES, len(pairs)))
    found = [ratio([pairs[place] for place in places]) for places in drawn]
    low, high = np.percentile(found, (50 * (1 - LEVEL), 50 * (1 + LEVEL)))
    return float(low), float(high)


def bound(
    name: str, pairs: Pairs, ratio: Callable[[Pairs], float], most: float | None = None
) -> Bound:
    return Bound(name, ratio(pairs), *interval(pairs, ratio), most)


def summary(pairs: Pairs) -> list[Bound]:
    """Returns what was asked, and the CPU of each agent and of all processes beside it."""
    times = [
        bound(f"tick to quote p{rank:.0f}", pairs, percentile_ratio(rank), TIME_RATIO_MAX)
        for rank in PERCENTILES
    ]
    agents = [bound(f"CPU of {name}", pairs, cpu_ratio([name])) for name in SERVICES]
    every = bound("CPU, nats, supervisor and watcher too", pairs, cpu_ratio([*SERVICES, *BESIDE]))
    whole = bound("CPU of all agents", pairs, cpu_ratio(SERVICES), CPU_RATIO_MAX)
    return [*times, whole, every, *agents]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each run's steady part")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    if arguments.pairs < 2 or arguments.seconds < SECONDS_MIN:
        parser.error(f"an interval needs two pairs, a percentile {SECONDS_MIN:.0f} seconds")
    under = conditions(arguments.seconds)
    print_conditions(under)
    pairs: list[Pair] = []
    for number in range(arguments.pairs):
        order = ("on", "off") if number % 2 == 0 else ("off", "on")
        pair = {side: run(side, arguments.seconds, arguments.seed) for side in order}
        print_pair(number + 1, pair)
        pairs.append(pair)
    bounds = summary(pairs)
    print_bounds(bounds)
    if arguments.json:
        write(Path(arguments.json), under, pairs, bounds)
    return 1 if any(one.verdict == "missed" for one in bounds) else 0


def run(side: str, seconds: float, seed: int) -> Observed:
    with tempfile.TemporaryDirectory(prefix="hedgerow-observed-") as folder:
        return observe(side, seconds, seed, Path(folder))


def figures(one: Observed) -> dict[str, Any]:
    """Returns a run as the file of figures has it."""
    p50, p99 = (float(np.percentile(one.took_us, rank)) for rank in PERCENTILES)
    agents = sum(one.cpu.get(name, 0.0) for name in SERVICES)
    return {
        **one._asdict(),
        "took_us": {"p50": p50, "p99": p99, "samples": len(one.took_us)},
        "cpu_of_agents": agents,
    }


def write(path: Path, under: dict[str, Any], pairs: Pairs, bounds: list[Bound]) -> None:
    document = {
        "conditions": under,
        "pairs": [{side: figures(one) for side, one in pair.items()} for pair in pairs],
        "bounds": [{**one._asdict(), "verdict": one.verdict} for one in bounds],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def print_pair(number: int, pair: Pair) -> None:
    """One table a pair: CPU as a percentage of a core, times in microseconds."""
    print(f"\n-- pair {number}, {' then '.join(pair)}")
    on, off = pair["on"], pair["off"]
    print(f"{'':<20}{'on':>10}{'off':>10}{'ratio':>8}")
    for name in (*SERVICES, *BESIDE):
        print_row(f"CPU % {name}", 100 * on.cpu.get(name, 0.0), 100 * off.cpu.get(name, 0.0))
    known = {side: figures(one) for side, one in pair.items()}
    print_row("CPU % all agents", *(100 * known[side]["cpu_of_agents"] for side in ("on", "off")))
    for key in ("p50", "p99"):
        print_row(f"tick to quote {key}", *(known[one]["took_us"][key] for one in ("on", "off")))
    for side, one in pair.items():
        print(
            f"{side:<4}{len(one.took_us):>7} ticks answered in {one.seconds:.1f} s, {one.spans} "
            f"spans, {one.scrapes} scrapes of {one.scraped_bytes / 1e6:.1f} MB, {one.log_lines} "
            f"log lines; {one.others_of_busy:.0%} of the machine's work not the desk's"
        )


def print_row(name: str, on: float, off: float) -> None:
    ratio = f"{on / off:8.3f}" if off else f"{'-':>8}"
    print(f"{name:<20}{on:>10.2f}{off:>10.2f}{ratio}", flush=True)


def print_bounds(bounds: list[Bound]) -> None:
    """The summary as README shows it."""
    print(f"\n| on over off | ratio | {LEVEL:.0%} interval | at most | |\n|---|---|---|---|---|")
    for one in bounds:
        most = f"{one.most:.2f}" if one.most is not None else ""
        print(
            f"| {one.name} | {one.ratio:.3f} | {one.low:.3f} to {one.high:.3f} | {most} | "
            f"{one.verdict if one.most is not None else ''} |"
        )


if __name__ == "__main__":
    sys.exit(main())
