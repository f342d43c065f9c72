"""An OTLP/HTTP receiver that keeps spans in memory: what traces are judged on where no Jaeger is.

It runs in a thread of its own, on loopback, until it is closed.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from infra.traces.span import Place, Span, edges_of

REQUEST_BYTES_MAX = 64 * 1024 * 1024


class OtlpReceiver:
    """A TraceStore; `endpoint` is what `[desk] otlp_endpoint` takes."""

    name = "an OTLP receiver in this process"

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._lock = threading.Lock()
        keep = self._keep

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                if self.path != "/v1/traces" or not 0 < size <= REQUEST_BYTES_MAX:
                    self.send_error(404 if self.path != "/v1/traces" else 413)
                    return
                keep(self.rfile.read(size))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self) -> list[Span]:
        with self._lock:
            return list(self._spans)

    def edges(self) -> dict[tuple[str, str], int]:
        return edges_of(self.spans())

    def _keep(self, body: bytes) -> None:
        found = read_spans(ExportTraceServiceRequest.FromString(body))
        with self._lock:
            self._spans.extend(found)


def read_spans(request: ExportTraceServiceRequest) -> list[Span]:
    """Returns the spans of one OTLP request."""
    found = []
    for resource in request.resource_spans:
        names = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                trace_id = span.trace_id.hex()
                links = (Place(link.trace_id.hex(), link.span_id.hex()) for link in span.links)
                took_ns = span.end_time_unix_nano - span.start_time_unix_nano
                found.append(
                    Span(
                        place=Place(trace_id, span.span_id.hex()),
                        parent_id=span.parent_span_id.hex(),
                        links=tuple(links),
                        service=names.get("service.name", ""),
                        name=span.name,
                        began_us=span.start_time_unix_nano // 1000,
                        took_us=took_ns // 1000,
                        tags={one.key: text_of(one.value) for one in span.attributes},
                    )
                )
    return found


def text_of(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return str(getattr(value, kind)) if kind else ""
