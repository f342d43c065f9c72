"""Every metric there is, once: what it is called, what it says, its labels, and who tells it.

A metric is `<subject>_<what>_<unit>` in base units; prometheus_client adds `_total` to counters. A
label's values are bounded, never an id of an order, a trade or a message: LABELS says by what.
Service, instance and run are labels that the scraper adds. A contract test holds all of this, and
that whoever is named here does tell the metric, and nobody tells another.
"""

from typing import Literal, NamedTuple

BUCKETS_S = (0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0)
SERIES_MAX = 256  # of one metric of one agent

LABELS = {
    "alert": "names of alerts in the code",
    "certificate": "server, authority",
    "consumer": "services that read a stream",
    "dependency": "what the services' wiring names",
    "delta": "bands of |delta|: 10-35, 35-65, 65-90",
    "greek": "delta, gamma, vega, theta",
    "horizon": "1s, 10s, 60s",
    "kind": "classes of messages and events in the code",
    "limit": "delta, gamma, vega, loss",
    "outcome": "ok, failed, slow, not_permitted",
    "reason": "reasons in the code",
    "server": "servers of the bus",
    "session": "venue sessions of the desk",
    "severity": "page, ticket, info",
    "sides": "one, two",
    "state": "states of a circuit breaker",
    "stream": "the desk's streams",
    "tenor": "bands of time to expiry: 1d, 1w, 1m, 1q, 1y",
    "term": "terms of the P&L explain",
    "underlying": "the desk's underlyings",
}


