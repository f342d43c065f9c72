"""Connections, keys and tokens: who is talking, and what the venue does when they stop.

A connection that logged in stays logged in: with scope `connection` as long as it is open, with
scope `session:<name>` until the token expires (900 s) and is refreshed. Signatures may carry venue
time or real time, each within a minute.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from services.venue.errors import VenueError
from services.venue.rpc.parameters import Params
from services.venue.rpc.rate_limits import Allowance
from shared.clock import NS_PER_MS, NS_PER_S

TIMESTAMP_SLACK_MS = 60_000
SESSION_TOKEN_S = 900
CONNECTION_TOKEN_S = 31_536_000
TOKENS_MAX = 4096
FULL_SCOPE = "account:read_write trade:read_write wallet:read_write block_trade:read_write"


@dataclass(slots=True)
class Connection:
    """One WebSocket, or (transport "http") one HTTP request."""

    connection_id: int
    transport: str
    opened_ns: int
    allowance: Allowance
    account_id: int = -1  # -1: not logged in
    scope: str = ""
    expires_ns: int = 0
    last_received_ns: int = 0
    heartbeat_ns: int = 0  # interval; 0: none asked for
    next_heartbeat_ns: int = 0
    test_request_ns: int = 0  # when the unanswered test_request was sent; 0: none
    cancel_on_disconnect: bool = False
    channels: set[str] = field(default_factory=set)
    close_reason: str = ""  # not empty: the venue closes it after the answer


@dataclass(frozen=True, slots=True)
class Token:
    account_id: int
    scope: str
    expires_ns: int
    lifetime_s: int
    connection_id: int  # tokens of scope `connection` work on their own connection, and by HTTP
    is_refresh: bool


@dataclass(frozen=True, slots=True)
class Key:
    client_id: str
    client_secret: str
    account_id: int


class Sessions:
    """Keys and tokens. `secret` makes the tokens: the same calls give the same tokens."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._counter = 0
        self._keys: dict[str, Key] = {}
        self._tokens: dict[str, Token] = {}

    def add_key(self, key: Key) -> None:
        self._keys[key.client_id] = key

    def key(self, client_id: str) -> Key | None:
        return self._keys.get(client_id)

    def login(
        self, params: Params, connection: Connection, now_ns: int, real_ns: int
    ) -> dict[str, Any]:
        """Answers `public/auth`; on a WebSocket the connection is logged in."""
        grant = params.text("grant_type")
        scope = params.text("scope", "", length_max=1024)
        if grant == "client_credentials":
            key = self._keys.get(params.text("client_id"))
            secret = params.text("client_secret")
            if key is None or not hmac.compare_digest(key.client_secret.encode(), secret.encode()):
                raise VenueError(13004)
            account_id = key.account_id
        elif grant == "client_signature":
            account_id = self._by_signature(params, now_ns, real_ns)
        elif grant == "refresh_token":
            token = self._tokens.pop(params.text("refresh_token"), None)
            if token is None or not token.is_refresh or token.expires_ns <= now_ns:
                raise VenueError(13009, data={"reason": "invalid_token"})
            account_id = token.account_id
            scope = scope or token.scope
        else:
            raise VenueError(
                -32602, data={"reason": "unsupported grant type", "param": "grant_type"}
            )
        lifetime_s = SESSION_TOKEN_S if "session:" in scope else CONNECTION_TOKEN_S
        granted = _granted(scope)
        if connection.transport == "ws":
            connection.account_id = account_id
            connection.scope = granted
            connection.expires_ns = now_ns + lifetime_s * NS_PER_S
        common = (account_id, granted, now_ns, lifetime_s, connection.connection_id)
        return {
            "access_token": self._issue(*common, is_refresh=False),
            "expires_in": lifetime_s,
            "refresh_token": self._issue(*common, is_refresh=True),
            "scope": granted,
            "token_type": "bearer",
            "enabled_features": [],
        }

    def account_of_token(self, text: str, now_ns: int) -> tuple[int, str]:
        """Returns the account and scope of an access token. Raises 13009 on a bad one."""
        token = self._tokens.get(text)
        if token is None or token.is_refresh:
            raise VenueError(13009, data={"reason": "invalid_token"})
        if token.expires_ns <= now_ns:
            raise VenueError(13009, data={"reason": "token_expired"})
        return token.account_id, token.scope

    def account_of_header(
        self, header: str, method: str, uri: str, body: bytes, now_ns: int, real_ns: int
    ) -> tuple[int, str]:
        """Returns the account of an HTTP `Authorization` header: Bearer, or Deribit's
        `deri-hmac-sha256` signature over time, nonce, method, URI with query, and body."""
        kind, _, rest = header.partition(" ")
        if kind.lower() == "bearer":
            return self.account_of_token(rest.strip(), now_ns)
        if kind.lower() != "deri-hmac-sha256":
            raise VenueError(13009, data={"reason": "unsupported authorization"})
        fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        key = self._keys.get(fields.get("id", ""))
        if key is None:
            raise VenueError(13004)
        stamp, nonce = fields.get("ts", ""), fields.get("nonce", "")
        text = f"{stamp}\n{nonce}\n{method.upper()}\n{uri}\n".encode() + body + b"\n"
        _check_time(stamp, now_ns, real_ns)
        _check_signature(key, text, fields.get("sig", ""))
        return key.account_id, FULL_SCOPE

    def revoke(self, connection: Connection) -> None:
        """Forgets the tokens given to a connection (private/logout)."""
        for text in [
            text
            for text, token in self._tokens.items()
            if token.connection_id == connection.connection_id
        ]:
            del self._tokens[text]

    def _by_signature(self, params: Params, now_ns: int, real_ns: int) -> int:
        key = self._keys.get(params.text("client_id"))
        if key is None:
            raise VenueError(13004)
        stamp = params.text("timestamp")
        nonce, data = params.text("nonce", ""), params.text("data", "", length_max=4096)
        _check_time(stamp, now_ns, real_ns)
        _check_signature(key, f"{stamp}\n{nonce}\n{data}".encode(), params.text("signature"))
        return key.account_id

    def _issue(
        self,
        account_id: int,
        scope: str,
        now_ns: int,
        lifetime_s: int,
        connection_id: int,
        *,
        is_refresh: bool,
    ) -> str:
        self._counter += 1
        seed = f"{self._counter}\n{account_id}\n{now_ns}\n{is_refresh}".encode()
        text = hmac.new(self._secret, seed, hashlib.sha256).hexdigest()
        lifetime = lifetime_s * (2 if is_refresh else 1)
        while len(self._tokens) >= TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[text] = Token(
            account_id=account_id,
            scope=scope,
            expires_ns=now_ns + lifetime * NS_PER_S,
            lifetime_s=lifetime_s,
            connection_id=connection_id,
            is_refresh=is_refresh,
        )
        return text


def may_write(scope: str, area: str) -> bool:
    """Returns whether a granted scope allows changes in an area ("trade" or "account")."""
    return f"{area}:read_write" in scope


def _granted(asked: str) -> str:
    """Returns the scope that is granted: what was asked, never more than the key may."""
    parts = asked.split()
    named = [part for part in parts if part == "connection" or part.startswith("session:")]
    areas = {right.split(":")[0] for right in FULL_SCOPE.split()}
    rights = [part for part in parts if part.split(":")[0] in areas] or FULL_SCOPE.split()
    return " ".join([*rights, *(named or ["connection"])])


def _check_time(stamp: str, now_ns: int, real_ns: int) -> None:
    try:
        stamp_ms = int(stamp)
    except ValueError as error:
        raise VenueError(13004, data={"reason": "bad timestamp"}) from error
    clocks = (now_ns, real_ns)
    if all(abs(stamp_ms - clock // NS_PER_MS) > TIMESTAMP_SLACK_MS for clock in clocks):
        raise VenueError(13004, data={"reason": "timestamp too far from venue time"})


def _check_signature(key: Key, text: bytes, signature: str) -> None:
    expected = hmac.new(key.client_secret.encode(), text, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise VenueError(13004)
