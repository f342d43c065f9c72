"""Deliveries and daily settlements of the desk's positions, asked for when they happen."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from services.gateway.calls import Calls, rows_of
from services.gateway.listing import Listing
from services.gateway.readings import NONSENSE, name, number, stamp_ns
from shared.alerts import Alerts
from shared.clock import NS_PER_S
from shared.messages.orders import SettlementV1
from shared.settlement import is_settling
from shared.venue_link import NOT_SENT, OUTCOME_UNKNOWN, VenueReply

ASK_NS = 5 * NS_PER_S
COUNT_MAX = 1000
LOOKBACK_NS = 24 * 3600 * NS_PER_S  # an older one was settled before this desk held anything


class Settlements:
    """Asks after each connection, and every few seconds while the venue settles."""

    def __init__(self, calls: Calls, listing: Listing, alerts: Alerts) -> None:
        self._calls = calls
        self._listing = listing
        self._alerts = alerts
        self._known: set[str] = set()
        self._due_ns = 0

    def on_settlement(self, settlement: SettlementV1) -> tuple[()]:
        """Takes a settlement of the record (or our own, come back)."""
        self._known.add(settlement.settlement_id)
        return ()

    def on_up(self) -> None:
        self._due_ns = 1

    def on_timer(self, now_ns: int) -> Iterator[object]:
        if not self._due_ns and is_settling(now_ns):
            self._due_ns = now_ns
        if not self._due_ns or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + ASK_NS if is_settling(now_ns) else 0
        for currency in self._listing.underlyings:
            yield self._calls.request(
                "private/get_settlement_history_by_currency",
                {"currency": currency, "count": COUNT_MAX},
                partial(self._take, currency),
            )

    def _take(self, currency: str, reply: VenueReply) -> Iterator[object]:
        rows = reply.result.get("settlements") if isinstance(reply.result, dict) else None
        for row in reversed(rows_of(rows)):  # newest first at the venue
            try:
                settlement = _read(row, currency, reply.created_ns)
            except NONSENSE as error:
                text = f"{currency} settlement: {type(error).__name__} {error}"
                yield from self._alerts.raised(
                    "unreadable-settlement", "page", text, reply.created_ns
                )
                continue
            is_old = reply.created_ns - settlement.venue_ns > LOOKBACK_NS
            if settlement.settlement_id not in self._known and not is_old:
                self._known.add(settlement.settlement_id)
                yield from self._tell(settlement)

    def _tell(self, settlement: SettlementV1) -> Iterator[object]:
        """Says it with the instrument's terms, which are asked for where it is not listed."""
        terms = self._listing.by_name.get(settlement.instrument)
        if terms is not None:
            yield msgspec.structs.replace(settlement, terms=terms)
            return
        yield self._calls.request(
            "public/get_instrument",
            {"instrument_name": settlement.instrument},
            partial(self._described, settlement),
        )

    def _described(self, settlement: SettlementV1, reply: VenueReply) -> Iterator[object]:
        if reply.error_code in (OUTCOME_UNKNOWN, NOT_SENT):
            self._known.discard(settlement.settlement_id)  # asked for again when the link is up
            return
        terms = self._listing.remember(reply.result, settlement.underlying)
        yield msgspec.structs.replace(settlement, created_ns=reply.created_ns, terms=terms)


def _read(row: dict[str, Any], currency: str, now_ns: int) -> SettlementV1:
    """Returns a settlement; raises one of NONSENSE on what is none."""
    kind, instrument = row["type"], name(row["instrument_name"])
    if kind not in ("settlement", "delivery"):
        raise ValueError("type")
    venue_ns = stamp_ns(row["timestamp"])
    price = number(row["index_price" if kind == "delivery" else "mark_price"])
    if not 0.0 < price < 1e12:
        raise ValueError("price")
    return SettlementV1(
        created_ns=now_ns,
        settlement_id=f"{instrument}-{venue_ns // NS_PER_S}",
        kind=kind,
        underlying=currency,
        instrument=instrument,
        price_usd=price,
        venue_ns=venue_ns,
    )
