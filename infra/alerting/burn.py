"""SLOs, and the alerts on how fast their error budgets burn: many windows, as Google's SRE workbook
(chapter 5) has them. They look back for hours, so they are Prometheus' alone; the desk's own
watcher judges what cannot wait (declared.py).
"""

from dataclasses import dataclass

from infra.alerting.declared import RUNBOOKS, Severity


@dataclass(frozen=True)
class Slo:
    """`errors` is PromQL for the share of what went wrong over a window named {window}."""

    name: str
    owner: str
    says: str
    objective: float
    errors: str

    @property
    def record(self) -> str:
        """Returns the stem of the recording rules, one a window."""
        return f"slo:{self.name.lower()}_errors:ratio"


@dataclass(frozen=True)
class Burn:
    """At `rate` times the even pace, over both windows: `spent` of a month's budget is gone."""

    suffix: str
    severity: Severity
    rate: float
    long: str
    short: str
    for_s: int


BURNS = (
    Burn("BurnsFast", "page", 14.4, "1h", "5m", 120),
    Burn("Burns", "page", 6.0, "6h", "30m", 900),
    Burn("BurnsSlowly", "ticket", 1.0, "3d", "6h", 3_600),
)
SLOS = (
    Slo(
        "QuotingUptime",
        "trading",
        "95 % of the quotable instruments are two-sided",
        0.95,
        "1 - sum(avg_over_time(desk:quote_two_sided:count[{window}]))"
        " / sum(avg_over_time(desk:quote_quotable:count[{window}]))",
    ),
    Slo(
        "TickToQuote",
        "trading",
        "99 % of ticks are answered within 1 ms",
        0.99,
        '1 - sum(rate(tick_to_quote_seconds_bucket{{le="0.001"}}[{window}]))'
        " / sum(rate(tick_to_quote_seconds_count[{window}]))",
    ),
    Slo(
        "Delivery",
        "platform",
        "99.9 % of lossy messages are handled, none dropped or late",
        0.999,
        "sum(rate(message_dropped_total[{window}])) / sum(rate(message_handled_total[{window}]))",
    ),
)
WINDOWS = tuple(dict.fromkeys(window for burn in BURNS for window in (burn.long, burn.short)))


def alert_name(slo: Slo, burn: Burn) -> str:
    return f"{slo.name}{burn.suffix}"


def runbook(slo: Slo) -> str:
    """Returns the path of its runbook: one for all its burn rates."""
    return f"{RUNBOOKS}/{slo.name}Burns.md"


def expression(slo: Slo, burn: Burn) -> str:
    bound = f"{burn.rate:g} * {1 - slo.objective:.6g}"
    return f"{slo.record}_{burn.long} > {bound} and {slo.record}_{burn.short} > {bound}"
