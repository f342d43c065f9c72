"""The keys of a private bus: an nkey seed a role, and a certificate for its servers.

One certificate is shared by all servers; clients trust no authority but those in `ca.pem`. A bus
that lives as long as its run forgets its authority: nobody can sign a second server. Where it is
kept (bus_authority.py), the certificate is renewed under a running desk, and an authority follows
another in three steps: both are trusted (`trust_next`), the new one signs (`sign_by_next`), the old
one is forgotten (`forget_last`). A step that was broken off can be taken again.
"""

import datetime as dt
import secrets
from pathlib import Path

import nkeys
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from infra import bus_authority
from infra.bus_authority import (
    CURRENT,
    NEXT,
    SERVER_LIFETIME,
    Authority,
    AuthorityError,
    write_secret,
)

LOCAL = ("localhost", "127.0.0.1")
BUNDLE, CERTIFICATE, KEY = "ca.pem", "server.pem", "server.key"


def write_seeds(directory: Path, names: tuple[str, ...], owner: int = -1) -> dict[str, str]:
    """Writes a seed for each name that has none; returns the public keys."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o711)
    found = {}
    for name in names:
        path = directory / f"{name}.nk"
        if not path.exists():
            seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
            write_secret(path, bytes(seed), owner)
        found[name] = nkeys.from_seed(bytearray(path.read_bytes().strip())).public_key.decode()
    return found


def write_certificates(
    directory: Path, servers: tuple[str, ...], owner: int = -1, kept_in: Path | None = None
) -> None:
    """Writes bundle, certificate and key, unless all are there for these names. `kept_in`: the
    authority's folder, which gets one where there is no bundle yet; without it the authority is
    new and nobody keeps it. Raises AuthorityError where the kept one would be needed and is away.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o711)
    names = tuple(dict.fromkeys((*servers, *LOCAL)))
    paths = [directory / name for name in (BUNDLE, CERTIFICATE, KEY)]
    if all(path.exists() for path in paths) and _names_in(paths[1]) == set(names):
        return
    if kept_in is None:
        authority = bus_authority.fresh()
        _write_bundle(directory, [authority.certificate], owner)
    else:
        authority = _kept_or_first(directory, kept_in, owner)
    _write_server(directory, authority, names, owner)


def renew(
    directory: Path, kept_in: Path, owner: int = -1, lifetime: dt.timedelta = SERVER_LIFETIME
) -> None:
    """Has the kept authority sign a new certificate, of a new key, for the names of the old one.
    Raises AuthorityError where it is away or nobody trusts it."""
    names = _names_in(directory / CERTIFICATE)
    _write_server(directory, _trusted(directory, kept_in), tuple(names), owner, lifetime)


def trust_next(directory: Path, kept_in: Path, owner: int = -1) -> None:
    """Makes the next authority, and has it trusted beside whoever is."""
    following = bus_authority.read(kept_in / NEXT)
    if following is None:
        following = bus_authority.fresh()
        following.keep(kept_in / NEXT)
    trusted = trusted_in(directory)
    if following.certificate not in trusted:
        _write_bundle(directory, [*trusted, following.certificate], owner)


def sign_by_next(directory: Path, kept_in: Path, owner: int = -1) -> None:
    """Has the next authority, which everybody trusts by now, sign, and drops the key of the one
    before. Raises AuthorityError where there is no next one, or it is not trusted."""
    following = bus_authority.read(kept_in / NEXT)
    if following is None:
        raise AuthorityError(f"there is no next authority in {kept_in}: trust comes first")
    if following.certificate not in trusted_in(directory):
        raise AuthorityError("the next authority is not trusted yet: trust comes first")
    names = _names_in(directory / CERTIFICATE)
    _write_server(directory, following, tuple(names), owner)
    (kept_in / NEXT).replace(kept_in / CURRENT)


def forget_last(directory: Path, kept_in: Path, owner: int = -1) -> None:
    """Has nobody trusted but the kept authority. Raises AuthorityError where the servers'
    certificate is not of its signing: nobody would take it any more."""
    authority = _trusted(directory, kept_in)
    if not _is_signed_by(directory, authority):
        raise AuthorityError("the servers' certificate is another authority's: sign comes first")
    _write_bundle(directory, [authority.certificate], owner)


def good_until(directory: Path) -> dt.datetime:
    """Returns when the servers' certificate ends."""
    return _certificate(directory / CERTIFICATE).not_valid_after_utc


def trusted_in(directory: Path) -> list[x509.Certificate]:
    """Returns the authorities that a bundle trusts."""
    return x509.load_pem_x509_certificates((directory / BUNDLE).read_bytes())


def _kept_or_first(directory: Path, kept_in: Path, owner: int) -> Authority:
    """Returns the kept authority. Where no bundle trusts anybody yet, it is made if need be."""
    if (directory / BUNDLE).exists():
        return _trusted(directory, kept_in)
    authority = bus_authority.read(kept_in / CURRENT)
    if authority is None:
        authority = bus_authority.fresh()
        authority.keep(kept_in / CURRENT)
    _write_bundle(directory, [authority.certificate], owner)
    return authority


def _trusted(directory: Path, kept_in: Path) -> Authority:
    authority = bus_authority.read(kept_in / CURRENT)
    if authority is None:
        raise AuthorityError(
            f"there is no authority in {kept_in}: name its folder, or change to a new authority"
        )
    if authority.certificate not in trusted_in(directory):
        raise AuthorityError(f"the authority in {kept_in} is not one that {BUNDLE} trusts")
    return authority


def _write_bundle(directory: Path, trusted: list[x509.Certificate], owner: int) -> None:
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in trusted)
    write_secret(directory / BUNDLE, pem, owner)


def _write_server(
    directory: Path,
    authority: Authority,
    names: tuple[str, ...],
    owner: int,
    lifetime: dt.timedelta = SERVER_LIFETIME,
) -> None:
    certificate, key = authority.sign(names, lifetime)
    write_secret(directory / KEY, key, owner)
    write_secret(directory / CERTIFICATE, certificate, owner)


def _is_signed_by(directory: Path, authority: Authority) -> bool:
    try:
        _certificate(directory / CERTIFICATE).verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _names_in(path: Path) -> set[str]:
    """Returns the names that a certificate is good for."""
    names = _certificate(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}
