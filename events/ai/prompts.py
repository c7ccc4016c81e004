"""What testing a prompt ends with."""

from typing import ClassVar

from events.ai.provenance import Provenance
from events.envelope import Commands, DomainEvent
from schemas.ai.golden_tests import GoldenTestResult, TestPrompt
from schemas.ai.prompts import PromptName, PromptVersionNumber


class PromptTested(DomainEvent):
    """A prompt's golden tests were run on one version, and how they went is kept. It doesn't mean that they were passed, nor that
    a label was moved."""

    type: ClassVar[str] = "ai.prompt_tested"
    result_of: ClassVar[Commands] = (TestPrompt,)

    prompt: PromptName
    version: PromptVersionNumber
    passed: bool
    results: tuple[GoldenTestResult, ...]
    provenance: Provenance = Provenance()
