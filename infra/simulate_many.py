"""`make simulate-many SEEDS=1000`: many simulated desks with faults, every invariant checked.

Two processes at most; prints a line per seed that broke something, and how to see it again.
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra import simulated_desk
from shared.faults import FaultRates

PROCESSES_MAX = 2


def seeds_of(text: str) -> list[int]:
    """Returns the seeds of `1000` (the first thousand) or `5-20` or `3,7,11`.

    Raises ValueError on anything else.
    """
    if "," in text:
        return [int(part) for part in text.split(",")]
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else list(range(1, int(text) + 1))


def run_seed(task: tuple[int, float]) -> dict[str, Any]:
    """Runs one desk with faults; returns what it came to, a crash of a core included."""
    seed, seconds = task
    known = simulated_desk.build(seed, {}, faults=FaultRates())
    try:
        known.run(seconds)
    except Exception as error:  # noqa: BLE001  # a core that raises is this tool's finding
        at_s = (known.simulation.clock.now_ns - simulated_desk.START_NS) / 1e9
        return {"seed": seed, "error": f"{type(error).__name__}: {error} after {at_s:.3f} s"}
    return simulated_desk.summary(known, seconds)


def run_seeds(seeds: list[int], seconds: float) -> Iterator[dict[str, Any]]:
    """Yields the results of all seeds, in order."""
    tasks = [(seed, seconds) for seed in seeds]
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(PROCESSES_MAX, len(seeds))) as pool:
        yield from pool.imap(run_seed, tasks)


def faults_of(result: dict[str, Any]) -> list[str]:
    """Returns what a run broke, in words; nothing if all held."""
    if "error" in result:
        return [result["error"]]
    return [
        f"{check['name']}: {detail}"
        for check in result["invariants"]
        for detail in check["details"]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", default="1000", help="how many, or a range 5-20, or a list")
    parser.add_argument("--seconds", type=float, default=120.0, help="simulated time of each")
    parser.add_argument("--json", default="", metavar="FILE")
    arguments = parser.parse_args()
    results = []
    for result in run_seeds(seeds_of(arguments.seeds), arguments.seconds):
        broken = faults_of(result)
        results.append({"seed": result["seed"], "hash": result.get("hash"), "broken": broken})
        for text in broken:
            print(f"seed {result['seed']}: {text}", flush=True)
    bad = sum(bool(result["broken"]) for result in results)
    print(f"{len(results)} desks of {arguments.seconds:.0f} s with faults, {bad} broke something")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
