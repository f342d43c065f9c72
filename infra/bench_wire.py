"""Wire to wire on loopback: datagram sent to quote received, beside the least there can be.

The loop and the floor take turns, in the same waiting mode, with as many bytes each way. The
figures are of the mode that the desk would choose here; the others stand beside them.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.bench_native import BenchError, built, run, samples_of

MODES = ("adaptive", "blocking", "busy")
SHOWN_MODE = "adaptive"
RATE = 10_000
TURN_S = 0.3
PAUSE_S = 0.5  # the kernel holds back real-time threads that leave nothing to others

Samples = NDArray[np.float64]  # microseconds


def measure(seconds: float) -> tuple[dict[str, Samples], dict[str, str]]:
    try:
        program = built("bench_wire")
    except BenchError as error:
        return {}, {"wire": str(error)}
    found: dict[str, list[Samples]] = {}
    overrun = 0
    turns = max(2, round(seconds / TURN_S))
    for _ in range(turns):
        for mode in MODES:
            try:
                take_turn(program, mode, found)
            except BenchError:
                overrun += 1
    samples = {name: np.concatenate(parts) for name, parts in found.items()}
    skipped = {"wire.turns": f"{overrun} of {turns * len(MODES)} overran"} if overrun else {}
    if "wire.hedgerow" not in samples:
        return {}, {**skipped, "wire": "no turn could keep up on this machine now"}
    for rank in (50, 99):
        ours, floor = samples["wire.hedgerow"], samples["wire.floor"]
        ratio = float(np.percentile(ours, rank) / np.percentile(floor, rank))
        samples[f"wire.ratio_p{rank}"] = np.array([ratio])
    return samples, skipped


def take_turn(program: Path, mode: str, found: dict[str, list[Samples]]) -> None:
    """Runs both once; keeps them only if every datagram of both was answered."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("hedgerow", "floor")}
        byte_count = 0
        for name, path in paths.items():
            argv = [str(program), name, mode, str(RATE), str(TURN_S), str(path), str(byte_count)]
            answer = run(argv)
            if not answer["ok"]:
                raise BenchError(f"{name} answered {answer['received']} of {answer['sent']}")
            byte_count = answer["bytes"]
            time.sleep(PAUSE_S)
        for name, path in paths.items():
            samples = samples_of(path)
            found.setdefault(f"wire.{name}.by_mode.{mode}", []).append(samples)
            if mode == SHOWN_MODE:
                found.setdefault(f"wire.{name}", []).append(samples)
