"""Every refusal is a problem detail of RFC 9457 with a status, code and title of its own."""

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from chassis import errors
from chassis.errors import Fault, Problem


def tree(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    for problem in root.__subclasses__():
        if problem.__module__ == errors.__name__:
            yield problem
            yield from tree(problem)


PROBLEMS = list(tree())
WITHOUT_DETAIL = (errors.Unauthorized, errors.IdempotencyMismatch, errors.InternalError, errors.Unavailable)


def made(problem: type[Problem]) -> Problem:
    return problem() if problem in WITHOUT_DETAIL else problem("why")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_problem_document_has_the_members_of_rfc_9457_and_ours(problem: type[Problem]) -> None:
    document = json.loads(made(problem).document("req_1"))
    assert list(document) == ["type", "title", "status", "detail", "code", "request_id"]
    assert document["type"] == f"urn:tael:problem:{problem.code}"
    assert document["status"] == HTTPStatus(problem.status)
    assert 400 <= document["status"] <= 599
    assert document["request_id"] == "req_1"
    assert document["title"]
    assert document["detail"]


def test_every_code_and_title_belongs_to_one_problem() -> None:
    assert len({problem.code for problem in PROBLEMS}) == len(PROBLEMS)
    assert len({problem.title for problem in PROBLEMS}) == len(PROBLEMS)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_drawn_tree_shows_each_problem_with_its_status(problem: type[Problem]) -> None:
    drawn = {
        words[0]: words[1] if len(words) > 1 else ""
        for line in (errors.__doc__ or "").splitlines()
        if (words := line.strip("│├└─ ").split())
    }
    inherited = problem.status if problem.__base__ is Problem else drawn[problem.__name__]
    assert drawn[problem.__name__] == str(inherited)


def test_faults_and_instance_are_told() -> None:
    fault = Fault("body", "/a/0", "is wrong")
    document = json.loads(errors.ValidationFailed("no", faults=(fault,), instance="/v1/x").document("r"))
    assert document["errors"] == [{"in": "body", "pointer": "/a/0", "message": "is wrong"}]
    assert document["instance"] == "/v1/x"


def test_a_single_fault_is_told_in_the_detail_too() -> None:
    problem = errors.ValidationFailed.of("query", "/limit", "is too large")
    assert problem.detail == "limit: is too large"
    assert problem.faults == (Fault("query", "/limit", "is too large"),)
    assert errors.ValidationFailed.of("body", "", "is empty").detail == "body: is empty"


@pytest.mark.parametrize(
    ("problem", "header"),
    [
        (errors.Unauthorized(), "WWW-Authenticate"),
        (errors.Unavailable(), "Retry-After"),
        (errors.InProgress("twin"), "Retry-After"),
    ],
)
def test_what_a_caller_should_do_is_in_a_header(problem: Problem, header: str) -> None:
    assert header in problem.headers


def test_a_document_is_ascii_whatever_the_detail_says() -> None:
    assert errors.NotFound('"\ud800 \x00 ü').document("r").isascii()
