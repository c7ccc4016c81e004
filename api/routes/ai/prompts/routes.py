"""The addresses of prompts."""

from typing import Final

from api.auth.principal import Scope
from api.endpoint import Endpoint
from api.http.pagination import PageQuery
from api.http.responses import NoBody
from api.routes.ai.prompts.addressing import PATH, HistoryQuery, NamePageQuery, ToVersion
from api.routes.ai.prompts.golden_tests import (
    RunsQuery,
    list_runs,
    list_tests,
    remove_test,
    run_tests,
    set_test,
    show_test,
)
from api.routes.ai.prompts.labels import ExposureQuery, move, roll_back, show_exposures, show_history, show_label
from api.routes.ai.prompts.reads import list_prompts, list_versions, show_diff, show_prompt, show_version
from api.routes.ai.prompts.rendering import render
from api.routes.ai.prompts.writes import add_version, create_prompt
from schemas.ai.golden_tests import GoldenTest, GoldenTests, NamedGoldenTest, PromptTestRuns, TestRequest
from schemas.ai.labels import (
    LabelMove,
    LabelRollback,
    PromptExposures,
    PromptLabelHistory,
    PromptLabels,
    PromptLabelState,
)
from schemas.ai.prompt_list import Prompt, PromptPage
from schemas.ai.prompts import (
    NewPrompt,
    NewPromptVersion,
    PromptDiff,
    PromptVersion,
    PromptVersions,
    RenderedPrompt,
    RenderRequest,
)
from schemas.jobs import Job

_ONE: Final = f"{PATH}/{{name}}"

VERSIONS = (
    Endpoint(
        method="GET",
        path=PATH,
        summary="List prompts",
        description="By name: your own, and those that Bucatini comes with.",
        handle=list_prompts,
        query=NamePageQuery,
        answers={200: PromptPage},
        scope=Scope.AI_READ,
        headers=("if-none-match",),
        problems=(400,),
    ),
    Endpoint(
        method="POST",
        path=PATH,
        summary="Make a prompt",
        description=(
            "With its first version, to which its label `production` points from now on. One that Bucatini comes with gets "
            "out of sight behind yours of the same name; jobs that were accepted before go on with what they were pinned to."
        ),
        handle=create_prompt,
        body=NewPrompt,
        answers={201: PromptVersion},
        scope=Scope.AI_WRITE,
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path=_ONE,
        summary="Show a prompt",
        description="With where its labels point.",
        handle=show_prompt,
        answers={200: Prompt},
        scope=Scope.AI_READ,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/versions",
        summary="List a prompt's versions",
        description="The newest first, without what they say.",
        handle=list_versions,
        query=PageQuery,
        answers={200: PromptVersions},
        scope=Scope.AI_READ,
        headers=("if-none-match",),
        problems=(400, 404),
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/versions",
        summary="Add a version of a prompt",
        description=(
            "It never changes, and no label points to it before it is moved. With an `industry` it is an overlay: it gives only "
            "what it changes of its base, whose sections go by their keys. Every template is read, and each name in it must be "
            "a declared variable. Repeating it is safe: 200 when the newest version of the industry says the same."
        ),
        handle=add_version,
        body=NewPromptVersion,
        answers={201: PromptVersion, 200: PromptVersion},
        scope=Scope.AI_WRITE,
        headers=("prompt-if-match",),
        problems=(400, 404, 409, 412, 422),
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/versions/{{n}}",
        summary="Show a version of a prompt",
        handle=show_version,
        answers={200: PromptVersion},
        scope=Scope.AI_READ,
        headers=("if-none-match",),
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/versions/{{n}}/diff",
        summary="Compare two versions of a prompt",
        description="What another one, the next if none is named, says otherwise.",
        handle=show_diff,
        query=ToVersion,
        answers={200: PromptDiff},
        scope=Scope.AI_READ,
        problems=(404,),
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/render",
        summary="Fill a prompt",
        description="What it would say with these variables. No model is called. Values are inserted as text.",
        handle=render,
        body=RenderRequest,
        answers={200: RenderedPrompt},
        scope=Scope.AI_READ,
        problems=(404, 422),
    ),
)

