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
from infra.operator_bus import AGAIN_S, OperatorBus, RefusedError, operator
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
        if underlying != "all" and (known := await quoted(bus)) and underlying not in known:
            print(f"hedgerow: {underlying} is not quoted here: {', '.join(known)}", file=sys.stderr)
            return EXIT_USAGE
        word = word_of(desk.runtime, action, underlying, reason)
        await bus.put(word)
        is_taken, rows = await wait_for(bus, word)
    return show(rows, word, is_taken=is_taken, as_json=as_json)


async def quoted(bus: OperatorBus) -> list[str]:
    """Returns what is quoted. None may be known: a halt does not wait for that."""
    with contextlib.suppress(RefusedError):
        held = await bus.held(QuotingStatusV1)
        return sorted(one.underlying for one in held if isinstance(one, QuotingStatusV1))
    return []


def word_of(runtime: Runtime, action: Action, underlying: str, reason: str) -> HaltV1:
    return HaltV1(
        created_ns=SystemClock(runtime.clock_offset_ns).wall_ns(),
        halt_id=secrets.token_hex(8),
        underlying=underlying,
        action=action,
        reason=reason,
        author=getpass.getuser(),
    )


async def wait_for(bus: OperatorBus, word: HaltV1) -> tuple[bool, Quoting]:
    """Returns whether market making says in time that it has taken the word, and how quoting stands
    then. A stream that cannot be read now is asked again."""
    rows: Quoting = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TAKEN_S):
            while True:
                if await was_taken(bus, word, rows):
                    break
                await asyncio.sleep(AGAIN_S)
    return bool(rows) and all(has_taken(row, word) for row in rows.values()), rows


async def was_taken(bus: OperatorBus, word: HaltV1, rows: Quoting) -> bool:
    """Reads until all that is quoted has taken the word; False where it cannot be read."""
    is_whole = False
    try:
        async with contextlib.aclosing(bus.told(QuotingStatusV1)) as told:
            async for status in told:
                if status is None:
                    is_whole = True
                elif isinstance(status, QuotingStatusV1) and is_meant(status, word):
                    rows[status.underlying] = status
                if is_whole and rows and all(has_taken(row, word) for row in rows.values()):
                    return True
    except RefusedError:
        return False
    return False


def is_meant(status: QuotingStatusV1, word: HaltV1) -> bool:
    return word.underlying in ("all", status.underlying)


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


def show(rows: Quoting, word: HaltV1, *, is_taken: bool, as_json: bool) -> int:
    if as_json:
        shown = {name: row.state for name, row in sorted(rows.items())}
        print(json.dumps({"is_taken": is_taken, "quoting": shown}))
    else:
        for name, row in sorted(rows.items()):
            when = "" if row.created_ns >= word.created_ns else ", as last heard of before"
            print(f"{name} {row.state}, {live_count(row)} instruments quoted{when}")
        if not is_taken:
            late = f"market making has not said within {TAKEN_S:.0f} s that it has taken it"
            print(f"hedgerow: it is in the record, but {late}", file=sys.stderr)
    return EXIT_OK if is_taken else EXIT_FAILED
