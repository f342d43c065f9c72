"""The circuit breakers of ledger: what it depends on, and what serves without it."""

from dataclasses import dataclass, field

from services.ledger.entries import Append, Appended
from shared.breaker import Breaker
from shared.clock import NS_PER_S
from shared.dependency import Calls, Dependency, call_breaker


def journal_breaker() -> Breaker:
    """Everything is written, trial or not: it goes to half-open by itself."""
    return call_breaker(slow_ns=NS_PER_S, call_count_min=3, is_automatic=True)


@dataclass(frozen=True)
class Breakers:
    journal: Breaker = field(default_factory=journal_breaker)

    def dependencies(self) -> tuple[Dependency, ...]:
        return (
            Dependency(
                name="journal",
                breaker=self.journal,
                on=Calls(
                    ask=Append,
                    answer=Appended,
                    name=lambda _: "oldest",
                    is_ok=lambda _: True,
                    timeout_ms=5_000,
                ),
                fallback="surfaces are left out; all else waits for the disk, and is in the stream",
            ),
        )
