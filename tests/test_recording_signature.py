"""The package's own Ed25519, which a stranger runs with nothing installed: RFC 8032, section 7.1, and the library's answer."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.recording import package_verify

VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS[:3])
def test_vectors_of_rfc_8032(key: str, message: str, signature: str) -> None:
    parts = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert package_verify.ed25519_verify(*parts)
    for place in (0, 31, 32, 63):
        wrong = bytearray(parts[2])
        wrong[place] ^= 1
        assert not package_verify.ed25519_verify(parts[0], parts[1], bytes(wrong))
    assert not package_verify.ed25519_verify(parts[0], parts[1] + b"x", parts[2])


def test_vector_sha_abc_of_rfc_8032() -> None:
    key, message, signature = (bytes.fromhex(text) for text in VECTORS[3])
    assert package_verify.ed25519_verify(key, message, signature)


def test_agrees_with_the_library_and_refuses_a_signature_with_a_large_s() -> None:
    for number in range(10):
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([number])).digest())
        public, message = key.public_key().public_bytes_raw(), b"x" * number
        signature = key.sign(message)
        assert package_verify.ed25519_verify(public, message, signature)
        large = int.from_bytes(signature[32:], "little") + package_verify.L
        malleable = signature[:32] + large.to_bytes(32, "little")
        assert not package_verify.ed25519_verify(public, message, malleable)
