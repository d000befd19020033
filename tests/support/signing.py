"""Keys, certificates and signatures of models, made for a test."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing

from streamproc.executors.models import SIGNATURE_NAME

if TYPE_CHECKING:
    from pathlib import Path


class Keys:
    """Keys and certificates made for the test, as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ours", "other")}
        for name, key in self._made.items():
            private = key.private_bytes(
                pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()
            )
            public = key.public_key().public_bytes(
                pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo
            )
            self.path(f"{name}.key").write_bytes(private)
            self.path(f"{name}.pub").write_bytes(public)

    def path(self, name: str) -> Path:
        return self._folder / name

    def certify(self, authority: str, name: str) -> None:
        """Make an authority's certificate, and one of it for a key."""
        root = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, authority)])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        own = _certificate(issuer, issuer, root.public_key(), is_authority=True)
        leaf = _certificate(subject, issuer, self._made[name].public_key(), is_authority=False)
        for file, made in ((f"{authority}.pem", own), (f"{name}.pem", leaf)):
            signed = made.sign(root, hashes.SHA256())
            self.path(file).write_bytes(signed.public_bytes(pem.Encoding.PEM))


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    begin = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_authority, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )


def sign(model: Path, keys: Keys, name: str = "ours", *, certificate: str | None = None) -> Path:
    """Sign the model's folder, as ``model_signing sign key`` and ``sign certificate`` do."""
    path = model.parent / SIGNATURE_NAME
    new = keys.path(SIGNATURE_NAME)
    config = signing.Config().set_hashing_config(
        hashing.Config().set_ignored_paths(paths=[SIGNATURE_NAME])
    )
    if certificate is None:
        config = config.use_elliptic_key_signer(private_key=keys.path(f"{name}.key"))
    else:
        config = config.use_certificate_signer(
            private_key=keys.path(f"{name}.key"),
            signing_certificate=keys.path(f"{name}.pem"),
            certificate_chain=[keys.path(certificate)],
        )
    config.sign(model.parent, new)
    return new.replace(path)
