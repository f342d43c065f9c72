"""The keys of a private bus: an nkey seed a role, and a certificate for its servers.

An authority of the bus's own signs the one certificate that all servers share, and is then
forgotten: clients trust no other, and nobody can sign a second.
"""

import datetime as dt
import ipaddress
import os
import secrets
from pathlib import Path

import nkeys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.clock import SystemClock

LIFETIME = dt.timedelta(days=397)
BACKDATED = dt.timedelta(hours=1)  # for clocks that are behind
LOCAL = ("localhost", "127.0.0.1")
FILES = ("ca.pem", "server.pem", "server.key")


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


def write_certificates(directory: Path, servers: tuple[str, ...], owner: int = -1) -> None:
    """Writes authority, certificate and key, unless all are there for these names."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o711)
    names = tuple(dict.fromkeys((*servers, *LOCAL)))
    paths = [directory / name for name in FILES]
    if all(path.exists() for path in paths) and _names_in(paths[1]) == set(names):
        return
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    server = _signed(names, server_key, authority, authority_key)
    paths[0].write_bytes(authority.public_bytes(Encoding.PEM))
    paths[1].write_bytes(server.public_bytes(Encoding.PEM))
    private = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_secret(paths[2], private, owner)


def remove_certificates(directory: Path) -> None:
    """Has the next `write_certificates` make a new authority: the old one can sign no more."""
    for name in FILES:
        (directory / name).unlink(missing_ok=True)


def good_until(directory: Path) -> dt.datetime:
    """Returns when the servers' certificate ends."""
    certificate = x509.load_pem_x509_certificate((directory / FILES[1]).read_bytes())
    return certificate.not_valid_after_utc


def write_secret(path: Path, data: bytes, owner: int) -> None:
    """Writes a file that one user can read, whole or not at all."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if owner >= 0:
            os.fchown(descriptor, owner, -1)
    fresh.replace(path)


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hedgerow bus authority")])
    return (
        _dated()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _signed(
    names: tuple[str, ...],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """A server is a client too, of the other servers of its cluster."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hedgerow bus")])
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _dated()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(issuer_key, critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .sign(authority_key, hashes.SHA256())
    )


def _dated() -> x509.CertificateBuilder:
    now = dt.datetime.fromtimestamp(SystemClock().wall_ns() / 1e9, dt.UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _names_in(path: Path) -> set[str]:
    """Returns the names that a certificate is good for."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}
