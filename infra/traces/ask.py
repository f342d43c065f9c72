"""`hedgerow trace`: finds the trace of a fill, an order or a trace id in Jaeger, and draws it."""

import os
import re
import sys

import msgspec
from rich.console import Console

from infra.traces.jaeger import Jaeger, JaegerError
from infra.traces.span import Span
from infra.traces.waterfall import draw
from shared.causes import fill_cause

DEFAULT_URL = "http://127.0.0.1:16686"
URL_VARIABLE = "HEDGEROW_JAEGER_URL"
EXIT_OK, EXIT_FAILED, EXIT_NOT_RUNNING = 0, 1, 3
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def run(what: str, url: str, *, as_json: bool) -> int:
    """Prints the trace; returns the command's exit code."""
    jaeger = Jaeger(url or os.environ.get(URL_VARIABLE, DEFAULT_URL))
    try:
        spans = find(jaeger, what)
    except JaegerError as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return EXIT_NOT_RUNNING
    if not spans:
        print(f"hedgerow: {jaeger.name} has no trace of {what}", file=sys.stderr)
        return EXIT_FAILED
    if as_json:
        print(msgspec.json.encode(spans).decode())
    else:
        Console(width=None if sys.stdout.isatty() else 140).print(draw(spans, jaeger.url))
    return EXIT_OK


def find(jaeger: Jaeger, what: str) -> list[Span]:
    """Returns the spans of the trace that `what` is, or is in; none if there is none.

    A fill's trace has ids of its own unless an order led to it: then it is looked for by what
    gateway published, as an order is by what execution published.
    """
    if _TRACE_ID.fullmatch(what):
        return jaeger.trace(what)
    spans = jaeger.trace(f"{fill_cause(what).trace_id:032x}")
    for service, message_id in (
        ("gateway", f"fill-{what}"),
        ("execution", f"place-{what}"),
        ("hedging", f"intent-{what}"),
        ("", what),
    ):
        if spans:
            break
        for name in [service] if service else jaeger.services():
            found = jaeger.find(name, {"messaging.message.id": message_id})
            if found:
                spans = jaeger.trace(found[0].place.trace_id)
                break
    return spans
