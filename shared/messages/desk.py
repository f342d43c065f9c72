"""The agents about themselves: heartbeats, dead letters, timers and the ledger's records."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared.messages.message import Count, Delivery, Finite, Message, Name, NonNegative, Ns, Text


class TimerV1(Message, frozen=True, kw_only=True, tag="desk.timer.v1"):
    """A timer of the agent's own; never on the bus. `created_ns` is now."""

    delivery: ClassVar[Delivery] = Delivery.LOSSY


class BreakerStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A circuit breaker of an agent, as it stands."""

    dependency: Name
    state: Literal["closed", "open", "half_open", "disabled", "forced_open", "metrics_only"]
    since_ns: Ns
    not_permitted_count: Count  # calls refused since the start
    fallback: Text = ""  # what serves now; empty while the dependency does


class HeartbeatV1(Message, frozen=True, kw_only=True, tag="desk.heartbeat.v1"):
    """Every agent, every second, from the shell."""

    delivery: ClassVar[Delivery] = Delivery.LOSSY

    service: Name
    pid: Count
    started_ns: Ns
    is_ready: bool
    reason: Text  # why not ready, or empty
    handled_count: Count
    published_count: Count
    dropped_count: Count  # lossy messages lost to a full queue
    critical_dropped_count: Count  # durable or state messages lost: must stay 0
    dead_letter_count: Count
    rss_bytes: Count
    cpu_s: NonNegative
    http_port: Count
    breakers: Annotated[tuple[BreakerStanding, ...], Meta(max_length=64)] = ()

    def key(self) -> str:
        return self.service


class Vital(msgspec.Struct, frozen=True, array_like=True):
    """A series of a metric, now; labels in the order of its declaration (metric_names.py)."""

    name: Name
    value: Finite
    labels: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=4)] = ()


class VitalsV1(Message, frozen=True, kw_only=True, tag="desk.vitals.v1"):
    """What is judged of an agent, every second, from the shell, for the watcher; an agent whose
    vitals do not come is asked."""

    delivery: ClassVar[Delivery] = Delivery.LOSSY

    service: Name
    vitals: Annotated[tuple[Vital, ...], Meta(max_length=1024)]

    def key(self) -> str:
        return self.service


class BreakerV1(Message, frozen=True, kw_only=True, tag="desk.breaker.v1"):
    """A person's word on one circuit breaker of an agent; the newest counts, over restarts too.
    `latch` is the agent's own: a latched breaker has opened, and waits for a `reset`."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    command_id: Name
    service: Name
    dependency: Name
    action: Literal["force_open", "disable", "metrics_only", "reset", "latch"]
    author: Name
    reason: Text

    def key(self) -> str:
        return self.service

    def message_id(self) -> str:
        return f"breaker-{self.command_id}"


class DeadLetterV1(Message, frozen=True, kw_only=True, tag="desk.dead_letter.v1"):
    """Bytes that an agent could not read, with the reason; kept in the stream DEAD."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    letter_id: Name
    service: Name
    subject: Text
    reason: Text
    size_bytes: Count
    head_base64: Annotated[str, Meta(max_length=2048)]  # the first bytes

    def key(self) -> str:
        return self.service

    def message_id(self) -> str:
        return f"dead-{self.letter_id}"


class PagedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert in a page."""

    name: Name
    severity: Literal["page", "ticket", "info"]
    owner: Name
    text: Text
    runbook: Text  # path in the repository
    since_ns: Ns  # its condition began to hold


class PageV1(Message, frozen=True, kw_only=True, tag="desk.page.v1"):
    """What the watcher tells people: alerts that were raised, and that are over, at one look,
    worst first. `severity` and `text` are those of the worst."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    page_id: Name
    severity: Literal["page", "ticket", "info"]
    text: Text
    raised: Annotated[tuple[PagedAlert, ...], Meta(max_length=64)]
    ended: Annotated[tuple[PagedAlert, ...], Meta(max_length=64)]

    def message_id(self) -> str:
        return f"page-{self.page_id}"


class RecordV1(Message, frozen=True, kw_only=True, tag="desk.record.v1"):
    """One entry of the ledger's hash-chained journal, as shipped to the stream LEDGER."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    sequence: Count
    kind: Name
    payload: msgspec.Raw
    previous_hash: Annotated[str, Meta(min_length=64, max_length=64)]
    entry_hash: Annotated[str, Meta(min_length=64, max_length=64)]

    def message_id(self) -> str:
        return f"record-{self.sequence}"


# Their key is the agent that they are about: it says them under its own name only.
ABOUT_AN_AGENT: tuple[type[Message], ...] = (HeartbeatV1, VitalsV1, BreakerV1, DeadLetterV1)
