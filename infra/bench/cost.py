"""The cost of being observable: wire to wire with everything on against everything off.

One process holds the loop, as market_making does, and an agent of the shell around it: records
drained, hash-chained and fsynced, quotes published to a nats-server, one request in a hundred
traced to a collector over OTLP. It and the rest of what is on run in infra/bench/cost_side.py.
The outside (native/bench/bench_cost.c) paces ticks in rounds that alternate; in an `off` round the
records are taken by C and forgotten, and Python, NATS and disk have nothing to do.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.bench.native import BenchError, built

RATE = 10_000
ROUND_MS = 300
KEPT_RATE, KEPT_BURST, KEPT_MOVE_EVERY = 100_000, 10, 20
KEPT_SHARE = 6.0  # of the time of a figure: 60 s for the usual ten
RUN_S_MAX = 600.0

Samples = NDArray[np.float64]  # microseconds


def conditions() -> dict[str, str]:
    return {
        "rate": f"{RATE} ticks/s, each moving one quote; rounds of {ROUND_MS} ms that alternate",
        "kept": f"{KEPT_RATE} ticks/s, {KEPT_BURST} at once; one in {KEPT_MOVE_EVERY} moves ours",
        "on": "records to Python, journal fsynced, bus to a nats-server, 1 % of spans over OTLP",
    }


def measure(seconds: float) -> tuple[dict[str, Samples], dict[str, str]]:
    try:
        library = built("bench_cost", is_shared=True)
        told = {"rate": RATE, "round_ms": ROUND_MS, "rounds": max(4, round(seconds / 0.3))}
        kept = {"rate": KEPT_RATE, "burst": KEPT_BURST, "move_every": KEPT_MOVE_EVERY}
        kept["seconds"] = round(KEPT_SHARE * seconds)
        samples, said = run_side(library, {"alternate": told, "kept": kept})
    except BenchError as error:
        return {}, {"cost": str(error)}
    for rank in (50, 99):
        ratio = np.percentile(samples["cost.on"], rank) / np.percentile(samples["cost.off"], rank)
        samples[f"cost.ratio_p{rank}"] = np.array([ratio])
    for name in ("records_lost", "seconds", "ticks", "quotes", "records", "feed_gaps", "pulls"):
        samples[f"cost.kept.{name}"] = np.array([float(said[name])])
    return samples, {}


def run_side(
    library: Path, told: dict[str, dict[str, Any]]
) -> tuple[dict[str, Samples], dict[str, Any]]:
    """Returns the samples of the other process, and what it said. Raises BenchError."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "infra.bench.cost_side", str(library), folder]
        try:
            done = subprocess.run(
                [*argv, json.dumps(told)],
                capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BenchError(f"bench_cost_side did not end in {RUN_S_MAX:.0f} s") from None
        if done.returncode:
            raise BenchError((done.stderr.strip() or "no reason given").splitlines()[-1])
        said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return {path.stem: np.load(path) for path in Path(folder).glob("cost.*.npy")}, said
