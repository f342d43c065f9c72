"""What was hedged, from the record alone: intents, their orders, trades and outcomes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from services.execution.backup import MARK
from services.ledger.entries import Body, entry_kind
from services.ledger.projection import read_table
from shared.journal import read_entries
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.orders import FillV1, OrderV1

KINDS: dict[str, Any] = {
    entry_kind(kind): kind for kind in (HedgeIntentV1, HedgeOutcomeV1, OrderV1, FillV1)
}


@dataclass
class Hedge:
    """One intent and what became of it."""

    intent: HedgeIntentV1
    outcome: HedgeOutcomeV1 | None = None
    first_order_ns: int = 0  # the gateway's first word on an order of it
    trades: dict[str, FillV1] = field(default_factory=dict)

    @property
    def is_backup(self) -> bool:
        return MARK in self.intent.intent_id

    @property
    def filled_lots(self) -> int:
        return sum(trade.amount_lots for trade in self.trades.values())


class HedgeRecord:
    """Of one run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def hedges(self) -> list[Hedge]:
        """Returns all intents of the journal, oldest first."""
        found: dict[str, Hedge] = {}
        rest: list[Any] = []
        for entry in read_entries(self._directory / "ledger.journal"):
            kind = KINDS.get(entry.kind)
            if kind is None:
                continue
            message = msgspec.json.decode(
                msgspec.json.decode(entry.payload, type=Body).fact, type=kind
            )
            if isinstance(message, HedgeIntentV1):
                found[message.intent_id] = Hedge(message)
            else:
                rest.append(message)
        for message in rest:
            _add(found, message)
        return sorted(found.values(), key=lambda one: one.intent.created_ns)

    def first_backup_order_ns(self, since_ns: int) -> int:
        """Returns when the gateway first spoke of an order of the backup's; 0: not yet."""
        orders = read_table(str(self._directory), "orders")
        if not any(MARK in name for name in orders):
            return 0
        times = [
            one.first_order_ns
            for one in self.hedges()
            if one.is_backup and one.first_order_ns > since_ns
        ]
        return min(times, default=0)

    def first_own_intent_ns(self, since_ns: int) -> int:
        """Returns when hedging itself first had an intent worked on; 0: not yet."""
        times = [
            one.intent.created_ns
            for one in self.hedges()
            if not one.is_backup and one.first_order_ns and one.intent.created_ns > since_ns
        ]
        return min(times, default=0)


def doubles(hedges: list[Hedge], since_ns: int) -> list[str]:
    """Returns every sign that something was hedged twice: more traded than an intent asked for, an
    intent worked on before the one before it had ended, or made without knowing of its trades."""
    found: list[str] = []
    last: dict[str, Hedge] = {}
    for one in hedges:
        intent = one.intent
        if intent.created_ns < since_ns or not one.first_order_ns:
            continue
        if one.filled_lots > intent.amount_lots:
            found.append(f"{intent.intent_id} traded {one.filled_lots} of {intent.amount_lots}")
        before = last.get(intent.underlying)
        if before is not None:
            if before.outcome is None or one.first_order_ns < before.outcome.created_ns:
                found.append(f"{intent.intent_id} overlaps {before.intent.intent_id}")
            known = before.intent.portfolio_fill_count + len(before.trades)
            if intent.portfolio_fill_count < known:
                found.append(f"{intent.intent_id} did not know of {before.intent.intent_id}")
        last[intent.underlying] = one
    return found


def _add(found: dict[str, Hedge], message: OrderV1 | FillV1 | HedgeOutcomeV1) -> None:
    if isinstance(message, HedgeOutcomeV1):
        if message.intent_id in found:
            found[message.intent_id].outcome = message
        return
    hedge = found.get(message.order_id.rpartition("-")[0])
    if hedge is None:
        return
    if isinstance(message, FillV1):
        hedge.trades[message.trade_id] = message
    elif not hedge.first_order_ns:
        hedge.first_order_ns = message.created_ns
