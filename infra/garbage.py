"""Bad messages for the bus, from a seed: every one is certain to be refused by its readers."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.golden import sample
from shared.messages.message import (
    SIZE_BYTES_MAX,
    BadMessageError,
    Message,
    decode,
    encode,
    subject_of,
    tag_of,
)
from shared.messages.registry import KINDS, stem_of

TRIES_MAX = 50
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1", "9" * 30, '"7"', "null", "true", "[]")


@dataclass(frozen=True, slots=True)
class Garbage:
    subject: str
    data: bytes
    fault: str


class Heap:
    """Makes garbage for the subjects of some kinds."""

    def __init__(self, kinds: list[type[Message]], seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds = kinds
        self._samples = {kind: sample(kind) for kind in KINDS.values()}
        self._bodies = {kind: encode(message) for kind, message in self._samples.items()}
        self._count = 0

    def next(self) -> Garbage:
        """Returns the next bad message; faults take turns, the heavy ones seldom."""
        self._count += 1
        if self._count % 2_000 == 0:
            fault: str = "oversized"
        elif self._count % 200 == 0:
            fault = "nested"
        else:
            fault = LIGHT[self._count % len(LIGHT)]
        for _ in range(TRIES_MAX):
            kind = self._random.choice(self._kinds)
            subject = subject_of(self._samples[kind])
            body = self._bodies[kind]
            subject, data = FAULTS[fault](self, kind, subject, body)
            if not is_good(subject, data):
                return Garbage(subject, data, fault)
        raise AssertionError(f"{fault} makes good messages")

    def truncated(self, _: Any, subject: str, body: bytes) -> tuple[str, bytes]:
        return subject, body[: self._random.randrange(len(body))]

    def number(self, _: Any, subject: str, body: bytes) -> tuple[str, bytes]:
        """NaN, infinities, numbers out of range, in place of some number."""
        return subject, self._replace(body, (int, float), self._random.choice(NUMBERS).encode())

    def wrong_type(self, _: Any, subject: str, body: bytes) -> tuple[str, bytes]:
        word = self._random.choice((b"{}", b"[[]]", b"null", b"false", b'{"a":[1]}', b"1.5"))
        return subject, self._replace(body, (int, float, str, bool, list, dict), word)

    def missing(self, _: Any, subject: str, body: bytes) -> tuple[str, bytes]:
        fields = json.loads(body)
        del fields[self._random.choice(list(fields))]
        return subject, _dump(fields)

    def invalid_utf8(self, _: Any, subject: str, body: bytes) -> tuple[str, bytes]:
        place = body.index(b'"', self._random.randrange(len(body) // 2)) + 1
        return subject, body[:place] + self._random.choice((b"\xff", b"\xc3", b"\xed\xa0\x80")) + (
            body[place:]
        )

    def unknown_version(self, kind: type[Message], subject: str, body: bytes) -> tuple[str, bytes]:
        version = self._random.randrange(5, 100)
        tail = subject.removeprefix(tag_of(kind))
        return f"{stem_of(kind)}.v{version}{tail}", body

    def other_body(self, kind: type[Message], subject: str, _: bytes) -> tuple[str, bytes]:
        other = self._random.choice([other for other in KINDS.values() if other is not kind])
        return subject, self._bodies[other]

    def other_subject(self, kind: type[Message], _: str, body: bytes) -> tuple[str, bytes]:
        return f"{tag_of(kind)}.NOT-ITS-OWN-{self._random.randrange(100)}", body

    def noise(self, _: Any, subject: str, __: bytes) -> tuple[str, bytes]:
        return subject, self._random.randbytes(self._random.randrange(300))

    def oversized(self, _: Any, subject: str, body: bytes) -> tuple[str, bytes]:
        return subject, body + b" " * (SIZE_BYTES_MAX + self._random.randrange(1_000))

    def nested(self, _: Any, subject: str, body: bytes) -> tuple[str, bytes]:
        """Deep nesting, bare or inside a field that a reader would skip."""
        depth = self._random.randrange(2_000, 20_000)
        deep = b"[" * depth + b"]" * depth
        return subject, self._random.choice((deep, body[:-1] + b',"unknown":' + deep + b"}"))

    def _replace(self, body: bytes, kinds: tuple[type, ...], word: bytes) -> bytes:
        """Puts raw bytes in the place of one value of some type."""
        marker = "\x00here\x00"
        tree = json.loads(body)
        places = list(_places(tree, kinds))
        if not places:
            return word
        holder, key = self._random.choice(places)
        holder[key] = marker
        return _dump(tree).replace(_dump(marker), word)


Fault = Callable[[Heap, Any, str, bytes], tuple[str, bytes]]
FAULTS: dict[str, Fault] = {
    "truncated": Heap.truncated,
    "number": Heap.number,
    "wrong type": Heap.wrong_type,
    "missing field": Heap.missing,
    "invalid UTF-8": Heap.invalid_utf8,
    "unknown version": Heap.unknown_version,
    "another's body": Heap.other_body,
    "another's subject": Heap.other_subject,
    "noise": Heap.noise,
    "oversized": Heap.oversized,
    "nested": Heap.nested,
}
LIGHT = [fault for fault in FAULTS if fault not in ("oversized", "nested")]


def is_good(subject: str, data: bytes) -> bool:
    """Would a reader take it? Then it is no garbage."""
    kind = KINDS.get(".".join(subject.split(".", 3)[:3]))
    if kind is None:
        return False
    try:
        return subject_of(decode(kind, data)) == subject
    except BadMessageError:
        return False


def _places(tree: Any, kinds: tuple[type, ...]) -> Any:
    """Yields (holder, key) of every value of one of the types."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(pairs):
        if type(value) in kinds:
            yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value, kinds)


def _dump(tree: Any) -> bytes:
    return json.dumps(tree, separators=(",", ":")).encode()
