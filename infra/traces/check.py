"""`make trace-test`: a desk's traces, judged in a real Jaeger, also while its agents are killed.

`python -m infra.traces.check [--fills 1000] [--calm] [--json FILE]` runs the desk with a brisker
crowd until it has had so many fills, kills an agent every few seconds on the way, and asks the
trace store: does every fill of the ledger's journal have its whole trace, and is every edge of the
desk in the service graph? Without Jaeger (JAEGER_BIN) an OTLP receiver in this process is asked,
and the last line says which it was.
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from infra import runs
from infra.traces.completeness import Verdict, judge
from infra.traces.jaeger_server import binary, running_jaeger
from infra.traces.receiver import OtlpReceiver
from infra.traces.span import Span, Traces, TraceStore
from infra.traces.waterfall import draw
from services.ledger.entries import Body, entry_kind
from services.ledger.projection import read_table
from shared.clock import SystemClock
from shared.journal import read_entries
from shared.messages.orders import FillV1

WIDTH = 150
COMPLETE_RATIO_MIN = 0.999
KILLED = (
    "risk", "hedging", "ledger", "gateway", "execution", "market_making", "pricing",
)  # fmt: skip
KILL_PAUSE_S = 12.0
QUIET_S = 4.0  # before the end: the last fills find their hedges
ARRIVAL_S = 3.0  # after it: the last spans arrive
CONFIGURATION = """\
[desk]
otlp_endpoint = "{endpoint}"
trace_ratio = 0.05
[venue.market.takers]
noise_per_s = {noise}
informed_per_s = {informed}
surface_per_s = {surface}
"""


@contextlib.contextmanager
def open_store() -> Iterator[tuple[TraceStore, str]]:
    """Opens the best store there is; yields it with the endpoint that takes spans."""
    path = binary()
    if path:
        with running_jaeger(path) as jaeger:
            yield jaeger.store, jaeger.endpoint
    else:
        with OtlpReceiver() as receiver:
            yield receiver, receiver.endpoint


def trade(
    endpoint: str, home: Path, fills: int, limit_s: float, *, is_calm: bool
) -> tuple[int, int]:
    """Runs a desk until it had so many fills; returns how many agents were killed, and when the
    end began: fills after that find agents that have drained."""
    briskness = 1.0 if fills < 200 else 6.0
    config = home / "desk.toml"
    text = CONFIGURATION.format(
        endpoint=endpoint, noise=25 * briskness, informed=62 * briskness, surface=6 * briskness
    )
    config.write_text(text, encoding="utf-8")
    argv = [sys.executable, "-m", "services", "up", "--headless", "--seed", "21"]
    argv += ["--config", str(config), "--report", str(home / "report.json")]
    with (home / "up.log").open("wb") as log:
        desk = subprocess.Popen(argv, stdout=log, stderr=log)
    kills = ended_ns = 0
    try:
        started = time.monotonic()
        kill_at = started + KILL_PAUSE_S
        victims = itertools.cycle(KILLED)
        while fill_count() < fills:
            if desk.poll() is not None or time.monotonic() - started > limit_s:
                raise SystemExit(f"the desk had {fill_count()} fills: {log_tail(home)}")
            if not is_calm and time.monotonic() > kill_at:
                kills += kill(next(victims))
                kill_at = time.monotonic() + KILL_PAUSE_S
            time.sleep(0.5)
        ended_ns = SystemClock().wall_ns()
        time.sleep(QUIET_S)
    finally:
        if desk.poll() is None:
            desk.send_signal(signal.SIGINT)
        try:
            desk.wait(60)
        except subprocess.TimeoutExpired:
            desk.kill()
            desk.wait()
    if desk.returncode != 0:
        raise SystemExit(f"hedgerow up ended with {desk.returncode}: {log_tail(home)}")
    return kills, ended_ns


def fill_count() -> int:
    directory = runs.current()
    if directory is None:
        return 0
    books = read_table(str(directory), "portfolios").values()
    return sum(int(book["fill_count"]) for book in books)


def kill(service: str) -> int:
    directory = runs.current()
    table = runs.read_processes(directory) if directory is not None else None
    for entry in table.processes if table is not None else ():
        if entry.name == service and entry.is_running:
            os.kill(entry.pid, signal.SIGKILL)
            return 1
    return 0


def orders_of_fills(directory: Path, until_ns: int) -> dict[str, str]:
    """Returns trade id to order id (empty: a quote's fill) of the ledger's journal up to a time."""
    found = {}
    kind = entry_kind(FillV1)
    for entry in read_entries(directory / "ledger.journal"):
        if entry.kind == kind:
            fact = msgspec.json.decode(entry.payload, type=Body).fact
            fill = msgspec.json.decode(fact, type=FillV1)
            if fill.created_ns <= until_ns:
                found[fill.trade_id] = fill.order_id
    return found


def log_tail(home: Path) -> str:
    return (home / "up.log").read_text(encoding="utf-8", errors="replace")[-1000:]


def document(verdict: Verdict, store: TraceStore, spans: int, kills: int) -> dict[str, Any]:
    return {
        "store": store.name,
        "fills": verdict.fills,
        "hedges": verdict.hedges,
        "complete_ratio": verdict.complete_ratio,
        "quotes_told_ratio": verdict.quotes_told / max(1, verdict.fills - verdict.hedges),
        "missing_edges": list(verdict.missing_edges),
        "lacking": [msgspec.to_builtins(one) for one in verdict.lacking],
        "spans": spans,
        "agents_killed": kills,
    }


def shown(spans: list[Span], order_of: dict[str, str], store: TraceStore) -> str:
    """Returns the waterfall of the smallest trace in which a quote's fill led to a hedge."""
    hedges = {f"fill-{trade_id}" for trade_id, order_id in order_of.items() if order_id}
    quotes = {f"fill-{trade_id}" for trade_id, order_id in order_of.items() if not order_id}
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span.place.trace_id, []).append(span)
    both = [
        one
        for one in traces.values()
        if {span.message_id for span in one} & hedges and {span.message_id for span in one} & quotes
    ]
    if not both:
        return ""
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    console.print(draw(min(both, key=len), store.name))
    return console.export_text()


