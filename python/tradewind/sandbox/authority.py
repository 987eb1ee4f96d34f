"""A certificate authority of one's own, for encrypted connections to a local exchange."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tradewind.errors import exception

_DAYS = 30
_SPARE_DAYS = 2
_BETWEEN = b"# next\n"
_HOSTS = (
    "localhost",
    *(f"{name}.binance.com" for name in ("api", "api1", "api2", "api3", "api4", "api-gcp", "stream", "ws-api")),
    "data-api.binance.vision",
    "data-stream.binance.vision",
)


class Authority:
    """An authority and a certificate that it signed, for this machine and Binance's host names.

    Parameters
    ----------
    certificate
        The authority's certificate, for clients to trust.
    chain, key
        What a server shows, and its key.

    """

    def __init__(self, certificate: bytes, chain: bytes, key: bytes) -> None:
        self.certificate = certificate
        self._chain = chain
        self._key = key

    @classmethod
    def new(cls) -> Authority:
        """Make one."""
        authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tradewind sandbox authority")])
        authority = (
            _builder(name, name, authority_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
        names = x509.SubjectAlternativeName([*addresses, *(x509.DNSName(host) for host in _HOSTS)])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
        certificate = (
            _builder(subject, name, key.public_key())
            .add_extension(names, critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(issuer, critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        pem = serialization.Encoding.PEM
        return cls(authority.public_bytes(pem), certificate.public_bytes(pem), key.private_bytes(pem, form, plain))

    @classmethod
    def kept(cls, path: Path) -> Authority:
        """The one in a file of its owner's, so that who trusts it comes back after a restart.

        A new one is made, and kept there, where there is none or its time is almost over.
        """
        try:
            if path.exists():
                held = cls(*path.read_bytes().split(_BETWEEN))
                until = x509.load_pem_x509_certificate(held._chain).not_valid_after_utc
                if until - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=_SPARE_DAYS):
                    return held
                path.unlink()
            made = cls.new()
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(_BETWEEN.join((made.certificate, made._chain, made._key)))
        except OSError as error:
            raise exception("unreadable_file", f"{path} cannot be read or written: {error.strerror}") from error
        except (TypeError, ValueError) as error:
            message = f"{path} is not the authority of a sandbox"
            raise exception("unreadable_file", message, "delete it: a new one is made") from error
        return made

    def context(self) -> ssl.SSLContext:
        """What a server encrypts with. The key touches the disk only in a file of its owner's, and only now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(self._key + self._chain)
            context.load_cert_chain(path)
        return context


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
