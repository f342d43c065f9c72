"""How a process proves to the bus who it is: an nkey that it signs with, over TLS to a server that
the bus's own authority has signed. Without a login the bus is taken to be open."""

import logging
import ssl
from dataclasses import dataclass
from typing import Any

from shared.configuration import ConfigurationError, Runtime
from shared.redaction import read_secret


@dataclass(frozen=True)
class BusLogin:
    """One role's key. The seed stays in its file; nats-py reads it to sign and forgets it."""

    role: str
    seed_path: str
    authority_path: str
    keeps_streams: bool = False

    def options(self) -> dict[str, Any]:
        """Returns the arguments of nats-py's connect. Raises ConfigurationError on a bad file."""
        read_secret(self.seed_path)
        context = self.context()
        logging.getLogger("asyncio").addFilter(_is_news)
        return {
            "nkeys_seed": self.seed_path,
            "tls": context,
            "inbox_prefix": inbox_of(self.role),
        }

    def context(self) -> ssl.SSLContext:
        """Returns what a server is trusted by, as the authority's file stands now. Raises
        ConfigurationError on a bad file."""
        try:
            context = ssl.create_default_context(cafile=self.authority_path)
        except ssl.SSLError as error:
            raise ConfigurationError(f"{self.authority_path}: no certificate in it") from error
        except OSError as error:
            raise ConfigurationError(f"{self.authority_path}: {error.strerror}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


def _is_news(record: logging.LogRecord) -> bool:
    """nats-py puts TLS under a stream that does not know of it, which is said at every close."""
    return not record.getMessage().startswith("returning true from eof_received()")


def inbox_of(role: str) -> str:
    """Returns what a role's inboxes begin with: only it may listen there."""
    return f"_INBOX_{role}"


def login_of(role: str, runtime: Runtime) -> BusLogin | None:
    """Returns the login of this process; None where the run's bus is open to everybody."""
    if not runtime.bus_authority_path:
        return None
    return BusLogin(role, runtime.bus_seed_path, runtime.bus_authority_path)
