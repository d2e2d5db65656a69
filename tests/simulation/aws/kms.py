"""Owns KMS as a model: data keys that only their own encryption context unwraps."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from tests.simulation.aws.errors import refusal

KEY_BYTES: Final = 32
WRAPPED_BYTES: Final = 184
"""As long as AWS's own are."""


class Kms:
    """A client's methods, for keys of any name; `random` makes the keys."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._wrapped: dict[bytes, tuple[str, dict[str, str], bytes]] = {}

    def generate_data_key(
        self, *, KeyId: str, KeySpec: str, EncryptionContext: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """A new key, in plaintext and wrapped."""
        if KeySpec != "AES_256":
            raise NotImplementedError(f"KeySpec {KeySpec}")
        plaintext = self._random.randbytes(KEY_BYTES)
        wrapped = self._random.randbytes(WRAPPED_BYTES)
        self._wrapped[wrapped] = (KeyId, dict(EncryptionContext or {}), plaintext)
        return {"KeyId": KeyId, "Plaintext": plaintext, "CiphertextBlob": wrapped}

    def decrypt(
        self, *, CiphertextBlob: bytes, KeyId: str, EncryptionContext: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The plaintext. Raises InvalidCiphertextException for another context, or unknown bytes."""
        key, context, plaintext = self._wrapped.get(CiphertextBlob, ("", {}, b""))
        if not plaintext or context != dict(EncryptionContext or {}):
            raise refusal("Decrypt", "InvalidCiphertextException", "")
        if key != KeyId:
            message = "The key ID in the request does not identify a CMK that can perform this operation."
            raise refusal("Decrypt", "IncorrectKeyException", message)
        return {"KeyId": KeyId, "Plaintext": plaintext, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
