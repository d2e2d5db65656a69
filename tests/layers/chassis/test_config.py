"""Settings come from the environment, and a bad environment is told in one readable sentence."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.config import ConfigurationError, Engine, settings, table_name

PEPPER = "00112233445566778899aabbccddeeff"
PLATFORM_KEY = "op_" + "k" * 40
GOOD = {"TAEL_PLATFORM_KEY": PLATFORM_KEY, "TAEL_PEPPERS": f"1:{PEPPER}"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in [name for name in os.environ if name.startswith("TAEL_") or name == "AWS_REGION"]:
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def test_the_defaults_are_those_of_the_cloud() -> None:
    chosen = settings()
    assert (chosen.engine, chosen.engine_url) == (Engine.AWS, None)
    assert (chosen.stage, chosen.region) == ("local", "us-east-1")
    assert chosen.required("platform_key") == PLATFORM_KEY
    assert settings() is chosen


def test_the_region_is_the_one_that_lambda_names(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_REGION", "eu-central-1")
    assert settings().region == "eu-central-1"


@pytest.mark.parametrize("engine", ["aws", "localstack"])
def test_only_the_embedded_engine_moves_in_time(environment: pytest.MonkeyPatch, engine: str) -> None:
    environment.setenv("TAEL_CLOCK_FILE", "/state/clock")
    environment.setenv("TAEL_ENGINE", engine)
    with pytest.raises(ConfigurationError, match="TAEL_CLOCK_FILE is only for the embedded engine"):
        settings()


def test_the_embedded_engine_may_move_in_time(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_ENGINE", "embedded")
    environment.setenv("TAEL_ENGINE_URL", "http://127.0.0.1:1")
    assert settings().clock_file is None
    environment.setenv("TAEL_CLOCK_FILE", "/state/clock")
    settings.cache_clear()
    assert settings().clock_file == Path("/state/clock")


def test_what_is_a_list_or_an_object_is_given_as_json(environment: pytest.MonkeyPatch) -> None:
    assert (settings().secrets, settings().subscriptions, settings().event_types) == ({}, None, ())
    environment.setenv("TAEL_SUBSCRIPTIONS", '{"payment.*": ["webhooks", "accounts"]}')
    environment.setenv("TAEL_EVENT_TYPES", '["payment.captured"]')
    settings.cache_clear()
    assert settings().subscriptions == {"payment.*": ("webhooks", "accounts")}
    assert settings().event_types == ("payment.captured",)


def test_other_variables_are_none_of_ours(environment: pytest.MonkeyPatch) -> None:
    for name in ("STAGE", "stage", "TAEL_NOTHING"):
        environment.setenv(name, "Prod!")
    assert settings().stage == "local"
    assert "Prod!" not in repr(settings())


def test_tables_are_named_for_their_stage(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_STAGE", "test-2")
    assert table_name("payments") == "tael-test-2-payments"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"TAEL_PLATFORM_KEY": "short"}, "TAEL_PLATFORM_KEY: must have at least 32 characters"),
        ({"TAEL_ENGINE": "oracle"}, "TAEL_ENGINE: Input should be 'embedded', 'localstack' or 'aws'"),
        ({"TAEL_ENGINE": "embedded"}, "TAEL_ENGINE_URL is required when TAEL_ENGINE is embedded"),
        ({"TAEL_SECRETS": "{"}, "TAEL_SECRETS: must be JSON"),
        ({"TAEL_SECRETS": "[]"}, "TAEL_SECRETS: Input should be a valid dictionary"),
        ({"TAEL_SUBSCRIPTIONS": ""}, "TAEL_SUBSCRIPTIONS: must be JSON"),
        ({"TAEL_EVENT_TYPES": "payment.captured"}, "TAEL_EVENT_TYPES: must be JSON"),
        ({"TAEL_EVENT_TYPES": "[" * 100_000}, "TAEL_EVENT_TYPES: must be JSON"),
        ({"TAEL_RESOLVE_SECONDS": "0"}, "TAEL_RESOLVE_SECONDS: Input should be greater than or equal to 1"),
        ({"TAEL_STAGE": "Prod!"}, "TAEL_STAGE: String should match pattern '^[a-z][a-z0-9-]{0,15}$'"),
    ],
)
def test_a_bad_variable_is_named_in_a_sentence(
    environment: pytest.MonkeyPatch, changes: dict[str, str], sentence: str
) -> None:
    for name, value in changes.items():
        environment.setenv(name, value)
    with pytest.raises(ConfigurationError) as refusal:
        settings()
    assert str(refusal.value) == sentence


def test_who_answers_nobody_needs_no_keys_and_who_does_is_told_so(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("TAEL_PLATFORM_KEY")
    environment.delenv("TAEL_PEPPERS")
    chosen = settings()
    for read, name in (
        (lambda: chosen.required("platform_key"), "TAEL_PLATFORM_KEY"),
        (lambda: chosen.current_pepper_version, "TAEL_PEPPERS"),
        (lambda: chosen.pepper("1"), "TAEL_PEPPERS"),
    ):
        with pytest.raises(ConfigurationError, match=f"{name} is not set, and this function needs it"):
            read()


def test_all_bad_variables_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_PLATFORM_KEY", "short")
    environment.setenv("TAEL_PEPPERS", "x")
    environment.setenv("TAEL_STAGE", "")
    with pytest.raises(ConfigurationError) as refusal:
        settings()
    named = [sentence.partition(":")[0] for sentence in str(refusal.value).split("; ")]
    assert sorted(named) == ["TAEL_PEPPERS", "TAEL_PLATFORM_KEY", "TAEL_STAGE"]


@pytest.mark.parametrize(
    ("peppers", "current"),
    [
        (f"1:{PEPPER}", "1"),
        (f"1:{PEPPER},2:{PEPPER}ff", "2"),
        (f" 2:{PEPPER} , 2026-11:{PEPPER.upper()} ", "2026-11"),
        (f"10:{PEPPER},9:{PEPPER}", "9"),
        (f'{{"10": "{PEPPER}", "9": "{PEPPER}"}}', "9"),
    ],
)
def test_the_last_pepper_is_the_current_one(
    environment: pytest.MonkeyPatch, peppers: str, current: str
) -> None:
    environment.setenv("TAEL_PEPPERS", peppers)
    assert settings().current_pepper_version == current
    assert settings().pepper(current) is not None
    assert settings().pepper("retired") is None


def test_a_pepper_is_what_its_hexadecimal_says(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TAEL_PEPPERS", f"1:{PEPPER},2:{PEPPER}ff")
    assert settings().pepper("1") == bytes.fromhex(PEPPER)
    assert settings().pepper("2") == bytes.fromhex(PEPPER + "ff")


@pytest.mark.parametrize(
    "peppers",
    [
        "",
        PEPPER,
        f":{PEPPER}",
        "1:",
        "1:secretsecretsecretsecretsecretsecret",
        f"1:{PEPPER[2:]}",
        f"1:{PEPPER}0",
        f"1:{PEPPER},",
        f"1:{PEPPER},1:{PEPPER}",
        f"1:{PEPPER},2",
        f'{{"1": "{PEPPER}"',
        f'{{"1": "{PEPPER}", "1": "{PEPPER}"}}',
        '{"1": 7}',
    ],
)
def test_peppers_of_another_format_are_refused_without_telling_them(
    environment: pytest.MonkeyPatch, peppers: str
) -> None:
    environment.setenv("TAEL_PEPPERS", peppers)
    with pytest.raises(ConfigurationError) as refusal:
        settings()
    assert str(refusal.value) == "TAEL_PEPPERS: must look like 1:<hex>,2:<hex> with >= 16 bytes each"
    assert PEPPER not in repr(refusal.value)


def test_secrets_are_not_in_what_settings_look_like() -> None:
    chosen = settings()
    for text in (repr(chosen), str(chosen), f"{chosen.model_dump()}", chosen.model_dump_json()):
        assert PEPPER not in text
        assert PLATFORM_KEY not in text
