"""How a function of a package of jobs says that it won't work, or not now."""

from bucatini import Problem, Refused, TryLater


def test_a_sentence_is_enough_of_a_reason() -> None:
    refused, later = Refused("there is no month 13"), TryLater("the shop is closed", seconds=600)

    assert (refused.problem.name, refused.problem.detail) == ("refused", "there is no month 13")
    assert (later.problem.name, later.problem.detail, later.seconds) == ("try-later", "the shop is closed", 600)


def test_a_problem_of_ones_own_stays_as_it_is() -> None:
    problem = Problem.of("no-such-month", "There is no such month", 422, "Months end with 12.")

    assert Refused(problem).problem is problem
    assert TryLater(problem, seconds=1).problem is problem
