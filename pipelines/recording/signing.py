"""Signatures. Ed25519 (RFC 8032) by default; another algorithm (SM2 with SM3, a smart card) is one more class."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from pipelines.errors import BadInput

ED25519: Final = "ed25519"


class Signer(Protocol):
    """Signs bytes. `key_id` is the public key's fingerprint, which people compare."""

    @property
    def algorithm(self) -> str: ...

    @property
    def public_key(self) -> bytes: ...

    @property
    def key_id(self) -> str: ...

    def sign(self, data: bytes) -> bytes: ...


def fingerprint(public_key: bytes) -> str:
    """sha256 of the raw public key, hex."""
    return hashlib.sha256(public_key).hexdigest()


class Ed25519Signer:
    """Holds a private key in memory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def load(cls, path: Path) -> Ed25519Signer:
        """The key in a PEM file (PKCS#8); made, readable by its owner only, when there is none. Raises BadInput."""
        try:
            if not path.exists():
                cls._make(path)
            if path.stat().st_mode & 0o077:
                raise BadInput(f"signing key {path}: others can read it; chmod 600 {path}")
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise BadInput(f"signing key {path}: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise BadInput(f"signing key {path}: not a private key in PEM without a password") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadInput(f"signing key {path}: not an Ed25519 key")
        return cls(key)

    @staticmethod
    def _make(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # never over a key that somebody else has just made
        except FileExistsError:
            pass
        finally:
            temporary.unlink()

    @property
    def algorithm(self) -> str:
        return ED25519

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        return fingerprint(self.public_key)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


def verify(algorithm: str, public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Raises BadInput for an algorithm that is not known here."""
    if algorithm != ED25519:
        raise BadInput(f"signature algorithm {algorithm!r} is not known here")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
