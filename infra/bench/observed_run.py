"""One run of the desk for `make observation-cost`: what its processes cost, how long ticks took.

`on`: spans to a collector, every agent's metrics read as often and as Prometheus does, the agents
telling the watcher beside them what it judges, logs as usual. `off`: none of it, logs from warnings
on. What both have: the agents count, and the loop's records go to the journal.
"""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra import runs
from infra.alerting import prometheus_rules, targets
from infra.bench import collector
from infra.bench.ticks import processor_s
from infra.status import process_usage
from native.path_records import QUOTE, RECORD_DTYPE
from services.market_making.fast_edge import JOURNAL_KIND
from shared.clock import NS_PER_US
from shared.journal import read_entries

START_S_MAX = 60.0
WARM_S = 8.0  # after the last process's start: a surface fitted, quotes out
END_S_MAX = 40.0
SCRAPE_S_MAX = 1.0
FAILED_SHARE_MAX = 0.02
SCRAPER_HEADERS = {  # Prometheus' own
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
    "Accept-Encoding": "gzip",
}
WATCHER = "alerting"
SUPERVISOR = "supervisor"
TELL = {
    "on": '[desk]\notlp_endpoint = "{endpoint}"\n',
    "off": '[desk]\nlog_level = "warning"\ntells_vitals = false\n',
}

Samples = NDArray[np.float64]  # microseconds


class RunError(RuntimeError):
    """A run that cannot be compared; the text says why."""


class Observed(NamedTuple):
    """A run's steady part. `cpu`: seconds of CPU a second, by process."""

    side: str
    cpu: dict[str, float]
    took_us: Samples  # received to sent, each tick that quotes answered
    seconds: float
    spans: int
    scrapes: int
    scraped_bytes: int
    log_lines: int
    others_of_busy: float  # share of the machine's work that was not the desk's


class Look(NamedTuple):
    """What had been used up at a moment."""

    unix_ns: int
    monotonic_s: float
    used: dict[str, tuple[int, float]]  # pid and CPU seconds, by process
    machine_s: float


def observe(side: str, seconds: float, seed: int, home: Path) -> Observed:
    """Runs the desk once in an empty folder of its own. Raises RunError."""
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(collector.running()) if side == "on" else None
        config = home / "desk.toml"
        endpoint = receiver.endpoint if receiver is not None else ""
        config.write_text(TELL[side].format(endpoint=endpoint), encoding="utf-8")
        scraper = Scraper()
        with desk(home, config, seed) as process:
            directory = started(process, home, side)
            wait(process, WARM_S)
            with scraper.reading(directory) if side == "on" else contextlib.nullcontext():
                first = look(directory)
                wait(process, seconds)
                last = look(directory)
            process.send_signal(signal.SIGINT)
            code = process.wait(END_S_MAX)
        if code:
            raise RunError(f"the desk ended with {code}: {said(home)}")
    if scraper.failed_count > FAILED_SHARE_MAX * scraper.count:
        raise RunError(f"{scraper.failed_count} of {scraper.count} scrapes failed")
    cpu = used_between(first, last)
    passed_s = last.monotonic_s - first.monotonic_s
    busy_s = max(last.machine_s - first.machine_s, 1e-9)
    return Observed(
        side=side,
        cpu=cpu,
        took_us=took(directory, first.unix_ns, last.unix_ns),
        seconds=passed_s,
        spans=receiver.span_count if receiver is not None else 0,
        scrapes=scraper.count,
        scraped_bytes=scraper.byte_count,
        log_lines=sum(log.read_bytes().count(b"\n") for log in directory.glob("logs/*.log")),
        others_of_busy=max(0.0, 1.0 - sum(cpu.values()) * passed_s / busy_s),
    )


