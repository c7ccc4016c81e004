"""The workflow reducer: the next state and effect of an instance."""

import tracemalloc
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import JsonValue

from schemas.ai import ProcessDocument
from schemas.problems import Problem
from schemas.workflow import Definition, InstanceState, InstanceStatus
from workers.workflow.reducer import (
    MAX_DATA_BYTES,
    MAX_STEPS,
    Complete,
    GiveUp,
    RunTask,
    TaskFailed,
    TaskSucceeded,
    advance,
    begin,
    effect_of,
)

READ = {
    "Type": "Task",
    "Resource": "urn:bucatini:job:ai.process_document",
    "Parameters": {"title.$": "$.name", "text.$": "$.text"},
}
DATA: JsonValue = {"name": "Lease", "text": "This lease is made in March."}
JOB = UUID(int=7)


def definition(start: str, **states: dict[str, Any]) -> Definition:
    return Definition.model_validate({"StartAt": start, "States": states})


def problem_of(instance: InstanceState) -> Problem:
    assert instance.status is InstanceStatus.FAILED
    assert instance.problem is not None
    return instance.problem


def test_an_instance_begins_at_its_first_task_with_the_fields_its_template_makes() -> None:
    one = definition("Read", Read={**READ, "End": True})

    effect = effect_of(one, begin(one, DATA))

    assert effect == RunTask(ProcessDocument(title="Lease", text="This lease is made in March."))


def test_a_task_without_a_template_gets_the_whole_data() -> None:
    one = definition("Read", Read={"Type": "Task", "Resource": READ["Resource"], "End": True})

    effect = effect_of(one, begin(one, {"title": "Lease", "text": "words"}))

    assert effect == RunTask(ProcessDocument(title="Lease", text="words"))


@pytest.mark.parametrize(
    ("result_path", "output"),
    [
        ({}, {"pages": 3}),
        ({"ResultPath": "$.read"}, {"name": "Lease", "text": "This lease is made in March.", "read": {"pages": 3}}),
        ({"ResultPath": None}, DATA),
    ],
)
def test_a_result_goes_where_the_result_path_says(result_path: dict[str, Any], output: JsonValue) -> None:
    one = definition("Read", Read={**READ, **result_path, "End": True})

    ended = advance(one, begin(one, DATA), TaskSucceeded(JOB, {"pages": 3}))

    assert effect_of(one, ended) == Complete(output)
    assert [(step.state, step.job_id) for step in ended.steps] == [("Read", JOB)]


@pytest.mark.parametrize("state", [{"Type": "Pass"}, {**READ, "Resource": "urn:bucatini:job:ai.generate_document"}])
def test_the_size_of_a_filled_template_is_counted_before_it_is_built(state: dict[str, Any]) -> None:
    references = {f"f{number}.$": "$.text" for number in range(500)}
    one = definition("Shape", Shape={**state, "Parameters": {"facts": references}, "End": True})

    tracemalloc.start()
    problem = problem_of(begin(one, {"text": "x" * 200_000}))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problem.name == "data-too-large"
    assert "'Shape'" in problem.detail
    assert peak_bytes < 3_000_000


def test_the_largest_allowed_parameters_reach_the_job() -> None:
    one = definition("Read", Read={**READ, "End": True})

    effect = effect_of(one, begin(one, {"name": "Lease", "text": "x" * 200_000}))

    assert isinstance(effect, RunTask)


def test_data_that_grows_deeper_with_every_step_fails_the_instance_at_the_depth_limit() -> None:
    deeper = definition("Wrap", Wrap={"Type": "Pass", "Parameters": {"a.$": "$"}, "Next": "Wrap2"},
        Wrap2={"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": True, "Next": "End"}],
               "Default": "Wrap"}, End={"Type": "Succeed"})  # fmt: skip

    problem = problem_of(begin(deeper, {}))

    assert problem.name == "data-too-deep"
    assert "64" in problem.detail


def test_two_tasks_run_one_after_the_other() -> None:
    again = {**READ, "Parameters": {"title.$": "$.read.title", "text.$": "$.text"}, "ResultPath": None, "End": True}
    two = definition("Read", Read={**READ, "ResultPath": "$.read", "Next": "Again"}, Again=again)

    second = advance(two, begin(two, DATA), TaskSucceeded(JOB, {"title": "From the first"}))

    assert (second.status, second.state) == (InstanceStatus.RUNNING, "Again")
    effect = effect_of(two, second)
    assert isinstance(effect, RunTask)
    assert effect.command == ProcessDocument(title="From the first", text="This lease is made in March.")
    assert effect_of(two, advance(two, second, TaskSucceeded(uuid4(), None))) == Complete(second.data)


def test_a_failed_task_fails_the_instance_with_its_problem_and_the_steps_name() -> None:
    one = definition("Read", Read={**READ, "End": True})
    problem = Problem.of("too-long", "The text is too long", 413, "300,000 characters")

    failed = advance(one, begin(one, DATA), TaskFailed(JOB, problem))

    assert effect_of(one, failed) == GiveUp(problem_of(failed))
    assert (problem_of(failed).name, problem_of(failed).status) == ("too-long", 413)
    assert problem_of(failed).detail == "Step 'Read': 300,000 characters"


