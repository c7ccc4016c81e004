"""How often, and how soon, a part that ended by itself is started again."""

from infrastructure.local_stack.supervisor.stack import MAX_RESTARTS, RESTARTS_WITHIN_SECONDS, pause_before_restart


def test_each_end_in_a_row_is_waited_for_longer() -> None:
    pauses = [pause_before_restart([100.0] * ends, now=100.0) for ends in range(4)]

    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_part_that_ends_again_and_again_is_given_up() -> None:
    assert pause_before_restart([100.0] * MAX_RESTARTS, now=100.0) is None


def test_ends_of_long_ago_are_forgotten() -> None:
    assert pause_before_restart([100.0] * MAX_RESTARTS, now=100.0 + RESTARTS_WITHIN_SECONDS) == 0.5
