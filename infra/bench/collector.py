"""A collector that takes spans over HTTP, counts them and forgets them: `python -m
infra.bench.collector` prints its port, serves until its input ends, and prints the count."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Running:
    """A collector in a process of its own; `span_count` is known once it has ended."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.span_count = 0


@contextlib.contextmanager
def running() -> Iterator[Running]:
    """Runs a collector."""
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.bench.collector"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    collector = Running(f"http://127.0.0.1:{process.stdout.readline().strip()}")
    try:
        yield collector
    finally:
        process.stdin.close()
        collector.span_count = int(process.stdout.readline() or 0)
        process.wait()


class Collector(ThreadingHTTPServer):
    """On a free port of loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Forgetful)
        self.span_count = 0
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        scopes = [scope for one in request.resource_spans for scope in one.scope_spans]
        with self._lock:
            self.span_count += sum(len(scope.spans) for scope in scopes)


class Forgetful(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:  # the library's name
        self.server.take(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is said of each request."""


def main() -> None:
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.shutdown()
    sys.stdout.write(f"{server.span_count}\n")


if __name__ == "__main__":
    main()
