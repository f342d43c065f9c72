"""`hedgerow halt` and `hedgerow resume`: a person stops quoting, or lets it go on.

The word is a durable message (`risk.halt.v1`), latched over restarts until the other one. Risk
gives no lease under it and market making pulls; hedging goes on. What is shown afterwards is what
market making says of itself, and the exit code whether it has taken the word.
"""

import asyncio
import getpass
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any, Literal

from infra import runs
from infra.operator_bus import operator, put
from services.ledger.projection import read_table
from shared.clock import SystemClock
from shared.messages.risk import HaltV1

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING = 0, 1, 2, 3
TAKEN_S = 5.0  # quoting tells its state on change, and the ledger shows it within a second
HALTED = "halted: halted"  # QuotingStatusV1, where a halt and not something else is the reason
Action = Literal["halt", "resume"]
Quoting = dict[str, dict[str, Any]]


def run(action: Action, underlying: str, reason: str, *, as_json: bool) -> int:
    directory = runs.current()
    if directory is None or not runs.is_alive(directory):
        print("hedgerow: nothing is running", file=sys.stderr)
        return EXIT_NOT_RUNNING
    known = read_table(str(directory), "quoting")
    if underlying not in ("all", *known):
        quoted = ", ".join(sorted(known)) or "nothing yet"
        print(f"hedgerow: {underlying} is not quoted here: {quoted}", file=sys.stderr)
        return EXIT_USAGE
    asyncio.run(say(directory, action, underlying, reason))
    return show(*wait_for(directory, action, underlying), as_json=as_json)


async def say(directory: Path, action: Action, underlying: str, reason: str) -> None:
    runtime = runs.read_runtime(directory)
    word = HaltV1(
        created_ns=SystemClock(runtime.clock_offset_ns).wall_ns(),
        halt_id=secrets.token_hex(8),
        underlying=underlying,
        action=action,
        reason=reason,
        author=getpass.getuser(),
    )
    async with operator(runtime) as client:
        await put(client, word)


def wait_for(directory: Path, action: Action, underlying: str) -> tuple[bool, Quoting]:
    """Returns whether the word was taken in time, and how quoting stands then."""
    deadline = time.monotonic() + TAKEN_S
    while True:
        table = read_table(str(directory), "quoting")
        rows = {name: row for name, row in table.items() if underlying in ("all", name)}
        is_taken = bool(rows) and all(has_taken(row, action) for row in rows.values())
        if is_taken or time.monotonic() > deadline:
            return is_taken, rows
        time.sleep(0.1)


def has_taken(row: dict[str, Any], action: Action) -> bool:
    """A halt: stopped, and nothing rests. A resume: whatever stops it now is not the halt."""
    if action == "resume":
        return bool(row["state"] != HALTED)
    return bool(row["state"] == HALTED) and row["quoted_count"] + row["one_sided_count"] == 0


def show(is_taken: bool, rows: Quoting, *, as_json: bool) -> int:
    shown = {name: row["state"] for name, row in sorted(rows.items())}
    if as_json:
        print(json.dumps({"is_taken": is_taken, "quoting": shown}))
    else:
        for name, row in sorted(rows.items()):
            live = row["quoted_count"] + row["one_sided_count"]
            print(f"{name} {row['state']}, {live} instruments quoted")
        if not is_taken:
            print(f"hedgerow: not taken within {TAKEN_S:.0f} s", file=sys.stderr)
    return EXIT_OK if is_taken else EXIT_FAILED
