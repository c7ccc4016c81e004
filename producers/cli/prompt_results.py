"""Prints how a prompt's tests went."""

from events.ai import PromptTested
from producers.cli.output import EXIT_ERROR, EXIT_OK, Output, Rows, print_view
from producers.cli.table import Column
from schemas.ai.golden_tests import GoldenTestResult

RESULTS = (
    Column[GoldenTestResult]("test", lambda one: one.test),
    Column[GoldenTestResult]("passed", lambda one: "yes" if one.passed else "no"),
    Column[GoldenTestResult]("because", lambda one: "; ".join(one.reasons), prose=True),
)


def print_results(tested: PromptTested, output: Output) -> int:
    """The exit code."""
    print_view(Rows(tested.results, RESULTS, "no tests"), output)
    return EXIT_OK if tested.passed else EXIT_ERROR
