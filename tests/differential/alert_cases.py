"""Cases for every alert: series that must raise it, and series that must not.

Each case is put to promtool (over the rule files that Prometheus loads) and to the desk's own
watcher; both must say what stands here. The values are written by hand, not from the declarations:
a bound that is moved must fail here. Notation is promtool's: `0x9` is a zero and nine more.
"""

from typing import NamedTuple


class Case(NamedTuple):
    """`quiet` is the nearest thing that is no fault. `at_s`: when both are judged."""

    alert: str
    fires: dict[str, str]
    quiet: dict[str, str]
    at_s: int = 20


BTC = '{underlying="BTC",service="risk"}'
STARTED = "process_start_time_seconds"


def of(service, **labels):
    pairs = {"service": service, **labels}
    return "{" + ",".join(f'{name}="{value}"' for name, value in pairs.items()) + "}"


VENUE_QUOTES = "quote_venue_count" + of("venue", underlying="BTC")
LEASE = "lease_left_seconds" + BTC
LIMIT = "limit_used_ratio" + of("risk", underlying="BTC", limit="vega")
MAKER = of("market_making")
ENDS = "bus_certificate_expiry_timestamp_seconds"
SERVERS_OWN = ENDS + of("alerting", server="nats-1:4222", certificate="server")
AUTHORITYS = ENDS + of("alerting", server="nats-1:4222", certificate="authority")
CASES = (
    Case(
        "QuotesWithoutLease",
        {VENUE_QUOTES: "40x30", LEASE: "-2x30"},
        {VENUE_QUOTES: "40x30", LEASE: "-1x30"},
    ),
    Case(
        "QuotesWithoutLease",
        {VENUE_QUOTES: "40x30", LEASE: "-2x30"},
        {VENUE_QUOTES: "0x30", LEASE: "-60x30"},
    ),
    Case(
        "QuotesUnattended",
        {VENUE_QUOTES: "40x30", f"up{MAKER}": "0x30"},
        {VENUE_QUOTES: "40x30", f"up{MAKER}": "1x30", "up" + of("risk"): "0x30"},
    ),
    Case("KillEngaged", {f"halt_active{BTC}": "1x30"}, {f"halt_active{BTC}": "0x30"}),
    Case("LimitBreached", {LIMIT: "1.01x30"}, {LIMIT: "1x30"}),
    Case(
        "ReconciliationBreak",
        {f"reconciliation_broken{BTC}": "1x30"},
        {f"reconciliation_broken{BTC}": "0x30"},
    ),
    Case(
        "OrphanOrder",
        {"order_orphan_count" + of("execution"): "1x30"},
        {"order_orphan_count" + of("execution"): "0x18 1 1"},
    ),
    Case(
        "HedgeOverdue",
        {"hedge_open_seconds" + of("hedging", underlying="ETH"): "26x30"},
        {"hedge_open_seconds" + of("hedging", underlying="ETH"): "25x30"},
    ),
    Case(
        "MessageLost",
        {"message_critical_dropped_total" + of("ledger"): "0x10 1x20"},
        {"message_critical_dropped_total" + of("ledger"): "1x30"},
    ),
    Case(
        "RecordLost",
        {f"path_record_lost_total{MAKER}": "0x10 5x20"},
        {f"path_record_lost_total{MAKER}": "5x30"},
    ),
    Case("AgentSilent", {"up" + of("risk"): "1x10 0x20"}, {"up" + of("risk"): "1x19 0"}),
    Case(
        "AgentRestarted",
        {STARTED + of("pricing"): "100x10 _x3 113x20"},
        {STARTED + of("pricing"): "100x10 _x3 100x20"},
    ),
    Case("BusAway", {"bus_up" + of("risk"): "1x10 0x20"}, {"bus_up" + of("risk"): "1x30"}),
    Case(
        "CertificateRefused",
        {"bus_certificate_refused" + of("alerting", server="nats-1:4222"): "1x30"},
        {"bus_certificate_refused" + of("alerting", server="nats-1:4222"): "0x30"},
    ),
    Case("CertificateEnds", {SERVERS_OWN: "172810x30"}, {SERVERS_OWN: "172830x30"}),
    Case(
        "OutboxStuck",
        {"outbox_age_seconds" + of("gateway"): "3.5x30"},
        {"outbox_age_seconds" + of("gateway"): "2x30"},
    ),
    Case(
        "MemorySqueezed",
        {"memory_used_ratio" + of("ledger"): "0.95x30"},
        {"memory_used_ratio" + of("ledger"): "0.85x30"},
    ),
    Case(
        "DiskFull",
        {"disk_free_bytes" + of("alerting"): "100000000x30"},
        {"disk_free_bytes" + of("alerting"): "300000000x30"},
    ),
    Case(
        "JournalBehind",
        {"journal_age_seconds" + of("ledger"): "3.5x30"},
        {"journal_age_seconds" + of("ledger"): "2.5x30"},
    ),
    Case(
        "ClockStepped",
        {"clock_step_seconds" + of("pricing"): "2x30"},
        {"clock_step_seconds" + of("pricing"): "0.2x30"},
    ),
    Case(
        "BreakerOpen",
        {"breaker_state" + of("pricing", dependency="ticks", state="open"): "0x10 1x20"},
        {
            "breaker_state" + of("pricing", dependency="ticks", state="half_open"): "1x30",
            "breaker_state" + of("pricing", dependency="ticks", state="open"): "0x30",
        },
    ),
    Case(
        "RingFilling", {f"ring_used_ratio{MAKER}": "0.3x30"}, {f"ring_used_ratio{MAKER}": "0.2x30"}
    ),
    Case(
        "InboxFilling",
        {"inbox_pending_messages" + of("risk"): "2500x30"},
        {"inbox_pending_messages" + of("risk"): "1500x30"},
    ),
    Case(
        "VenueDisconnected",
        {"venue_session_up" + of("market_making", session="fix"): "1x10 0x20"},
        {"venue_session_up" + of("market_making", session="fix"): "1x30"},
    ),
    Case("FeedStale", {f"tick_age_seconds{BTC}": "2.6x30"}, {f"tick_age_seconds{BTC}": "2.4x30"}),
    Case(
        "MulticastSilent",
        {f"multicast_age_seconds{MAKER}": "2.1x30"},
        {f"multicast_age_seconds{MAKER}": "1.9x30"},
    ),
    Case(
        "SurfaceStale",
        {f"surface_age_seconds{BTC}": "5.1x30"},
        {f"surface_age_seconds{BTC}": "4.9x30"},
    ),
    Case("LeaseRefused", {f"lease_refused{BTC}": "1x30"}, {f"lease_refused{BTC}": "0x18 1 1"}),
    Case(
        "QuotingStopped",
        {
            "quote_live_count" + of("market_making", underlying="BTC", sides="one"): "0x30",
            "quote_live_count" + of("market_making", underlying="BTC", sides="two"): "0x30",
        },
        {
            "quote_live_count" + of("market_making", underlying="BTC", sides="one"): "1x30",
            "quote_live_count" + of("market_making", underlying="BTC", sides="two"): "0x30",
        },
    ),
    Case(
        "VenueRejects",
        {"quote_rejected_total" + of("market_making", underlying="BTC"): "0+30x30"},
        {"quote_rejected_total" + of("market_making", underlying="BTC"): "0+15x30"},
    ),
    Case(
        "OrdersRejected",
        {"order_rejected_total" + of("gateway"): "0+1x40"},
        {"order_rejected_total" + of("gateway"): "0x20 0+0.2x20"},
        at_s=35,
    ),
    Case(
        "AgentAlarm",
        {
            "alert_raised_total" + of("risk", alert="hard_limit", severity="page"): "_x40 1x50",
            "up" + of("risk"): "1x90",
            "alert_raised_total" + of("risk", alert="halted", severity="ticket"): "1x90",
        },
        {
            "alert_raised_total" + of("risk", alert="hard_limit", severity="page"): "1x90",
            "alert_raised_total" + of("risk", alert="halted", severity="ticket"): "_x70 1x20",
            "up" + of("risk"): "1x90",
        },
        at_s=80,
    ),
    Case(
        "BusReconnected",
        {"bus_connected_total" + of("risk"): "1x10 2x20"},
        {"bus_connected_total" + of("risk"): "0x10 1x20"},
    ),
    Case("CertificateEndNear", {AUTHORITYS: "1209610x30"}, {AUTHORITYS: "1209630x30"}),
    Case(
        "BusSlow",
        {"bus_ack_seconds" + of("risk"): "0.8x30"},
        {"bus_ack_seconds" + of("risk"): "0.7x30"},
    ),
    Case(
        "StreamPeerAway",
        {"stream_peer_away_count" + of("alerting", stream="RECORD"): "1x30"},
        {"stream_peer_away_count" + of("alerting", stream="RECORD"): "0x18 1x0 0x10"},
    ),
    Case(
        "ConsumerBehind",
        {"stream_pending_messages" + of("alerting", stream="RECORD", consumer="risk"): "2500x30"},
        {"stream_pending_messages" + of("alerting", stream="RECORD", consumer="risk"): "1900x30"},
    ),
    Case(
        "MessageStorm",
        {
            "message_handled_total" + of("risk", kind="TicksV1"): "0+2000x30",
            "message_handled_total" + of("risk", kind="QuotesV1"): "0+1000x30",
        },
        {
            "message_handled_total" + of("risk", kind="TicksV1"): "0+450x30",
            "message_handled_total" + of("gateway", kind="VenueNotice"): "0+900x30",
        },
    ),
    Case(
        "MessagesShed",
        {"message_dropped_total" + of("risk", reason="inbox_full"): "0+20x30"},
        {
            "message_dropped_total" + of("risk", reason="inbox_full"): "0+5x30",
            "message_dropped_total" + of("risk", reason="too_old"): "0+50x30",
        },
    ),
    Case(
        "BusLossy",
        {"message_missed_total" + of("pricing"): "0+2x30"},
        {"message_missed_total" + of("pricing"): "0+1x30"},
    ),
    Case(
        "BusDisordered",
        {"message_disordered_total" + of("risk"): "0+2x30"},
        {"message_disordered_total" + of("risk"): "0+1x30"},
    ),
    Case(
        "PoisonMessages",
        {"message_dead_lettered_total" + of("risk"): "0x10 1x20"},
        {"message_dead_lettered_total" + of("risk"): "1x30"},
    ),
    Case(
        "SurfaceRefused",
        {"surface_fallback" + of("pricing", underlying="BTC"): "1x30"},
        {"surface_fallback" + of("pricing", underlying="BTC"): "0x30"},
    ),
    Case(
        "GapStorm",
        {f"multicast_gap_total{MAKER}": "0+2x30"},
        {f"multicast_gap_total{MAKER}": "0+0.2x30"},
    ),
    Case(
        "BookGaps",
        {"book_gap_total" + of("gateway"): "0+1x30"},
        {"book_gap_total" + of("gateway"): "0x10 1x20"},
    ),
    Case("LimitNear", {LIMIT: "0.81x30"}, {LIMIT: "0.79x30"}),
    Case(
        "OrderDoubtful",
        {"order_doubtful_count" + of("gateway"): "1x30"},
        {"order_doubtful_count" + of("gateway"): "0x16 1x10"},
    ),
    Case(
        "VenueThrottled",
        {"venue_throttled_total" + of("gateway", session="hedgerow-gateway"): "0x10 1x20"},
        {"venue_throttled_total" + of("gateway", session="hedgerow-gateway"): "1x30"},
    ),
    Case(
        "VenueClockOff",
        {"venue_clock_offset_seconds" + of("gateway"): "0.6x30"},
        {"venue_clock_offset_seconds" + of("gateway"): "0.4x30"},
    ),
    Case(
        "ListingRoomLow",
        {"listing_room_count" + of("venue"): "999x30"},
        {"listing_room_count" + of("venue"): "1000x30"},
    ),
    Case(
        "PageUndelivered",
        {"page_failed_total" + of("alerting", reason="webhook"): "0x10 1x20"},
        {"page_failed_total" + of("alerting", reason="webhook"): "1x30"},
    ),
)
