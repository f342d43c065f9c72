"""How a person's commands reach a running desk, whoever runs it.

Where the environment names a run's facts (HEDGEROW_RUNTIME, as every agent is told), it is that
desk, in containers or a cluster; otherwise it is the newest run of `hedgerow up` on this machine.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra import runs
from infra.alerting import targets
from infra.permissions import OPERATOR
from shared.configuration import RUNTIME_VARIABLE, Runtime, read_runtime

WATCHER = "alerting"


class NoAnswerError(RuntimeError):
    """No desk runs, or who is asked does not answer; says which."""


class UnknownServiceError(LookupError):
    """The desk has no such agent; says which there are."""


@dataclass(frozen=True)
class Desk:
    """`runtime` holds the operator's key. `addresses`: host:port of every agent's HTTP by its
    name. `directory`: the run's folder, where it is on this machine."""

    runtime: Runtime
    addresses: Mapping[str, str]
    directory: Path | None = None

    def address_of(self, service: str) -> str:
        """Raises UnknownServiceError."""
        try:
            return self.addresses[service]
        except KeyError:
            known = ", ".join(self.addresses)
            raise UnknownServiceError(f"there is no agent {service}: {known}") from None


def running() -> Desk:
    """Returns the desk to speak to. Raises NoAnswerError if none runs on this machine, and
    ConfigurationError where the environment names files that cannot be read."""
    if os.environ.get(RUNTIME_VARIABLE):
        return of_environment()
    directory = runs.current()
    if directory is None or not runs.is_alive(directory):
        raise NoAnswerError("no desk is running")
    return of_run(directory)


def of_environment() -> Desk:
    runtime = read_runtime()
    path = runtime.targets_path or str(Path(runtime.directory) / targets.FILE_NAME)
    return Desk(runtime, dict(targets.read(Path(path))))


def of_run(directory: Path) -> Desk:
    runtime = runs.as_role(runs.read_runtime(directory), OPERATOR)
    addresses = {name: f"127.0.0.1:{port}" for name, port in runtime.http_ports.items()}
    return Desk(runtime, addresses, directory)