class Declared(NamedTuple):
    """A metric's declaration. `of`: the services that tell it; empty: every agent's shell."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Literal["counter", "gauge", "histogram"] = "gauge"
    of: tuple[str, ...] = ()


def _counter(name: str, text: str, *labels: str, of: tuple[str, ...] = ()) -> Declared:
    return Declared(name, text, labels, "counter", of)


def _gauge(name: str, text: str, *labels: str, of: tuple[str, ...] = ()) -> Declared:
    return Declared(name, text, labels, "gauge", of)


def _histogram(name: str, text: str, *labels: str, of: tuple[str, ...] = ()) -> Declared:
    return Declared(name, text, labels, "histogram", of)


# ---- of the shell: every agent has them ----------------------------------------------------------
COUNTERS = (
    _counter("message_handled", "Inputs the core has taken.", "kind"),
    _counter("handler_failed", "Inputs whose handler raised: the agent ends.", "kind"),
    _counter("message_published", "Messages the core has given to the bus.", "kind"),
    _counter(
        "message_dropped", "Lossy messages lost: full queue, too old, bus away.", "reason", "kind"
    ),
    _counter("message_critical_dropped", "Durable or state messages lost. Must stay 0."),
    _counter("message_missed", "Numbered lossy messages that never came."),
    _counter("message_disordered", "Numbered lossy messages that came late, or twice."),
    _counter("message_doubled", "Durable messages that had been handled before.", "kind"),
    _counter("message_dead_lettered", "Inputs that could not be read."),
    _counter("message_resent", "Publications repeated under the same id."),
    _counter("timer_skipped", "Timer ticks that fell due while the one before still waited."),
    _counter("bus_connected", "Connections to NATS, the first included."),
    _counter(
        "follower_rebound", "Stream readers bound anew after a hole, silence or reconnection."
    ),
    _counter("alert_raised", "Alerts that the core has published.", "alert", "severity"),
)
GAUGES = (
    _gauge("agent_ready", "1 when the agent is ready."),
    _gauge("bus_up", "1 while NATS is connected."),
    _gauge("bus_ack_seconds", "Slowest confirmation by JetStream in the last two seconds."),
    _gauge("outbox_pending_messages", "Messages that JetStream has not confirmed."),
    _gauge(
        "outbox_age_seconds",
        "How long the oldest message has been without a confirmation, sent again or not.",
    ),
    _gauge("inbox_pending_messages", "Inputs that wait for the core."),
    _gauge("loop_delay_seconds", "How late the last heartbeat was."),
    _gauge("clock_step_seconds", "Largest step of the time of day in the last half minute."),
    _gauge("memory_used_ratio", "Resident memory over its bound: the cgroup's, or one GiB."),
)
HISTOGRAMS = (
    _histogram("handler_duration_seconds", "Time a handler took, its outputs routed.", "kind"),
    _histogram("message_age_seconds", "Age of a lossy message when it reached the core.", "kind"),
)
# What prometheus_client's collector would tell of a process, under its names: not ours to choose.
PROCESS = (
    _gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
    _gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
    _gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds."),
    _counter("process_cpu_seconds", "Total user and system CPU time spent in seconds."),
    _gauge("process_max_fds", "Maximum number of open file descriptors."),
    _gauge("process_open_fds", "Number of open file descriptors."),
)

# ---- of cores and edges: read when somebody looks ------------------------------------------------
VENUE, GATEWAY, PRICING, EXECUTION, RISK, LEDGER = (
    ("venue",), ("gateway",), ("pricing",), ("execution",), ("risk",), ("ledger",)
)  # fmt: skip
MAKER, HEDGING, ALERTING = ("market_making",), ("hedging",), ("alerting",)
SESSIONS = ("gateway", "market_making")
JOURNALS = ("ledger", "market_making")
GUARDED = ("execution", "gateway", "hedging", "ledger", "market_making", "pricing", "risk")

QUOTING = (
    _gauge("quote_live_count", "Instruments quoted now.", "underlying", "sides", of=MAKER),
    _gauge("quote_quotable_count", "Instruments in the quoted range.", "underlying", of=MAKER),
    _gauge("quote_uptime_ratio", "Two-sided over quotable time.", "underlying", of=MAKER),
    _gauge("quote_blocked", "1 while the gate lets nothing be quoted.", "underlying", of=MAKER),
    _counter("quote_sent", "Sides sent.", "underlying", of=MAKER),
    _counter("quote_gated", "Sides that the gate refused.", "underlying", of=MAKER),
    _counter("quote_rejected", "Sides that the venue refused.", "underlying", of=MAKER),
    _counter("quote_pulled", "Times that all quotes were pulled.", "underlying", of=MAKER),
    _counter("protection_tripped", "Trips of the venue's protection.", "underlying", of=MAKER),
    _gauge(
        "lease_left_seconds",
        "Life left of the newest quoting lease: as given (risk), as held (market_making).",
        "underlying",
        of=("market_making", "risk"),
    ),
    _histogram(
        "tick_to_quote_seconds",
        "A datagram's arrival to its quotes' sending, in the C loop.",
        of=MAKER,
    ),
    _gauge("multicast_age_seconds", "Since the newest datagram with an event.", of=MAKER),
    _counter("multicast_datagram", "Datagrams of the venue that were taken.", of=MAKER),
    _counter("multicast_message", "Messages in them: books, tickers, trades, indices.", of=MAKER),
    _counter("multicast_gap", "Holes in the datagrams' numbers.", of=MAKER),
    _gauge("multicast_stale_count", "Instruments whose book is not proved fresh.", of=MAKER),
    _counter("path_record", "Records of the C loop.", of=MAKER),
    _counter("path_record_lost", "Records of the C loop that found no room.", of=MAKER),
    _gauge("ring_used_ratio", "Share of the record ring that waits to be drained.", of=MAKER),
    _gauge("listing_room_count", "Contracts that the simulated venue can still list.", of=VENUE),
    _gauge(
        "quote_venue_count",
        "Sides of the desk's quotes that rest at the simulated venue.",
        "underlying",
        of=VENUE,
    ),
    _gauge(
        "quote_two_sided_ratio",
        "Share of the options with |delta| 0.10-0.90 that are two-sided now, as risk sees it.",
        "underlying",
        "tenor",
        of=RISK,
    ),
    _gauge(
        "quote_spread_vol",
        "Mean spread of two-sided quotes, in volatility (0.01: a point), as risk sees it.",
        "underlying",
        "tenor",
        "delta",
        of=RISK,
    ),
)
MARKET = (
    _gauge("venue_session_up", "1 while logged in.", "session", of=SESSIONS),
    _counter("venue_session_opened", "Log-ins, the first included.", "session", of=SESSIONS),
    _gauge("venue_budget_used_ratio", "Share of the rate limit in use.", "session", of=SESSIONS),
    _gauge("venue_waiting_count", "Requests that wait for credit.", "session", of=SESSIONS),
    _counter("venue_throttled", "Calls that the venue found too many.", "session", of=SESSIONS),
    _counter("book_gap", "Holes in the change ids of books over the WebSocket.", of=GATEWAY),
    _gauge("venue_clock_offset_seconds", "Venue time less desk time.", of=GATEWAY),
    _gauge("order_live_count", "Orders not ended, by the gateway's book.", of=GATEWAY),
    _gauge("order_doubtful_count", "Orders whose outcome is not known.", of=GATEWAY),
    _counter("order_rejected", "Orders that the venue, or the gateway, refused.", of=GATEWAY),
    _gauge("order_orphan_count", "Orders open at the venue that no intent wants.", of=EXECUTION),
    _gauge("intent_open_count", "Hedge intents under work.", of=EXECUTION),
    _gauge("hedge_open_seconds", "Age of the open hedge intent.", "underlying", of=HEDGING),
    _counter("hedge_intended", "Hedge intents.", "underlying", of=HEDGING),
    _counter("surface_published", "Surfaces published.", "underlying", of=PRICING),
    _counter("surface_refused", "Fits that were not believed.", "underlying", of=PRICING),
    _gauge("surface_fallback", "1 while an old surface stands in.", "underlying", of=PRICING),
    _gauge("surface_fit_seconds", "Time that the newest fit took.", "underlying", of=PRICING),
)
HOLDING = (
    _gauge("greek_coin", "Delta in coin, gamma in coin per USD.", "underlying", "greek", of=RISK),
    _gauge("greek_usd", "Vega a point, theta a day, in USD.", "underlying", "greek", of=RISK),
    _gauge("limit_used_ratio", "Share of a limit in use.", "underlying", "limit", of=RISK),
    _gauge("pnl_usd", "P&L explain since the start, by term.", "underlying", "term", of=RISK),
    _counter("fill_booked", "Fills in risk's book.", "underlying", of=RISK),
    _gauge(
        "markout_usd",
        "What own quotes' fills were worth later, at the mark, beyond the mark at the fill: sum.",
        "underlying",
        "horizon",
        of=RISK,
    ),
    _counter("markout_fill", "Fills in that sum.", "underlying", "horizon", of=RISK),
    _gauge("halt_active", "1 while quoting is halted.", "underlying", of=RISK),
    _gauge("lease_refused", "1 while risk gives no lease.", "underlying", of=RISK),
    _gauge("tick_age_seconds", "Since the newest tick, as risk sees it.", "underlying", of=RISK),
    _gauge("surface_age_seconds", "Age of the surface's market.", "underlying", of=RISK),
    _gauge("feed_up", "1 while the gateway says that the venue is there.", of=RISK),
    _gauge("reconciliation_broken", "1 while the venue's account differs.", "underlying", of=RISK),
    _counter("reconciliation_checked", "Comparisons with the venue.", "underlying", of=RISK),
    _gauge("journal_pending_count", "Entries not yet durable.", of=JOURNALS),
    _gauge("journal_age_seconds", "How long the oldest of them has waited.", of=JOURNALS),
    _histogram("journal_sync_seconds", "Time that a group took to be on the disk.", of=JOURNALS),
    _counter("journal_entry", "Entries on the disk.", of=JOURNALS),
)
WATCH = (
    _gauge("alert_active", "1 while an alert is active.", "alert", "severity", of=ALERTING),
    _gauge("disk_free_bytes", "Room left where the run is kept.", of=ALERTING),
    _gauge("stream_bytes", "Size of a stream.", "stream", of=ALERTING),
    _gauge(
        "stream_pending_messages", "Not delivered or acknowledged.", "stream", "consumer",
        of=ALERTING,
    ),
    _gauge("stream_peer_away_count", "Replicas that are away or behind.", "stream", of=ALERTING),
    _gauge(
        "bus_certificate_expiry_timestamp_seconds",
        "When what a server shows to whom connects now ends: its certificate, its authority's.",
        "server", "certificate",
        of=ALERTING,
    ),
    _gauge(
        "bus_certificate_refused", "1 while nobody who connects now would trust a server.",
        "server",
        of=ALERTING,
    ),
    _counter("page_failed", "Pages that could not be delivered.", "reason", of=ALERTING),
)  # fmt: skip
BREAKERS = (
    _gauge(
        "breaker_state",
        "1 for the state a circuit breaker is in, 0 for the others.",
        "dependency",
        "state",
        of=GUARDED,
    ),
    _counter(
        "breaker_calls",
        "Calls to a dependency: ok, failed, slow, or not_permitted by its breaker.",
        "dependency",
        "outcome",
        of=GUARDED,
    ),
)
READINGS = {one.name: one for one in (*QUOTING, *MARKET, *HOLDING, *WATCH, *BREAKERS)}
ALL = {one.name: one for one in (*COUNTERS, *GAUGES, *HISTOGRAMS, *READINGS.values())}
# What alerts are raised on (infra/alerting/declared.py; a contract test compares): each agent tells
# the watcher its own of these, every second.
JUDGED = frozenset(
    {
        "alert_raised",
        "book_gap",
        "breaker_state",
        "bus_ack_seconds",
        "bus_connected",
        "bus_up",
        "clock_step_seconds",
        "halt_active",
        "hedge_open_seconds",
        "inbox_pending_messages",
        "journal_age_seconds",
        "lease_left_seconds",
        "lease_refused",
        "limit_used_ratio",
        "listing_room_count",
        "memory_used_ratio",
        "message_critical_dropped",
        "message_dead_lettered",
        "message_disordered",
        "message_dropped",
        "message_handled",
        "message_missed",
        "multicast_age_seconds",
        "multicast_gap",
        "order_doubtful_count",
        "order_orphan_count",
        "order_rejected",
        "outbox_age_seconds",
        "path_record_lost",
        "process_start_time_seconds",
        "quote_live_count",
        "quote_rejected",
        "quote_venue_count",
        "reconciliation_broken",
        "ring_used_ratio",
        "surface_age_seconds",
        "surface_fallback",
        "tick_age_seconds",
        "venue_clock_offset_seconds",
        "venue_session_up",
        "venue_throttled",
    }
)