LABELS = (
    Endpoint(
        method="GET",
        path=f"{_ONE}/labels/{{label}}",
        summary="Show where a label points",
        description="For all, and for each industry for which it points to an overlay.",
        handle=show_label,
        answers={200: PromptLabels},
        scope=Scope.AI_READ,
        problems=(404, 422),
    ),
    Endpoint(
        method="PUT",
        path=f"{_ONE}/labels/{{label}}",
        summary="Move a label",
        description=(
            "Jobs that are accepted from now on get the version that it points to; those before keep theirs. Split it by "
            "percentages to compare versions: the same subject always gets the same one. A version has to pass the prompt's "
            "tests first, unless the label pointed to it before: so moving back is always possible. Repeating it is safe."
        ),
        handle=move,
        body=LabelMove,
        answers={200: PromptLabelState},
        scope=Scope.AI_WRITE,
        headers=("prompt-if-match",),
        problems=(400, 404, 409, 412, 422),
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/labels/{{label}}/rollback",
        summary="Move a label back",
        description=(
            "To where it pointed before, without a test. Repeating it goes one further back each time, over what was moved back "
            "already; `If-Match` with the label's edition makes it happen once. A rollback is a move like others, and in the history."
        ),
        handle=roll_back,
        body=LabelRollback,
        answers={200: PromptLabelState},
        scope=Scope.AI_WRITE,
        headers=("prompt-if-match",),
        problems=(400, 404, 409, 412, 422),
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/labels/{{label}}/history",
        summary="List a label's moves",
        description="The newest first.",
        handle=show_history,
        query=HistoryQuery,
        answers={200: PromptLabelHistory},
        scope=Scope.AI_READ,
        problems=(400, 404, 422),
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/exposures",
        summary="Count the jobs that were written with a prompt",
        description="By version and label, so that what a label is split between can be compared.",
        handle=show_exposures,
        query=ExposureQuery,
        answers={200: PromptExposures},
        scope=Scope.AI_READ,
        problems=(404,),
    ),
)

TESTS = (
    Endpoint(
        method="GET",
        path=f"{_ONE}/tests",
        summary="List a prompt's tests",
        handle=list_tests,
        answers={200: GoldenTests},
        scope=Scope.AI_READ,
        problems=(404,),
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/tests/{{test}}",
        summary="Show a test of a prompt",
        handle=show_test,
        answers={200: NamedGoldenTest},
        scope=Scope.AI_READ,
        problems=(404, 422),
    ),
    Endpoint(
        method="PUT",
        path=f"{_ONE}/tests/{{test}}",
        summary="Set a test of a prompt",
        description="Versions have to pass it before a label is moved to them. Runs before don't count any more.",
        handle=set_test,
        body=GoldenTest,
        answers={200: NamedGoldenTest},
        scope=Scope.AI_WRITE,
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="DELETE",
        path=f"{_ONE}/tests/{{test}}",
        summary="Remove a test of a prompt",
        handle=remove_test,
        answers={204: NoBody()},
        scope=Scope.AI_WRITE,
        problems=(404, 422),
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/test",
        summary="Run a prompt's tests",
        description=(
            "On one version, the newest if none is named: a job has a model write from it for each test, and checks what was "
            "written. 202 means that it is stored."
        ),
        handle=run_tests,
        body=TestRequest,
        answers={202: Job, 200: Job},
        scope=Scope.AI_WRITE,
        headers=("idempotency-key", "prefer"),
        problems=(404, 409, 422),
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/test-runs",
        summary="List how a prompt's tests went",
        description="The newest first; the last 100 are kept.",
        handle=list_runs,
        query=RunsQuery,
        answers={200: PromptTestRuns},
        scope=Scope.AI_READ,
        problems=(404,),
    ),
)

ENDPOINTS = (*VERSIONS, *LABELS, *TESTS)
