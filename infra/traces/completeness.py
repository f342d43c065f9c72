"""What a fill's trace must hold, and which fills' do not.

A fill is published by gateway and taken by risk, ledger and market_making; risk says what the book
is now, and hedging looks at it. A hedge's fill was ordered: execution took hedging's intent and
placed the order, and hears of its fill.

A quote's fill tells, beside that, of the quote that it took and of the tick or the pass that sent
it. Only a market_making that is killed in that moment owes it: what it had not yet written down
dies with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from infra.traces.span import Span, Traces

FILL = "publish orders.fill.v1.{key}"
AFTER = frozenset(
    {
        ("risk", "process orders.fill.v1.{key}"),
        ("ledger", "process orders.fill.v1.{key}"),
        ("market_making", "process orders.fill.v1.{key}"),
        ("risk", "publish risk.portfolio.v1.{key}"),
        ("hedging", "process risk.portfolio.v1.{key}"),
    }
)
QUOTE = frozenset({("market_making", "tick_to_quote"), ("market_making", "pass_to_quote")})
AFTER_A_HEDGE = AFTER | {("execution", "process orders.fill.v1.{key}")}
BEFORE_A_HEDGE = frozenset(
    {
        ("hedging", "publish hedging.intent.v1.{key}"),
        ("execution", "process hedging.intent.v1.{key}"),
        ("execution", "publish orders.place.v1"),
        ("gateway", "process orders.place.v1"),
    }
)
EDGES = frozenset(
    {
        ("gateway", "risk"),
        ("gateway", "ledger"),
        ("gateway", "market_making"),
        ("gateway", "execution"),
        ("risk", "hedging"),
        ("risk", "ledger"),
        ("hedging", "execution"),
        ("hedging", "ledger"),
        ("execution", "gateway"),
        ("execution", "ledger"),
        ("gateway", "pricing"),
        ("pricing", "market_making"),
        ("pricing", "risk"),
    }
)


@dataclass(frozen=True)
class Lack:
    """A fill, and what its trace does not show."""

    trade_id: str
    trace_id: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """`fills` were asked about; `hedges` of them had an order; of the others `quotes_told` tell of
    the quote that they took."""

    fills: int
    hedges: int
    quotes_told: int
    lacking: tuple[Lack, ...]
    missing_edges: tuple[str, ...]

    @property
    def complete_ratio(self) -> float:
        return 1.0 - len(self.lacking) / self.fills if self.fills else 0.0


def judge(traces: Traces, edges: Iterable[tuple[str, str]], order_of: dict[str, str]) -> Verdict:
    """Judges every fill of `order_of`: its trade id, and its order id if it was a hedge's."""
    published: dict[str, list[Span]] = {}
    for span in traces.named("gateway", FILL):
        published.setdefault(span.message_id, []).append(span)
    lacking = []
    quotes_told = 0
    for trade_id, order_id in order_of.items():
        spans = published.get(f"fill-{trade_id}", [])
        missing = lacks(traces, spans, is_hedge=bool(order_id))
        quotes_told += not order_id and tells_of_its_quote(traces, spans)
        if missing:
            trace_id = spans[0].place.trace_id if spans else ""
            lacking.append(Lack(trade_id, trace_id, missing))
    return Verdict(
        fills=len(order_of),
        hedges=sum(1 for order_id in order_of.values() if order_id),
        quotes_told=quotes_told,
        lacking=tuple(lacking),
        missing_edges=tuple(f"{one} -> {other}" for one, other in sorted(EDGES - set(edges))),
    )


def lacks(traces: Traces, published: list[Span], *, is_hedge: bool) -> tuple[str, ...]:
    """Returns what a fill's trace does not hold. A gateway that died may have said it twice."""
    if not published:
        return ("gateway publish orders.fill.v1.{key}",)
    after: set[tuple[str, str]] = set()
    before: set[tuple[str, str]] = set()
    for span in published:
        after |= {(one.service, one.name) for one in traces.following(span)}
        before |= {(one.service, one.name) for one in traces.before(span)}
    wanted = (AFTER_A_HEDGE if is_hedge else AFTER) - after
    if is_hedge:
        wanted |= BEFORE_A_HEDGE - before
    return tuple(sorted(f"{service} {name}" for service, name in wanted))


def tells_of_its_quote(traces: Traces, published: list[Span]) -> bool:
    return any(
        (one.service, one.name) in QUOTE for span in published for one in traces.following(span)
    )
