"""A real nats-server for one test, and what tests of the bus wait with."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from shared.clock import SystemClock
from shared.configuration import Runtime


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binary() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found, "nats-server is not installed"
    return found


class NatsServer:
    """Started on a free port of its own; `extra` goes into its configuration."""

    def __init__(self, directory: Path, extra: str = "", store: str = "") -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._path = directory / "nats.conf"
        store = f'jetstream {{ store_dir: "{directory}/js", {store} }}'
        self._path.write_text(
            f'listen: "127.0.0.1:{self.port}"\nmax_payload: 1MB\n{store}\n{extra}\n'
        )
        self._log = directory / "nats.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        assert self.process is None
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [binary(), "-c", str(self._path)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError(self._log.read_text())

    def pause(self) -> None:
        """Stops the process, all its threads: a host that hangs."""
        assert self.process is not None
        self._signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.process.pid}/task")
        while any(_state(thread) != "T" for thread in threads.iterdir()):
            time.sleep(0.001)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self._signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def _signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)


def _state(thread: Path) -> str:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0]


async def until(condition: Callable[[], object], deadline_ms: int = 10_000) -> None:
    """Waits for a condition; there is no other waiting in tests."""
    deadline = time.monotonic() + deadline_ms / 1000
    while not condition():
        assert time.monotonic() < deadline, f"not in {deadline_ms} ms"
        await asyncio.sleep(0.005)


def runtime_for(server: NatsServer, directory: Path) -> Runtime:
    return Runtime(
        run_id="test",
        directory=str(directory),
        config_path="",
        nats_url=server.url,
        clock_offset_ns=0,
        seed=1,
        chain_path="",
        venue_ws_url="",
        venue_http_url="",
        venue_client_id="",
        venue_client_secret_path="",
        http_ports={},
    )


CLOCK = SystemClock()
