"""Reads a journal as a stranger would: from the format's description, with none of the writer's
code. Finds flipped, dropped, reordered, inserted and cut records; `.head` and an anchor kept
elsewhere (the stream LEDGER) also tell of records cut off whole.

`python -m shared.journal_verifier PATH` prints the verdict as JSON; exit code 1 if it is bad.
"""

import sys
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import msgspec

ENTRY_BYTES_MIN = 8 + 8 + 32 + 1 + 1 + 32
ENTRY_BYTES_MAX = 16 * 1024 * 1024


class Anchor(msgspec.Struct, frozen=True):
    """A place in the chain that is known from elsewhere."""

    sequence: int
    entry_hash: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    is_whole: bool
    reason: str  # why not, with the byte; empty if whole
    entry_count: int  # that are whole, from the first
    last_hash: str


def verify(path: Path, anchor: Anchor | None = None) -> Verdict:
    """Returns the verdict on a journal; raises OSError only if it cannot be read."""
    hashes: list[str] = []
    reason = _walk(path.read_bytes(), hashes)
    if not reason:
        reason = _check_head(path, hashes)
    if not reason and anchor is not None:
        reason = _check_anchor(anchor, hashes)
    return Verdict(
        is_whole=not reason,
        reason=reason,
        entry_count=len(hashes),
        last_hash=hashes[-1] if hashes else "0" * 64,
    )


def _walk(data: bytes, hashes: list[str]) -> str:
    if not data.startswith(b"HRJRNL1\n"):
        return "byte 0: the magic is wrong"
    at = 8
    chain = "0" * 64
    while at < len(data):
        if len(data) - at < 8:
            return f"byte {at}: cut inside a prefix"
        length = int.from_bytes(data[at : at + 4], "little")
        checksum = int.from_bytes(data[at + 4 : at + 8], "little")
        if not ENTRY_BYTES_MIN <= length <= ENTRY_BYTES_MAX:
            return f"byte {at}: length {length}"
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            return f"byte {at}: cut inside an entry"
        if crc32(body, crc32(data[at : at + 4])) != checksum:
            return f"byte {at}: checksum"
        found = sha256(body[:-32]).hexdigest()
        if body[-32:].hex() != found:
            return f"byte {at}: hash of the entry"
        if int.from_bytes(body[:8], "little") != len(hashes) + 1:
            return f"byte {at}: sequence, {len(hashes) + 1} was due"
        if body[16:48].hex() != chain:
            return f"byte {at}: previous hash"
        if body[48] == 0 or 49 + body[48] > length - 32:
            return f"byte {at}: length of the kind"
        hashes.append(found)
        chain = found
        at += 8 + length
    return ""


def _check_head(path: Path, hashes: list[str]) -> str:
    head = path.with_name(path.name + ".head")
    if not head.exists():
        return "the head file is missing"
    data = head.read_bytes()
    if len(data) != 60 or not data.startswith(b"HRHEAD1\n"):
        return "the head file is damaged"
    if crc32(data[:56]) != int.from_bytes(data[56:], "little"):
        return "the head file is damaged"
    sequence = int.from_bytes(data[8:16], "little")
    return _check_anchor(Anchor(sequence, data[24:56].hex()), hashes)


def _check_anchor(anchor: Anchor, hashes: list[str]) -> str:
    if anchor.sequence > len(hashes):
        return f"{anchor.sequence} entries were durable, {len(hashes)} are here"
    if anchor.sequence and hashes[anchor.sequence - 1] != anchor.entry_hash:
        return f"entry {anchor.sequence} is not the one that was durable"
    return ""


if __name__ == "__main__":
    verdict = verify(Path(sys.argv[1]))
    sys.stdout.buffer.write(msgspec.json.encode(verdict) + b"\n")
    sys.exit(0 if verdict.is_whole else 1)
