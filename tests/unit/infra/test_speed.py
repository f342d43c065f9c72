"""How fast the desk quotes, on the screen and in the day's report."""

import io

from rich.console import Console

from infra import live_view, report
from infra.observer import Observer
from infra.topology import paper_run
from shared.clock import NS_PER_S
from shared.configuration import DeskConfig
from shared.messages.quoting import TickToQuoteV1


def observer(*, is_measured: bool) -> Observer:
    seen = Observer(DeskConfig())
    if is_measured:
        seen.on_tick_to_quote(
            TickToQuoteV1(
                created_ns=1,
                sample_count=1234,
                p50_us=11.0,
                p90_us=22.0,
                p99_us=33.0,
                p999_us=44.0,
                max_us=55.0,
            )
        )
    return seen


def screen(seen: Observer) -> str:
    page = io.StringIO()
    console = Console(width=200, file=page)
    console.print(live_view.render(seen, paper_run(DeskConfig()), 2 * NS_PER_S, NS_PER_S))
    return page.getvalue()


def test_the_screen_shows_percentiles_once_they_are_measured():
    shown = screen(observer(is_measured=True))
    assert "p50 11 · p90 22 · p99 33 · p99.9 44 · max 55 · 1,234 measured" in shown
    assert "tick to quote" not in screen(observer(is_measured=False))


def test_the_report_holds_percentiles_in_microseconds():
    day = report.day_report(observer(is_measured=True), 0, 1.0)
    assert day["tick_to_quote_us"] == {
        "p50": 11.0, "p90": 22.0, "p99": 33.0, "p999": 44.0, "max": 55.0, "samples": 1234,
    }  # fmt: skip
    assert report.day_report(observer(is_measured=False), 0, 1.0)["tick_to_quote_us"] is None
