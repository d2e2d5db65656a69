"""Owns every call to KMS: data keys made and unwrapped, each bound to an encryption context."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from chassis import aws, clock, observe
from chassis.config import settings
from chassis.errors import Unavailable

TRIES = 2
BACKOFF_SECONDS = 0.1
_NOT_WRAPPED_SO = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class Refused(Exception):
    """These bytes were not wrapped under this key with this context."""


def generate_data_key(context: Mapping[str, str]) -> tuple[bytes, bytes]:
    """A new 256-bit key, in plaintext and wrapped under the configured key. Raises Unavailable."""
    answer = _call("generate_data_key", KeySpec="AES_256", EncryptionContext=dict(context))
    return answer["Plaintext"], answer["CiphertextBlob"]


def unwrap_data_key(wrapped: bytes, context: Mapping[str, str]) -> bytes:
    """The plaintext of a wrapped key. Raises Refused for another context, or Unavailable."""
    answer = _call("decrypt", CiphertextBlob=wrapped, EncryptionContext=dict(context))
    plaintext: bytes = answer["Plaintext"]
    return plaintext


def _call(name: str, **parameters: Any) -> Any:
    call: Callable[..., Any] = getattr(aws.client("kms"), name)
    key = settings().required("card_key")
    for tried in range(1, TRIES + 1):
        observe.meter().key_calls += 1
        try:
            return call(KeyId=key, **parameters)
        except aws.FAILURES as failure:
            if aws.error_code(failure) in _NOT_WRAPPED_SO:
                raise Refused from None
            if not aws.is_transient(failure):
                raise
            if tried == TRIES:
                raise Unavailable("the key service did not answer; repeat the same request") from failure
        clock.sleep(random.uniform(0, BACKOFF_SECONDS * tried))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")
