"""A finished span, wherever it was read from, and the traces that spans make."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """One span's address: lower-case hexadecimal."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    place: Place
    parent_id: str  # empty: the trace begins here
    links: tuple[Place, ...]
    service: str
    name: str
    began_us: int  # since 1970
    took_us: int
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def message_id(self) -> str:
        return self.tags.get("messaging.message.id", "")


class TraceStore(Protocol):
    """Where spans have gone. `name` says which it is, for a report."""

    name: str

    def spans(self) -> list[Span]:
        """Returns all spans of the desk that have arrived."""

    def edges(self) -> dict[tuple[str, str], int]:
        """Returns the service graph: caller and callee, and how often."""


class Traces:
    """Spans, found by their place, and what follows from each."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = {span.place: span for span in spans}
        self._following: dict[Place, list[Span]] = defaultdict(list)
        for span in self.spans.values():
            if span.parent_id:
                self._following[Place(span.place.trace_id, span.parent_id)].append(span)
            for link in span.links:
                self._following[link].append(span)

    def named(self, service: str, name: str) -> Iterator[Span]:
        return (one for one in self.spans.values() if (one.service, one.name) == (service, name))

    def following(self, first: Span) -> list[Span]:
        """Returns a span and all that came of it, by parents and by links."""
        found = {first.place: first}
        waiting = [first]
        while waiting:
            for span in self._following[waiting.pop().place]:
                if span.place not in found:
                    found[span.place] = span
                    waiting.append(span)
        return list(found.values())

    def before(self, span: Span) -> list[Span]:
        """Returns a span's parent, its parent's parent, and so on to the beginning."""
        found = []
        parent = self.spans.get(Place(span.place.trace_id, span.parent_id))
        while parent is not None and parent not in found:
            found.append(parent)
            parent = self.spans.get(Place(parent.place.trace_id, parent.parent_id))
        return found


def edges_of(spans: Iterable[Span]) -> dict[tuple[str, str], int]:
    """Returns the calls between services, by parents, as Jaeger counts them."""
    known = list(spans)
    service_at = {span.place: span.service for span in known}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for span in known:
        caller = service_at.get(Place(span.place.trace_id, span.parent_id))
        if caller is not None and caller != span.service:
            counts[caller, span.service] += 1
    return dict(counts)
