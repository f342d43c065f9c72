"""Several doors of one venue as one edge: each output goes to the door that takes its kind."""

from collections.abc import Callable, Sequence

from shared.service import Edge


class Edges:
    """Opens in order and closes in reverse. No two doors take the same kind."""

    def __init__(self, doors: Sequence[Edge]) -> None:
        self._doors = tuple(doors)
        self._door_of = {kind: door for door in self._doors for kind in door.accepts}
        self.accepts = frozenset(self._door_of)
        assert len(self._door_of) == sum(len(door.accepts) for door in self._doors)

    async def start(self, deliver: Callable[[object], None]) -> None:
        for door in self._doors:
            await door.start(deliver)

    def send(self, message: object) -> None:
        self._door_of[type(message)].send(message)

    async def stop(self) -> None:
        for door in reversed(self._doors):
            await door.stop()
