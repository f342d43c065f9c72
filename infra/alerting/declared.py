"""The safety alerts, once: the desk's own watcher judges them, and Prometheus' rules are made of
them (`make docs`). Worst first: that is the order in which a person hears of them.

Each is detected within five seconds of its cause, those of certificates within fifteen. `for_s` is
how long it must hold, `keep_s` how long it stays when it no longer does, so that what flickers is
one alert.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.alerting.conditions import Condition

Severity = Literal["page", "ticket", "info"]
Owner = Literal["trading", "risk", "platform"]
RUNBOOKS = "infra/runbooks"
ROOT = Path(__file__).resolve().parent.parent.parent
KEEP_S = 10


@dataclass(frozen=True)
class Alert:
    """`summary` may name labels and {value}; `owner` is whom it wakes."""

    name: str
    severity: Severity
    owner: Owner
    summary: str
    when: tuple[Condition, ...]
    for_s: int = 0
    keep_s: int = KEEP_S

    @property
    def runbook(self) -> str:
        """Returns the path of its runbook in the repository."""
        return f"{RUNBOOKS}/{self.name}.md"


def _page(name: str, owner: Owner, summary: str, *when: Condition, for_s: int = 0) -> Alert:
    return Alert(name, "page", owner, summary, when, for_s)


def _ticket(name: str, owner: Owner, summary: str, *when: Condition, for_s: int = 0) -> Alert:
    return Alert(name, "ticket", owner, summary, when, for_s)


BOOK = ("underlying",)
AGENT = ("service",)
OF_THE_QUOTER = {"service": ("market_making.*",)}  # and of its shards
OVERLOAD = {"reason": ("inbox_full", "slow_loop")}
BY_BUS = {"kind": (".+V[0-9]+",)}  # messages: the venue's pace and our timers are no storm of ours
DISK_FREE_BYTES_MIN = 256 * 1024 * 1024

ENDS: tuple[str, Literal["<"]] = ("bus_certificate_expiry_timestamp_seconds", "<")
STOPPED = {"state": ("open", "forced_open")}

MONEY = (
    _page(
        "QuotesWithoutLease",
        "risk",
        "{underlying}: {value} sides rest at the venue, and no lease is alive",
        Condition("quote_venue_count", ">", 0, BOOK),
        Condition("lease_left_seconds", "<", -1.5, BOOK),
    ),
    _page(
        "QuotesUnattended",
        "trading",
        "{underlying}: {value} sides rest at the venue, and market_making does not answer",
        Condition("quote_venue_count", ">", 0, BOOK),
        Condition("up", "<", 1, (), "min", OF_THE_QUOTER),
        for_s=1,
    ),
    _page(
        "KillEngaged",
        "risk",
        "{underlying}: quoting is halted until a person says otherwise",
        Condition("halt_active", ">", 0, BOOK),
    ),
    _page(
        "LimitBreached",
        "risk",
        "{underlying}: {limit} at {value} of its limit",
        Condition("limit_used_ratio", ">", 1, ("underlying", "limit")),
    ),
    _page(
        "ReconciliationBreak",
        "risk",
        "{underlying}: our positions or cash are not the venue's",
        Condition("reconciliation_broken", ">", 0, BOOK),
    ),
    _page(
        "OrphanOrder",
        "trading",
        "{value} orders are open at the venue and no intent wants them",
        Condition("order_orphan_count", ">", 0, AGENT),
        for_s=2,
    ),
    _page(
        "HedgeOverdue",
        "trading",
        "{underlying}: a hedge has been under way for {value} s",
        Condition("hedge_open_seconds", ">", 25, BOOK),
    ),
    _page(
        "MessageLost",
        "platform",
        "{service} lost a message that must not be lost",
        Condition("message_critical_dropped", ">", 0, AGENT, "max", {}, "increase", 60),
    ),
    _page(
        "RecordLost",
        "trading",
        "records of the quoting loop found no room",
        Condition("path_record_lost", ">", 0, AGENT, "max", {}, "increase", 60),
    ),
)
AGENTS = (
    _page(
        "AgentSilent",
        "platform",
        "{service} does not answer",
        Condition("up", "<", 1, AGENT, "min"),
        for_s=1,
    ),
    _page(
        "AgentRestarted",
        "platform",
        "{service} died and was started again",
        Condition("process_start_time_seconds", ">", 0, AGENT, "max", {}, "changes", 60),
    ),
    _page(
        "BusAway",
        "platform",
        "{service} has no connection to NATS",
        Condition("bus_up", "<", 1, AGENT, "min"),
        for_s=1,
    ),
    _page(
        "CertificateRefused",
        "platform",
        "{server} shows a certificate that agents refuse: who loses it does not come back",
        Condition("bus_certificate_refused", ">", 0, ("server",)),
    ),
    _page(
        "CertificateEnds",
        "platform",
        "{server}: the certificate of the {certificate} ends in {value} days",
        Condition(*ENDS, 2, ("server", "certificate"), "min", {}, "days_left"),
    ),
    _page(
        "OutboxStuck",
        "platform",
        "{service}: JetStream has not confirmed a message for {value} s",
        Condition("outbox_age_seconds", ">", 3, AGENT),
    ),
    _page(
        "MemorySqueezed",
        "platform",
        "{service} uses {value} of the memory it may have",
        Condition("memory_used_ratio", ">", 0.9, AGENT),
        for_s=1,
    ),
    _page(
        "DiskFull",
        "platform",
        "{value} bytes are left where the run is kept",
        Condition("disk_free_bytes", "<", DISK_FREE_BYTES_MIN, AGENT, "min"),
    ),
    _page(
        "JournalBehind",
        "platform",
        "{service}: an entry of the journal has waited for the disk for {value} s",
        Condition("journal_age_seconds", ">", 3, AGENT),
    ),
    _page(
        "ClockStepped",
        "platform",
        "{service}: the time of day jumped by {value} s",
        Condition("clock_step_seconds", ">", 0.25, AGENT),
    ),
    _page(
        "BreakerOpen",
        "platform",
        "{service} does without {dependency}: its breaker is open, its fallback serves",
        Condition("breaker_state", ">", 0, ("service", "dependency"), "max", STOPPED),
    ),
    _page(
        "RingFilling",
        "trading",
        "{value} of the quoting loop's record ring waits to be drained",
        Condition("ring_used_ratio", ">", 0.25, AGENT),
    ),
    _page(
        "InboxFilling",
        "platform",
        "{value} inputs wait for {service}",
        Condition("inbox_pending_messages", ">", 2_000, AGENT),
        for_s=1,
    ),
)
MARKET = (
    _page(
        "VenueDisconnected",
        "trading",
        "the session {session} with the venue is down",
        Condition("venue_session_up", "<", 1, ("session",), "min"),
    ),
    _page(
        "FeedStale",
        "trading",
        "{underlying}: no tick for {value} s",
        Condition("tick_age_seconds", ">", 2.5, BOOK),
    ),
    _page(
        "MulticastSilent",
        "trading",
        "no datagram from the venue for {value} s",
        Condition("multicast_age_seconds", ">", 2, AGENT),
    ),
    _page(
        "SurfaceStale",
        "trading",
        "{underlying}: the surface is {value} s old",
        Condition("surface_age_seconds", ">", 5, BOOK),
    ),
    _page(
        "LeaseRefused",
        "risk",
        "{underlying}: risk gives no lease to quote",
        Condition("lease_refused", ">", 0, BOOK),
        for_s=2,
    ),
    _page(
        "QuotingStopped",
        "trading",
        "{underlying}: nothing is quoted",
        Condition("quote_live_count", "<", 1, BOOK, "sum"),
        for_s=2,
    ),
    _page(
        "VenueRejects",
        "trading",
        "{underlying}: the venue refused {value} sides in 10 s",
        Condition("quote_rejected", ">", 200, BOOK, "max", {}, "increase", 10),
    ),
    _page(
        "OrdersRejected",
        "trading",
        "{value} orders were refused in 30 s",
        Condition("order_rejected", ">", 10, AGENT, "max", {}, "increase", 30),
    ),
    _page(
        "AgentAlarm",
        "risk",
        "{service} raised {alert}",
        Condition(
            "alert_raised", ">", 0, ("service", "alert"), "max", {"severity": ("page",)}, "birth",
            60,
        ),
    ),
)  # fmt: skip
WATCHED = (
    _ticket(
        "BusReconnected",
        "platform",
        "{service} lost NATS and found it again",
        Condition("bus_connected", ">", 0, AGENT, "max", {}, "increase", 30),
        Condition("bus_connected", ">", 1, AGENT),  # the first time nothing was lost
    ),
    _ticket(
        "CertificateEndNear",
        "platform",
        "{server}: the certificate of the {certificate} ends in {value} days",
        Condition(*ENDS, 14, ("server", "certificate"), "min", {}, "days_left"),
    ),
    _ticket(
        "BusSlow",
        "platform",
        "{service}: JetStream took {value} s to confirm",
        Condition("bus_ack_seconds", ">", 0.75, AGENT),
        for_s=2,
    ),
    _ticket(
        "BusLossy",
        "platform",
        "{service} missed {value} numbered messages in 10 s",
        Condition("message_missed", ">", 10, AGENT, "max", {}, "increase", 10),
    ),
    _ticket(
        "BusDisordered",
        "platform",
        "{service} got {value} messages late or twice in 10 s",
        Condition("message_disordered", ">", 10, AGENT, "max", {}, "increase", 10),
    ),
    _ticket(
        "StreamPeerAway",
        "platform",
        "{value} replicas of {stream} are away or behind",
        Condition("stream_peer_away_count", ">", 0, ("stream",)),
        for_s=1,  # a burst leaves a replica behind for a moment
    ),
    _ticket(
        "ConsumerBehind",
        "platform",
        "{consumer} has {value} messages of {stream} before it",
        Condition("stream_pending_messages", ">", 2_000, ("stream", "consumer")),
        for_s=3,
    ),
    _ticket(
        "MessageStorm",
        "platform",
        "{service} took {value} messages in 10 s",
        Condition("message_handled", ">", 6_000, AGENT, "sum", BY_BUS, "increase", 10),
    ),
    _ticket(
        "MessagesShed",
        "platform",
        "{service} shed {value} messages in 10 s: it cannot keep up",
        Condition("message_dropped", ">", 100, AGENT, "sum", OVERLOAD, "increase", 10),
    ),
    _ticket(
        "PoisonMessages",
        "platform",
        "{service} buried {value} messages that nobody can read",
        Condition("message_dead_lettered", ">", 0, AGENT, "max", {}, "increase", 60),
    ),
    _ticket(
        "SurfaceRefused",
        "trading",
        "{underlying}: the newest fit was not believed, an old surface stands in",
        Condition("surface_fallback", ">", 0, BOOK),
    ),
    _ticket(
        "GapStorm",
        "trading",
        "{value} holes in the datagrams' numbers in 10 s",
        Condition("multicast_gap", ">", 3, AGENT, "max", {}, "increase", 10),
    ),
    _ticket(
        "BookGaps",
        "trading",
        "{value} holes in the books' change ids in 10 s",
        Condition("book_gap", ">", 3, AGENT, "max", {}, "increase", 10),
    ),
    _ticket(
        "LimitNear",
        "risk",
        "{underlying}: {limit} at {value} of its limit",
        Condition("limit_used_ratio", ">", 0.8, ("underlying", "limit")),
    ),
    _ticket(
        "OrderDoubtful",
        "trading",
        "the outcome of {value} orders has not been known for 5 s",
        Condition("order_doubtful_count", ">", 0, AGENT),
        for_s=5,
    ),
    _ticket(
        "VenueThrottled",
        "trading",
        "{session}: the venue found our calls too many",
        Condition("venue_throttled", ">", 0, ("session",), "max", {}, "increase", 60),
    ),
    _ticket(
        "VenueClockOff",
        "platform",
        "the venue's clock and ours differ by {value} s",
        Condition("venue_clock_offset_seconds", ">", 0.5, AGENT),
    ),
    _ticket(
        "ListingRoomLow",
        "platform",
        "the simulated venue has room for {value} more contracts",
        Condition("listing_room_count", "<", 1_000, AGENT, "min"),
    ),
    _ticket(
        "PageUndelivered",
        "platform",
        "a page could not be delivered: {reason}",
        Condition("page_failed", ">", 0, ("reason",), "max", {}, "increase", 60),
    ),
)
SAFETY = (*MONEY, *AGENTS, *MARKET, *WATCHED)
BY_NAME = {alert.name: alert for alert in SAFETY}


def rank(name: str) -> int:
    """Returns the place of an alert: lower is worse."""
    return RANKS[name]


def text_of(alert: Alert, labels: dict[str, str], value: float) -> str:
    """Returns the summary, filled in."""
    return alert.summary.format(**labels, value=f"{value:.4g}")


RANKS = {alert.name: place for place, alert in enumerate(SAFETY)}
