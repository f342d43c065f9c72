"""`hedgerow halt` and `hedgerow resume`: a person stops quoting, or lets it go on.

The word is a durable message (`risk.halt.v1`), latched over restarts until the other one. Risk
gives no lease under it and market making pulls; hedging goes on. What is shown afterwards is what
market making has said of itself since, and the exit code whether it has taken the word.
"""

import asyncio
import contextlib
import getpass
import json
import secrets
import sys
from typing import Literal

from infra import desk_reach
from infra.operator_bus import OperatorBus, operator
from shared.clock import SystemClock
from shared.configuration import Runtime
from shared.messages.quoting import QuotingStatusV1
from shared.messages.risk import HaltV1

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
TAKEN_S = 5.0  # quoting tells its state on change, and every second
HALTED = "halted: halted"  # QuotingStatusV1, where a halt and not something else is the reason
Action = Literal["halt", "resume"]
Quoting = dict[str, QuotingStatusV1]


def run(action: Action, underlying: str, reason: str, *, as_json: bool) -> int:
    return asyncio.run(_run(action, underlying, reason, as_json=as_json))


async def _run(action: Action, underlying: str, reason: str, *, as_json: bool) -> int:
    desk = desk_reach.running()
    async with operator(desk) as bus:
        known = {one.underlying: one for one in await quoting(bus)}
        if underlying not in ("all", *known):
            quoted = ", ".join(sorted(known)) or "nothing yet"
            print(f"hedgerow: {underlying} is not quoted here: {quoted}", file=sys.stderr)
            return EXIT_USAGE
        rows = {name: row for name, row in known.items() if underlying in ("all", name)}
        word = word_of(desk.runtime, action, underlying, reason)
        await bus.put(word)
        is_taken = await was_taken(bus, word, rows)
    return show(rows, is_taken=is_taken, as_json=as_json)


async def quoting(bus: OperatorBus) -> list[QuotingStatusV1]:
    held = await bus.held(QuotingStatusV1)
    return [one for one in held if isinstance(one, QuotingStatusV1)]


def word_of(runtime: Runtime, action: Action, underlying: str, reason: str) -> HaltV1:
    return HaltV1(
        created_ns=SystemClock(runtime.clock_offset_ns).wall_ns(),
        halt_id=secrets.token_hex(8),
        underlying=underlying,
        action=action,
        reason=reason,
        author=getpass.getuser(),
    )


async def was_taken(bus: OperatorBus, word: HaltV1, rows: Quoting) -> bool:
    """Waits until market making says that it has taken the word; keeps its newest in `rows`."""
    waiting = set(rows)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TAKEN_S), contextlib.aclosing(bus.told(QuotingStatusV1)) as told:
            async for status in told:
                if isinstance(status, QuotingStatusV1) and status.underlying in rows:
                    rows[status.underlying] = status
                    waiting -= {status.underlying}
                    waiting |= set() if has_taken(status, word) else {status.underlying}
                if not waiting:
                    break
    return bool(rows) and not waiting


def has_taken(status: QuotingStatusV1, word: HaltV1) -> bool:
    """A halt: stopped, and nothing rests. A resume: whatever stops it now is not the halt. What was
    said before the word says nothing of it."""
    if status.created_ns < word.created_ns:
        return False
    if word.action == "resume":
        return status.state != HALTED
    return status.state == HALTED and live_count(status) == 0


def live_count(status: QuotingStatusV1) -> int:
    return status.quoted_count + status.one_sided_count


def show(rows: Quoting, *, is_taken: bool, as_json: bool) -> int:
    if as_json:
        shown = {name: row.state for name, row in sorted(rows.items())}
        print(json.dumps({"is_taken": is_taken, "quoting": shown}))
    else:
        for name, row in sorted(rows.items()):
            print(f"{name} {row.state}, {live_count(row)} instruments quoted")
        if not is_taken:
            late = f"market making has not taken it within {TAKEN_S:.0f} s"
            print(f"hedgerow: it is in the record, but {late}", file=sys.stderr)
    return EXIT_OK if is_taken else EXIT_FAILED
