"""Secrets do not leave the process by what it prints, logs or traces.

A secret is read here and remembered in the forms it may turn up in; what looks like one is hidden
without being known: values of telling names, tokens, nkey seeds, private keys, FIX passwords. It
is done where text leaves, so that no error path has to think of it.
"""

import base64
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from shared.configuration import ConfigurationError

HIDDEN = "[hidden]"
SHORT_MAX = 96
LENGTH_MIN = 6  # what is shorter is no secret, and hiding it would hide half of everything

_NAMES = (
    "client_secret|client_signature|access_token|refresh_token|password|passwd|private_key|rawdata"
)
_QUOTE = r"\\*[\"']?"  # also as it stands in JSON inside JSON
_LOOKS = (
    # name: value, as JSON, a dict's repr or a keyword argument
    re.compile(rf"(?i)((?:{_NAMES}){_QUOTE}\s*[:=]\s*{_QUOTE})[^\s\"'\\,;&)}}\]\x01]+"),
    re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]+"),
    # FIX: Password, RawData, NewPassword
    re.compile(r"((?:^|[\x01|\s\"']|\\x01|\\u0001)(?:554|96|925)=)[^\x01|\s\"'\\]+"),
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?s:.*?)(?=-----END|$)"),
)
# Each look needs one of these in the text: most texts have none, and are done with.
_HINTS = (*_NAMES.split("|"), "bearer", "554=", "96=", "925=", "private key")
_SEED = re.compile(r"\bS[ACNOUX][A-Z2-7]{56}\b")
_SEED_LENGTH = 58
_known: set[str] = set()


def read_secret(path: str) -> str:
    """Returns what a secret's file holds, and remembers it. Raises ConfigurationError if it cannot
    be read."""
    if not path:
        raise ConfigurationError("this process was not told where its secret is")
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is no text") from error
    remember(secret)
    return secret


def remember(secret: str) -> None:
    """Has a secret hidden from now on, also quoted for JSON or a URL, and in base64."""
    if len(secret) < LENGTH_MIN:
        return
    encoded = base64.b64encode(secret.encode()).decode()
    _known.update((secret, json.dumps(secret)[1:-1], quote(secret, safe=""), encoded))
    _redact_short.cache_clear()


def redact(text: str) -> str:
    """Returns a text without secrets."""
    return _redact_short(text) if len(text) <= SHORT_MAX else _redact(text)


def _redact(text: str) -> str:
    for secret in _known:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    if len(text) >= _SEED_LENGTH:
        text = _SEED.sub(HIDDEN, text)
    lower = text.lower()
    if any(hint in lower for hint in _HINTS):
        for look in _LOOKS:
            text = look.sub(rf"\g<1>{HIDDEN}", text)
    return text


_redact_short = lru_cache(maxsize=4096)(_redact)  # a span's words are the same few


class RedactedStream:
    """A text stream that hides secrets in what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
