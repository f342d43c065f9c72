"""Deribit's logon: RawData is `<ms>.<nonce>`, Password is base64(sha256(RawData + secret))."""

import base64
import hashlib
import hmac

from shared.fix import tags
from shared.fix.codec import Message, Value
from shared.fix.tags import ENCRYPT_METHOD, HEART_BT_INT

VENUE_NAME = "DERIBITSERVER"  # CompID
NS_PER_MS = 1_000_000
TIMESTAMP_SLACK_MS = 60_000
NONCE_BYTES_MIN = 16


def logon_body(
    client_id: str, client_secret: str, nonce: bytes, heartbeat_s: int, now_ns: int
) -> list[tuple[int, Value]]:
    """Returns the fields of a desk's Logon: quotes go with the connection, fills come as execution
    reports. ResetSeqNumFlag is the session's."""
    assert len(nonce) >= NONCE_BYTES_MIN
    raw_data = f"{now_ns // NS_PER_MS}.{base64.b64encode(nonce).decode()}"
    return [
        (ENCRYPT_METHOD, 0),
        (HEART_BT_INT, heartbeat_s),
        (tags.RAW_DATA_LENGTH, len(raw_data)),
        (tags.RAW_DATA, raw_data),
        (tags.USERNAME, client_id),
        (tags.PASSWORD, password_of(raw_data, client_secret)),
        (tags.CANCEL_ON_DISCONNECT, True),
        (tags.FILLS_AS_EXECUTION_REPORTS, True),
    ]


def password_of(raw_data: str, client_secret: str) -> str:
    digest = hashlib.sha256(raw_data.encode("latin-1") + client_secret.encode()).digest()
    return base64.b64encode(digest).decode()


def timestamp_ms(message: Message) -> int:
    """Returns the time in RawData; -1 where there is none."""
    stamp = (message.get(tags.RAW_DATA) or "").partition(".")[0]
    return int(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) < 16 else -1


def is_signed(message: Message, client_secret: str) -> bool:
    """Returns whether Password fits RawData and the secret."""
    raw_data, given = message.get(tags.RAW_DATA) or "", message.get(tags.PASSWORD) or ""
    expected = password_of(raw_data, client_secret)
    return hmac.compare_digest(expected.encode(), given.encode())
