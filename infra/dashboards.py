"""Grafana's dashboards, as data: `make docs` writes them to infra/grafana/dashboards as JSON.

A panel's title is the question that it answers. A test puts every query to a Prometheus that has
scraped a running desk, and none may come back empty.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).resolve().parent / "grafana" / "dashboards"
WIDTH, HEIGHT, ACROSS = 8, 8, 3  # of a panel on Grafana's grid of 24
SCHEMA_VERSION = 39


@dataclass(frozen=True)
class Panel:
    """`queries`: PromQL by legend. `hint`: what to do with the answer."""

    question: str
    hint: str
    queries: dict[str, str]
    unit: str = "short"
    shows: Literal["timeseries", "stat", "heatmap", "table"] = "timeseries"


def _by(metric: str, *labels: str) -> dict[str, str]:
    """Returns the query of a gauge, a line a label."""
    return {" ".join(f"{{{{{label}}}}}" for label in labels): metric}


def _rate(metric: str, *labels: str, window: str = "1m") -> dict[str, str]:
    query = f"sum by ({', '.join(labels)}) (rate({metric}_total[{window}]))"
    return {" ".join(f"{{{{{label}}}}}" for label in labels): query}


DESK = (
    Panel(
        "Are we quoting, and how much of the range?",
        "Below 95 %: QuotingStopped, LeaseRefused, or a limit.",
        {"{{underlying}} two-sided": "desk:quote_two_sided:ratio"},
        "percentunit",
    ),
    Panel(
        "At which tenor are we one-sided?",
        "As risk sees it, |delta| 0.10-0.90. One tenor only: its surface or its limits.",
        _by("quote_two_sided_ratio", "underlying", "tenor"),
        "percentunit",
    ),
    Panel(
        "How wide are we, by tenor and delta?",
        "In volatility. Widening with nothing in the market: an old surface, or protection.",
        _by("quote_spread_vol", "underlying", "tenor", "delta"),
        "percentunit",
    ),
    Panel(
        "What do we earn, and by which term?",
        "Edge pays for the moves; a residual that grows is a bug.",
        _by("pnl_usd", "underlying", "term"),
        "currencyUSD",
    ),
    Panel(
        "Are we picked off?",
        "USD a fill after 1, 10 and 60 s. Falling with the horizon: those who hit us know.",
        {"{{underlying}} {{horizon}}": "desk:markout_usd_per_fill:ratio"},
        "currencyUSD",
    ),
    Panel(
        "How much of each limit is in use?",
        "Above 0.8 quotes only reduce; at 2 risk halts.",
        _by("limit_used_ratio", "underlying", "limit"),
        "percentunit",
    ),
    Panel(
        "What do we hold?",
        "Delta in coin; gamma is small in coin per USD.",
        _by("greek_coin", "underlying", "greek"),
    ),
    Panel(
        "What do vega and theta come to?",
        "A volatility point, and a day, in USD.",
        _by("greek_usd", "underlying", "greek"),
        "currencyUSD",
    ),
    Panel("How often are we hit?", "Fills a second.", _rate("fill_booked", "underlying"), "ops"),
    Panel(
        "Does hedging keep up?",
        "Age of the open intent; above 25 s HedgeOverdue wakes somebody.",
        _by("hedge_open_seconds", "underlying"),
        "s",
    ),
    Panel(
        "How much of the venue's allowance do we use?",
        "Near 1, requests wait for credit.",
        _by("venue_budget_used_ratio", "session"),
        "percentunit",
    ),
    Panel(
        "How much do we say, and what is refused?",
        "Sides a second: sent, refused by our gate, refused by the venue.",
        {
            "{{underlying}} sent": "sum by (underlying) (rate(quote_sent_total[1m]))",
            "{{underlying}} gated": "sum by (underlying) (rate(quote_gated_total[1m]))",
            "{{underlying}} rejected": "sum by (underlying) (rate(quote_rejected_total[1m]))",
        },
        "ops",
    ),
)
LATENCY = (
    Panel(
        "How long from tick to quote?",
        "Exemplars point to the trace of a tick. p99 above 1 ms spends the error budget.",
        {
            "p50": "desk:tick_to_quote_seconds:p50_1m",
            "p99": "desk:tick_to_quote_seconds:p99_1m",
        },
        "s",
    ),
    Panel(
        "How are the times spread?",
        "A second hump is a second cause.",
        {"{{le}}": "sum by (le) (rate(tick_to_quote_seconds_bucket[1m]))"},
        "s",
        "heatmap",
    ),
    Panel(
        "Which handler is slow?",
        "p99 by agent and message.",
        {"{{service}} {{kind}}": "service_kind:handler_duration_seconds:p99_1m"},
        "s",
    ),
    Panel(
        "What does each handler take in?",
        "Inputs a second.",
        {"{{service}} {{kind}}": "service_kind:message_handled:rate1m"},
        "ops",
    ),
    Panel(
        "Where do handlers fail?",
        "Any at all ends its agent: the log has the input. Unreadable inputs are buried instead.",
        {
            "{{service}} buried": "sum by (service) (rate(message_dead_lettered_total[1m]))",
            "failed, all agents": "sum(rate(handler_failed_total[1m])) or vector(0)",
        },
        "ops",
    ),
    Panel(
        "How old are messages when they arrive?",
        "p99 by kind; the bus and the sender's queue.",
        {
            "{{kind}}": "histogram_quantile(0.99, sum by (kind, le)"
            " (rate(message_age_seconds_bucket[1m])))"
        },
        "s",
    ),
    Panel(
        "How long does a fit take?",
        "Above a tenth of a second: a bad start or a bad chain.",
        _by("surface_fit_seconds", "underlying"),
        "s",
    ),
    Panel(
        "Are loops held up?",
        "How late the last heartbeat was: above a second the machine is starved.",
        _by("loop_delay_seconds", "service"),
        "s",
    ),
    Panel(
        "How long does the disk take?",
        "p99 of a group's sync.",
        {
            "{{service}}": "histogram_quantile(0.99, sum by (service, le)"
            " (rate(journal_sync_seconds_bucket[1m])))"
        },
        "s",
    ),
)
BUS = (
    Panel("Who is connected?", "0: BusAway.", _by("bus_up", "service")),
    Panel(
        "How long does JetStream take to confirm?",
        "The slowest of two seconds. All agents alike: the server's disk.",
        _by("bus_ack_seconds", "service"),
        "s",
    ),
    Panel(
        "What waits to be confirmed?",
        "Messages in outboxes; at 20,000 an agent ends.",
        _by("outbox_pending_messages", "service"),
    ),
    Panel(
        "What waits for the cores?",
        "Inputs in inboxes. One agent alone: it is slow. All: a storm.",
        _by("inbox_pending_messages", "service"),
    ),
    Panel(
        "Which readers are behind?",
        "Of each stream, by service.",
        _by("stream_pending_messages", "stream", "consumer"),
    ),
    Panel("How large are the streams?", "Bytes.", _by("stream_bytes", "stream"), "bytes"),
    Panel(
        "Is every replica there?",
        "Above 0: StreamPeerAway.",
        _by("stream_peer_away_count", "stream"),
    ),
    Panel(
        "When do the certificates end?",
        "Time left of what each server shows. Below 14 days: CertificateEndNear.",
        {"{{server}} {{certificate}}": "bus_certificate_expiry_timestamp_seconds - time()"},
        "s",
    ),
    Panel(
        "What is said, by kind?",
        "Messages a second.",
        _rate("message_published", "kind"),
        "ops",
    ),
    Panel(
        "What is lost, and why?",
        "Lossy messages a second. Critical ones must stay 0.",
        {
            "{{service}} lossy": "sum by (service) (rate(message_dropped_total[1m]))",
            "{{service}} critical": "sum by (service) (rate(message_critical_dropped_total[1m]))",
        },
        "ops",
    ),
    Panel(
        "Who comes back, and who says it twice?",
        "Reconnections, readers bound anew, repeated publications.",
        {
            "{{service}} connected": "sum by (service) (increase(bus_connected_total[5m]))",
            "{{service}} rebound": "sum by (service) (increase(follower_rebound_total[5m]))",
            "{{service}} resent": "sum by (service) (increase(message_resent_total[5m]))",
        },
    ),
)
SAFETY = (
    Panel(
        "What is wrong now?",
        "Active alerts, as the desk's watcher holds them; `hedgerow alerts` has the runbooks.",
        {"{{severity}} {{alert}}": "sort_desc(alert_active)"},
        shows="table",
    ),
    Panel("Does everybody answer?", "0: AgentSilent.", _by("up", "service"), shows="stat"),
    Panel(
        "Is the lease alive?",
        "As risk gave it and as market_making holds it. Below 0: no quotes.",
        _by("lease_left_seconds", "underlying", "service"),
        "s",
    ),
    Panel(
        "What rests at the venue?",
        "Sides, by the venue's own count. With no lease this must be 0.",
        _by("quote_venue_count", "underlying"),
    ),
    Panel(
        "How old is what we quote on?",
        "Ticks, datagrams, surfaces.",
        {
            "{{underlying}} ticks": "tick_age_seconds",
            "{{underlying}} surface": "surface_age_seconds",
            "datagrams": "multicast_age_seconds",
        },
        "s",
    ),
    Panel(
        "Is anything halted or refused?",
        "1: KillEngaged, LeaseRefused, or the gate.",
        {
            "{{underlying}} halted": "halt_active",
            "{{underlying}} no lease": "lease_refused",
            "{{underlying}} gate": "quote_blocked",
        },
    ),
    Panel(
        "Do our books agree with the venue's?",
        "1: ReconciliationBreak.",
        _by("reconciliation_broken", "underlying"),
    ),
    Panel(
        "Which orders does nobody want, or know?",
        "Orphans and doubtful ones: both 0.",
        {"orphans": "order_orphan_count", "doubtful": "order_doubtful_count"},
    ),
    Panel(
        "Is the record behind?",
        "Age and number of entries that wait for the disk.",
        {
            "{{service}} age": "journal_age_seconds",
            "{{service}} entries": "journal_pending_count",
        },
    ),
    Panel(
        "Is the C loop's ring filling?",
        "At 1 all quotes go.",
        _by("ring_used_ratio", "service"),
        "percentunit",
    ),
    Panel(
        "Are we on the air with the venue?",
        "0: VenueDisconnected.",
        _by("venue_session_up", "session"),
    ),
    Panel(
        "Do the clocks agree?",
        "Venue less desk, and the largest step of ours.",
        {
            "venue": "venue_clock_offset_seconds",
            "{{service}} step": "clock_step_seconds",
        },
        "s",
    ),
    Panel(
        "Is there room?",
        "Memory over its bound, by agent.",
        _by("memory_used_ratio", "service"),
        "percentunit",
    ),
    Panel("How much disk is left?", "Bytes.", {"free": "disk_free_bytes"}, "bytes", "stat"),
)
DASHBOARDS = {
    "desk": ("Desk: what we show, hold and earn", DESK),
    "latency": ("Latency: where the time goes", LATENCY),
    "bus": ("Bus: what is said, and what waits", BUS),
    "safety": ("Safety: may we trade?", SAFETY),
}


def write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


def files() -> dict[Path, str]:
    """Returns the files and what must stand in them."""
    return {
        FOLDER / f"{name}.json": json.dumps(dashboard(name, title, panels), indent=1) + "\n"
        for name, (title, panels) in DASHBOARDS.items()
    }


def queries() -> Iterator[tuple[str, str, str]]:
    """Yields (dashboard, question, PromQL) of every query of every panel."""
    for name, (_title, panels) in DASHBOARDS.items():
        for panel in panels:
            for query in panel.queries.values():
                yield name, panel.question, query


def dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """Returns a dashboard as Grafana imports it."""
    return {
        "uid": f"hedgerow-{name}",
        "title": title,
        "tags": ["hedgerow"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus"}],
        },
        "panels": [panel_json(place, panel) for place, panel in enumerate(panels)],
    }


def panel_json(place: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(place, ACROSS)
    is_instant = panel.shows in ("stat", "table")
    return {
        "id": place + 1,
        "type": panel.shows,
        "title": panel.question,
        "description": panel.hint,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "expr": query,
                "legendFormat": legend,
                "exemplar": "tick_to_quote" in query,
                "instant": is_instant,
                "format": "table" if panel.shows == "table" else "time_series",
            }
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
    }
