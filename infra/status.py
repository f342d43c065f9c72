"""`hedgerow status`: what the newest run's processes and the ledger's projection say; of a desk
elsewhere, what it tells itself (infra/status_told.py)."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infra import desk_reach, runs, status_told
from infra.desk_reach import Desk
from infra.runs import ProcessEntry
from services.ledger.projection import read_table
from shared.clock import NS_PER_S, SystemClock
from shared.configuration import RUNTIME_VARIABLE, Runtime

SILENT_S = 3.0
TABLES_SHOWN = (
    "agents", "quoting", "portfolios", "pnl", "feed", "reconciliations", "halts", "alerts",
)  # fmt: skip
PORTFOLIO_GREEKS = (
    "delta_coin", "option_delta_coin", "gamma_coin_per_usd", "vega_usd", "theta_usd_per_day",
)  # fmt: skip


def facts() -> dict[str, Any]:
    """Returns everything `hedgerow status --json` prints; `is_running` is False when nothing is.

    Raises NoAnswerError where the environment names a desk elsewhere and nothing of it answers."""
    if os.environ.get(RUNTIME_VARIABLE):
        return facts_told(desk_reach.of_environment())
    directory = runs.current()
    table = runs.read_processes(directory) if directory is not None else None
    if directory is None or table is None:
        return {"is_running": False, "agents": []}
    runtime = runs.read_runtime(directory)
    rows = {name: read_table(str(directory), name) for name in TABLES_SHOWN}
    now_ns = SystemClock(runtime.clock_offset_ns).wall_ns()
    return {
        "is_running": runs.is_alive(directory),
        "run_id": runtime.run_id,
        "directory": str(directory),
        "up_s": round(time.time() - table.started_unix_s, 1),
        **places(runtime),
        "observed": runs.read_observed(directory),
        "agents": [
            agent_facts(entry, rows["agents"].get(entry.name), now_ns) for entry in table.processes
        ],
        **books(rows, now_ns),
    }


def facts_told(desk: Desk) -> dict[str, Any]:
    """Returns the same of a desk elsewhere, less what only its own machine knows."""
    agents, rows, reason = asyncio.run(status_told.told(desk))
    now_ns = SystemClock(desk.runtime.clock_offset_ns).wall_ns()
    return {
        "is_running": True,
        "run_id": desk.runtime.run_id,
        **places(desk.runtime),
        **({"bus": reason} if reason else {}),
        "agents": agents,
        **books(rows, now_ns),
    }


def places(runtime: Runtime) -> dict[str, Any]:
    return {
        "nats_url": runtime.nats_url,
        "venue": {
            "http_url": runtime.venue_http_url,
            "ws_url": runtime.venue_ws_url,
            "fix_url": runtime.venue_fix_url,
        },
    }


def books(rows: dict[str, dict[str, dict[str, Any]]], now_ns: int) -> dict[str, Any]:
    """Returns what the projection's rows say of quotes, positions, P&L, halts and alerts."""
    return {
        "quotes": with_ages(rows["quoting"], now_ns),
        "positions": {name: dict(book["positions"]) for name, book in rows["portfolios"].items()},
        "greeks": {
            name: {greek: book[greek] for greek in PORTFOLIO_GREEKS}
            for name, book in rows["portfolios"].items()
        },
        "pnl": with_ages(rows["pnl"], now_ns),
        "feed": rows["feed"].get("feed", {}),
        "reconciliation": with_ages(rows["reconciliations"], now_ns),
        "halts": list(rows["halts"].values()),
        "alerts": newest(rows["alerts"], 10),
    }


def agent_facts(entry: ProcessEntry, beat: dict[str, Any] | None, now_ns: int) -> dict[str, Any]:
    """Returns a process with what the kernel knows of it and what it last said of itself."""
    usage = process_usage(entry.pid)
    known: dict[str, Any] = {
        "service": entry.name,
        "pid": entry.pid,
        "restarts": entry.restarts,
        "up_s": round(time.time() - entry.started_unix_s, 1),
        "rss_mb": round(usage[0], 1) if usage else 0.0,
        "cpu_s": round(usage[1], 2) if usage else 0.0,
    }
    if usage is None:
        return known | {"health": "dead", "is_ready": False, "age_s": None}
    if beat is None or beat["pid"] != entry.pid:
        health = "running" if entry.name == "nats" else "starting"
        return known | {"health": health, "is_ready": entry.name == "nats", "age_s": None}
    age_s = (now_ns - beat["created_ns"]) / NS_PER_S
    health = "silent" if age_s > SILENT_S else beat["reason"] or "ready"
    return known | {
        "health": health,
        "is_ready": beat["is_ready"] and age_s <= SILENT_S,
        "age_s": round(age_s, 2),
        "handled_count": beat["handled_count"],
        "dropped_count": beat["dropped_count"],
        "critical_dropped_count": beat["critical_dropped_count"],
        "dead_letter_count": beat["dead_letter_count"],
        "http_port": beat["http_port"],
        "breakers": beat.get("breakers", []),
    }


