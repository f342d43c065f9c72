"""In the core: tick bytes to quote bytes, one thread, no socket; and its instructions."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from infra.bench.native import BenchError, built, run, samples_of

KINDS = ("book", "index")
RATES = (1_000, 10_000, 100_000)
SHOWN_RATE = 10_000
OPTIONS = 512
TURN_S = 0.4  # a real-time thread that runs longer is held back by the kernel
PAUSE_S = 0.2
COUNTED_TICKS = (2_000, 6_000)
LOOK_EVERY = 16  # ticks from one look at the core's width to the next: bench_core.c's
WIDTH_LEAST = 3.6  # additions a cycle; four and more on a server's core that is ours alone
LOOKS_AROUND = 3  # before a tick, and as many after it: who comes and goes between two is not seen

Samples = NDArray[np.float64]  # microseconds


def measure(seconds: float) -> tuple[dict[str, Samples], dict[str, str]]:
    try:
        program = built("bench_core")
    except BenchError as error:
        return {}, {"core": str(error)}
    skipped: dict[str, str] = {}
    found: dict[str, list[Samples]] = {}
    turns = max(1, round(seconds / TURN_S))
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turns):
            for kind in KINDS:
                for rate in RATES:
                    take_turn(program, kind, rate, Path(folder), found)
    samples = {name: np.concatenate(parts) for name, parts in found.items()}
    for kind in KINDS:
        name = f"core.{kind}_tick"
        alone = samples[f"{name}.alone"]
        samples[f"{name}.alone_pct"] = np.array([100.0 * len(alone) / len(samples[name])])
        if not len(alone):
            del samples[f"{name}.alone"]
            skipped[f"{name}.alone"] = (
                f"the core never did {WIDTH_LEAST} additions a cycle: another thread worked on it"
            )
    for kind in KINDS:  # the share of the quotes that a tick moved
        moved = samples.pop(f"core.{kind}_tick.moved")
        samples[f"core.{kind}_tick.moved_mean_pct"] = np.array([100.0 * moved.mean()])
        samples[f"core.{kind}_tick.moved_p99_pct"] = np.array([100.0 * np.percentile(moved, 99.0)])
    for kind in KINDS:
        try:
            count = instructions(program, kind)
            samples[f"core.{kind}_tick.instructions"] = np.array([count])
        except BenchError as error:
            skipped[f"core.{kind}_tick.instructions"] = str(error)
    return samples, skipped


def alone_of(ticks: Samples, widths: Samples) -> Samples:
    """Returns those ticks for which the core was ours alone, by all looks at its width from some
    before a tick to some after it. A host may give the two threads of a core to two of its
    tenants: each gets about half. Which ticks are meant is said by additions between them, not by
    the ticks."""
    looks = 2 * LOOKS_AROUND + 2
    if len(widths) < looks:
        return ticks[:0]
    is_whole = sliding_window_view(widths >= WIDTH_LEAST, looks).all(axis=1)
    starts = (np.flatnonzero(is_whole) + LOOKS_AROUND) * LOOK_EVERY + 1
    alone: Samples = ticks[(starts[:, None] + np.arange(LOOK_EVERY)).ravel()]
    return alone


def take_turn(
    program: Path, kind: str, rate: int, folder: Path, found: dict[str, list[Samples]]
) -> None:
    """Runs one rate once. Where ticks come faster than they can be served, the time to serve one
    is what is left to say; from when they were due it grows with the run."""
    answer = run([str(program), kind, str(rate), str(TURN_S), str(folder)])
    if not answer["ok"] or answer["quotable"] != OPTIONS:
        raise RuntimeError(f"{kind} at {rate}: {answer}")
    response, service = (samples_of(folder / f"{name}.bin") for name in ("response", "service"))
    # Who keeps pace begins a tick when it is due.
    is_late = float(np.median(response) - np.median(service)) > 1e6 / rate
    found.setdefault("core.ghz", []).append(np.array([answer["ghz"]]))
    name = f"core.{kind}_tick"
    found.setdefault(f"{name}.by_rate.{rate}", []).append(service if is_late else response)
    if rate == SHOWN_RATE:
        found.setdefault(name, []).append(response)
        still = samples_of(folder / "still.bin")
        if kind == "index" and len(still):
            found.setdefault(f"{name}.ns_per_option", []).append(still * 1_000.0 / OPTIONS)
        widths = np.fromfile(folder / "width.bin", dtype=np.int64) / 1_000.0
        found.setdefault(f"{name}.alone", []).append(alone_of(response, widths))
        moved = np.fromfile(folder / "moved.bin", dtype=np.int64) / OPTIONS
        found.setdefault(f"{name}.moved", []).append(moved)
    time.sleep(PAUSE_S)


def instructions(program: Path, kind: str) -> float:
    """Returns the instructions of a tick under callgrind: of more ticks, less those of fewer."""
    tool = shutil.which("valgrind")
    if tool is None:
        raise BenchError("valgrind is not installed")
    counts = [counted(tool, program, kind, ticks) for ticks in COUNTED_TICKS]
    # The warm-up grows with the ticks until a thousand of them.
    warm = [min(1_000, ticks // 20) for ticks in COUNTED_TICKS]
    ticks = COUNTED_TICKS[1] + warm[1] - COUNTED_TICKS[0] - warm[0]
    return (counts[1] - counts[0]) / ticks


def counted(tool: str, program: Path, kind: str, ticks: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        argv = [tool, "--tool=callgrind", "--collect-atstart=no"]
        argv += ["--toggle-collect=hr_path_on_datagram", f"--callgrind-out-file={folder}/out"]
        argv += [str(program), kind, "1000", str(ticks / 1_000), folder]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if "Collected" in line]
    if not lines:
        raise BenchError("callgrind collected nothing")
    return int(lines[-1].rpartition(":")[2])
