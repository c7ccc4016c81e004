"""The commands of the AI queue, and what is said about models: providers, prompts, cost."""

from schemas.ai.analysis import Analysis, AnalyzeContent, Category, Criterion
from schemas.ai.generation import (
    Facts,
    GenerateDocument,
    SectionTemplate,
    StoreAs,
    TemplateName,
    Tone,
    WritingLanguage,
)
from schemas.ai.golden_tests import TestPrompt
from schemas.ai.model_command import MAX_READ_CHARACTERS, DocumentId, ModelCommand, Title
from schemas.ai.processing import ProcessDocument
from schemas.ai.prompts import PromptRef

__all__ = [
    "MAX_READ_CHARACTERS",
    "Analysis",
    "AnalyzeContent",
    "Category",
    "Criterion",
    "DocumentId",
    "Facts",
    "GenerateDocument",
    "ModelCommand",
    "ProcessDocument",
    "PromptRef",
    "SectionTemplate",
    "StoreAs",
    "TemplateName",
    "TestPrompt",
    "Title",
    "Tone",
    "WritingLanguage",
]
