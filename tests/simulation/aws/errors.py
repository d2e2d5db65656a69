"""Makes the errors that AWS services answer with, as botocore raises them."""

from typing import Any

from botocore.exceptions import ClientError

VALIDATION = "ValidationException"
BAD_REQUEST = 400


def refusal(operation: str, code: str, message: str, **members: Any) -> ClientError:
    """An error with a code; `members` stand beside it in the answer."""
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": BAD_REQUEST},
        **members,
    }
    return ClientError(response, operation)


def query_refusal(operation: str, code: str, message: str, *, legacy: str | None = None) -> ClientError:
    """An error of SQS, which botocore calls by the name that it had in the older protocol."""
    error = {"Code": legacy or code, "Message": message, "QueryErrorCode": code, "Type": "Sender"}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": BAD_REQUEST}}, operation)
