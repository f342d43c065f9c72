"""The authority of a bus: who signs its servers' certificates, and where its key is kept.

A kept authority is one file, key and certificate, in a folder of the operator's choice that no
container mounts. `authority.pem` signs; `next.pem` is who will, once everybody trusts it.
"""

import datetime as dt
import ipaddress
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.clock import SystemClock

CURRENT, NEXT = "authority.pem", "next.pem"
LIFETIME = dt.timedelta(days=5 * 365)
SERVER_LIFETIME = dt.timedelta(days=397)
BACKDATED = dt.timedelta(hours=1)  # for clocks that are behind


class AuthorityError(RuntimeError):
    """There is no authority that could do it; nothing was changed."""


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def sign(
        self, names: Iterable[str], lifetime: dt.timedelta = SERVER_LIFETIME
    ) -> tuple[bytes, bytes]:
        """Returns certificate and key of servers with these names, as PEM. The certificate ends
        with its authority at the latest: beyond that nobody would take it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(tuple(names), key.public_key(), lifetime)
        return certificate.public_bytes(Encoding.PEM), _private(key)

    def keep(self, path: Path) -> None:
        """Writes it, its key too, as a file that its owner alone can read, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret(path, _private(self.key) + self.certificate.public_bytes(Encoding.PEM))

    def _signed(
        self, names: tuple[str, ...], key: ec.EllipticCurvePublicKey, lifetime: dt.timedelta
    ) -> x509.Certificate:
        """A server is a client too, of the other servers of its cluster."""
        own = self.certificate
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        alternatives = x509.SubjectAlternativeName([_name(name) for name in names])
        return (
            _dated(min(_now() + lifetime, own.not_valid_after_utc))
            .subject_name(_called("hedgerow bus"))
            .issuer_name(own.subject)
            .public_key(key)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(issuer_key, critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .sign(self.key, hashes.SHA256())
        )


def fresh(lifetime: dt.timedelta = LIFETIME) -> Authority:
    """Returns a new authority. Its name is its own: of two that are trusted, who looks at a
    server's certificate knows which of them signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = _called(f"hedgerow bus authority {secrets.token_hex(4)}")
    certificate = (
        _dated(_now() + lifetime)
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def read(path: Path) -> Authority | None:
    """Returns a kept authority; None where there is none. Raises AuthorityError on a bad file."""
    if not path.exists():
        return None
    data = path.read_bytes()
    try:
        key = load_pem_private_key(data, None)
        certificate = x509.load_pem_x509_certificate(data)
    except (ValueError, TypeError) as error:
        raise AuthorityError(f"{path} is no authority: {error}") from error
    is_whole = isinstance(key, ec.EllipticCurvePrivateKey)
    if not is_whole or key.public_key() != certificate.public_key():
        raise AuthorityError(f"{path}: its key is not its certificate's")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(certificate, key)


def write_secret(path: Path, data: bytes, owner: int = -1) -> None:
    """Writes a file that one user can read, whole or not at all."""
    fresh_path = path.with_name(f".{path.name}-{os.getpid()}")
    descriptor = os.open(fresh_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if owner >= 0:
            os.fchown(descriptor, owner, -1)
        file.flush()
        os.fsync(descriptor)
    fresh_path.replace(path)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _now() -> dt.datetime:
    return dt.datetime.fromtimestamp(SystemClock().wall_ns() / 1e9, dt.UTC)


def _dated(end: dt.datetime) -> x509.CertificateBuilder:
    begin = min(_now(), end) - BACKDATED
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
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
