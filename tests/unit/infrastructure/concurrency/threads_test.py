"""Functions in threads: what they raise reaches whoever awaits them."""

import asyncio

import pytest

from infrastructure.concurrency.threads import Threads


@pytest.mark.parametrize("error", [StopIteration(), GeneratorExit(), asyncio.CancelledError()])
def test_an_error_that_would_end_whoever_awaits_it_comes_as_one_of_the_function(error: BaseException) -> None:
    def throw() -> None:
        raise error

    async def work() -> None:
        async with asyncio.timeout(60):
            with pytest.raises(RuntimeError, match=f"the function raised {type(error).__name__}"):
                await Threads(1).run(throw)

    asyncio.run(work())


def test_any_other_error_comes_as_it_is() -> None:
    def throw() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        asyncio.run(Threads(1).run(throw))
