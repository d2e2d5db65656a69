"""Reads what an answer says, so that tests can compare it."""

import httpx

CONFLICT = (409, "conflict")


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    code: str | None = answer.json().get("code")
    assert code, answer.text
    return answer.status_code, code


def replayed(answer: httpx.Response) -> bool:
    """Whether an earlier request had done what this one asked."""
    assert answer.status_code in {200, 201}, answer.text
    return "Idempotent-Replayed" in answer.headers
