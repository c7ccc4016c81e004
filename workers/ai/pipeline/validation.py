"""Refuses what no model can answer, before anything is built, kept or paid for it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from infrastructure.model_registry.registry import MAX_CANDIDATES, ModelRegistry, ModelSpec, UnknownModel
from infrastructure.ports.ai.errors import ModelError
from infrastructure.ports.ai.model import ModelProvider
from infrastructure.ports.ai.request import MAX_BREAKPOINTS, ModelRequest, estimated_input_tokens
from workers.ai.pipeline import problems
from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next

MAX_PASSAGES = 2_000
MAX_TEXT_CHARACTERS = 8_000_000
MAX_SCHEMA_NODES = 20_000
MAX_SCHEMA_DEPTH = 100
MAX_SCHEMA_CHARACTERS = 200_000
MAX_STOPS = 4
MAX_STOP_CHARACTERS = 200
FEWEST_BYTES_A_TOKEN = 8
"""No tokenizer takes a text of a human language for fewer tokens: what is too long by this is too long."""


def validation(
    registry: ModelRegistry, providers: Mapping[str, ModelProvider], default_models: tuple[str, ...]
) -> Middleware:
    """Passes on the call with the candidates that can take it."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        request = call.request
        _check_texts(request)
        _check_parameters(request)
        if request.schema is not None:
            check_schema(request.schema)
        wanted = call.models or registry.candidates(call.purpose, default_models)
        candidates = _known(wanted, registry)
        candidates = _with_room_for_the_answer(request, candidates)
        models = await _with_room_for_the_input(request, candidates, providers)
        return await call_next(replace(call, models=models))

    return ask


def _check_texts(request: ModelRequest) -> None:
    passages = request.passages
    if len(passages) > MAX_PASSAGES:
        raise problems.request_refused(f"it has {len(passages)} passages; at most {MAX_PASSAGES} can be sent")
    if sum(len(one.text) for one in passages) > MAX_TEXT_CHARACTERS:
        raise problems.too_long(f"it has more than {MAX_TEXT_CHARACTERS:,} characters: send a part of it at a time")
    if not any(one.text.strip() for message in request.messages for one in message.passages):
        raise problems.request_refused("no message has a text: there is nothing to answer")
    if request.breakpoints > MAX_BREAKPOINTS:
        raise problems.request_refused(f"at most {MAX_BREAKPOINTS} passages may end in a cache breakpoint")


def _check_parameters(request: ModelRequest) -> None:
    if request.max_output_tokens < 1:
        raise problems.request_refused("max_output_tokens must be 1 or more")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        raise problems.request_refused("temperature must be from 0 to 2")
    if len(request.stop) > MAX_STOPS or any(not 0 < len(one) <= MAX_STOP_CHARACTERS for one in request.stop):
        raise problems.request_refused(f"stop takes up to {MAX_STOPS} texts of up to {MAX_STOP_CHARACTERS} characters")


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refused when it is too large or too deep to be sent, or isn't the schema of anything."""
    if not isinstance(schema.get("type", "object"), str | list):
        raise problems.schema_unusable("the schema's `type` is no text and no list")
    nodes, characters = 0, 0
    level: list[Any] = [schema]
    for _ in range(MAX_SCHEMA_DEPTH):
        below: list[Any] = []
        for node in level:
            if isinstance(node, Mapping):
                characters += sum(map(len, node))
                below.extend(node.values())
            elif isinstance(node, list | tuple):
                below.extend(node)
            elif isinstance(node, str):
                characters += len(node)
        nodes += len(level)
        if nodes + len(below) > MAX_SCHEMA_NODES or characters > MAX_SCHEMA_CHARACTERS:
            raise problems.schema_unusable(
                f"the schema is larger than {MAX_SCHEMA_NODES} values or {MAX_SCHEMA_CHARACTERS} characters"
            )
        if not below:
            return
        level = below
    raise problems.schema_unusable(f"the schema is deeper than {MAX_SCHEMA_DEPTH} levels")


def _known(models: Sequence[str], registry: ModelRegistry) -> list[tuple[str, ModelSpec]]:
    try:
        return [(name, registry.model(name)) for name in dict.fromkeys(models[:MAX_CANDIDATES])]
    except UnknownModel as unknown:
        raise problems.no_such_model(str(unknown)) from None


def _with_room_for_the_answer(
    request: ModelRequest, candidates: Sequence[tuple[str, ModelSpec]]
) -> list[tuple[str, ModelSpec]]:
    wanted = request.max_output_tokens
    fitting = [(name, spec) for name, spec in candidates if wanted <= spec.max_output_tokens]
    if not fitting:
        largest = max(spec.max_output_tokens for _, spec in candidates)
        raise problems.request_refused(f"max_output_tokens is {wanted}; the models' largest is {largest}")
    return fitting


async def _with_room_for_the_input(
    request: ModelRequest, candidates: Sequence[tuple[str, ModelSpec]], providers: Mapping[str, ModelProvider]
) -> tuple[str, ...]:
    estimate = estimated_input_tokens(request)
    fitting = tuple(name for name, spec in candidates if estimate <= spec.max_input_tokens)
    if fitting or not candidates:
        return fitting
    # The estimate is rather too high. Only where no model fits by it, what it really is gets counted.
    fewest = sum(len(one.text.encode(errors="replace")) for one in request.passages) // FEWEST_BYTES_A_TOKEN
    counted = [
        name
        for name, spec in candidates
        if fewest <= spec.max_input_tokens
        and await _counted(replace(request, model=name), providers[spec.provider]) <= spec.max_input_tokens
    ]
    if not counted:
        largest = max(spec.max_input_tokens for _, spec in candidates)
        raise problems.too_long(
            f"it has more tokens than any of the models takes, {largest:,} at most: send less, or name another model"
        )
    return tuple(counted)


async def _counted(request: ModelRequest, provider: ModelProvider) -> int:
    try:
        return await provider.count_tokens(request)
    except ModelError:
        return 0  # The provider says so when it is asked for the answer.
