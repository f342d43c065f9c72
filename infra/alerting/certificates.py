"""What the servers of the bus show to whom connects now: when it ends, and whether it is trusted.

The watcher asks, as a client that has just come would. An agent's own connection knows what it was
shown when it began; a certificate is renewed under it, and for weeks it would tell of the old one.
"""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from shared.bus_login import BusLogin
from shared.configuration import ConfigurationError
from shared.service import Reading

LOOK_S = 10.0
ANSWER_S_MAX = 3.0


class Certificates:
    """Without a login the bus is open, and there is nothing to tell."""

    def __init__(self, nats_url: str, login: BusLogin | None) -> None:
        self._servers = [urlsplit(url).netloc for url in nats_url.split(",")]
        self._login = login
        self._told: list[Reading] = []

    async def watch(self) -> None:
        """Looks over and over."""
        while self._login is not None:
            await self.look(self._login)
            await asyncio.sleep(LOOK_S)

    async def look(self, login: BusLogin) -> None:
        """Asks every server at once. Of one that does not answer there is nothing to tell; BusAway
        and StreamPeerAway tell that. While our own file of the authority is written, what was known
        stays."""
        try:
            context = login.context()
        except ConfigurationError:
            return
        found = await asyncio.gather(*(_of_server(one, context) for one in self._servers))
        self._told = [reading for one in found for reading in one]

    def readings(self) -> Sequence[Reading]:
        return self._told


async def _of_server(server: str, context: ssl.SSLContext) -> list[Reading]:
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            certificate = await shown(server, context)
    except ssl.SSLCertVerificationError:
        return [Reading("bus_certificate_refused", 1, (server,))]
    except (OSError, TimeoutError, ValueError):  # away, without TLS, or no server of NATS
        return []
    return [Reading("bus_certificate_refused", 0, (server,)), *ends(server, certificate, context)]


def ends(server: str, certificate: Any, context: ssl.SSLContext) -> Iterator[Reading]:
    """Yields when a certificate ends, as ssl tells of it, and when its authority does."""
    found = [
        ssl.cert_time_to_seconds(str(one["notAfter"]))
        for one in context.get_ca_certs()
        if one["subject"] == certificate["issuer"]
    ]
    for what, unix_s in (
        ("server", ssl.cert_time_to_seconds(certificate["notAfter"])),
        ("authority", max(found, default=None)),
    ):
        if unix_s is not None:
            yield Reading("bus_certificate_expiry_timestamp_seconds", unix_s, (server, what))


async def shown(server: str, context: ssl.SSLContext) -> Any:
    """Returns the certificate that a server shows. Raises OSError: it does not answer, does not
    speak TLS, or (SSLCertVerificationError) is not to be trusted; ValueError: it has no end."""
    host, _, port = server.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        await reader.readline()  # a server of NATS speaks first, and only then TLS
        await writer.start_tls(context, server_hostname=host)
        return writer.get_extra_info("peercert")
    finally:
        writer.transport.abort()