def check(fills: int, limit_s: float, *, is_calm: bool) -> dict[str, Any]:
    """Runs desk and store and returns what was found."""
    with tempfile.TemporaryDirectory(prefix="hedgerow-traces-") as folder:
        home = Path(folder)
        os.environ[runs.HOME_VARIABLE] = folder
        with open_store() as (store, endpoint):
            kills, ended_ns = trade(endpoint, home, fills, limit_s, is_calm=is_calm)
            time.sleep(ARRIVAL_S)
            spans = store.spans()
            directory = runs.current()
            assert directory is not None
            fills_of = orders_of_fills(directory, ended_ns)
            verdict = judge(Traces(spans), store.edges(), fills_of)
            return {
                **document(verdict, store, len(spans), kills),
                "shown": shown(spans, fills_of, store),
            }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--fills", type=int, default=1000)
    parser.add_argument("--limit-s", type=float, default=900.0)
    parser.add_argument("--calm", action="store_true", help="kill nobody")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    found = check(arguments.fills, arguments.limit_s, is_calm=arguments.calm)
    for lack in found["lacking"][:20]:
        print(f"{lack['trade_id']} (trace {lack['trace_id']}) lacks {', '.join(lack['missing'])}")
    for edge in found["missing_edges"]:
        print(f"no edge {edge}")
    print(
        f"{found['fills']} fills ({found['hedges']} hedges), {found['complete_ratio']:.2%} with "
        f"their whole trace, {found['quotes_told_ratio']:.2%} of quotes' fills with their quote, "
        f"in {found['spans']} spans; {found['agents_killed']} agents killed; "
        f"asked: {found['store']}"
    )
    print(found["shown"])
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    is_whole = found["complete_ratio"] >= COMPLETE_RATIO_MIN and not found["missing_edges"]
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
