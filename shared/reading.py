"""From a subject and bytes to a message for the core, or the reason why not.

An agent subscribes to a kind's stem with all versions below it (`market.ticks.>`): a version that
is known but not consumed here is skipped, one that nobody knows is a dead letter.
"""

import base64
from typing import NamedTuple

from shared.messages.desk import DeadLetterV1
from shared.messages.message import (
    BadMessageError,
    Delivery,
    Message,
    decode,
    subject_of,
    tag_of,
)
from shared.messages.registry import KINDS, stem_of
from shared.service import Consume, Handler, Service
from shared.streams import stream_of

HEAD_BYTES = 1_024  # of a dead letter, kept
REASON_MAX = 512
SUBJECT_MAX = 256
TAG_LEVELS = 3  # conversation.noun.version
SUBJECTS_MAX = 4_096  # remembered: a desk has some hundred


class Readers(NamedTuple):
    """Who takes a kind: all of them, those who want it replayed, those who want it late."""

    kind: type[Message]
    consumes: tuple[Consume, ...]
    handlers: tuple[Handler, ...]
    replay_handlers: tuple[Handler, ...]
    late_handlers: tuple[Handler, ...]


class Reading:
    """What one service reads."""

    def __init__(self, service: Service) -> None:
        by_tag: dict[str, tuple[Consume, ...]] = {}
        for consume in service.consumes:
            if issubclass(consume.kind, Message):
                tag = tag_of(consume.kind)
                by_tag[tag] = (*by_tag.get(tag, ()), consume)
        self._by_tag = {tag: _readers(consumes) for tag, consumes in by_tag.items()}
        self._by_subject: dict[str, Readers] = {}

    def subjects(
        self, stream: str | None, *, replay: bool | None = None, command: bool | None = None
    ) -> list[str]:
        """Returns the subjects to read from a stream (None: lossy ones), without doubles."""
        return sorted(
            {
                f"{stem_of(KINDS[tag])}.>"
                for tag, readers in self._by_tag.items()
                for consume in readers.consumes
                if _stream_of(KINDS[tag]) == stream
                and replay in (None, consume.replay)
                and command in (None, consume.command)
            }
        )

    def kind_of(self, subject: str) -> type[Message]:
        """Returns the kind that a subject should carry; Message itself if none is read from it."""
        readers = self._readers_of(subject)
        return readers.kind if readers is not None else Message

    def read(self, subject: str, data: bytes) -> tuple[Message, Readers] | None:
        """Returns the message and who takes it; None for a version that others take.

        Raises BadMessageError, and nothing else."""
        readers = self._readers_of(subject)
        if readers is None:
            if tag_in(subject) in KINDS:
                return None
            raise BadMessageError(f"no message has the version of `{subject[:SUBJECT_MAX]}`")
        message: Message = decode(readers.kind, data)
        if subject_of(message) != subject:
            raise BadMessageError(f"the body belongs on `{subject_of(message)}`")
        return message, readers

    def _readers_of(self, subject: str) -> Readers | None:
        readers = self._by_subject.get(subject)
        if readers is None:
            readers = self._by_tag.get(tag_in(subject))
            if readers is not None and len(self._by_subject) < SUBJECTS_MAX:
                self._by_subject[subject] = readers
        return readers


def tag_in(subject: str) -> str:
    """Returns the part of a subject where a tag stands."""
    return ".".join(subject.split(".", TAG_LEVELS)[:TAG_LEVELS])


def dead_letter(
    service: str, letter_id: str, subject: str, data: bytes, reason: str, now_ns: int
) -> DeadLetterV1:
    """Returns the letter for bytes that cannot be used."""
    return DeadLetterV1(
        created_ns=now_ns,
        letter_id=letter_id,
        service=service,
        subject=_printable(subject)[:SUBJECT_MAX],
        reason=_printable(reason)[:REASON_MAX],
        size_bytes=len(data),
        head_base64=base64.b64encode(data[:HEAD_BYTES]).decode(),
    )


def _readers(consumes: tuple[Consume, ...]) -> Readers:
    return Readers(
        consumes[0].kind,
        consumes,
        tuple(consume.handler for consume in consumes),
        tuple(consume.handler for consume in consumes if consume.replay),
        tuple(consume.handler for consume in consumes if consume.late),
    )


def _stream_of(kind: type[Message]) -> str | None:
    return None if kind.delivery is Delivery.LOSSY else stream_of(kind)


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8", "replace")
