"""Handles AnalyzeContent: runs the requested analyses of one text."""

from events.ai import Comparison, ContentAnalyzed, Readability, Risk, Sentiment
from infrastructure.ports.ai.text import TextProvider
from infrastructure.ports.documents import DocumentStore
from kinds.run import Run
from schemas.ai import Analysis, AnalyzeContent
from workers.ai.language import language_of
from workers.ai.sources import keep_facts, reference_of, source_of


async def analyze_content(
    command: AnalyzeContent, run: Run, *, provider: TextProvider, documents: DocumentStore
) -> ContentAnalyzed:
    """The requested analyses in one result; kept with the document's version if it is a stored one. Safe to repeat."""
    source = await source_of(command, run.tenant_id, documents)
    text, unread_characters = source.text, source.unread_characters
    run.progress(0.05, "language")
    language = await language_of(text, source.language, provider)
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
                reference, unread_of_reference = await reference_of(command, run.tenant_id, documents)
                unread_characters = max(unread_characters, unread_of_reference)
                comparison = await provider.comparison_of(text, reference)
    analyzed = ContentAnalyzed(
        document_id=source.document_id,
        provider=provider.measures_as,
        language=language,
        unread_characters=unread_characters,
        readability=readability,
        sentiment=sentiment,
        risk=risk,
        comparison=comparison,
    )
    await keep_facts(analyzed, source, command.kind, run, documents)
    return analyzed
