"""FIX 4.4 on the wire: fields in order, framed by BodyLength and CheckSum.

Written for this room alone: it shares nothing with native/src/hr_fix*.c, so that each checks the
other. No data dictionary: repeating groups stay flat in order and are cut apart by whoever knows
their members. A garbled message is skipped and counted, as the standard wants it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from shared.fix import tags
from shared.fix.tags import ADMIN_TYPES

SOH = "\x01"
BEGIN = "FIX.4.4"
START = b"8=FIX"
PREFIX = b"8=FIX.4.4\x019="
MESSAGE_BYTES_MAX = 256 * 1024
TRAILER_BYTES = 7  # 10=nnn and its delimiter
INTEGER_DIGITS_MAX = 18
NS_PER_S = 1_000_000_000
Field = tuple[int, str]
Value = str | int | bool | None


class FixError(Exception):
    """A message that is framed well says something wrong: answered with Reject (3)."""

    def __init__(self, reason: int, text: str, tag: int = 0) -> None:
        self.reason = reason
        self.text = text
        self.tag = tag
        super().__init__(text)


class _Tags(dict[str, int]):
    """Numbers of tags by their text; what is no tag raises FixError."""

    def __missing__(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or text[0] == "0" or len(text) > 6:
            raise FixError(tags.REASON_INVALID_TAG, "tag is no number")
        number = int(text)
        if len(self) < 8192:
            self[text] = number
        return number


_TAGS = _Tags()


@dataclass(slots=True)
class Message:
    """One message: all fields between BodyLength and CheckSum, in order."""

    msg_type: str
    fields: list[Field]
    _first: dict[int, str] | None = field(default=None, repr=False)

    @property
    def is_admin(self) -> bool:
        return self.msg_type in ADMIN_TYPES

    @property
    def is_poss_dup(self) -> bool:
        return self.get(tags.POSS_DUP_FLAG) == "Y"

    def get(self, tag: int) -> str | None:
        """Returns the first value of a tag."""
        if self._first is None:
            self._first = dict(reversed(self.fields))
        return self._first.get(tag)

    def text(self, tag: int) -> str:
        value = self.get(tag)
        if value is None:
            raise FixError(tags.REASON_REQUIRED_TAG_MISSING, "required tag missing", tag)
        return value

    def integer(self, tag: int, default: int | None = None) -> int:
        """Returns a whole number; without a default the tag is required."""
        value = self.get(tag)
        if value is None and default is not None:
            return default
        return integer_of(self.text(tag), tag)

    def boolean(self, tag: int) -> bool:
        value = self.get(tag)
        if value not in (None, "Y", "N"):
            raise FixError(tags.REASON_INCORRECT_VALUE, "must be Y or N", tag)
        return value == "Y"

    def groups(self, count_tag: int, members: frozenset[int]) -> list[list[Field]]:
        """Cuts the repeating group after `count_tag` apart. Its first field starts each entry; it
        ends before the first tag that is no member. Raises where the count does not agree."""
        return cut_groups(self.fields, count_tag, members)


class Garbled(NamedTuple):
    """Bytes that are no message, skipped; `reason` for the log."""

    reason: str


def cut_groups(fields: list[Field], count_tag: int, members: frozenset[int]) -> list[list[Field]]:
    """As Message.groups, for the fields of an outer group's entry."""
    at = next((i for i, (tag, _) in enumerate(fields) if tag == count_tag), -1)
    if at < 0:
        return []
    wanted = integer_of(fields[at][1], count_tag)
    entries: list[list[Field]] = []
    start = fields[at + 1][0] if at + 1 < len(fields) else 0
    for one in fields[at + 1 :] if start in members else ():
        if one[0] == start:
            entries.append([one])
        elif one[0] in members:
            entries[-1].append(one)
        else:
            break
    if len(entries) != wanted:
        raise FixError(tags.REASON_GROUP_COUNT, "count differs from the entries", count_tag)
    return entries


