"""`hedgerow status` of a desk that runs elsewhere: what its agents tell over HTTP and the bus.

The rows are those that the ledger's projection keeps of the same messages. What only a machine's
own run has (pids, restarts, the folder) is absent.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from infra.alerting import asking
from infra.desk_reach import WATCHER, Desk, NoAnswerError
from infra.operator_bus import OperatorBus, RefusedError, operator
from services.ledger.projection import TABLES
from services.ledger.projection_rows import plain_row
from shared.messages.desk import HeartbeatV1
from shared.messages.market import FeedV1
from shared.messages.message import BadMessageError, Message, decode
from shared.messages.quoting import QuotingStatusV1
from shared.messages.risk import HaltV1, PnlV1, PortfolioV1, ReconciliationV1

STATES: tuple[type[Message], ...] = (QuotingStatusV1, PortfolioV1, PnlV1, ReconciliationV1, FeedV1)
ANSWER_S = 1.0
Rows = dict[str, dict[str, dict[str, Any]]]  # table -> key -> row


async def told(desk: Desk) -> tuple[list[dict[str, Any]], Rows, str]:
    """Returns the agents, the rows of the projection's tables, and why the bus told nothing: empty
    where it did. Raises NoAnswerError if neither an agent nor the bus answers."""
    ready = dict(
        zip(
            desk.addresses,
            await asyncio.gather(
                *(asyncio.to_thread(readiness, desk, name) for name in desk.addresses)
            ),
            strict=True,
        )
    )
    rows: Rows = {table: {} for table in TABLES}
    reason = ""
    try:
        async with operator(desk) as bus:
            await ask_bus(bus, desk, rows)
    except (NoAnswerError, RefusedError) as error:
        if not any(ready.values()):
            raise
        reason = str(error)
    beats = rows["agents"]
    agents = [agent(name, answer, beats.get(name)) for name, answer in ready.items()]
    rows["alerts"] = {one["alert_id"]: one for one in alerts(desk)}
    return agents, rows, reason


async def ask_bus(bus: OperatorBus, desk: Desk, rows: Rows) -> None:
    beats = await asyncio.gather(*(beat_of(bus, name) for name in desk.addresses))
    held = [*await bus.held(*STATES), *await bus.held(HaltV1)]
    for message in (*held, *(one for one in beats if one is not None)):
        for row in plain_row(message):
            rows[row.table][row.key] = row.values


async def beat_of(bus: OperatorBus, service: str) -> HeartbeatV1 | None:
    answer = await bus.request(f"desk.ask.{service}", ANSWER_S)
    try:
        return decode(HeartbeatV1, answer.data) if answer is not None else None
    except BadMessageError:  # nobody has that name
        return None


def readiness(desk: Desk, service: str) -> dict[str, Any] | None:
    """Returns what an agent answers to whether it is ready; None without an answer."""
    try:
        return dict(asking.get_json(desk.address_of(service), "/ready"))
    except NoAnswerError:
        return None


def agent(name: str, answer: dict[str, Any] | None, beat: dict[str, Any] | None) -> dict[str, Any]:
    known: dict[str, Any] = {"service": name}
    if beat is not None:
        kept = ("handled_count", "dropped_count", "critical_dropped_count", "dead_letter_count")
        known |= {key: beat[key] for key in kept}
        known |= {
            "age_s": 0.0,
            "rss_mb": round(beat["rss_bytes"] / 1e6, 1),
            "cpu_s": round(beat["cpu_s"], 2),
            "breakers": beat["breakers"],
        }
    if answer is None and beat is None:
        return known | {"health": "silent", "is_ready": False}
    said = answer or beat or {}
    if answer is not None and "breakers" not in known:
        states = answer["breakers"].items()
        known["breakers"] = [
            {"dependency": name, "state": state, "fallback": ""} for name, state in states
        ]
    return known | {"health": said["reason"] or "ready", "is_ready": said["is_ready"]}


def alerts(desk: Desk) -> Iterator[dict[str, Any]]:
    """Yields what the watcher holds active, in the shape of AlertV1."""
    try:
        report = asking.get_json(desk.address_of(WATCHER), "/alerts")
    except NoAnswerError:
        return
    for one in report["active"]:
        yield {
            "alert_id": f"{one['name']} {json.dumps(one['labels'], sort_keys=True)}",
            "name": one["name"],
            "severity": one["severity"],
            "text": one["text"],
            "source": WATCHER,
            "created_ns": int(one["since_unix_s"] * 1e9),
        }
