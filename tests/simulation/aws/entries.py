"""Owns the form of SQS's requests and answers: what is refused, batches, and messages as they are shown."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.simulation.aws.errors import query_refusal
from tests.simulation.aws.messages import Message

MAX_ENTRIES: Final = 10
MAX_DELAY_SECONDS: Final = 900
MAX_MESSAGE_BYTES: Final = 256 * 1024
"""What our queues are set to; SQS itself would take four times as much."""
MAX_BATCH_BYTES: Final = 1024 * 1024
INVALID_HANDLE: Final = ("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTRY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_HANDLE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LEGACY: Final = "AWS.SimpleQueueService."

Entry = Mapping[str, Any]
Answer = dict[str, Any]


def no_queue(operation: str) -> ClientError:
    message = "The specified queue does not exist."
    return query_refusal(operation, "QueueDoesNotExist", message, legacy=f"{_LEGACY}NonExistentQueue")


def fault_of(body: str, delay_seconds: int) -> tuple[str, str] | None:
    """Why a message is refused: the error's code and its words."""
    if not body:
        return "MissingParameter", "The request must contain the parameter MessageBody."
    if _FORBIDDEN.search(body):
        return "InvalidMessageContents", "The message contains characters outside the allowed set."
    if len(body.encode()) > MAX_MESSAGE_BYTES:
        reason = f"Message must be shorter than {MAX_MESSAGE_BYTES} bytes."
        return "InvalidParameterValue", f"One or more parameters are invalid. Reason: {reason}"
    if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
        reason = f"DelaySeconds must be >= 0 and <= {MAX_DELAY_SECONDS}."
        words = f"Value {delay_seconds} for parameter DelaySeconds is invalid. Reason: {reason}"
        return "InvalidParameterValue", words
    return None


def require_batch(operation: str, entries: Sequence[Entry]) -> None:
    """Refuse a batch of nothing or of too much, and entries that cannot be told apart."""
    ids = [entry["Id"] for entry in entries]
    refused = {
        "EmptyBatchRequest": not entries,
        "TooManyEntriesInBatchRequest": len(entries) > MAX_ENTRIES,
        "InvalidBatchEntryId": not all(_ENTRY_ID.fullmatch(one) for one in ids),
        "BatchEntryIdsNotDistinct": len(set(ids)) < len(ids),
    }
    for code, is_refused in refused.items():
        if is_refused:
            message = f"A batch has 1 to {MAX_ENTRIES} entries, each with an id of its own."
            raise query_refusal(operation, code, message, legacy=_LEGACY + code)


def require_short(operation: str, bodies: Sequence[str]) -> None:
    """Refuse a batch with too many bytes."""
    total = sum(len(body.encode()) for body in bodies)
    if total > MAX_BATCH_BYTES:
        code = "BatchRequestTooLong"
        message = (
            f"Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {total} bytes."
        )
        raise query_refusal(operation, code, message, legacy=_LEGACY + code)


def each(entries: Sequence[Entry], act: Callable[[Entry], object]) -> Answer:
    """The answer of a batch whose entries are done one by one."""
    successful, failed = [], []
    for entry in entries:
        try:
            act(entry)
        except ClientError as error:
            told = error.response["Error"]
            failed.append(failure(entry["Id"], told["Code"], told["Message"]))
        else:
            successful.append({"Id": entry["Id"]})
    return batch_answer(successful, failed)


def failure(entry_id: str, code: str, message: str) -> Answer:
    """An entry that was refused, by the sender's own fault."""
    return {"Id": entry_id, "Code": code, "Message": message, "SenderFault": True}


def batch_answer(successful: Sequence[Answer], failed: Sequence[Answer]) -> Answer:
    """What became of a batch; what there is none of is left out."""
    parts = {"Successful": successful, "Failed": failed}
    return {name: part for name, part in parts.items() if part}


def is_handle(text: str) -> bool:
    """Whether this could be a receipt handle of ours."""
    return _HANDLE.fullmatch(text) is not None


def shown(message: Message, *, whole: bool) -> Answer:
    """A message as it is received; `whole`: with its system attributes."""
    received: Answer = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": digest(message.body),
        "Body": message.body,
    }
    if whole:
        received["Attributes"] = {
            "SenderId": "000000000000",
            "SentTimestamp": str(int(message.sent_at * 1000)),
            "ApproximateReceiveCount": str(message.receives),
            "ApproximateFirstReceiveTimestamp": str(int(message.first_received_at * 1000)),
        }
    return received


def digest(body: str) -> str:
    """The checksum that SQS tells, which protects nothing."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
