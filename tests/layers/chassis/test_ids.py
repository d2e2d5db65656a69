"""Identifiers: the same parts always give the same, other parts another, and tokens unpack only if packed."""

import base64
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import ids

PARTS = st.lists(st.text(max_size=6), max_size=4)
SHOWN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
few = settings(derandomize=True, deadline=None, max_examples=200)


@few
@given(one=PARTS, other=PARTS)
def test_an_id_is_derived_from_its_parts_and_no_others(one: list[str], other: list[str]) -> None:
    assert (ids.derive("wal", *one) == ids.derive("wal", *other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b"), ("ab",)),
        (("a", "b"), ("b", "a")),
        (('a","b',), ("a", "b")),
        (("a", ""), ("a",)),
        (("\\",), ("\\\\",)),
    ],
)
def test_parts_that_could_read_alike_do_not(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert ids.derive("x", *one) != ids.derive("x", *other)


def test_the_prefix_belongs_to_what_an_id_is_derived_from() -> None:
    assert ids.derive("wal", "a").removeprefix("wal_") != ids.derive("trf", "a").removeprefix("trf_")


def test_an_id_stays_what_it_was_in_earlier_releases() -> None:
    # A changed derivation would make every stored record unknown to the retries that look for it.
    assert ids.derive("wal", "platform", "POST /v1/wallets", "k1") == "wal_gaex5k7mzdg26emqnr2n7e3z"


def test_ids_match_their_pattern() -> None:
    made = {ids.random("req") for _ in range(1000)} | {ids.derive("req", str(n)) for n in range(1000)}
    assert len(made) == 2000
    assert all(re.fullmatch(ids.pattern("req"), each) for each in made)
    assert not re.search(ids.pattern("req"), "wal_" + "a" * ids.ID_LENGTH)


@few
@given(one=st.text(), other=st.text())
def test_fingerprints_are_equal_when_the_contents_are(one: str, other: str) -> None:
    assert (ids.fingerprint(one) == ids.fingerprint(other)) == (one == other)


@few
@given(parts=st.lists(SHOWN, max_size=4))
def test_a_packed_token_unpacks_and_needs_no_escaping(parts: list[str]) -> None:
    token = ids.pack(*parts)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert ids.unpack(token, len(parts)) == tuple(parts)
    assert ids.unpack(token, len(parts) + 1) is None


@few
@given(token=st.text())
def test_any_text_unpacks_to_something_or_nothing_but_never_fails(token: str) -> None:
    assert ids.unpack(token, 1) is None or len(token) <= 512


def token_of(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "====",
        "not base 64",
        "Zm9v",
        "\ud800",
        "é",
        token_of(["ü"]),
        token_of(["\ud800"]),
        token_of(["\x00"]),
        token_of(["line\nbreak"]),
        token_of([1]),
        token_of([None]),
        token_of({"a": "b"}),
        token_of("a"),
        base64.urlsafe_b64encode(b'["\xff"]').decode().rstrip("="),
        base64.urlsafe_b64encode(b"[" * 380).decode().rstrip("="),
        "A" * 513,
    ],
    ids=str.__repr__,
)
def test_a_forged_token_unpacks_to_nothing(token: str) -> None:
    assert ids.unpack(token, 1) is None
