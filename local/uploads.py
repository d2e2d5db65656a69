"""What a stack is made of, put into a bucket: CloudFormation takes larger templates only from there."""

import hashlib

from chassis import aws
from chassis.config import settings

OLDEST_REGION = "us-east-1"


class Bucket:
    """A bucket wherever this process is connected to. What is put is named for its content."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._client = aws.administrator("s3")

    def make(self) -> None:
        """Create it where it is not there: in an emulator, whose buckets are nobody else's."""
        # The oldest region is the one that is not named.
        region = settings().region
        here = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._client.create_bucket(Bucket=self.name, **({} if region == OLDEST_REGION else here))
        except self._client.exceptions.BucketAlreadyOwnedByYou:
            return

    def put(self, folder: str, suffix: str, content: bytes) -> str:
        """Keep these bytes; returns their key. The same bytes have the same key."""
        key = f"{folder}/{hashlib.sha256(content).hexdigest()}{suffix}"
        self._client.put_object(Bucket=self.name, Key=key, Body=content)
        return key

    def url(self, key: str) -> str:
        """Where CloudFormation reads it: path-style, which S3 and its emulators all know."""
        return f"{self._client.meta.endpoint_url}/{self.name}/{key}"
