"""Owns the base shapes of requests and resources: strict inputs, bounded texts, timestamps."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

METADATA_KEYS = 20
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


class Input(BaseModel):
    """What a caller sends: no unknown member, no conversion of types, nothing changed afterwards."""

    # What was sent may be a card number: no exception repeats it.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Resource(BaseModel):
    """What the API shows."""

    model_config = ConfigDict(frozen=True)


_CHOICE = "choice:"


def choice(name: str) -> str:
    """The tag of one member of a union; pydantic puts it into an error's location, `located` takes it out."""
    return _CHOICE + name


def located(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where in the document an error is."""
    return tuple(part for part in location if not str(part).startswith(_CHOICE))


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
