"""The end-of-day report: one dictionary for machines, one page for people."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from infra.observer import Observed, Observer
from shared.clock import NS_PER_S
from shared.messages.quoting import TickToQuoteV1
from shared.messages.risk import PnlTerms

TOLD = ("violations", "reconciliation_breaks", "reconciliation_checks", "fills", "halts", "pulls")
TERMS = tuple(field.name for field in msgspec.structs.fields(PnlTerms))


def summed_terms(terms: list[PnlTerms]) -> dict[str, float]:
    return {name: sum(getattr(one, name) for one in terms) for name in TERMS}


def pnl_report(seen: Observed) -> dict[str, Any]:
    """Returns the P&L explain, per underlying in coin and USD and in total in USD."""
    pnls = seen.pnls
    gross = sum(pnl.gross_usd for pnl in pnls.values())
    residual = sum(pnl.residual_gross_usd for pnl in pnls.values())
    return {
        "usd": summed_terms([pnl.usd for pnl in pnls.values()]),
        "by_underlying": {
            name: {
                "coin": msgspec.to_builtins(pnl.coin),
                "usd": msgspec.to_builtins(pnl.usd),
            }
            for name, pnl in sorted(pnls.items())
        },
        "gross_usd": gross,
        "residual_gross_usd": residual,
        "residual_share": residual / gross if gross else 0.0,
    }


def day_report(observer: Observer, started_ns: int, seconds: float) -> dict[str, Any]:
    """Returns the report of a run that started at `started_ns` of desk time."""
    seen = observer.seen
    samples = seen.uptime_samples
    pnl = pnl_report(seen)
    checks = observer.invariants.report()
    return {
        "seconds": seconds,
        "quoted_instruments_max": seen.quoted_max,
        "quotable_instruments_max": seen.quotable_max,
        "quotes_sent": sum(status.quotes_sent_count for status in seen.statuses.values()),
        "quotes_refused": sum(status.quotes_refused_count for status in seen.statuses.values()),
        "mmp_triggers": sum(status.mmp_trigger_count for status in seen.statuses.values()),
        "fills": len(seen.fill_ids),
        "hedge_fills": seen.hedge_fill_count,
        "hedge_orders": len(seen.hedge_order_ids),
        "time_to_first_quote_s": (
            (seen.first_quote_ns - started_ns) / NS_PER_S if seen.first_quote_ns else None
        ),
        "tick_to_quote_us": tick_to_quote(seen.tick_to_quote),
        "two_sided_uptime_pct": 100.0 * sum(samples) / len(samples) if samples else 0.0,
        "pnl": pnl,
        "residual_share": pnl["residual_share"],
        "violations": sum(check["violations"] for check in checks),
        "invariants": checks,
        "reconciliation_breaks": sum(one.break_count for one in seen.reconciliations.values()),
        "reconciliation_checks": sum(one.check_count for one in seen.reconciliations.values()),
        "halts": seen.halt_count,
        "pulls": seen.pull_count,
        "alerts": [f"{alert.severity}: {alert.name}: {alert.text}" for alert in seen.alerts],
        "surfaces": {
            name: {
                "version": surface.version,
                "expiries": len(surface.slices),
                "is_butterfly_free": surface.is_butterfly_free,
                "is_calendar_free": surface.is_calendar_free,
                "fit_us": surface.fit_us,
            }
            for name, surface in sorted(seen.surfaces.items())
        },
        "positions": {
            name: {position.instrument: position.position_lots for position in book.positions}
            for name, book in sorted(seen.portfolios.items())
        },
    }


def told(observer: Observer) -> dict[str, Any]:
    """Returns what others are told of a run while it goes on: counts, and `broken`, the invariants
    that were, with details."""
    day = day_report(observer, 0, 0.0)
    broken = {one["name"]: one["details"] for one in day["invariants"] if one["details"]}
    return {**{key: day[key] for key in TOLD}, "broken": broken}


def tick_to_quote(paths: dict[str, TickToQuoteV1]) -> dict[str, float] | None:
    """Returns percentiles in us, and how many were measured, of the path whose p99 is worst; None
    without the fast path."""
    if not paths:
        return None
    measured = max(paths.values(), key=lambda path: path.p99_us)
    return {
        "p50": measured.p50_us,
        "p90": measured.p90_us,
        "p99": measured.p99_us,
        "p999": measured.p999_us,
        "max": measured.max_us,
        "samples": measured.sample_count,
    }


def tick_to_quote_line(measured: dict[str, float]) -> str:
    """Returns the percentiles as people read them."""
    shares = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}
    texts = [f"{name} {measured[key]:,.0f}" for key, name in shares.items()]
    return f"tick to quote, us: {' · '.join(texts)} · {measured['samples']:,.0f} measured"


def print_day(console: Console, report: dict[str, Any]) -> None:
    """Prints the report as a page."""
    pnl = report["pnl"]
    table = Table(title="P&L explain", title_justify="left")
    table.add_column("term")
    columns = [*pnl["by_underlying"].items()]
    for name, _ in columns:
        table.add_column(f"{name} (coin)", justify="right")
        table.add_column(f"{name} (USD)", justify="right")
    table.add_column("all (USD)", justify="right")
    for term in TERMS:
        cells = [term]
        for _, both in columns:
            cells += [f"{both['coin'][term]:+.6f}", f"{both['usd'][term]:+,.2f}"]
        cells.append(f"{pnl['usd'][term]:+,.2f}")
        table.add_row(*cells, end_section=term == "residual")
    console.print(table)
    first = report["time_to_first_quote_s"]
    console.print(
        f"{report['seconds']:.0f} s · first quote after "
        f"{'-' if first is None else f'{first:.1f} s'} · at most "
        f"{report['quoted_instruments_max']} instruments two-sided · "
        f"two-sided {report['two_sided_uptime_pct']:.1f} % · {report['quotes_sent']:,} quotes · "
        f"{report['fills']} fills · {report['hedge_orders']} hedge orders"
    )
    console.print(
        f"{sum(check['checks'] for check in report['invariants']):,} invariant checks, "
        f"{report['violations']} violations · {report['reconciliation_checks']} reconciliations, "
        f"{report['reconciliation_breaks']} breaks · residual "
        f"{100 * report['residual_share']:.2f} % of gross"
    )
    if report["tick_to_quote_us"]:
        console.print(tick_to_quote_line(report["tick_to_quote_us"]))
    services = Table(title="Agents", title_justify="left")
    for column in ("service", "restarts", "resident MB", "CPU s"):
        services.add_column(column, justify="left" if column == "service" else "right")
    for name, entry in report.get("services", {}).items():
        services.add_row(
            name, str(entry["restarts"]), f"{entry['rss_mb']:.0f}", f"{entry['cpu_s']:.1f}"
        )
    console.print(services)
    for difference in report.get("venue_differences", ()):
        console.print(f"[red]not as the venue says[/red] {difference}")
    for check in report["invariants"]:
        for detail in check["details"]:
            console.print(f"[red]violation[/red] {check['name']}: {detail}")
