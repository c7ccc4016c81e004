"""Keeps calls from models whose price nobody knows, and from any that a job without money would have to pay for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.model_registry.upper_bound import upper_bound
from infrastructure.ports.ai.request import estimated_input_tokens
from workers.ai.pipeline import problems
from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next


def pricing(registry: ModelRegistry, today: Callable[[], date]) -> Middleware:
    """Passes on the call with the candidates that have a price. What a budget has left is the reservation's question; here it
    is only whether there is one at all."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        priced = tuple(model for model in call.models if registry.prices(model) is not None)
        if not priced:
            raise problems.unpriced(
                f"{', '.join(call.models)}: give it `rates` in the file that AI_MODELS_FILE names, or name another model"
            )
        if call.max_cost_usd is not None and not call.max_cost_usd:
            priced = tuple(model for model in priced if _costs_nothing(model, call))
            if not priced:
                raise problems.budget_used_up("max_cost_usd is 0, and none of the models is free of charge")
        return await call_next(replace(call, models=priced))

    def _costs_nothing(model: str, call: ModelCall) -> bool:
        most = upper_bound(
            registry.prices(model),
            input_tokens=estimated_input_tokens(call.request),
            output_tokens=call.request.max_output_tokens,
            day=today(),
        )
        return most is not None and not most

    return ask
