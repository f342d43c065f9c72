"""What happened too fast for a span to be opened: told afterwards, by the stamps of its stages."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, runtime_checkable

from shared.causes import Cause


class Journey(NamedTuple):
    """One thing that passed through stages. Times are desk time in ns, ascending; the first stage
    begins at `began_ns`, each ends at its stamp. `is_rare`: always traced, not by chance. `cause`:
    what it was a part of, if that is known."""

    name: str
    began_ns: int
    stages: tuple[tuple[str, int], ...]
    attributes: dict[str, int | str]
    is_rare: bool = False
    cause: Cause | None = None


@runtime_checkable
class Travelled(Protocol):
    """An event of an edge that tells of journeys; only asked where traces are exported. `draw`
    decides, once for each that is not rare, whether it is made at all."""

    def journeys(self, draw: Callable[[], bool]) -> Iterable[Journey]: ...
