"""`hedgerow breaker`: a person's word on one circuit breaker of a running agent.

The word is a durable message (`desk.breaker.v1`): the agent takes it, and takes it again after a
restart. The answer is the agent's own, asked for over the bus.
"""

import asyncio
import getpass
import json
import secrets
import sys
import time
from typing import Literal

import msgspec

from infra import desk_reach
from infra.operator_bus import OperatorBus, operator
from shared.clock import SystemClock
from shared.configuration import Runtime
from shared.messages.desk import BreakerStanding, BreakerV1, HeartbeatV1
from shared.messages.message import decode

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
ANSWER_S = 1.0
TAKEN_S = 3.0
Action = Literal["force_open", "disable", "metrics_only", "reset"]
STATES = {
    "force_open": "forced_open",
    "disable": "disabled",
    "metrics_only": "metrics_only",
    "reset": "closed",
}


def run(service: str, dependency: str, action: Action | None, reason: str, *, as_json: bool) -> int:
    """Says it and shows what became of it; without an action shows how the breakers stand."""
    return asyncio.run(_run(service, dependency, action, reason, as_json=as_json))


async def _run(
    service: str, dependency: str, action: Action | None, reason: str, *, as_json: bool
) -> int:
    desk = desk_reach.running()
    desk.address_of(service)  # there is such an agent
    async with operator(desk) as bus:
        standings = await ask(bus, service)
        if standings is None:
            print(f"hedgerow: {service} does not answer", file=sys.stderr)
            return EXIT_FAILED
        if dependency and dependency not in standings:
            known = ", ".join(standings) or "none"
            print(f"hedgerow: {service} has no breaker {dependency}: {known}", file=sys.stderr)
            return EXIT_USAGE
        is_taken = True
        if action is not None:
            await say(bus, desk.runtime, service, dependency, action, reason)
            is_taken, standings = await wait_for(bus, service, dependency, STATES[action])
    shown = [standings[dependency]] if dependency else list(standings.values())
    show(service, shown, as_json=as_json)
    if not is_taken:
        print(f"hedgerow: {dependency} is not {STATES[action or 'reset']}", file=sys.stderr)
    return EXIT_OK if is_taken else EXIT_FAILED


async def say(
    bus: OperatorBus, runtime: Runtime, service: str, dependency: str, action: Action, reason: str
) -> None:
    command = BreakerV1(
        created_ns=SystemClock(runtime.clock_offset_ns).wall_ns(),
        command_id=secrets.token_hex(8),
        service=service,
        dependency=dependency,
        action=action,
        author=getpass.getuser(),
        reason=reason,
    )
    await bus.put(command)


async def ask(bus: OperatorBus, service: str) -> dict[str, BreakerStanding] | None:
    """Returns the breakers of an agent as it tells them now; None without an answer."""
    answer = await bus.request(f"desk.ask.{service}", ANSWER_S)
    if answer is None:
        return None
    beat = decode(HeartbeatV1, answer.data)
    return {one.dependency: one for one in beat.breakers}


async def wait_for(
    bus: OperatorBus, service: str, dependency: str, state: str
) -> tuple[bool, dict[str, BreakerStanding]]:
    """Returns whether the breaker came to be in a state in time, and how all stand then."""
    deadline = time.monotonic() + TAKEN_S
    standings: dict[str, BreakerStanding] = {}
    while time.monotonic() < deadline:
        standings = await ask(bus, service) or standings
        if dependency in standings and standings[dependency].state == state:
            return True, standings
        await asyncio.sleep(0.05)
    return False, standings


def show(service: str, standings: list[BreakerStanding], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([msgspec.to_builtins(one) | {"service": service} for one in standings]))
        return
    for one in standings:
        serving = f": {one.fallback}" if one.fallback else ""
        print(f"{service} {one.dependency:16} {one.state}{serving}")
