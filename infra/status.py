"""`hedgerow status`: what the newest run's processes and the ledger's projection say."""

import os
import time
from pathlib import Path
from typing import Any

from infra import runs
from infra.runs import ProcessEntry
from rich.console import Console
from rich.table import Table


def process_facts(entry: ProcessEntry) -> dict[str, Any]:
    """Returns what the kernel knows of a process: is it there, how big, how busy."""
    facts: dict[str, Any] = {
        "service": entry.name,
        "pid": entry.pid,
        "restarts": entry.restarts,
        "up_s": round(time.time() - entry.started_unix_s, 1),
    }
    usage = process_usage(entry.pid)
    facts["is_running"] = usage is not None
    facts["rss_mb"], facts["cpu_s"] = usage or (0.0, 0.0)
    return facts


def process_usage(pid: int) -> tuple[float, float] | None:
    """Returns (resident MB, CPU seconds) of a live process, or None."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    ticks = int(fields[11]) + int(fields[12])
    page_bytes, hertz = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    return pages * page_bytes / 1e6, ticks / hertz
