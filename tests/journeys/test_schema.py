"""What the OpenAPI document promises holds for whatever a generator makes of it, with either kind of key."""

from collections.abc import Iterator
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema

from chassis.auth import Access
from local.system import System
from tests.conftest import SEED, Shop, onboard
from tests.journeys.calling import DOCUMENT, OPERATIONS

AnyCase = schemathesis.Case[Any]
PLATFORM_ONLY = {name for name, operation in OPERATIONS.items() if operation.access is Access.PLATFORM}

# All checks are on. Two of them are told more of how this API answers.
CHECKS = {
    # What is far too long is refused for that (413, 414, 431), before anybody looks at what it says.
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "414", "415", "422", "431"]
    },
    # Not only the schema says what is accepted: money may be missing (402), a merchant has plans for few
    # currencies and a cursor comes from the page before (422), and the platform has to say for whom it pays
    # (400).
    "positive_data_acceptance": {
        "expected-statuses": ["2xx", "400", "401", "402", "403", "404", "409", "422"]
    },
}


@pytest.fixture(scope="module")
def merchant(system: System, platform: httpx.Client) -> Iterator[Shop]:
    """A merchant whose key is used."""
    shop = onboard(system, platform)
    with shop.http:
        yield shop


def with_few_currencies(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the first currencies only; each further one would be one more request per body."""
    components = document["components"]
    currency = components["schemas"]["Currency"]
    few = {**currency, "enum": [*currency["examples"], *currency["enum"][:5]]}
    schemas = {**components["schemas"], "Currency": few}
    return {**document, "components": {**components, "schemas": schemas}}


def promised(**phases: bool) -> BaseSchema:
    """The document, for requests of these phases only; test_openapi shows that it is what is served."""
    settings = {name: {"enabled": phases.get(name, False)} for name in ("examples", "coverage", "fuzzing")}
    project = {"seed": SEED, "checks": CHECKS, "phases": {**settings, "stateful": {"enabled": False}}}
    config = SchemathesisConfig.from_dict(project)
    return schemathesis.openapi.from_dict(with_few_currencies(DOCUMENT), config=config)


SYSTEMATIC = promised(examples=True, coverage=True)
"""Each constraint of each operation, kept and broken, one after the other."""
AT_RANDOM = promised(fuzzing=True)
"""Requests that mix what is right and what is wrong."""


def ask(system: System, case: AnyCase, key: str, **headers: str) -> None:
    case.call_and_validate(base_url=system.url, headers={"Authorization": f"Bearer {key}", **headers})


@SYSTEMATIC.parametrize()
def test_every_constraint_is_as_documented(case: AnyCase, system: System, merchant: Shop) -> None:
    # With the key of whom the operation is for.
    ask(system, case, system.platform_key if case.operation.label in PLATFORM_ONLY else merchant.key)


@AT_RANDOM.parametrize()
@hypothesis.settings(max_examples=4)
@pytest.mark.parametrize("caller", ["merchant", "platform"])
def test_every_answer_is_as_documented(case: AnyCase, system: System, merchant: Shop, caller: str) -> None:
    if caller == "merchant":
        ask(system, case, merchant.key)
    else:
        ask(system, case, system.platform_key, **{"Tael-Merchant": merchant.id})