def with_ages(table: dict[str, dict[str, Any]], now_ns: int) -> dict[str, dict[str, Any]]:
    return {
        key: row | {"age_s": round((now_ns - row["created_ns"]) / NS_PER_S, 2)}
        for key, row in table.items()
    }


def newest(table: dict[str, dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return sorted(table.values(), key=lambda row: -row["created_ns"])[:count]


def usages(directory: Path) -> dict[str, tuple[float, float]]:
    """Returns (resident MB, CPU seconds) of every process of a run, the supervisor included."""
    table = runs.read_processes(directory)
    if table is None:
        return {}
    pids = {entry.name: entry.pid for entry in table.processes}
    pids["supervisor"] = table.supervisor_pid
    found = {name: process_usage(pid) for name, pid in pids.items()}
    return {name: usage for name, usage in found.items() if usage is not None}


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


def show(console: Console, known: dict[str, Any]) -> None:
    """Prints the facts as a page."""
    if not known["agents"]:
        console.print("nothing has run here yet: start the desk with `hedgerow up`")
        return
    state = "running" if known["is_running"] else "ended"
    where = f" · {known['directory']}" if "directory" in known else ""
    console.print(f"run {known['run_id']} {state}{where}", highlight=False)
    console.print(f"venue {known['venue']['http_url']} · bus {known['nats_url']}", highlight=False)
    agents = Table(title="Agents", title_justify="left")
    for column in ("agent", "pid", "health", "beat", "restarts", "MB", "CPU s"):
        agents.add_column(column, justify="left" if column in {"agent", "health"} else "right")
    for one in known["agents"]:
        agents.add_row(
            one["service"],
            str(one.get("pid", "-")),
            one["health"],
            "-" if one.get("age_s") is None else f"{one['age_s']:.1f} s",
            str(one.get("restarts", "-")),
            f"{one['rss_mb']:.0f}" if "rss_mb" in one else "-",
            f"{one['cpu_s']:.1f}" if "cpu_s" in one else "-",
        )
    console.print(agents)
    if "bus" in known:
        console.print(f"[red]nothing of the books:[/red] {known['bus']}", highlight=False)
    else:
        show_books(console, known)
    show_breakers(console, known["agents"])
    for alert in known["alerts"]:
        console.print(f"{alert['severity']}: {alert['source']}: {alert['name']}: {alert['text']}")


def show_books(console: Console, known: dict[str, Any]) -> None:
    table = Table(title="Books", title_justify="left")
    columns = ("", "two-sided", "of", "uptime", "delta coin", "vega USD", "P&L USD", "state")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    for name, quotes in known["quotes"].items():
        greeks, pnl = known["greeks"].get(name), known["pnl"].get(name)
        table.add_row(
            name,
            str(quotes["quoted_count"]),
            str(quotes["quotable_count"]),
            f"{100 * quotes['uptime_ratio']:.1f} %",
            f"{greeks['delta_coin']:+.4f}" if greeks else "-",
            f"{greeks['vega_usd']:+,.1f}" if greeks else "-",
            f"{pnl['usd']['total']:+,.2f}" if pnl else "-",
            quotes["state"],
        )
    console.print(table)


def show_breakers(console: Console, agents: list[dict[str, Any]]) -> None:
    """Prints the circuit breakers that are not closed, and what serves meanwhile."""
    known = [(one["service"], breaker) for one in agents for breaker in one.get("breakers", [])]
    closed_count = sum(breaker["state"] == "closed" for _, breaker in known)
    console.print(f"{closed_count} of {len(known)} circuit breakers closed", highlight=False)
    for service, breaker in known:
        if breaker["state"] != "closed":
            serving = f": {breaker['fallback']}" if breaker["fallback"] else ""
            text = f"{service} ← {breaker['dependency']}: {breaker['state']}{serving}"
            console.print(f"  {text}", highlight=False)
