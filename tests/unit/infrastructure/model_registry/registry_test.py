"""The registry of models, and files that extend it."""

from pathlib import Path

import pytest

from infrastructure.model_registry.registry import Api, Parameter, UnknownModel, load
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Lane
from infrastructure.settings import SettingsInvalid

OWN = """
[providers.house]
api = "chat"
base_url = "http://models.house:8000/v1"

[models."llama-4:70b"]
provider = "house"
max_input_tokens = 128_000
max_output_tokens = 8_000
accepts = ["temperature", "stop"]

[models.gpt-6-luna]
provider = "house"
max_input_tokens = 1_000
max_output_tokens = 100
"""


def _file(folder: Path, text: str) -> Path:
    file = folder / "models.toml"
    file.write_text(text)
    return file


def test_the_shipped_models_have_a_provider_and_a_price() -> None:
    registry = load()

    assert {spec.provider for spec in registry.models.values()} == {"openai", "anthropic", "offline"}
    assert all(registry.prices(name) for name in registry.models)


def test_no_shipped_model_is_sent_a_temperature() -> None:
    assert not any(spec.takes(Parameter.TEMPERATURE) for spec in load().models.values())


def test_a_file_adds_models_and_replaces_them_whole(tmp_path: Path) -> None:
    registry = load(_file(tmp_path, OWN))

    assert registry.providers["house"].api is Api.CHAT
    assert registry.model("llama-4:70b").lanes == {Lane.REALTIME}
    assert registry.prices("llama-4:70b") is None
    assert registry.model("gpt-6-luna").provider == "house"
    assert registry.prices("gpt-6-luna") is None
    assert registry.model("claude-sonnet-5-5").provider == "anthropic"


def test_a_file_names_models_for_a_task_and_the_deployment_those_of_others(tmp_path: Path) -> None:
    tasks = '[tasks]\nclassify = ["llama-4:70b", "gpt-6-luna"]\n'
    registry = load(_file(tmp_path, f"{tasks}{OWN}"))

    assert registry.candidates(Purpose.CLASSIFY, ("offline",)) == ("llama-4:70b", "gpt-6-luna")
    assert registry.candidates(Purpose.SECTION, ("offline",)) == ("offline",)


def test_an_unknown_model_is_told_which_there_are() -> None:
    with pytest.raises(UnknownModel, match=r"no model is called 'gpt-2'.*claude-haiku-5-5.*AI_MODELS_FILE"):
        load().model("gpt-2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models", "is no TOML"),
        ("[models.a]\nprovider = 'openai'", r"models\.a\.max_input_tokens: Field required"),
        (OWN.replace("'house'", "'x'").replace('"house"', '"elsewhere"'), r"there is no provider 'elsewhere'"),
        (OWN + "price = 'openai/none'", r"models\.gpt-6-luna\.price: prices.json has no 'openai/none'"),
        ("[providers.house]\napi = 'chat'", "base_url is where the provider is reached"),
        ("[providers.house]\napi = 'chat'\nbase_url = 'file:///etc'", r"providers\.house\.base_url"),
        (OWN + "temprature = 1", r"models\.gpt-6-luna\.temprature: Extra inputs are not permitted"),
        (OWN + "rates = { input_mtok = '-1', output_mtok = '1' }", r"rates\.input_mtok"),
        (OWN + "rates = { input_mtok = 'nan', output_mtok = '1' }", r"rates\.input_mtok"),
        ("[tasks]\nplan = ['nobody']", r"tasks\.plan: there is no model 'nobody'"),
        ("[tasks]\nsing = ['offline']", r"tasks\.sing"),
        ("[tasks]\nplan = []", r"tasks\.plan"),
        ("#" * 1_000_001, "is larger than"),
    ],
)
def test_a_file_that_cant_be_used_says_where_and_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsInvalid, match=said):
        load(_file(tmp_path, text))


def test_a_file_that_isnt_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="AI_MODELS_FILE can't be read: No such file or directory"):
        load(tmp_path / "none.toml")
