"""Who is behind a FIX connection: the session on it, and the client it belongs to."""

from dataclasses import dataclass, field

from services.venue.rpc.sessions import Connection
from shared.fix.session import Session
from shared.fix.store import Store

CLIENTS_MAX = 256


@dataclass(slots=True)
class Client:
    """One SenderCompID of one key; outlives its connections, with the session's numbers and what
    it may ask for again."""

    client_id: str
    name: str
    account_id: int
    opened_ns: int  # orders sent before that were sent to an earlier run of the venue
    store: Store = field(default_factory=Store)
    connection_ids: set[int] = field(default_factory=set)  # all it ever had
    is_silent: bool = False  # 9009: reports only on its own requests
    is_connection_only: bool = False  # 9010: reports only on its own orders
    is_fills_as_reports: bool = False  # 9015: fills of quotes as 8, else as b
    line: "Line | None" = None


@dataclass(slots=True)
class Line:
    """One connection."""

    connection: Connection
    session: Session
    client: Client | None = None  # None: not logged on
    is_cancelling: bool = False  # 9001
