"""A desk as a user starts it: `hedgerow up` in a process of its own, with a home of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Desk:
    process: subprocess.Popen[bytes]
    home: Path
    report_path: Path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs another hedgerow command against this desk."""
        return subprocess.run(
            [sys.executable, "-m", "services", *arguments],
            cwd=ROOT,
            env=environment(self.home),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """Returns `hedgerow status --json`, empty while nothing is up yet."""
        done = self.command("status", "--json")
        with contextlib.suppress(json.JSONDecodeError):
            answer: dict[str, Any] = json.loads(done.stdout)
            return answer
        return {}

    def pid(self, service: str) -> int:
        for agent in self.status()["agents"]:
            if agent["service"] == service:
                return int(agent["pid"])
        raise KeyError(service)

    def until(self, condition: Callable[[], bool], deadline_s: float, what: str) -> float:
        """Waits for a condition; returns how long it took, fails when the deadline passes."""
        started = time.monotonic()
        while time.monotonic() - started < deadline_s:
            assert self.process.poll() is None, f"the desk ended while waiting for {what}"
            with contextlib.suppress(KeyError, IndexError):
                if condition():
                    return time.monotonic() - started
            time.sleep(0.05)
        raise AssertionError(f"no {what} within {deadline_s} s; see {self.home}")

    def end(self, deadline_s: float = 40.0) -> dict[str, Any]:
        """Interrupts the desk as Ctrl-C does; returns its report."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        assert self.process.wait(deadline_s) == 0
        report: dict[str, Any] = json.loads(self.report_path.read_text(encoding="utf-8"))
        return report


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HEDGEROW_HOME": str(home)}


def over(transport: str, home: Path) -> tuple[str, str]:
    """Returns the arguments of a desk whose quotes go that way."""
    path = home / "desk.toml"
    path.write_text(f'[market_making]\ntransport = "{transport}"\n', encoding="utf-8")
    return "--config", str(path)


@contextlib.contextmanager
def running_desk(home: Path, *arguments: str) -> Iterator[Desk]:
    """Starts a desk; whatever happens, nothing of it is left behind."""
    report_path = home / "report.json"
    log = (home / "up.log").open("wb")
    argv = [sys.executable, "-m", "services", "up", "--headless", "--report", str(report_path)]
    process = subprocess.Popen(
        [*argv, *arguments], cwd=ROOT, env=environment(home), stdout=log, stderr=log
    )
    try:
        yield Desk(process, home, report_path)
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()
