"""What a user would otherwise be on, measured on this machine in the same run.

NautilusTrader from a strategy's callback to its order at the execution client, and one turn of
hftbacktest's event loop, each in a virtual environment of its own, on its own simulated data and
venue. What is timed, and what is not, stands at the head of `infra/bench/peer_<name>.py`. Neither
has a socket or a wire format in it: both are shorter ways than any of `wire`, and stand beside
`core`.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.private_venv import NotInstalledError, python_with

PEERS = {"nautilus_trader": "nautilus_trader==1.221.0", "hftbacktest": "hftbacktest==2.4.4"}
SCRIPTS = {"nautilus_trader": "peer_nautilus.py", "hftbacktest": "peer_hftbacktest.py"}
TICKS = 20_000  # a run
RUN_S_MAX = 120.0
NS_PER_US = 1_000.0
Samples = NDArray[np.float64]  # microseconds


def measure(seconds: float) -> tuple[dict[str, Samples], dict[str, str]]:
    """Returns the samples of each peer, and why one was skipped; the peers take turns."""
    skipped: dict[str, str] = {}
    pythons: dict[str, Path] = {}
    for name, requirement in PEERS.items():
        try:
            pythons[name] = python_with(requirement)
        except NotInstalledError as error:
            skipped[f"peers.{name}"] = str(error)
    took: dict[str, list[Samples]] = {name: [] for name in pythons}
    until = time.monotonic() + seconds
    while pythons and (time.monotonic() < until or not all(took.values())):
        for name in list(pythons):
            try:
                took[name].append(run_once(pythons[name], SCRIPTS[name]))
            except RuntimeError as error:
                skipped[f"peers.{name}"] = str(error)
                del pythons[name], took[name]
    return {f"peers.{name}": np.concatenate(runs) for name, runs in took.items()}, skipped


def run_once(python: Path, script: str) -> Samples:
    """Returns the samples of one run. Raises RuntimeError if it fails."""
    argv = [str(python), str(Path(__file__).with_name(script)), str(TICKS)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        outcome = subprocess.run(
            argv, env=environment, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{script} took more than {RUN_S_MAX:.0f} s") from error
    if outcome.returncode:
        last = outcome.stderr.strip().rpartition("\n")[2]
        raise RuntimeError(f"{script} ended with {outcome.returncode}: {last}")
    took_ns = json.loads(outcome.stdout.strip().rpartition("\n")[2])
    return np.array(took_ns, dtype=np.float64) / NS_PER_US
