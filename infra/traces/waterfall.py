"""A trace as a terminal shows it: who did what, when it began, and how long it took."""

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from infra.traces.span import Span

BAR_WIDTH = 30
LINKED_MAX = 3
SHOWN_TAGS = ("messaging.message.id", "rpc.method", "error.type", "request", "surface_version")
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red", "bright_cyan", "bright_green")


def draw(spans: list[Span], jaeger_url: str) -> RenderableType:
    """Returns the waterfall of one trace, which is not empty."""
    first = min(spans, key=lambda span: span.began_us)
    began_us = first.began_us
    ended_us = max(span.began_us + span.took_us for span in spans)
    services = sorted({span.service for span in spans})
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    table.add_column("service", no_wrap=True, min_width=max(len(one) for one in services))
    table.add_column("what", no_wrap=True, overflow="ellipsis")
    table.add_column("after", justify="right", no_wrap=True, min_width=8)
    table.add_column("took", justify="right", no_wrap=True, min_width=8)
    table.add_column("", no_wrap=True, min_width=BAR_WIDTH)
    for depth, span in in_order(spans):
        colour = COLOURS[services.index(span.service) % len(COLOURS)]
        table.add_row(
            Text(span.service, style=colour),
            "  " * depth + span.name + details(span),
            length(span.began_us - began_us),
            length(span.took_us),
            bar(span, began_us, ended_us, colour),
        )
    when = datetime.fromtimestamp(began_us / 1e6, UTC).isoformat(timespec="milliseconds")
    head = Text(f"trace {first.place.trace_id}  {when}  {length(ended_us - began_us)}, ")
    head.append(f"{len(spans)} spans of {len(services)} services")
    linked = {link.trace_id for span in spans for link in span.links} - {first.place.trace_id}
    foot = [Text(f"{jaeger_url}/trace/{first.place.trace_id}", style="dim")]
    foot += [Text(f"linked: {trace_id}", style="dim") for trace_id in sorted(linked)[:LINKED_MAX]]
    if len(linked) > LINKED_MAX:
        foot.append(Text(f"and {len(linked) - LINKED_MAX} more", style="dim"))
    return Group(head, table, *foot)


def in_order(spans: list[Span]) -> list[tuple[int, Span]]:
    """Returns spans with their depth, each behind its parent; siblings by time, of those that began
    together the shortest first."""
    ids = {span.place.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda one: (one.began_us, one.took_us, one.name)):
        parent = span.parent_id if span.parent_id in ids else ""
        children.setdefault(parent, []).append(span)
    found: list[tuple[int, Span]] = []
    waiting = [(0, span) for span in reversed(children.get("", []))]
    while waiting:
        depth, span = waiting.pop()
        found.append((depth, span))
        waiting += [(depth + 1, one) for one in reversed(children.get(span.place.span_id, []))]
    return found


def bar(span: Span, began_us: int, ended_us: int, colour: str) -> Text:
    scale = BAR_WIDTH / max(1, ended_us - began_us)
    start = min(BAR_WIDTH - 1, int((span.began_us - began_us) * scale))
    width = max(1, min(BAR_WIDTH - start, round(span.took_us * scale)))
    return Text(" " * start + "█" * width, style=colour)


def details(span: Span) -> str:
    shown = [span.tags[tag] for tag in SHOWN_TAGS if tag in span.tags and tag not in span.name]
    return f"  {' '.join(shown)}" if shown else ""


def length(microseconds: int) -> str:
    """Returns a time in the unit that a person would use."""
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1e3:.1f} ms"
    return f"{microseconds / 1e6:.2f} s"
