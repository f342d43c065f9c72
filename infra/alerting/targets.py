"""Where the agents' metrics are: a service discovery file of Prometheus, read by it and by us."""

import json
from pathlib import Path

import msgspec

from shared.configuration import ConfigurationError, Runtime

FILE_NAME = "targets.json"


class Group(msgspec.Struct, frozen=True):
    """Targets that share labels; `service` is one."""

    targets: tuple[str, ...]
    labels: dict[str, str]


def write(directory: Path, runtime: Runtime) -> Path:
    """Writes the targets of a run on this machine."""
    groups = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"service": name, "run": runtime.run_id}}
        for name, port in runtime.http_ports.items()
    ]
    path = directory / FILE_NAME
    path.write_text(json.dumps(groups, indent=2) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> list[tuple[str, str]]:
    """Returns (service, host:port) of each target. Raises ConfigurationError."""
    try:
        groups = msgspec.json.decode(path.read_bytes(), type=list[Group])
        return [(group.labels["service"], one) for group in groups for one in group.targets]
    except (OSError, msgspec.DecodeError, KeyError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
