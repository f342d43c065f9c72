"""One thing that must always hold, how often it was checked, and what broke it."""

from collections.abc import Callable
from dataclasses import dataclass, field

DETAILS_MAX = 10


@dataclass
class Invariant:
    name: str
    says: str
    check_count: int = 0
    violation_count: int = 0
    details: list[str] = field(default_factory=list)

    def expect(self, is_held: bool, detail: Callable[[], str]) -> None:
        self.check_count += 1
        if not is_held:
            self.violation_count += 1
            if len(self.details) < DETAILS_MAX:
                self.details.append(detail())
