"""The desk of docker-compose, as experiments see a desk: a run's folder that is kept true, and the
watcher on a port of this machine.

The engine has to be this machine's own, and we root: a container's process is then one of ours to
kill and to pause, and the engine is who starts it again. The observer stands in the profile chaos.
"""

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from chaos import actions, faults, probes
from chaos.faults import HOME_VARIABLE, NO_FAULT, Faults
from chaos.proxy import TcpWire
from chaos.weaken import NO_RESTART, NO_SPARE
from infra import runs
from infra.alerting import asking
from infra.deployment import HTTP_PORT, ROWS
from infra.desk_reach import NoAnswerError
from infra.embedded_nats import free_port
from infra.runs import ProcessEntry, ProcessTable
from infra.trial_containers import RUNTIME_PATH, Stack, docker
from shared.configuration import Runtime

PROFILE = "chaos"
ASKED = ("alerting", "observer")
REFRESH_S = 0.3
QUOTING_S_MAX = 120.0  # that it is a minute tests/system shows; here it only has to come
SPARE = "nats-3"
NAMES = {row.dns_name: row.service for row in ROWS}


@contextlib.contextmanager
def desk(config: dict[str, Any], weakened: str, is_wired: bool) -> Iterator[None]:
    """Runs a desk in containers until it is left; nothing of it stays."""
    assert not config, "containers have the settings of infra/compose/desk.toml"
    assert not is_wired, "containers have no proxies before them"
    with tempfile.TemporaryDirectory(prefix="hedgerow-chaos-") as folder:
        before = os.environ.get(HOME_VARIABLE)
        os.environ[HOME_VARIABLE] = folder
        faults.write(Faults())
        stack = Stack(Path(folder) / "secrets", PROFILE)
        try:
            stack.up()
            if weakened == NO_RESTART:
                docker(
                    "update", "--restart=no", *(one["Id"] for one in stack.containers().values())
                )
            with mirrored(stack, Path(folder)):
                wait_for_quotes(stack)
                if weakened == NO_SPARE:
                    actions.hold(SPARE)
                    actions.kill(SPARE)
                    wait_for_quotes(stack)
                try:
                    yield
                finally:
                    actions.mend()
        finally:
            stack.down()
            os.environ.pop(HOME_VARIABLE)
            if before is not None:
                os.environ[HOME_VARIABLE] = before


def wait_for_quotes(stack: Stack) -> None:
    def states() -> str:
        found = stack.containers()
        return "\n".join(f"{name}: {found[name]['State']['Status']}" for name in sorted(found))

    probes.wait_for_quotes(lambda: False, states, QUOTING_S_MAX)


@contextlib.contextmanager
def mirrored(stack: Stack, home: Path) -> Iterator[None]:
    """Keeps the folder of a run true to the engine. Raises what has ended that."""
    mirror, is_over = Mirror(stack, home / "run"), threading.Event()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(mirror.run(is_over)))
        try:
            yield
        finally:
            is_over.set()
            running.result()


class Mirror:
    """Writes down what the engine says of its containers, and does what is asked of a supervisor:
    what is held (runs.hold) stays dead, and is started once it is released."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._ports = {name: free_port() for name in ASKED}
        self._held: set[str] = set()
        directory.mkdir()
        facts = msgspec.json.decode(RUNTIME_PATH.read_bytes(), type=Runtime)
        runtime = msgspec.structs.replace(
            facts,
            directory=str(directory),
            venue_http_url=f"http://127.0.0.1:{stack.venue_port}",
            http_ports=self._ports,
        )
        runs.write_runtime(directory, runtime)
        secret = (stack.secrets / "venue.secret").read_bytes()
        runs.write_private(runs.secret_path(directory), secret)
        runs.point_current_at(directory)

    async def run(self, is_over: threading.Event) -> None:
        wires = []
        for name, port in self._ports.items():
            wire = TcpWire((self._address(name), HTTP_PORT), lambda: NO_FAULT, knows_nats=False)
            await wire.start(port)
            wires.append(wire)
        try:
            while not is_over.is_set():
                await asyncio.to_thread(self._refresh)
                await asyncio.sleep(REFRESH_S)
        finally:
            for wire in wires:
                await wire.stop()

    def _address(self, name: str) -> str:
        networks = self._stack.containers()[name]["NetworkSettings"]["Networks"]
        return str(networks[f"{self._stack.project}_observe"]["IPAddress"])

    def _refresh(self) -> None:
        found = self._stack.containers()
        entries = [entry_of(NAMES.get(name, name), facts) for name, facts in found.items()]
        table = ProcessTable(supervisor_pid=os.getpid(), started_unix_s=0.0, processes=entries)
        runs.write_processes(self._directory, table)
        for name, facts in found.items():
            self._obey(NAMES.get(name, name), facts)
        with contextlib.suppress(NoAnswerError):
            observed = asking.get_json(f"127.0.0.1:{self._ports['observer']}", "/observed")
            runs.write_observed(self._directory, observed)

    def _obey(self, name: str, facts: dict[str, Any]) -> None:
        is_held = runs.is_held(self._directory, name)
        if is_held and name not in self._held:
            docker("update", "--restart=no", facts["Id"])
            self._held.add(name)
        elif not is_held and name in self._held:
            docker("update", "--restart=unless-stopped", facts["Id"])
            docker("start", facts["Id"])
            self._held.discard(name)


def entry_of(name: str, facts: dict[str, Any]) -> ProcessEntry:
    state = facts["State"]
    return ProcessEntry(
        name=name,
        pid=state["Pid"],
        restarts=facts["RestartCount"],
        started_unix_s=datetime.fromisoformat(state["StartedAt"]).timestamp(),
        is_running=state["Status"] == "running",
    )
