"""Examples of prompts."""

from datetime import timedelta
from uuid import UUID

from api.documentation.examples.jobs import NOON
from schemas.ai.golden_tests import (
    GoldenTest,
    GoldenTestResult,
    GoldenTests,
    NamedGoldenTest,
    PromptTestRun,
    PromptTestRuns,
    TestRequest,
)
from schemas.ai.labels import (
    LabelMove,
    LabelRollback,
    PromptExposure,
    PromptExposures,
    PromptLabelHistory,
    PromptLabels,
    PromptLabelState,
    Variant,
)
from schemas.ai.prompt_list import Prompt, PromptPage
from schemas.ai.prompts import (
    PRODUCTION,
    Industry,
    NewPrompt,
    NewPromptVersion,
    PromptChange,
    PromptContent,
    PromptDiff,
    PromptSection,
    PromptVariable,
    PromptVersion,
    PromptVersionInfo,
    PromptVersions,
    RenderedPrompt,
    RenderedSection,
    RenderRequest,
)

_BY = "k3Yq9ZtR1bXw"
_DIGEST = "5f1c0d9e2b7a81c2e6f0a4d35f1c0d9e2b7a81c2e6f0a4d35f1c0d9e2b7a81c2"
_CONTENT = PromptContent(
    system="You write letters for {{ firm }}. Be brief.",
    sections=(
        PromptSection(key="summary", heading="Summary", instruction="Say what {{ client }} should know first."),
        PromptSection(key="steps", heading="Next steps", instruction="List what {{ client }} has to do."),
    ),
    variables={"firm": PromptVariable(), "client": PromptVariable(description="Whom the letter is for.")},
)
_OVERLAY = PromptContent(
    sections=(PromptSection(key="summary", heading="Summary", instruction="Name deadlines of {{ client }} first."),)
)
_INFO = {"name": "client_letter", "version": 1, "industry": None, "base": None, "digest": _DIGEST, "note": ""}
_MADE = {"created_at": NOON, "created_by": _BY}
_LEGAL = {**_INFO, "version": 2, "industry": Industry.LEGAL, "base": 1, "note": "Deadlines first."}
_ON_ONE = PromptLabelState(
    label=PRODUCTION,
    industry=None,
    variants=(Variant(version=1, percent=100),),
    moved_at=NOON,
    moved_by=_BY,
    because="its first version",
)
_SPLIT = PromptLabelState(
    label=PRODUCTION,
    industry=None,
    variants=(Variant(version=3, percent=20), Variant(version=1, percent=80)),
    moved_at=NOON + timedelta(hours=2),
    moved_by=_BY,
    because="a shorter summary, for a fifth",
)
_PROMPT = Prompt(
    name="client_letter",
    description="A letter to a client.",
    shipped=False,
    newest_version=2,
    labels=(_ON_ONE,),
    created_at=NOON,
)
_TEST = GoldenTest(variables={"firm": "Hale", "client": "Marlow Ltd"}, contains=("Marlow Ltd",), max_characters=5_000)
_NAMED_TEST = NamedGoldenTest(name="names_the_client", updated_at=NOON, **dict(_TEST))

REQUESTS = (
    NewPrompt(name="client_letter", description="A letter to a client.", content=_CONTENT),
    NewPromptVersion(content=_OVERLAY, industry=Industry.LEGAL, note="Deadlines first."),
    LabelMove(variants=_SPLIT.variants, because=_SPLIT.because),
    LabelRollback(because="It promised too much."),
    RenderRequest(variables={"firm": "Hale", "client": "Marlow Ltd"}),
    _TEST,
    TestRequest(version=2),
)
ANSWERS = (
    PromptPage(prompts=(_PROMPT,), next_cursor=None),
    _PROMPT,
    PromptVersions(
        versions=(PromptVersionInfo(**_LEGAL, **_MADE), PromptVersionInfo(**_INFO, **_MADE)), next_cursor=None
    ),
    PromptVersion(**_LEGAL, **_MADE, content=_OVERLAY),
    PromptDiff(
        name="client_letter",
        before=1,
        after=2,
        changes=(
            PromptChange(
                pointer="/sections/summary/instruction",
                before="Say what {{ client }} should know first.",
                after="Name deadlines of {{ client }} first.",
            ),
        ),
    ),
    RenderedPrompt(
        name="client_letter",
        version=1,
        industry=None,
        system="You write letters for Hale. Be brief.",
        outline=None,
        sections=(RenderedSection(heading="Summary", instruction="Say what Marlow Ltd should know first."),),
        models=None,
        max_output_tokens=None,
        temperature=None,
    ),
    PromptLabels(states=(_SPLIT,)),
    _SPLIT,
    PromptExposures(
        exposures=(
            PromptExposure(version=3, label=PRODUCTION, jobs=41, subjects=12),
            PromptExposure(version=1, label=PRODUCTION, jobs=163, subjects=52),
        )
    ),
    PromptLabelHistory(moves=(_SPLIT, _ON_ONE), next_cursor=None),
    GoldenTests(tests=(_NAMED_TEST,)),
    _NAMED_TEST,
    PromptTestRuns(
        runs=(
            PromptTestRun(
                job_id=UUID("0198f2c4-7d1a-7c3e-9a55-0c2f6f8e1b23"),
                version=2,
                passed=False,
                results=(GoldenTestResult(test="names_the_client", passed=False, reasons=("it lacks 'Marlow Ltd'",)),),
                at=NOON,
            ),
        )
    ),
)
