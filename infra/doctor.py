"""Is this machine able to run the desk? Each check says what it found and what to do about it."""

import itertools
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.embedded_nats import free_port, server_path

OPEN_FILES_MIN = 1024
DISK_FREE_MIN_BYTES = 2 * 1024**3
CLOCK_STEP_NS_MAX = 1_000_000


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; `advice` is empty when it is well."""

    check: str
    is_ok: bool
    found: str
    advice: str = ""


def examine(state_folder: Path) -> list[Finding]:
    """Runs every check; none of them changes anything or takes long."""
    checks: tuple[Callable[[], Finding], ...] = (
        check_python,
        check_compiler,
        check_native,
        check_nats,
        check_ports,
        check_clock,
        check_open_files,
        check_memory,
        lambda: check_disk(state_folder),
    )
    return [check() for check in checks]


def check_python() -> Finding:
    found = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    return Finding("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def check_compiler() -> Finding:
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if compiler is None:
        return Finding("compiler", False, "none found", "install gcc")
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    found = done.stdout.partition("\n")[0]
    if not header.exists():
        return Finding("compiler", False, f"{found}, but no Python.h", "install python3-dev")
    return Finding("compiler", done.returncode == 0, found, "the compiler does not run")


def check_native() -> Finding:
    try:
        from native.library import lib  # noqa: PLC0415 - this is what is being examined
    except ImportError as error:
        return Finding("native core", False, str(error), "run `make setup`")
    return Finding("native core", lib.HR_OK == 0, "loads")


def check_nats() -> Finding:
    try:
        path = server_path()
    except FileNotFoundError as error:
        return Finding("nats-server", False, str(error), "run `make setup`")
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return Finding("nats-server", done.returncode == 0, done.stdout.strip(), "it does not run")


def check_ports() -> Finding:
    try:
        port = free_port()
        with socket.create_server(("127.0.0.1", port)):
            pass
    except OSError as error:
        return Finding("ports", False, str(error), "allow listening on 127.0.0.1")
    return Finding("ports", True, "loopback ports can be opened")


def check_clock() -> Finding:
    """Looks for a clock that goes back or is too coarse."""
    stamps = [time.time_ns() for _ in range(10_000)]
    steps = [after - before for before, after in itertools.pairwise(stamps)]
    smallest = min((step for step in steps if step > 0), default=0)
    is_ok = min(steps) >= 0 and 0 < smallest <= CLOCK_STEP_NS_MAX and time.time() > 1.7e9
    found = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC, finest step {smallest} ns"
    return Finding("clock", is_ok, found, "set the clock (chrony or systemd-timesyncd)")


def check_open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_ok = soft >= OPEN_FILES_MIN or soft == resource.RLIM_INFINITY
    return Finding("open files", is_ok, f"{soft} (hard {hard})", f"ulimit -n {OPEN_FILES_MIN}")


def check_memory() -> Finding:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = os.cpu_count() or 1
    found = f"{pages / 1e9:.1f} GB, {cores} cores"
    return Finding("machine", pages >= 3e9 and cores >= 2, found, "use 2 cores and 4 GB or more")


def check_disk(state_folder: Path) -> Finding:
    existing = state_folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    is_ok = free >= DISK_FREE_MIN_BYTES and os.access(existing, os.W_OK)
    found = f"{free / 1e9:.1f} GB free at {state_folder}"
    return Finding("disk", is_ok, found, "free 2 GB, or set HEDGEROW_HOME to a writable folder")
