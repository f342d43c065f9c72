"""Several doors as one: outputs find theirs, doors close in reverse."""

from services.venue.edges import Edges


class Door:
    def __init__(self, name: str, accepts: frozenset[type], said: list[str]) -> None:
        self.name = name
        self.accepts = accepts
        self._said = said

    async def start(self, deliver) -> None:
        self._said.append(f"{self.name} opens")

    def send(self, message: object) -> None:
        self._said.append(f"{self.name} takes {message!r}")

    async def stop(self) -> None:
        self._said.append(f"{self.name} closes")


async def test_each_output_goes_to_the_door_that_takes_it() -> None:
    said: list[str] = []
    edges = Edges(
        (Door("first", frozenset({int, str}), said), Door("second", frozenset({float}), said))
    )
    assert edges.accepts == {int, str, float}
    await edges.start(lambda _message: None)
    edges.send(1.5)
    edges.send("a")
    await edges.stop()
    assert said == [
        "first opens", "second opens", "second takes 1.5", "first takes 'a'",
        "second closes", "first closes",
    ]  # fmt: skip
