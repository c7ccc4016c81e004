"""Says what a job would cost before it is submitted."""

from collections.abc import Sequence
from decimal import Decimal

from api.auth.command_permissions import admitted
from api.auth.principal import Scope
from api.document_references import pinned
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import Answer, json_answer
from api.model_registry import registry_of
from api.routes.ai.work import work_of
from infrastructure.model_registry.estimation import Work, likely_usd, max_usd
from infrastructure.model_registry.lanes import lanes_for
from infrastructure.model_registry.registry import ModelRegistry, UnknownModel
from infrastructure.ports.ai.request import Lane
from infrastructure.postgres.ai.job_costs import costs_of
from infrastructure.postgres.ai.spending import Spending, spending_of
from schemas.ai import ModelCommand
from schemas.ai.usage import CostEstimate, EstimateRequest
from schemas.catalogue import COMMANDS
from schemas.problems import FieldProblem

TIERS = {Lane.REALTIME: None, Lane.FLEX: "flex", Lane.BATCH: "batch"}


async def estimate(call: Call[EstimateRequest, Empty]) -> Answer:
    """Validates and pins the command as its submission would."""
    asked = call.body
    if not issubclass(COMMANDS.get(asked.kind, ModelCommand), ModelCommand):
        detail = "jobs of this kind call no model"
        raise problems.invalid_fields([FieldProblem(pointer="/kind", detail=detail)])
    command = await pinned(call, admitted(call.principal, asked.kind, asked.command, []), ["command"])
    assert isinstance(command, ModelCommand), "as its kind says"
    estimated = await work_of(call, command)
    registry = await registry_of(call.ingress.settings)
    usual = registry.candidates(estimated.purpose, call.ingress.settings.ai_models)
    candidates = command.models or (estimated.prompt.models if estimated.prompt else None) or usual
    return json_answer(200, await _estimate(call, command, estimated.work, candidates, registry))


async def _estimate(
    call: Call[EstimateRequest, Empty],
    command: ModelCommand,
    work: Work,
    candidates: Sequence[str],
    registry: ModelRegistry,
) -> CostEstimate:
    """By the first candidate, and at most what the dearest of them would cost."""
    model = candidates[0]
    try:
        prices = {name: registry.prices(name) for name in candidates}
    except UnknownModel as unknown:  # One of the prompt's.
        raise problems.invalid_fields([FieldProblem(pointer="/command/prompt", detail=str(unknown))]) from None
    now, deadline = call.ingress.clock.now(), call.body.deadline
    lanes = lanes_for(None if deadline is None else (deadline - now).total_seconds())
    lane = next((one for one in lanes if one in registry.model(model).lanes), Lane.REALTIME)
    history = await call.db.run(costs_of, command.kind, model)
    spending = await call.db.run(spending_of)
    # What has no price is never called.
    costs = [most for one in prices.values() if (most := max_usd(work, one, now.date())) is not None]
    most = max(costs, default=None)
    left_today = _left(spending, spending.spent_today, spending.day_limit)
    left_this_month = _left(spending, spending.spent_this_month, spending.month_limit)
    allowed = (left_today, left_this_month, command.max_cost_usd)
    return CostEstimate(
        model=model,
        calls=work.calls,
        input_tokens=work.calls * work.likely_input_tokens,
        max_output_tokens=work.calls * work.output_tokens,
        likely_usd=history.p50 if history else likely_usd(work, prices[model], TIERS[lane], now.date()),
        p95_usd=history.p95 if history else None,
        max_usd=most,
        lane=lane.value,
        left_today_usd=left_today,
        left_this_month_usd=left_this_month,
        fits=most is not None and all(one is None or most <= one for one in allowed),
    )


def _left(spending: Spending, spent: Decimal, limit: Decimal | None) -> Decimal | None:
    return None if limit is None else max(limit - spent - spending.reserved, Decimal(0))


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/ai/estimate",
        summary="Estimate what a job would cost",
        description=(
            "Checks the command as its own endpoint would, counts the calls of models that its job would make, and prices them. "
            "Nothing is submitted, and no model is called. `likely_usd` is the median of the tenant's last such jobs where there "
            "are twenty."
        ),
        handle=estimate,
        body=EstimateRequest,
        answers={200: CostEstimate},
        scope=Scope.AI_READ,
        problems=(409, 422),
    ),
)
