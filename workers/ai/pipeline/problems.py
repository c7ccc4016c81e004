"""How a job fails of what a model's call met: every problem of the AI pool is made here."""

from infrastructure.ports import Refused, TryLater, Unavailable
from infrastructure.ports.ai import errors
from infrastructure.ports.ai.errors import ModelError
from schemas.problems import Problem
from workers.ai.pipeline.call import ModelCall, ModelReply, Next

THROTTLED_SECONDS = 5.0
"""For a provider that says to come more slowly, and not when."""


async def for_the_job(call: ModelCall, call_next: Next) -> ModelReply:
    """The step around the others, which raise ModelErrors among each other."""
    try:
        return await call_next(call)
    except ModelError as error:
        raise of_model_error(error) from error


def no_such_model(detail: str) -> Refused:
    return Refused(Problem.of("no-such-model", "There is no such model", 422, detail))


def unpriced(detail: str) -> Refused:
    return Refused(Problem.of("model-unpriced", "Nobody knows what the model costs", 422, detail))


def budget_used_up(detail: str) -> Refused:
    return Refused(Problem.of("ai-budget-used-up", "The budget for models is used up", 402, detail))


def too_long(detail: str) -> Refused:
    return Refused(Problem.of("input-too-long", "The input is too long", 422, detail))


def request_refused(detail: str) -> Refused:
    return Refused(Problem.of("model-request-refused", "The model doesn't take such a request", 422, detail))


def schema_unusable(detail: str) -> Refused:
    return Refused(Problem.of("schema-unusable", "The schema can't be asked for", 422, detail))


def of_model_error(error: ModelError) -> Exception:
    """What the job raises for the error of its last candidate: Refused, Unavailable or TryLater."""
    detail = str(error)
    match error:
        case errors.AuthenticationRefused() if error.failure.status is None:
            return Refused(Problem.of("model-key-missing", "There is no usable key for the provider", 422, detail))
        case errors.AuthenticationRefused():
            return Refused(Problem.of("model-key-refused", "The provider refused the key", 422, detail))
        case errors.QuotaExhausted():
            return Refused(Problem.of("model-quota-used-up", "The provider's account is used up", 402, detail))
        case errors.ContentRefused():
            return Refused(Problem.of("content-refused", "The model refused to write about it", 422, detail))
        case errors.BadRequest():
            return request_refused(detail)
        case errors.Throttled():
            seconds = error.failure.retry_after_seconds or THROTTLED_SECONDS
            problem = Problem.of("models-unavailable", "The provider asks for fewer calls", 503, detail)
            return TryLater(problem, seconds=seconds, counted=False)
        case errors.Overloaded() if error.failure.unsent:
            # Its breaker is open: nothing was tried, so nothing counts as an attempt.
            seconds = error.failure.retry_after_seconds or THROTTLED_SECONDS
            problem = Problem.of("models-unavailable", "No model can be asked now", 503, detail)
            return TryLater(problem, seconds=seconds, counted=False)
        case _:
            return Unavailable(detail, retry_after_seconds=error.failure.retry_after_seconds)
