"""What Linux says of this process. prometheus_client's own collector opens three files and parses
them at every look; of these numbers two never change, and one file is kept open."""

import os
import resource
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from shared.exposition import Page
from shared.metric_names import PROCESS
from shared.service import Reading

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = os.open("/proc/self/statm", os.O_RDONLY)  # of the process that imports this
START_TICKS = 19  # its place in /proc/self/stat after the command's name


class Process:
    def __init__(self) -> None:
        started_s, max_fds = _started_unix_s(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._values: tuple[Callable[[], float], ...] = (  # as PROCESS names them
            lambda: _bytes(0),
            resident_bytes,
            lambda: started_s,
            _cpu_s,
            lambda: max_fds,
            lambda: len(os.listdir("/proc/self/fd")),  # noqa: PTH208  # a third of the time
        )

    def readings(self, names: Collection[str]) -> Iterator[Reading]:
        for declared, value in zip(PROCESS, self._values, strict=True):
            if declared.name in names:
                yield Reading(declared.name, value())

    def write(self, page: Page) -> None:
        for declared, value in zip(PROCESS, self._values, strict=True):
            if page.wants(declared.name):
                page.numbers(declared, [((), value())])


def resident_bytes() -> int:
    return _bytes(1)


def _bytes(place: int) -> int:
    return int(os.pread(_STATM, 128, 0).split()[place]) * PAGE_BYTES


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _started_unix_s() -> float:
    stat = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace")
    ticks = int(stat.rpartition(")")[2].split()[START_TICKS])
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    booted_s = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    return booted_s + ticks / os.sysconf("SC_CLK_TCK")
