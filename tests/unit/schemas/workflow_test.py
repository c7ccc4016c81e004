"""Definitions are refused before anything runs, with the place and the reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.workflow import Definition, RunWorkflowStep
from schemas.workflow_tasks import kinds_of, task_problem

TASK = {"Type": "Task", "Resource": "urn:bucatini:job:ai.process_document"}


def two_steps() -> dict[str, Any]:
    return {
        "Comment": "reads a document, then makes it searchable",
        "StartAt": "Read",
        "States": {
            "Read": {
                **TASK,
                "Parameters": {"title": "Lease", "text.$": "$.text"},
                "ResultPath": "$.read",
                "Next": "Index",
            },
            "Index": {
                "Type": "Task",
                "Resource": "urn:bucatini:job:search.index_document",
                "Parameters": {
                    "document_id.$": "$.id",
                    "title": "Lease",
                    "text.$": "$.text",
                    "document_type": "contract",
                },
                "End": True,
            },
        },
    }


def refusal(definition: dict[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as refused:
        Definition.model_validate(definition)
    return [(error["loc"], error["msg"]) for error in refused.value.errors()]


def test_a_sound_definition_survives_the_wire() -> None:
    command = RunWorkflowStep.model_validate({"definition": two_steps(), "input": {"text": "…"}})

    assert RunWorkflowStep.model_validate_json(command.model_dump_json()) == command
    assert task_problem(command.definition) is None
    assert kinds_of(command.definition) == {"ai.process_document", "search.index_document"}


def test_states_that_do_not_exist_are_named_where_they_are_meant() -> None:
    definition = two_steps() | {"StartAt": "Begin"}
    definition["States"]["Read"]["Next"] = "Somewhere"

    assert refusal(definition) == [
        (("StartAt",), "there is no state of this name"),
        (("States", "Read", "Next"), "there is no state of this name"),
    ]


def test_a_state_that_nothing_leads_to_is_refused() -> None:
    definition = two_steps()
    definition["States"]["Forgotten"] = {"Type": "Succeed"}

    assert refusal(definition) == [(("States", "Forgotten"), "no way leads to this state")]


def test_a_loop_without_a_way_out_is_refused() -> None:
    definition = two_steps()
    del definition["States"]["Index"]["End"]
    definition["States"]["Index"]["Next"] = "Read"

    assert {place for place, _ in refusal(definition)} == {("States", "Read"), ("States", "Index")}


def test_a_loop_with_a_way_out_is_taken() -> None:
    rule = {"Variable": "$.again", "BooleanEquals": True, "Next": "Work"}
    states = {
        "Work": {"Type": "Pass", "Next": "Choose"},
        "Choose": {"Type": "Choice", "Choices": [rule], "Default": "Done"},
        "Done": {"Type": "Succeed"},
    }

    Definition.model_validate({"StartAt": "Work", "States": states})


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (TASK, 'either "Next" or "End"'),
        ({**TASK, "End": True, "Next": "Read"}, 'either "Next" or "End"'),
        ({**TASK, "End": True, "Retry": []}, "Extra inputs"),
        ({**TASK, "End": True, "InputPath": "$.x"}, "Extra inputs"),
        ({**TASK, "End": True, "Resource": "arn:aws:lambda:x"}, "should match pattern"),
        ({**TASK, "End": True, "Parameters": {"x.$": "$..x"}}, "must be a path"),
        ({**TASK, "End": True, "Parameters": {"x.$": 5}}, "must be a path"),
        ({**TASK, "End": True, "Parameters": {"a": [{"x.$": "no"}]}}, "must be a path"),
        ({"Type": "Wait", "Seconds": 1}, "does not match any of the expected tags"),
        ({"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "Read"}]}, "exactly one comparison"),
        (
            {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "IsPresent": True, "Next": "Read"}]},
            "exactly one comparison",
        ),
    ],
)
def test_what_a_state_may_not_say_is_refused(state: dict[str, Any], why: str) -> None:
    ((place, message),) = refusal({"StartAt": "Read", "States": {"Read": state}})

    assert place[:2] == ("States", "Read")
    assert why in message


@pytest.mark.parametrize(("levels", "why"), [(50, "deeper than 32 levels"), (200, "more than 64 levels")])
def test_a_template_as_deep_as_a_well_is_refused_quickly(levels: int, why: str) -> None:
    deep: Any = "bottom"
    for _ in range(levels):
        deep = {"down": deep}

    ((_, message),) = refusal({"StartAt": "Read", "States": {"Read": {**TASK, "End": True, "Parameters": deep}}})

    assert why in message


@pytest.mark.parametrize(
    ("change", "pointer", "why"),
    [
        ({"Resource": "urn:bucatini:job:ai.think"}, "/definition/States/Read/Resource", "no such kind of job"),
        (
            {"Resource": "urn:bucatini:job:workflow.run_step"},
            "/definition/States/Read/Resource",
            "can't start another workflow",
        ),
        ({"Parameters": {"text.$": "$.t"}}, "/definition/States/Read/Parameters/title", "required"),
        (
            {"Parameters": {"text.$": "$.t", "title": "x", "colour.$": "$.c"}},
            "/definition/States/Read/Parameters/colour.$",
            "no field colour",
        ),
        (
            {"Parameters": {"text.$": "$.t", "title": 5}},
            "/definition/States/Read/Parameters/title",
            "valid string",
        ),
    ],
)
def test_a_task_that_could_never_run_is_told_before_it_starts(change: dict[str, Any], pointer: str, why: str) -> None:
    definition = two_steps()
    definition["States"]["Read"].update(change)

    problem = task_problem(Definition.model_validate(definition))

    assert problem is not None
    assert [error.pointer for error in problem.errors] == [pointer]
    assert why in problem.errors[0].detail.lower()


def test_a_state_name_is_escaped_in_a_pointer() -> None:
    state = {**TASK, "Resource": "urn:bucatini:job:no.such", "End": True}

    problem = task_problem(Definition.model_validate({"StartAt": "a/b~c", "States": {"a/b~c": state}}))

    assert problem is not None
    assert problem.errors[0].pointer == "/definition/States/a~1b~0c/Resource"
