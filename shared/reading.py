"""From a subject and bytes to a message for the core, or the reason why not.

An agent subscribes to a kind's stem with all versions below it (`market.ticks.>`): a version that
is known but not consumed here is skipped, one that nobody knows is a dead letter.
"""

import base64
import hashlib

from shared.messages.desk import DeadLetterV1
from shared.messages.message import (
    SIZE_BYTES_MAX,
    BadMessageError,
    Delivery,
    Message,
    decode,
    subject_of,
    tag_of,
)
from shared.messages.registry import KINDS, stem_of
from shared.service import Consume, Service

HEAD_BYTES = 1_024  # of a dead letter, kept
REASON_MAX = 512
SUBJECT_MAX = 256
TAG_LEVELS = 3  # conversation.noun.version


class Reading:
    """What one service reads."""

    def __init__(self, service: Service) -> None:
        self._service = service.name
        self._by_tag: dict[str, tuple[Consume, ...]] = {}
        for consume in service.consumes:
            if issubclass(consume.kind, Message):
                tag = tag_of(consume.kind)
                self._by_tag[tag] = (*self._by_tag.get(tag, ()), consume)

    def subjects(
        self, delivery: Delivery, *, replay: bool | None = None, command: bool | None = None
    ) -> list[str]:
        """Returns the subjects to subscribe to, without doubles."""
        return sorted(
            {
                f"{stem_of(consume.kind)}.>"
                for tag, consumes in self._by_tag.items()
                for consume in consumes
                if KINDS[tag].delivery is delivery
                and replay in (None, consume.replay)
                and command in (None, consume.command)
            }
        )

    def read(self, subject: str, data: bytes) -> tuple[Message, tuple[Consume, ...]] | None:
        """Returns the message and who takes it; None for a version that others take.

        Raises BadMessageError, and nothing else."""
        tag = ".".join(subject.split(".", TAG_LEVELS)[:TAG_LEVELS])
        consumes = self._by_tag.get(tag)
        if consumes is None:
            if tag in KINDS:
                return None
            raise BadMessageError(f"no message has the version of `{subject[:SUBJECT_MAX]}`")
        message: Message = decode(consumes[0].kind, data)
        if subject_of(message) != subject:
            raise BadMessageError(f"the body belongs on `{subject_of(message)}`")
        return message, consumes

    def dead_letter(
        self, subject: str, data: bytes, reason: str, now_ns: int, place: str = ""
    ) -> DeadLetterV1:
        """Returns the letter for bytes that cannot be used; its id is a hash of what and where."""
        digest = hashlib.sha256(f"{subject}\n{place}\n".encode() + data[:SIZE_BYTES_MAX])
        return DeadLetterV1(
            created_ns=now_ns,
            letter_id=f"{self._service}-{digest.hexdigest()[:24]}",
            service=self._service,
            subject=_printable(subject)[:SUBJECT_MAX],
            reason=_printable(reason)[:REASON_MAX],
            size_bytes=len(data),
            head_base64=base64.b64encode(data[:HEAD_BYTES]).decode(),
        )


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8", "replace")
