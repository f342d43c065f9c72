"""Puts a venue session together from the facts of a run: URL, keys, clock, randomness."""

import random
import secrets

from shared.clock import Clock
from shared.configuration import Runtime
from shared.redaction import read_secret
from shared.telemetry import Log
from shared.venue_link import LinkSettings
from shared.venue_session import VenueSession
from shared.venue_socket import VenueSocket, check_keys

NONCE_BYTES = 9


def open_venue_socket(
    settings: LinkSettings, runtime: Runtime, clock: Clock, log: Log
) -> VenueSocket:
    """Returns a socket that connects once it is started. Raises ConfigurationError or
    VenueKeysError if the account's keys are not there."""
    secret = read_secret(runtime.venue_client_secret_path)
    check_keys(runtime.venue_ws_url, runtime.venue_client_id, secret)
    session = VenueSession(
        settings, runtime.venue_client_id, secret, lambda: secrets.token_urlsafe(NONCE_BYTES)
    )
    return VenueSocket(runtime.venue_ws_url, session, clock, random.Random(), log)
