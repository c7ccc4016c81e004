"""Handles AnalyzeContent: runs the requested analyses of one text."""

from events.ai import Comparison, ContentAnalyzed, Readability, Risk, Sentiment
from infrastructure.ports.ai.text import TextProvider
from kinds.run import Run
from schemas.ai import Analysis, AnalyzeContent
from workers.ai.language import language_of


async def analyze_content(command: AnalyzeContent, run: Run, *, provider: TextProvider) -> ContentAnalyzed:
    """The requested analyses in one result. Safe to repeat."""
    text = command.text
    run.progress(0.05, "language")
    language = await language_of(text, command.language, provider)
    readability: Readability | None = None
    sentiment: Sentiment | None = None
    risk: Risk | None = None
    comparison: Comparison | None = None
    for place, analysis in enumerate(command.analyses):
        run.progress(0.1 + 0.9 * place / len(command.analyses), analysis.replace("_", " "))
        match analysis:
            case Analysis.READABILITY:
                readability = await provider.readability_of(text, language.code)
            case Analysis.SENTIMENT:
                sentiment = await provider.sentiment_of(text, language.code)
            case Analysis.RISK_TERMS:
                risk = await provider.risk_in(text, language.code)
            case Analysis.COMPARISON:
                assert command.reference is not None  # Guaranteed by the command's validator.
                comparison = await provider.comparison_of(text, command.reference)
    return ContentAnalyzed(
        document_id=command.document_id,
        provider=provider.measures_as,
        language=language,
        readability=readability,
        sentiment=sentiment,
        risk=risk,
        comparison=comparison,
    )
