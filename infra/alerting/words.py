"""What the watcher's core and its edge say to each other."""

from dataclasses import dataclass
from typing import Literal

from infra.alerting.conditions import Sample


@dataclass(frozen=True)
class Scraped:
    """In: everything that was told at one look. `unix_s` is the time of day, not desk time."""

    created_ns: int
    unix_s: float
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Raised:
    """An alert of one set of labels. `ended_unix_s` 0: it is active."""

    name: str
    severity: Literal["page", "ticket", "info"]
    owner: str
    labels: dict[str, str]
    value: float
    text: str
    runbook: str
    since_unix_s: float  # its condition began to hold
    detected_unix_s: float  # it was raised: a person could know
    ended_unix_s: float = 0.0


@dataclass(frozen=True)
class Notify:
    """Out: what became active, and what ended, worst first; and all that is active."""

    raised: tuple[Raised, ...]
    ended: tuple[Raised, ...]
    active: tuple[Raised, ...]