class Framer:
    """Bytes in any pieces in, messages and what was skipped out. A message that is framed well but
    whose fields are wrong comes as FixError with its MsgSeqNum in `seq`."""

    def __init__(self, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._buffer = bytearray()

    def clear(self) -> None:
        self._buffer.clear()

    def rest(self) -> bytes:
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list["Message | Malformed | Garbled"]:
        buffer = self._buffer
        buffer += data
        found: list[Message | Malformed | Garbled] = []
        at = 0
        while at < len(buffer):
            end, reason = self._frame(at)
            if reason:
                found.append(Garbled(reason))
                at = _resynchronised(buffer, at + 1)
            elif end:
                found.append(decode(bytes(buffer[at:end])))
                at = end
            else:
                break
        del buffer[:at]
        return found

    def _frame(self, at: int) -> tuple[int, str]:
        """Returns where the message at `at` ends (0: more bytes are wanted), or what is wrong."""
        buffer = self._buffer
        if bytes(buffer[at : at + 2]) != b"8="[: len(buffer) - at]:
            return 0, "no BeginString"
        first = buffer.find(1, at, at + 16)
        if first < 0:
            return 0, "no BeginString" if len(buffer) - at >= 16 else ""
        second = buffer.find(1, first + 1, first + 16)
        length = bytes(buffer[first + 1 : second if second >= 0 else first + 16])
        if length[:2] != b"9="[: len(length)]:
            return 0, "no BodyLength"
        if second < 0:
            return 0, "no BodyLength" if len(length) >= 15 else ""
        if not length[2:].isdigit() or int(length[2:]) > self._bytes_max:
            return 0, "BodyLength is wrong"
        end = second + 1 + int(length[2:]) + TRAILER_BYTES
        if end > len(buffer):
            return 0, ""
        trailer = bytes(buffer[end - TRAILER_BYTES - 1 : end])
        if trailer[:4] != b"\x0110=" or trailer[-1:] != b"\x01" or not trailer[4:7].isdigit():
            return 0, "BodyLength is wrong"
        with memoryview(buffer) as view:
            if checksum(view[at : end - TRAILER_BYTES]) != int(trailer[4:7]):
                return 0, "CheckSum is wrong"
        return end, ""


class Malformed(NamedTuple):
    """A framed message whose fields cannot be read."""

    seq: int  # 0: it has none
    msg_type: str
    error: FixError


def decode(frame: bytes) -> "Message | Malformed | Garbled":
    """Reads one frame whose BodyLength and CheckSum were checked."""
    text = frame.decode("latin-1")
    begin, _, rest = text.split(SOH, 2)
    body = rest[: -TRAILER_BYTES - 1]
    try:
        fields = _fields_with_data(body) if f"{SOH}95=" in rest else _fields(body)
    except FixError as error:
        return Malformed(_number(body, f"{SOH}34="), _value(body, "35="), error)
    if fields[0][0] != tags.MSG_TYPE:
        return Garbled("MsgType is not the third field")
    if begin != f"8={BEGIN}":
        fields.append((tags.BEGIN_STRING, begin[2:]))
    return Message(fields[0][1], fields)


def _fields(body: str) -> list[Field]:
    known = _TAGS
    fields = [
        (known[tag], value) for tag, _, value in [part.partition("=") for part in body.split(SOH)]
    ]
    for tag, value in fields:
        if not value:
            raise FixError(tags.REASON_NO_VALUE, "tag without a value", tag)
    return fields


def _fields_with_data(body: str) -> list[Field]:
    """The same where RawData may hold delimiters: its length comes just before it."""
    at = body.index(f"{SOH}95=") + 1
    end = body.find(SOH, at)
    before = _fields(body[:end]) if end > 0 else _fields(body)
    if end < 0 or not body.startswith("96=", end + 1):
        raise FixError(tags.REASON_REQUIRED_TAG_MISSING, "RawData must follow", tags.RAW_DATA)
    stop = end + 4 + integer_of(body[at + 3 : end], tags.RAW_DATA_LENGTH)
    if stop > len(body) or body[stop : stop + 1] not in ("", SOH):
        raise FixError(tags.REASON_INCORRECT_VALUE, "length of RawData", tags.RAW_DATA_LENGTH)
    data = (tags.RAW_DATA, body[end + 4 : stop])
    return [*before, data, *(_fields(body[stop + 1 :]) if stop + 1 < len(body) else [])]


def encode(header: Iterable[tuple[int, Value]], body: bytes) -> bytes:
    """Returns one message. `header` starts with MsgType (35)."""
    inner = pack(header) + body
    frame = b"%s%d\x01%s" % (PREFIX, len(inner), inner)
    return b"%s10=%03d\x01" % (frame, checksum(frame))


def pack(fields: Iterable[tuple[int, Value]]) -> bytes:
    """Returns fields as bytes; None is left out, a bool is Y or N."""
    parts = []
    for tag, value in fields:
        if value is True or value is False:
            parts.append(f"{tag}={'Y' if value else 'N'}{SOH}")
        elif value is not None and value != "":
            parts.append(f"{tag}={value}{SOH}")
    return "".join(parts).encode("latin-1", "replace")


def checksum(data: bytes | bytearray | memoryview) -> int:
    """Returns the sum of all bytes modulo 256."""
    if len(data) < 512:
        return sum(data) & 255
    return int(np.frombuffer(data, np.uint8).sum(dtype=np.uint64)) & 255


def integer_of(text: str, tag: int) -> int:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > INTEGER_DIGITS_MAX:
        raise FixError(tags.REASON_INCORRECT_FORMAT, "must be a whole number", tag)
    return int(text)


def format_time(now_ns: int) -> str:
    """Returns a UTCTimestamp with milliseconds."""
    second, rest_ns = divmod(now_ns, NS_PER_S)
    return f"{_second_text(second)}.{rest_ns // 1_000_000:03d}"


def parse_time(text: str, tag: int = tags.SENDING_TIME) -> int:
    """Returns the ns of a UTCTimestamp with or without a fraction."""
    whole, _, fraction = text.partition(".")
    try:
        second_ns = _second_ns(whole)
    except ValueError as error:
        raise FixError(tags.REASON_INCORRECT_FORMAT, "must be a UTC timestamp", tag) from error
    if len(fraction) > 9 or (fraction and not (fraction.isascii() and fraction.isdigit())):
        raise FixError(tags.REASON_INCORRECT_FORMAT, "must be a UTC timestamp", tag)
    return second_ns + int(fraction.ljust(9, "0"))


@lru_cache(maxsize=4)  # thousands of messages share a second
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%d-%H:%M:%S")


@lru_cache(maxsize=16)
def _second_ns(text: str) -> int:
    stamp = datetime.strptime(f"{text}+0000", "%Y%m%d-%H:%M:%S%z")
    return int(stamp.timestamp()) * NS_PER_S


def _resynchronised(buffer: bytearray, at: int) -> int:
    """Returns where the next message may start; a piece of its start at the end is kept."""
    found = buffer.find(START, at)
    if found >= 0:
        return found
    for length in range(min(len(START) - 1, len(buffer) - at), 0, -1):
        if buffer.endswith(START[:length]):
            return len(buffer) - length
    return len(buffer)


def _value(body: str, prefix: str) -> str:
    at = body.find(prefix)
    return body[at + len(prefix) :].partition(SOH)[0] if at >= 0 else ""


def _number(body: str, prefix: str) -> int:
    text = _value(body, prefix)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