@contextlib.contextmanager
def desk(home: Path, config: Path, seed: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs `hedgerow up`; ends it if it has not ended."""
    argv = [sys.executable, "-m", "services", "up", "--headless", "--config", str(config)]
    argv += ["--seed", str(seed)]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            argv, stdout=log, stderr=log, env={**os.environ, runs.HOME_VARIABLE: str(home)}
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(END_S_MAX)


def started(process: "subprocess.Popen[bytes]", home: Path, side: str) -> Path:
    """Returns the run's folder once all processes are there; with the watcher ended if it is the
    side without. Raises RunError."""
    deadline_s = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline_s:
        wait(process, 0.1)
        directory = (home / "current").resolve()
        table = runs.read_processes(directory)
        pids = {one.name: one.pid for one in table.processes} if table is not None else {}
        if WATCHER in pids:  # the last to be started
            if side == "off":
                runs.hold(directory, WATCHER)
                os.kill(pids[WATCHER], signal.SIGTERM)
            return directory
    raise RunError(f"the desk did not start in {START_S_MAX:.0f} s: {said(home)}")


def wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Waits. Raises RunError if the desk ends meanwhile."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        code = process.wait(seconds)
        raise RunError(f"the desk ended early with {code}")


def said(home: Path) -> str:
    """Returns the last line that the desk printed."""
    lines = (home / "up.log").read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "nothing")


def look(directory: Path) -> Look:
    table = runs.read_processes(directory)
    assert table is not None  # it was read before
    pids = {one.name: one.pid for one in table.processes} | {SUPERVISOR: table.supervisor_pid}
    usages = {name: (pid, process_usage(pid)) for name, pid in pids.items()}
    used = {name: (pid, usage[1]) for name, (pid, usage) in usages.items() if usage is not None}
    return Look(time.time_ns(), time.monotonic(), used, processor_s()[0])


def used_between(first: Look, last: Look) -> dict[str, float]:
    """Returns CPU seconds a second. Raises RunError if a process was not there all the time."""
    found = {}
    for name in first.used.keys() | last.used.keys():
        pid, before_s = first.used.get(name, (0, 0.0))
        now, after_s = last.used.get(name, (0, 0.0))
        if pid != now:
            raise RunError(f"{name} did not live through the run")
        found[name] = (after_s - before_s) / (last.monotonic_s - first.monotonic_s)
    return found


def took(directory: Path, from_ns: int, to_ns: int) -> Samples:
    """Returns the loop's own times from a datagram received to its quotes sent, one a tick, out of
    the journals of its records."""
    found = [np.zeros(0)]
    for path in sorted(directory.glob("market_making*.journal")):
        for entry in read_entries(path):
            if entry.kind != JOURNAL_KIND:
                continue
            batch = np.frombuffer(zlib.decompress(entry.payload), dtype=RECORD_DTYPE)
            found.append(of_batch(batch, from_ns, to_ns))
    return np.concatenate(found)


def of_batch(batch: NDArray[np.void], from_ns: int, to_ns: int) -> Samples:
    """Returns the times of a batch's ticks that were received in a window."""
    received, sent = batch["received_ns"], batch["sent_ns"]
    is_ours = (batch["kind"] == QUOTE) & (sent > 0) & (received >= from_ns) & (received < to_ns)
    ticks = np.unique(np.stack((received[is_ours], sent[is_ours])), axis=1)
    return np.asarray((ticks[1] - ticks[0]) / NS_PER_US, dtype=np.float64)


def scrape_interval_s() -> float:
    """Returns how often infra/prometheus has the desk read."""
    text = (prometheus_rules.FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    found = re.search(r"^global:\n  scrape_interval: (\d+)s", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


class Scraper:
    """Reads every target's /metrics, as often as our Prometheus, over a connection that is kept."""

    def __init__(self) -> None:
        self._interval_s = scrape_interval_s()
        self.count = self.failed_count = self.byte_count = 0
        self._is_over = threading.Event()
        self._connections: list[http.client.HTTPConnection] = []

    @contextlib.contextmanager
    def reading(self, directory: Path) -> Iterator[None]:
        """Reads until the end of a block."""
        addresses = [address for _, address in targets.read(directory / targets.FILE_NAME)]
        self._connections = [
            http.client.HTTPConnection(address, timeout=SCRAPE_S_MAX) for address in addresses
        ]
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _run(self) -> None:
        due_s = time.monotonic() + self._interval_s
        while not self._is_over.wait(max(0.0, due_s - time.monotonic())):
            due_s += self._interval_s
            for connection in self._connections:
                self._read(connection)

    def _read(self, connection: http.client.HTTPConnection) -> None:
        self.count += 1
        try:
            connection.request("GET", "/metrics", headers=SCRAPER_HEADERS)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.failed_count += 1
            return
        self.byte_count += len(body)
        self.failed_count += answer.status != http.client.OK
