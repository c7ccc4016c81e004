"""What is asked about a text, all its analyses at once."""

from typing import Final

from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.reading import REFERENCE, TEXT, analysis_schema
from infrastructure.ports.ai.sizes import ANALYSIS_OUTPUT_TOKENS
from schemas.ai import Analysis, AnalyzeContent
from workers.ai.documents_in_prompt import PromptDocument
from workers.ai.questions.question import Question
from workers.ai.sources import Source

MEASURED: Final = frozenset({Analysis.READABILITY})
"""By counting, whichever model there is."""
_INSTRUCTIONS: Final = {
    Analysis.SENTIMENT: "sentiment: the words and phrases in which the text speaks well or ill of its matter.",
    Analysis.RISK_TERMS: (
        "risk_terms: wording that a reviewer should look at, each with a category such as unlimited_liability, indemnity, "
        "penalty, one_sided_change, guarantee, automatic_renewal, termination, exclusivity, rights_transfer, "
        "warranty_disclaimer, liability_limit, personal_data, payment or disputes."
    ),
    Analysis.COMPARISON: (
        f'comparison: what was added to, removed from and changed in the document "{REFERENCE}", of which "{TEXT}" is another '
        "version: whole sentences."
    ),
    Analysis.CLASSIFICATION: "classification: how well each category fits the text, by its description.",
    Analysis.SCORING: "scoring: how well the text meets each criterion, by its description.",
}
_PURPOSES: Final = {
    Analysis.COMPARISON: Purpose.COMPARE,
    Analysis.SCORING: Purpose.SCORE,
}


def asked_of(command: AnalyzeContent) -> tuple[Analysis, ...]:
    """The analyses that a model answers."""
    return tuple(one for one in command.analyses if one not in MEASURED)


def analysis_question(
    command: AnalyzeContent, source: Source, text: str, reference: str | None, language: str, index: int = 0
) -> Question:
    asked = asked_of(command)
    named = "\n".join(f"- {_INSTRUCTIONS[one]}" for one in asked)
    version = source.stored.version if source.stored else None
    documents = [PromptDocument(TEXT, version, text)]
    if reference is not None:
        documents.append(PromptDocument(REFERENCE, None, reference))
    return Question(
        next((purpose for one, purpose in _PURPOSES.items() if one in asked), Purpose.CLASSIFY),
        f'Analyze the document "{TEXT}":\n{named}',
        tuple(documents),
        analysis_schema(tuple(one.value for one in asked), command.categories, command.criteria, language),
        ANALYSIS_OUTPUT_TOKENS,
        section=index,
    )
