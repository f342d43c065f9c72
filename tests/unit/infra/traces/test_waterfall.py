import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest
from rich.console import Console

from infra.command import main
from infra.traces.span import Place, Span
from infra.traces.waterfall import BAR_WIDTH, draw, in_order, length
from shared.causes import fill_cause

FILL_TRACE = f"{fill_cause('T-1').trace_id:032x}"


def row(span_id, service, name, began_us, took_us, parent="", message_id=""):
    references = (
        [{"refType": "CHILD_OF", "traceID": FILL_TRACE, "spanID": parent}] if parent else []
    )
    return {
        "traceID": FILL_TRACE,
        "spanID": span_id,
        "operationName": name,
        "references": references,
        "startTime": began_us,
        "duration": took_us,
        "processID": service,
        "tags": [{"key": "messaging.message.id", "value": message_id}],
    }


TRACE = {
    "traceID": FILL_TRACE,
    "processes": {name: {"serviceName": name} for name in ("gateway", "risk")},
    "spans": [
        row("02", "risk", "process fill", 1_500, 400, "01"),
        row("01", "gateway", "publish fill", 1_000, 100, message_id="fill-T-1"),
    ],
}


@pytest.fixture
def jaeger():
    """Jaeger's query API with one trace; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlparse(self.path)
            tags = parse_qs(url.query).get("tags", ["{}"])[0]
            if url.path == f"/api/traces/{FILL_TRACE}":
                found = [TRACE]
            elif url.path == "/api/services":
                found = ["gateway"]
            elif url.path == "/api/traces":
                wanted = json.loads(tags).get("messaging.message.id")
                found = [TRACE] if wanted == "place-O-1" else []
            else:
                self.send_error(404)
                return
            body = json.dumps({"data": found}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("what", ["T-1", "O-1", FILL_TRACE])
def test_a_fill_an_order_and_a_trace_id_find_their_trace(what, jaeger, capsys):
    assert main(["trace", what, "--jaeger", jaeger]) == 0
    shown = capsys.readouterr().out
    assert "publish fill" in shown
    assert f"{jaeger}/trace/{FILL_TRACE}" in shown


def test_an_unknown_fill_is_said_to_be_unknown(jaeger, capsys):
    assert main(["trace", "T-2", "--jaeger", jaeger]) == 1
    assert "no trace of T-2" in capsys.readouterr().err


def test_an_absent_jaeger_is_said_to_be_absent(capsys):
    assert main(["trace", "T-1", "--jaeger", "http://127.0.0.1:9"]) == 3
    assert "no answer from Jaeger" in capsys.readouterr().err


def test_spans_as_json(jaeger, capsys):
    assert main(["trace", "T-1", "--jaeger", jaeger, "--json"]) == 0
    spans = json.loads(capsys.readouterr().out)
    assert {span["service"] for span in spans} == {"gateway", "risk"}


def span(span_id, began_us, took_us, parent=""):
    return Span(Place("a", span_id), parent, (), "risk", f"step {span_id}", began_us, took_us)


def test_children_stand_behind_their_parents_by_time():
    spans = [span("c", 30, 1, "a"), span("a", 0, 9), span("b", 10, 1, "a"), span("d", 11, 1, "b")]
    shown = [(depth, one.place.span_id) for depth, one in in_order(spans)]
    assert shown == [(0, "a"), (1, "b"), (2, "d"), (1, "c")]


def test_an_orphan_is_shown_at_the_root():
    assert in_order([span("a", 0, 1, "gone")])[0][0] == 0


def test_bars_stay_inside_their_column():
    spans = [span("a", 0, 0), span("b", 999, 1, "a"), span("c", 1000, 0, "a")]
    console = Console(width=160, record=True, file=None)
    with console.capture() as captured:
        console.print(draw(spans, "http://jaeger"))
    assert all(line.count("█") <= BAR_WIDTH for line in captured.get().splitlines())


@pytest.mark.parametrize(
    ("microseconds", "shown"), [(7, "7 µs"), (1_500, "1.5 ms"), (2_500_000, "2.50 s")]
)
def test_times_have_the_unit_a_person_would_use(microseconds, shown):
    assert length(microseconds) == shown
