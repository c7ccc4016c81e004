"""Makes one function of the middlewares."""

from collections.abc import Sequence

from workers.ai.pipeline.call import Middleware, ModelCall, ModelReply, Next


def composed(middlewares: Sequence[Middleware]) -> Next:
    """Calls the first with the rest as its `call_next`, and so on. The last one calls no next."""
    rest: Next = _beyond_the_last
    for middleware in reversed(middlewares):
        rest = _before(middleware, rest)
    return rest


def _before(middleware: Middleware, rest: Next) -> Next:
    async def ask(call: ModelCall) -> ModelReply:
        return await middleware(call, rest)

    return ask


async def _beyond_the_last(call: ModelCall) -> ModelReply:
    raise AssertionError("the last middleware answers")
