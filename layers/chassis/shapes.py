"""Owns the base shapes of requests and resources: strict inputs, bounded texts, timestamps."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

METADATA_KEYS = 20
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


class Input(BaseModel):
    """What a caller sends: no unknown member, no conversion of types, nothing changed afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Resource(BaseModel):
    """What the API shows."""

    model_config = ConfigDict(frozen=True)


def example(**members: JsonValue) -> ConfigDict:
    """The `model_config` of an Input with an example of it, for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [members]})


def text(max_length: int, example: str) -> Any:
    """The constraints of a text that a person wrote: not empty, bounded, no control characters."""
    return Field(min_length=1, max_length=max_length, pattern=PRINTABLE, examples=[example])


Timestamp = Annotated[
    str,
    Field(
        description="RFC 3339, UTC.",
        examples=["2026-11-23T09:30:00.000000Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=METADATA_KEY_LENGTH, pattern=PRINTABLE)]
MetadataValue = Annotated[str, Field(max_length=METADATA_VALUE_LENGTH, pattern=PRINTABLE)]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue],
    Field(max_length=METADATA_KEYS, description="Whatever the caller wants to find again."),
]
