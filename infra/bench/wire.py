"""Wire to wire on loopback: datagram sent to quote received, beside the least there can be.

The loop and the floor take turns of 0.3 s in one process, in the same waiting mode and at the same
priority, with as many bytes each way (native/bench/bench_wire.c). The figures are of the mode that
the desk chooses on this machine, at real-time priority where that is permitted; other modes and
ordinary priority stand below them. Times count from when a datagram was due.
"""

import itertools
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.bench.native import BenchError, built, run
from infra.bench.tick_join import QUOTE, TICK, UnansweredError, latencies, reflected, versions_of
from native.fast_path import MODES
from native.path_records import RECORD_DTYPE
from services.market_making.core import Config
from services.market_making.fast_edge import waiting_of

RATE = 10_000
ROUND_MS = 300
PAUSE_MS = 150  # the kernel holds back real-time threads that leave nothing to others
SECONDS_BELOW = 0.3  # of the time of a figure, for each of those below it
SLOT = 222  # RIVAL_SLOT
PRICES = {0: 605, 1: 595}  # what the bid of an even and an odd version of the book must be
STAGES = ("received", "decoded", "decided", "sent")  # that a book tick has to itself
NS_PER_US = 1_000.0

Samples = NDArray[np.float64]  # microseconds


class Pair(NamedTuple):
    """One run: samples of both sides, of the loop's stages, and what the program said."""

    hedgerow: Samples
    floor: Samples
    stages: dict[str, Samples]
    said: dict[str, Any]


def conditions() -> dict[str, str]:
    """Returns what these figures were made under, besides the machine."""
    cores = len(os.sched_getaffinity(0))
    return {
        "waiting": waiting_of(Config(), cores),
        "rate": f"{RATE} ticks/s, each moving one quote; rounds of {ROUND_MS} ms that alternate",
        "priority": "SCHED_FIFO 40 for outside, loop and floor where permitted; by_priority: both",
        "pinning": "outside on the first core, loop and floor on the last" if cores > 1 else "none",
        "conflation": "a tick conflated into a later one counts from its own due time",
    }


def measure(seconds: float) -> tuple[dict[str, Samples], dict[str, str]]:
    try:
        program = built("bench_wire")
    except BenchError as error:
        return {}, {"wire": str(error)}
    chosen = waiting_of(Config(), len(os.sched_getaffinity(0)))
    samples: dict[str, Samples] = {}
    skipped: dict[str, str] = {}
    try:
        pair = run_pair(program, chosen, "urgent", seconds)
    except (BenchError, UnansweredError) as error:
        return {}, {"wire": str(error)}
    samples["wire.hedgerow"], samples["wire.floor"] = pair.hedgerow, pair.floor
    for rank in (50, 99):
        ratio = np.percentile(pair.hedgerow, rank) / np.percentile(pair.floor, rank)
        samples[f"wire.ratio_p{rank}"] = np.array([ratio])
    samples.update(pair.stages)
    below = [(f"by_mode.{mode}", mode, "urgent") for mode in MODES]
    below += [("by_priority.ordinary", chosen, "ordinary")]
    for name, mode, priority in below:
        try:
            pair = run_pair(program, mode, priority, seconds * SECONDS_BELOW)
        except (BenchError, UnansweredError) as error:
            skipped[f"wire.{name}"] = str(error)
            continue
        samples[f"wire.hedgerow.{name}"] = pair.hedgerow
        samples[f"wire.floor.{name}"] = pair.floor
        if priority == "urgent" and not pair.said["urgent"]:
            skipped["wire.urgent"] = "SCHED_FIFO is not permitted here: all at ordinary priority"
    return samples, skipped


def run_pair(program: Path, mode: str, priority: str, seconds: float) -> Pair:
    """Runs both in turns. Raises UnansweredError if a datagram was never answered."""
    rounds = max(2, round(seconds * 1_000 / ROUND_MS))
    with tempfile.TemporaryDirectory() as folder:
        argv = [str(program), mode, priority, str(RATE), str(rounds), str(ROUND_MS)]
        said = run([*argv, str(PAUSE_MS), folder], is_urgent=False)
        if not said["ok"] or said["records_lost"] or said["pulls"]:
            raise BenchError(f"bench_wire {mode} {priority}: {said}")
        files = {path.name: path for path in Path(folder).iterdir()}
        records = np.fromfile(files["records"], dtype=RECORD_DTYPE)
        ticks, quotes = _read(files, "hedgerow")
        least = latencies(*_floor(files))
    versions = versions_of(quotes, records, SLOT)
    check_prices(quotes, versions)
    took = latencies(ticks, versions, quotes["at_ns"])
    return Pair(took, least, stages_of(ticks, quotes, versions, records, took), said)


def check_prices(quotes: NDArray[np.void], versions: NDArray[np.int64]) -> None:
    """The price of a quote says whether its tick was even or odd; the loop's record, which one."""
    wanted = np.where(versions % 2 == 0, PRICES[0], PRICES[1])
    wrong = int(((versions < 0) | (quotes["bid_ticks"] != wanted)).sum())
    if wrong:
        raise BenchError(f"{wrong} of {len(quotes)} quotes carry another price than their tick's")


def stages_of(
    ticks: NDArray[np.void],
    quotes: NDArray[np.void],
    versions: NDArray[np.int64],
    records: NDArray[np.void],
    took: Samples,
) -> dict[str, Samples]:
    """Returns how long each stage took by the loop's own stamps, and what is left for the wire:
    both sockets, the wake-up, and what waited."""
    answering = quotes["number"][reflected(ticks["number"], versions)]
    order = np.argsort(records["request"], kind="stable")
    found = records[order[np.searchsorted(records["request"][order], answering)]]
    is_whole = found["received_ns"] > 0
    found, took = found[is_whole], took[is_whole]
    stages = {
        f"stages.{after}": (found[f"{after}_ns"] - found[f"{before}_ns"]) / NS_PER_US
        for before, after in itertools.pairwise(STAGES)
    }
    inside = (found["sent_ns"] - found["received_ns"]) / NS_PER_US
    return {"stages.wire": took - inside, **stages, "stages.received_to_sent": inside}


def _read(files: dict[str, Path], side: str) -> tuple[NDArray[np.void], NDArray[np.void]]:
    ticks: NDArray[np.void] = np.fromfile(files[f"{side}.ticks"], dtype=TICK)
    quotes: NDArray[np.void] = np.fromfile(files[f"{side}.quotes"], dtype=QUOTE)
    return ticks, quotes


def _floor(
    files: dict[str, Path],
) -> tuple[NDArray[np.void], NDArray[np.int64], NDArray[np.int64]]:
    ticks, quotes = _read(files, "floor")
    return ticks, quotes["number"], quotes["at_ns"]
