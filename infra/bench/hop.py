"""The agents' hop: a request from one agent to another and its answer, while the desk runs.

Three ways on the same machine at the same time, in turns of a hundred requests: two agents of the
shell (inbox, handler, encode, publish; subject, decode, validate, age, trace context of one request
in a hundred, counts; there and back), two bare nats-py clients on the same server, and a Ray actor
call, where Ray installs. All carry about 250 bytes, one request at a time, timed from when it is
made until the code that made it has the answer. One process asks and one answers; ours and
nats-py's run on uvloop.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra import runs
from infra.bench.hop_sides import PAUSE_S
from infra.desk_config import write_open_bus
from infra.private_venv import NotInstalledError, python_with
from services.ledger.projection import read_table
from shared.configuration import RUNTIME_VARIABLE

RAY = "ray==2.60.0"
TURN = 100  # requests of one way before the next has its turn
WARM_UP_TURNS = 3
PAYLOAD_BYTES = 250
READY_S_MAX = 60.0
NS_PER_US = 1_000.0
Samples = NDArray[np.float64]  # microseconds


@dataclass(frozen=True)
class Way:
    """A process that asks, told over a pipe how often."""

    name: str
    process: "subprocess.Popen[str]"

    def turn(self, count: int) -> list[int]:
        """Returns the ns of each request."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        took_ns: list[int] = json.loads(answer)
        return took_ns


def measure(seconds: float) -> tuple[dict[str, Samples], dict[str, str]]:
    """Returns the samples of each way, and why a way was skipped."""
    skipped: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        runtime_path = stack.enter_context(desk())
        environment = {**os.environ, RUNTIME_VARIABLE: str(runtime_path)}
        ways = []
        for name, side in (("hedgerow", "as_agent"), ("nats_py", "bare")):
            for role in ("answer", "ask"):
                argv = [sys.executable, "-m", "infra.bench.hop_sides", f"{role}_{side}"]
                process = stack.enter_context(started(argv, environment))
            ways.append(Way(name, process))
        try:
            argv = [str(python_with(RAY)), str(Path(__file__).with_name("peer_ray.py"))]
            argv += [str(PAYLOAD_BYTES), str(PAUSE_S)]
            ray_environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
            ways.append(Way("ray", stack.enter_context(started(argv, ray_environment))))
        except (NotInstalledError, RuntimeError) as error:
            skipped["hop.ray"] = str(error)
        took = {way.name: take_turns_warm(way) for way in ways}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for way in ways:
                took[way.name] += way.turn(TURN)
    return {f"hop.{name}": np.array(ns) / NS_PER_US for name, ns in took.items()}, skipped


def take_turns_warm(way: Way) -> list[int]:
    """Has a way make requests that do not count; returns the empty list of those that do."""
    for _ in range(WARM_UP_TURNS):
        way.turn(TURN)
    return []


@contextlib.contextmanager
def started(argv: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Starts a side and waits until it is ready; ends it by closing its input."""
    process = subprocess.Popen(
        argv, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        word = process.stdout.readline()
        if word != "ready\n":
            raise RuntimeError(f"{argv[1]} did not start: {word.strip() or process.wait()}")
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def desk() -> Iterator[Path]:
    """Runs a desk of the bench's own; yields its runtime.json once it quotes."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, runs.HOME_VARIABLE: folder}
        argv = [sys.executable, "-m", "services", "up", "--headless"]
        argv += ["--config", write_open_bus(Path(folder))]  # the sides have no keys
        process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield wait_for_quotes(Path(folder), process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def wait_for_quotes(home: Path, process: "subprocess.Popen[bytes]") -> Path:
    """Returns the runtime.json of the run in a folder, once the desk quotes.

    Raises RuntimeError if it does not come to that."""
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline and process.poll() is None:
        directory = (home / "current").resolve()
        quoting = read_table(str(directory), "quoting")
        if quoting and all(row["quoted_count"] for row in quoting.values()):
            return directory / "runtime.json"
        time.sleep(0.2)
    raise RuntimeError("the desk did not come to quote")
