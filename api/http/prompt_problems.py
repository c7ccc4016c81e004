"""The problems of prompts."""

from collections.abc import Sequence

from api.http.problems import Refusal
from schemas.problems import FieldProblem, Problem


def prompt_name_taken(name: str) -> Refusal:
    detail = f"You have a prompt {name!r} already. Choose another name, or add a version to it."
    return Refusal(Problem.of("name-taken", "The name is taken", 409, detail))


def prompt_changed(current: str) -> Refusal:
    detail = f"It is {current} now, so If-Match doesn't hold. Nothing was changed; read it again and decide anew."
    problem = Problem.of("precondition-failed", "It was changed meanwhile", 412, detail)
    return Refusal(problem, (b"etag", current.encode()))


def tests_not_passed(errors: Sequence[FieldProblem]) -> Refusal:
    detail = (
        "The label stays where it is: a version has to pass the prompt's tests as they are now. POST …/test runs them; "
        "or remove a test that is wrong."
    )
    return Refusal(
        Problem.of("tests-not-passed", "The prompt's tests aren't passed", 409, detail, errors=tuple(errors))
    )


def nowhere_before(label: str) -> Refusal:
    detail = f"{label} has pointed nowhere else before. Nothing was changed; move it to a version instead."
    return Refusal(Problem.of("nowhere-to-go-back", "There is nothing to go back to", 409, detail))


def too_many_of_a_prompt(what: str, limit: int) -> Refusal:
    detail = f"A prompt has at most {limit:,} {what}. Nothing was stored; use one that is there."
    return Refusal(Problem.of(f"too-many-{what}", f"The prompt has too many {what}", 409, detail))


def untestable(name: str) -> Refusal:
    detail = f"The prompt {name!r} has no tests for such a version. PUT …/tests/NAME adds one."
    return Refusal(Problem.of("no-tests", "There is nothing to run", 409, detail))
