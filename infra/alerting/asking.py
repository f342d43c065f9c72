"""`hedgerow alerts`: what the watcher of the running desk holds, worst first."""

import http.client
import json
import time
from typing import Any
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from infra import desk_reach
from infra.desk_reach import WATCHER, NoAnswerError

ANSWER_S_MAX = 3.0
OLD_S = 5.0  # a watcher that has not looked for so long is no watcher


def ask() -> dict[str, Any]:
    """Returns the report of the running desk's watcher: `looked_unix_s`, `active` and `ended`
    (newest first). Raises NoAnswerError."""
    report: dict[str, Any] = get_json(desk_reach.running().address_of(WATCHER), "/alerts")
    return report


def metrics(service: str, names: list[str]) -> str:
    """Returns what an agent tells of some metrics, or of all. Raises NoAnswerError, and
    UnknownServiceError."""
    query = urlencode([("name[]", name.removesuffix("_total")) for name in names])
    text = get_text(desk_reach.running().address_of(service), f"/metrics?{query}")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def get_json(address: str, path: str) -> Any:
    try:
        return json.loads(get_text(address, path))
    except ValueError as error:
        raise NoAnswerError(f"{address}{path} answers nonsense: {error}") from error


def get_text(address: str, path: str) -> str:
    """Returns what an agent answers, whatever the status. Raises NoAnswerError."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_S_MAX)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswerError(f"{address}{path} does not answer: {error}") from error
    finally:
        connection.close()


def show(console: Console, report: dict[str, Any]) -> None:
    """Prints what is active, worst first, and what has lately ended."""
    now_s = time.time()
    if not report["looked_unix_s"]:
        console.print("the watcher has not looked yet")
        return
    age_s = now_s - report["looked_unix_s"]
    if age_s > OLD_S:
        console.print(f"[red]the watcher has not looked for {age_s:.0f} s[/red]")
    if not report["active"]:
        console.print(f"no alert is active ({age_s:.1f} s ago)", highlight=False)
    else:
        table = Table(title="Active, worst first", title_justify="left")
        for column in ("", "alert", "for", "what", "runbook"):
            table.add_column(column, overflow="fold")
        for one in report["active"]:
            since = f"{now_s - one['since_unix_s']:.0f} s"
            row = (one["severity"], one["name"], since, one["text"], one["runbook"])
            table.add_row(*row)
        console.print(table)
    for one in report["ended"][:8]:
        ended = f"{now_s - one['ended_unix_s']:.0f} s ago"
        console.print(f"over {ended}: {one['name']}: {one['text']}", highlight=False)
