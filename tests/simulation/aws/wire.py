"""Makes real botocore clients whose requests, once serialized, are answered here and not sent anywhere."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import boto3
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

Call = Callable[[str, str, dict[str, Any]], Any]
"""From a service, a method of its client and that method's parameters to what the service answers."""

OK: Final = 200
BAD_REQUEST: Final = 400
REQUEST_ID: Final = "simulated"
_JSON_VERSIONS: Final = {"dynamodb": "1.0", "sqs": "1.0", "kms": "1.1"}
_NAMESPACES: Final = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "sqs": "com.amazonaws.sqs#",
    "kms": "com.amazonaws.kms#",
}
_BLOBS: Final = frozenset({"CiphertextBlob"})
"""Parameters that travel in base64."""


class Body:
    """The bytes of an answer, as urllib3 would give them out."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def client(service: str, call: Call) -> Any:
    """A boto3 client of `dynamodb`, `sqs` or `kms`, whose every request `call` answers.

    A ClientError that `call` raises becomes the answer that says so; anything else is raised as it is, as if
    the connection had failed so.
    """
    made = boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="simulated",
        aws_secret_access_key="simulated",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        target = _text(request.headers["X-Amz-Target"])
        operation = xform_name(target.rpartition(".")[2])
        parameters = {
            name: base64.b64decode(value) if name in _BLOBS else value
            for name, value in json.loads(_text(request.body)).items()
        }
        try:
            content = call(service, operation, parameters)
        except ClientError as error:
            return _refused(request.url, service, error)
        return _response(request.url, service, OK, content, {})

    made.meta.events.register("before-send", answer)
    return made


def _refused(url: str, service: str, error: ClientError) -> AWSResponse:
    told = error.response["Error"]
    # SQS tells two names: in the answer its own, and in a header the one that clients have known for longer.
    code = told.get("QueryErrorCode", told["Code"])
    headers = {"x-amzn-query-error": f"{told['Code']};Sender"} if service == "sqs" else {}
    beside = {
        name: error.response[name] for name in ("Item", "CancellationReasons") if name in error.response
    }
    content = {"__type": _NAMESPACES[service] + code, "message": told.get("Message", ""), **beside}
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", BAD_REQUEST)
    return _response(url, service, status, content, headers)


def _response(
    url: str, service: str, status: int, content: Mapping[str, Any], headers: Mapping[str, str]
) -> AWSResponse:
    body = json.dumps(content, default=_base64).encode()
    kind = {"Content-Type": f"application/x-amz-json-{_JSON_VERSIONS[service]}"}
    return AWSResponse(url, status, {**kind, "x-amzn-RequestId": REQUEST_ID, **headers}, Body(body))


def _base64(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"a {type(value).__name__} has no form in JSON")
    return base64.b64encode(value).decode()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