def test_pass_states_shape_data_on_the_way() -> None:
    passing = definition(
        "Fixed",
        Fixed={"Type": "Pass", "Result": {"x": 1}, "ResultPath": "$.fixed", "Next": "Shaped"},
        Shaped={"Type": "Pass", "Parameters": {"kept.$": "$.fixed.x"}, "Next": "Done"},
        Done={"Type": "Succeed"},
    )

    ended = begin(passing, {"a": 1})

    assert effect_of(passing, ended) == Complete({"kept": 1})
    assert [step.state for step in ended.steps] == ["Fixed", "Shaped", "Done"]


CHOICES = [
    ({"StringEquals": "yes"}, "yes", True),
    ({"StringEquals": "yes"}, "no", False),
    ({"StringEquals": "1"}, 1, False),
    ({"NumericEquals": 1}, 1.0, True),
    ({"NumericEquals": 1}, True, False),
    ({"NumericGreaterThan": 5}, 6, True),
    ({"NumericGreaterThan": 5}, 5, False),
    ({"NumericGreaterThanEquals": 5}, 5, True),
    ({"NumericLessThan": 5}, 4.5, True),
    ({"NumericLessThanEquals": 5}, 5, True),
    ({"NumericLessThan": 5}, "4", False),
    ({"BooleanEquals": False}, False, True),
    ({"BooleanEquals": False}, 0, False),
    ({"IsNull": True}, None, True),
    ({"IsNull": False}, 0, True),
    ({"IsPresent": True}, None, True),
]


@pytest.mark.parametrize(("comparison", "value", "holds"), CHOICES)
def test_a_choice_compares_values_of_its_own_type_only(
    comparison: dict[str, Any], value: JsonValue, holds: bool
) -> None:
    choosing = definition(
        "Choose",
        Choose={"Type": "Choice", "Choices": [{"Variable": "$.v", **comparison, "Next": "Yes"}], "Default": "No"},
        Yes={"Type": "Succeed"},
        No={"Type": "Succeed"},
    )

    assert begin(choosing, {"v": value}).state == ("Yes" if holds else "No")


def test_a_choice_may_test_whether_a_value_is_present() -> None:
    rule = {"Variable": "$.v.w", "IsPresent": False, "Next": "Absent"}
    choosing = definition("Choose", Choose={"Type": "Choice", "Choices": [rule]}, Absent={"Type": "Succeed"})

    assert begin(choosing, {}).state == "Absent"
    assert problem_of(begin(choosing, {"v": {"w": 1}})).name == "no-choice-matched"


def test_a_fail_state_fails_in_its_own_words() -> None:
    failing = definition("No", No={"Type": "Fail", "Error": "NotSigned", "Cause": "Nobody has signed."})

    problem = problem_of(begin(failing, {}))

    assert (problem.title, problem.detail) == ("NotSigned", "Nobody has signed.")


def test_a_path_that_leads_nowhere_fails_the_instance_and_names_step_and_path() -> None:
    one = definition("Read", Read={**READ, "End": True})

    problem = problem_of(begin(one, {"name": "Lease"}))

    assert (problem.name, problem.detail) == ("path-not-found", "Step 'Read': the data has nothing at $.text")


def test_a_result_that_has_nowhere_to_go_fails_the_instance() -> None:
    one = definition("Read", Read={**READ, "ResultPath": "$.name.read", "End": True})

    failed = advance(one, begin(one, DATA), TaskSucceeded(JOB, {}))

    assert "$.name.read" in problem_of(failed).detail


def test_fields_that_do_not_fit_the_job_fail_the_instance_with_pointers() -> None:
    one = definition("Read", Read={**READ, "End": True})

    problem = problem_of(begin(one, {"name": "Lease", "text": 5}))

    assert (problem.name, [error.pointer for error in problem.errors]) == ("step-invalid", ["/text"])


def test_an_endless_loop_ends_at_the_step_limit() -> None:
    rule = {"Variable": "$.stop", "IsPresent": True, "Next": "Done"}
    looping = definition(
        "Choose",
        Choose={"Type": "Choice", "Choices": [rule], "Default": "Again"},
        Again={"Type": "Pass", "Next": "Choose"},
        Done={"Type": "Succeed"},
    )

    endless = begin(looping, {})

    assert problem_of(endless).name == "too-many-steps"
    assert len(endless.steps) == MAX_STEPS


def test_data_that_outgrows_an_instance_fails_it_and_is_not_kept() -> None:
    one = definition("Read", Read={**READ, "End": True})

    for grown in (
        begin(one, "x" * MAX_DATA_BYTES),
        advance(one, begin(one, DATA), TaskSucceeded(JOB, "x" * MAX_DATA_BYTES)),
    ):
        assert problem_of(grown).name == "data-too-large"
        assert grown.data is None


def test_the_effect_follows_from_the_stored_state_alone() -> None:
    one = definition("Read", Read={**READ, "End": True})
    stored = InstanceState.model_validate_json(begin(one, DATA).model_dump_json())

    assert effect_of(one, stored) == effect_of(one, begin(one, DATA))
