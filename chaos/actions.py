"""What experiments do to a desk. Each notes when it broke something; `mend` undoes everything."""

import asyncio
import contextlib
import os
import resource
import signal
import time
from pathlib import Path

from chaos import faults
from chaos.faults import Faults, WireFault, home
from chaos.probes import note
from infra import runs
from infra.venue_account import VenueAccount

HOLD_SEEN_S = 2.0  # whoever starts processes again has seen it
STOPPED = "stopped.pids"
SQUEEZED = "squeezed.pids"


def pid_of(service: str) -> int:
    directory = runs.current()
    table = runs.read_processes(directory) if directory is not None else None
    for entry in table.processes if table is not None else ():
        if entry.name == service and entry.is_running:
            return entry.pid
    raise LookupError(f"{service} is not running")


def kill(service: str) -> None:
    """Ends a process without a word."""
    note("broken")
    os.kill(pid_of(service), signal.SIGKILL)
    note("mended")  # whoever restarts it is what is tried


def hold(service: str) -> None:
    """Has nobody start a process again once it has died, until `mend`."""
    directory = runs.current()
    assert directory is not None, "no desk is running"
    runs.hold(directory, service)
    time.sleep(HOLD_SEEN_S)


def pause(service: str) -> None:
    """Stops a process; `mend` lets it go on."""
    pid = pid_of(service)
    with (home() / STOPPED).open("a", encoding="ascii") as file:
        file.write(f"{pid}\n")
    note("broken")
    os.kill(pid, signal.SIGSTOP)


def spoil_wires(wires: list[str], **fault: float) -> None:
    """Gives wires a fault: see chaos.faults.WireFault."""
    found = WireFault(**fault)  # type: ignore[arg-type]
    note("broken")
    faults.write(Faults(dict.fromkeys(wires, found)))


def step_clock(service: str, seconds: float) -> None:
    """Has one service's clock of the day be ahead, or behind."""
    note("broken")
    faults.tell_shim(service, clock_offset_ns=int(seconds * 1e9))


def slow_disk(service: str, delay_ms: float) -> None:
    note("broken")
    faults.tell_shim(service, fsync_delay_us=int(delay_ms * 1000))


def fill_disk(service: str, errno: int = 28) -> None:
    """Has a service's files take no more bytes (ENOSPC)."""
    note("broken")
    faults.tell_shim(service, write_errno=errno)


def squeeze_memory(service: str, spare_mb: float) -> None:
    """Has a process be allowed hardly more memory than it has; `mend` gives it back."""
    pid = pid_of(service)
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + int(spare_mb * 1e6)
    with (home() / SQUEEZED).open("a", encoding="ascii") as file:
        file.write(f"{pid}\n")
    note("broken")
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def say(seconds: float, rate_per_s: int, kind: str) -> None:
    """Has an impostor say things on the open bus for a while: `garbage`, `ticks` or `surface`."""
    from chaos.impostor import speak  # noqa: PLC0415  # only where it is used

    note("broken")
    asyncio.run(speak(kind, seconds, rate_per_s))
    note("mended")


def refuse_quotes(seconds: float) -> None:
    """Has the venue refuse every quote of the desk's account for a while, by its own means: its
    quotes are cancelled and frozen for a second, twice a second."""
    account = VenueAccount.of_run(home())
    until = time.monotonic() + seconds
    note("broken")
    while time.monotonic() < until:
        account.freeze_quotes()
        time.sleep(0.5)
    note("mended")


def wait(seconds: float) -> None:
    time.sleep(seconds)


def mend() -> None:
    """Undoes every fault: wires, shims, stopped and held processes."""
    faults.write(Faults())
    for path in home().glob("current/*.hold"):
        runs.release(path.parent, path.stem)
    for path in home().glob("*.shim"):
        faults.tell_shim(path.stem)
    for pid in taken(STOPPED):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    for pid in taken(SQUEEZED):
        with contextlib.suppress(ProcessLookupError):
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(pid, resource.RLIMIT_AS, unlimited)
    note("mended")


def taken(name: str) -> list[int]:
    """Returns the process ids in a file, and forgets them."""
    path = home() / name
    if not path.exists():
        return []
    pids = [int(line) for line in path.read_text(encoding="ascii").split()]
    path.unlink()
    return pids
