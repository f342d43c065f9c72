"""Where runs live on disk: a folder per run, and which one is current.

`HEDGEROW_HOME` (default: the user's state folder) holds `runs/<run id>/` with runtime.json, the
supervisor's table of processes, logs, the journal and the projection; `current` points to the
newest run.
"""

import os
import secrets
from pathlib import Path
from typing import Any

import msgspec

from shared.configuration import Runtime

HOME_VARIABLE = "HEDGEROW_HOME"
RUNS_KEPT_MAX = 10


class ProcessEntry(msgspec.Struct, kw_only=True):
    """One supervised process, as the supervisor last wrote it."""

    name: str
    pid: int
    restarts: int
    started_unix_s: float
    is_running: bool


class ProcessTable(msgspec.Struct, kw_only=True):
    supervisor_pid: int
    started_unix_s: float
    processes: list[ProcessEntry]


def home() -> Path:
    """Returns the folder of all runs."""
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "hedgerow"


def create(run_id: str) -> Path:
    """Makes the folder of a new run, points `current` at it and drops the oldest runs."""
    directory = home() / "runs" / run_id
    directory.mkdir(parents=True, mode=0o700)
    (directory / "logs").mkdir()
    point_current_at(directory)
    drop_oldest_runs()
    return directory


def point_current_at(directory: Path) -> None:
    link = home() / "current"
    fresh = home() / f".current-{secrets.token_hex(4)}"
    fresh.symlink_to(directory)
    fresh.replace(link)


def drop_oldest_runs() -> None:
    """Keeps the newest RUNS_KEPT_MAX runs; a run whose supervisor lives is never dropped."""
    runs = sorted((home() / "runs").iterdir(), key=lambda path: path.stat().st_mtime)
    for directory in runs[:-RUNS_KEPT_MAX]:
        if not is_alive(directory):
            remove_tree(directory)


def remove_tree(directory: Path) -> None:
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    directory.rmdir()


def current() -> Path | None:
    """Returns the newest run's folder, if there is one."""
    link = home() / "current"
    return link.resolve() if link.exists() else None


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only this user can read, whole or not at all."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.replace(path)


def write_runtime(directory: Path, runtime: Runtime) -> Path:
    path = directory / "runtime.json"
    write_private(path, msgspec.json.encode(runtime))
    return path


def read_runtime(directory: Path) -> Runtime:
    return msgspec.json.decode((directory / "runtime.json").read_bytes(), type=Runtime)


def secret_path(directory: Path) -> Path:
    """Returns where the venue secret of a run is; only who holds a session is told."""
    return directory / "venue.secret"


def read_secret(directory: Path) -> str:
    """Returns the venue secret of a run."""
    return secret_path(directory).read_text(encoding="utf-8").strip()


def bus_folder(directory: Path) -> Path:
    """Returns where the keys and the permissions of a run's bus are."""
    return directory / "bus"


def seed_path(directory: Path, role: str) -> Path:
    return bus_folder(directory) / "keys" / f"{role}.nk"


def authority_path(directory: Path) -> Path:
    return bus_folder(directory) / "ca.pem"


def as_role(runtime: Runtime, role: str) -> Runtime:
    """Returns a run's facts with the key of one role, for who stands beside the agents."""
    if not runtime.bus_authority_path:
        return runtime
    path = seed_path(Path(runtime.directory), role)
    return msgspec.structs.replace(runtime, bus_seed_path=str(path))


def write_processes(directory: Path, table: ProcessTable) -> None:
    write_private(directory / "processes.json", msgspec.json.encode(table))


def read_processes(directory: Path) -> ProcessTable | None:
    """Returns the supervisor's table, or None before it was first written."""
    try:
        data = (directory / "processes.json").read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(data, type=ProcessTable)


def hold(directory: Path, name: str) -> None:
    """Tells the supervisor not to start a program again once it has died."""
    _hold_path(directory, name).touch()


def release(directory: Path, name: str) -> None:
    _hold_path(directory, name).unlink(missing_ok=True)


def is_held(directory: Path, name: str) -> bool:
    return _hold_path(directory, name).exists()


def _hold_path(directory: Path, name: str) -> Path:
    return directory / f"{name}.hold"


def write_observed(directory: Path, facts: dict[str, Any]) -> None:
    write_private(directory / "observed.json", msgspec.json.encode(facts))


def read_observed(directory: Path) -> dict[str, Any]:
    """Returns what the observer has counted, and `broken`: the invariants that were, with details;
    nothing before its first second is over."""
    try:
        data = (directory / "observed.json").read_bytes()
    except FileNotFoundError:
        return {}
    return msgspec.json.decode(data, type=dict[str, Any])


def is_alive(directory: Path) -> bool:
    """Says whether the run's supervisor still runs."""
    table = read_processes(directory)
    return table is not None and Path(f"/proc/{table.supervisor_pid}").exists()
