"""The desk on one terminal screen: quotes, greeks, P&L, positions, fills, agents, alerts."""

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from infra.observer import Observer
from infra.report import tick_to_quote, tick_to_quote_line
from shared.clock import NS_PER_S
from shared.configuration import Runtime

POSITIONS_SHOWN = 8


def render(observer: Observer, runtime: Runtime, now_ns: int, started_ns: int) -> RenderableType:
    """Returns the screen for this moment."""
    return Group(
        headline(observer, runtime, now_ns, started_ns),
        Columns([quoting(observer), greeks(observer)]),
        *speed(observer),
        Columns([positions(observer), fills(observer)]),
        agents(observer, list(runtime.http_ports), now_ns),
        *alerts(observer),
    )


def headline(observer: Observer, runtime: Runtime, now_ns: int, started_ns: int) -> Text:
    violations = sum(check["violations"] for check in observer.invariants.report())
    text = Text()
    text.append(" Hedgerow ", style="bold white on dark_green")
    text.append(f"  run {runtime.run_id}  up {(now_ns - started_ns) / NS_PER_S:.0f} s  ")
    text.append(f"venue {runtime.venue_http_url}  bus {runtime.nats_url}  ", style="dim")
    style = "bold red" if violations else "green"
    text.append(f"{violations} invariant violations", style=style)
    return text


def speed(observer: Observer) -> list[RenderableType]:
    """Returns the fast path's percentiles, where quotes go over it."""
    measured = tick_to_quote(observer.seen.tick_to_quote)
    return [Text(f" {tick_to_quote_line(measured)}", style="cyan")] if measured else []


def quoting(observer: Observer) -> Table:
    seen = observer.seen
    table = Table(title="Quoting", title_justify="left")
    for column in ("", "index", "surface", "fit", "two-sided", "of", "sent", "refused", "state"):
        table.add_column(column, justify="right" if column else "left")
    for name in observer.underlyings:
        status = seen.statuses.get(name)
        surface = seen.surfaces.get(name)
        free = surface and surface.is_butterfly_free and surface.is_calendar_free
        table.add_row(
            name,
            f"{seen.index_usd.get(name, 0.0):,.2f}",
            f"v{surface.version} {'arbitrage-free' if free else 'NOT free'}" if surface else "-",
            f"{surface.fit_us / 1000:.1f} ms" if surface else "-",
            str(status.quoted_count) if status else "-",
            str(status.quotable_count) if status else "-",
            f"{status.quotes_sent_count:,}" if status else "-",
            f"{status.quotes_refused_count:,}" if status else "-",
            status.state if status else "starting",
        )
    return table


def greeks(observer: Observer) -> Table:
    seen = observer.seen
    table = Table(title="Greeks and P&L", title_justify="left")
    columns = ("", "delta coin", "gamma/USD", "vega USD", "theta USD/d", "worst USD", "P&L USD")
    for column in columns:
        table.add_column(column, justify="right" if column else "left")
    for name in observer.underlyings:
        book = seen.portfolios.get(name)
        pnl = seen.pnls.get(name)
        worst = seen.scenarios.get(name)
        table.add_row(
            name,
            f"{book.delta_coin:+.4f}" if book else "-",
            f"{book.gamma_coin_per_usd:+.2e}" if book else "-",
            f"{book.vega_usd:+,.1f}" if book else "-",
            f"{book.theta_usd_per_day:+,.1f}" if book else "-",
            f"{worst.worst_pnl_usd:+,.0f}" if worst else "-",
            signed(pnl.usd.total) if pnl else "-",
        )
    return table


def positions(observer: Observer) -> Table:
    table = Table(title="Largest positions", title_justify="left")
    table.add_column("instrument")
    table.add_column("lots", justify="right")
    held = [
        (position.instrument, position.position_lots)
        for book in observer.seen.portfolios.values()
        for position in book.positions
        if position.position_lots
    ]
    for instrument, lots in sorted(held, key=lambda one: -abs(one[1]))[:POSITIONS_SHOWN]:
        table.add_row(instrument, f"{lots:+,}")
    return table


def fills(observer: Observer) -> Table:
    seen = observer.seen
    title = f"Fills ({len(seen.fill_ids)}, {seen.hedge_fill_count} of them hedges)"
    table = Table(title=title, title_justify="left")
    for column in ("instrument", "side", "lots", "as"):
        table.add_column(column, justify="right" if column == "lots" else "left")
    for fill in list(seen.fills)[:POSITIONS_SHOWN]:
        side = Text(fill.side, style="green" if fill.side == "buy" else "red")
        role = "quote" if fill.is_quote else "hedge"
        table.add_row(fill.instrument, side, f"{fill.amount_lots:,}", role)
    return table


def agents(observer: Observer, names: list[str], now_ns: int) -> Table:
    table = Table(title="Agents", title_justify="left")
    for column in ("agent", "pid", "state", "beat", "handled", "dropped", "MB", "CPU s"):
        table.add_column(column, justify="left" if column in {"agent", "state"} else "right")
    for name in names:
        beat = observer.seen.heartbeats.get(name)
        if beat is None:
            table.add_row(name, "-", "starting", "-", "-", "-", "-", "-")
            continue
        age_s = (now_ns - beat.created_ns) / NS_PER_S
        state = Text("ready", style="green")
        if age_s > 3.0:
            state = Text("silent", style="bold red")
        elif not beat.is_ready:
            state = Text(beat.reason[:40], style="yellow")
        table.add_row(
            name,
            str(beat.pid),
            state,
            f"{age_s:.1f} s",
            f"{beat.handled_count:,}",
            f"{beat.dropped_count:,}",
            f"{beat.rss_bytes / 1e6:.0f}",
            f"{beat.cpu_s:.1f}",
        )
    return table


def alerts(observer: Observer) -> list[RenderableType]:
    """Returns the newest alerts, or nothing when all is calm."""
    newest = list(observer.seen.alerts)[:4]
    if not newest:
        return []
    style = {"page": "bold red", "ticket": "yellow", "info": "dim"}
    lines = [
        Text(f"{alert.source}: {alert.name}: {alert.text}", style=style[alert.severity])
        for alert in newest
    ]
    return [Panel(Group(*lines), title="Alerts", title_align="left")]


def signed(value: float) -> Text:
    return Text(f"{value:+,.2f}", style="green" if value >= 0 else "red")
