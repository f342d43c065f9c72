"""Jaeger's query API: traces by id, by tag and by service, and the service graph."""

import json
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import urlopen

from infra.traces.span import Place, Span

TIMEOUT_S = 30.0
WINDOW_S = 10  # traces are asked for in windows, so that no answer is cut
TRACES_MAX = 5_000  # of one window


class JaegerError(RuntimeError):
    """Jaeger did not answer, or not with what was asked for."""


class Jaeger:
    """A TraceStore over `http://host:16686`. `since_s` is where `spans` begins."""

    def __init__(self, url: str, since_s: float | None = None) -> None:
        self.url = url.rstrip("/")
        self._since_s = time.time() - 3600 if since_s is None else since_s
        self.name = f"Jaeger at {self.url}"

    def trace(self, trace_id: str) -> list[Span]:
        """Returns the spans of one trace; none if Jaeger does not hold it."""
        try:
            answer = self._get(f"/api/traces/{quote(trace_id)}")
        except HTTPError as error:
            if error.code == 404:
                return []
            raise JaegerError(f"{self.url}: {error}") from error
        return [span for trace in answer for span in _spans(trace)]

    def find(self, service: str, tags: dict[str, str]) -> list[Span]:
        """Returns the spans of all traces that a service tagged so, in the last day."""
        return self._search(service, tags, time.time() - 86_400, time.time())

    def services(self) -> list[str]:
        return sorted(str(name) for name in self._get("/api/services") or [])

    def spans(self) -> list[Span]:
        found: dict[Place, Span] = {}
        until_s = time.time() + WINDOW_S
        for service in self.services():
            at_s = self._since_s
            while at_s < until_s:
                for span in self._search(service, {}, at_s, at_s + WINDOW_S):
                    found[span.place] = span
                at_s += WINDOW_S
        return list(found.values())

    def edges(self) -> dict[tuple[str, str], int]:
        now_ms = int(time.time() * 1000)
        query = urlencode({"endTs": now_ms, "lookback": int(now_ms - self._since_s * 1000)})
        rows = self._get(f"/api/dependencies?{query}")
        return {(row["parent"], row["child"]): int(row["callCount"]) for row in rows}

    def _search(
        self, service: str, tags: dict[str, str], since_s: float, until_s: float
    ) -> list[Span]:
        query = {
            "service": service,
            "start": int(since_s * 1e6),
            "end": int(until_s * 1e6),
            "limit": TRACES_MAX,
        }
        if tags:
            query["tags"] = json.dumps(tags)
        traces = self._get(f"/api/traces?{urlencode(query)}")
        if len(traces) >= TRACES_MAX:
            raise JaegerError(f"{service} has more than {TRACES_MAX} traces in one answer")
        return [span for trace in traces for span in _spans(trace)]

    def _get(self, path: str) -> Any:
        """Returns the `data` of an answer. Raises HTTPError on a refusal, else JaegerError."""
        try:
            with urlopen(self.url + path, timeout=TIMEOUT_S) as answer:  # noqa: S310  # a setting
                return json.load(answer)["data"]
        except HTTPError:
            raise
        except (URLError, TimeoutError, ValueError, KeyError) as error:
            raise JaegerError(f"no answer from Jaeger at {self.url}: {error}") from error


def _spans(trace: dict[str, Any]) -> list[Span]:
    services = {key: one["serviceName"] for key, one in trace["processes"].items()}
    found = []
    for row in trace["spans"]:
        place = Place(row["traceID"], row["spanID"])
        parent_id = ""
        links = []
        for reference in row.get("references", ()):
            target = Place(reference["traceID"], reference["spanID"])
            if reference["refType"] == "CHILD_OF" and target.trace_id == place.trace_id:
                parent_id = target.span_id
            else:
                links.append(target)
        found.append(
            Span(
                place=place,
                parent_id=parent_id,
                links=tuple(links),
                service=services[row["processID"]],
                name=row["operationName"],
                began_us=row["startTime"],
                took_us=row["duration"],
                tags={tag["key"]: str(tag["value"]) for tag in row.get("tags", ())},
            )
        )
    return found
