"""Handles AnalyzeContent: runs the requested analyses of one text."""

from dataclasses import replace

from events.ai import ContentAnalyzed, Method, Readability
from kinds.run import Run
from schemas.ai import Analysis, AnalyzeContent
from workers.ai.analysis.against import Against
from workers.ai.analysis.findings import AnalyzedPart, Findings, findings_in
from workers.ai.analysis.questions import analysis_question, asked_of
from workers.ai.measuring import language_of, measured_readability
from workers.ai.questions.asking import Asking
from workers.ai.questions.in_parts import Asker, Reading
from workers.ai.questions.parts import MIN_PART_CHARACTERS, TextPart, size_for
from workers.ai.questions.provenance import provenance_of, provider_of
from workers.ai.questions.question import Question, call_of
from workers.ai.resources import Resources
from workers.ai.sources import Source, keep_facts, reference_of, source_of

NOTHING_READ = Reading((), ())


async def analyze_content(command: AnalyzeContent, run: Run, *, resources: Resources) -> ContentAnalyzed:
    """The requested analyses in one result; kept with the document's version if it is a stored one. Safe to repeat: what was
    paid for is asked once."""
    source = await source_of(command, run.tenant_id, resources.documents)
    reference, unread_of_reference = None, 0
    if Analysis.COMPARISON in command.analyses:
        reference, unread_of_reference = await reference_of(command, run.tenant_id, resources.documents)
    run.progress(0.05, "language")
    language = await resources.processors.run(language_of, source.text, source.language)
    readability: Readability | None = None
    if Analysis.READABILITY in command.analyses:
        run.progress(0.1, "readability")
        readability = await resources.processors.run(measured_readability, source.text, language.code)
    findings, read = await _findings(command, run, source, reference, language.code, resources)
    analyzed = ContentAnalyzed(
        document_id=source.document_id,
        provider=provider_of(read.made_by, rules=Method.RULES),
        language=language,
        unread_characters=max(source.unread_characters, unread_of_reference),
        readability=readability,
        sentiment=findings.sentiment,
        risk=findings.risk,
        comparison=findings.comparison,
        classification=findings.classification,
        scoring=findings.scoring,
        provenance=await provenance_of(resources, run, read.made_by),
    )
    await keep_facts(analyzed, source, command.kind, run, resources.documents)
    return analyzed


async def _findings(
    command: AnalyzeContent, run: Run, source: Source, reference: str | None, language: str, resources: Resources
) -> tuple[Findings, Reading]:
    asked = asked_of(command)
    if not asked:
        return Findings(), NOTHING_READ
    run.progress(0.1, ", ".join(one.replace("_", " ") for one in asked))
    asker = _asker(command, run, source, reference, resources)
    against = Against(reference, len(source.text))

    def question(part: TextPart) -> Question:
        shown = None if reference is None else against.part(part.offset, len(part.text))[1]
        return analysis_question(command, source, part.text, shown, language, part.index)

    read = await asker.read(source.text, question)
    parts = tuple(
        AnalyzedPart(one.offset, one.text, one.value, *against.part(one.offset, len(one.text))) for one in read.answers
    )
    return await resources.processors.run(findings_in, parts, asked), read


def _asker(command: AnalyzeContent, run: Run, source: Source, reference: str | None, resources: Resources) -> Asker:
    question = analysis_question(command, source, "", None if reference is None else "", "und")
    models = resources.candidates(command.models, question.purpose)
    longest = max(source.text, reference or "", key=len)
    size = size_for(models, resources.registry, call_of(question, command, run), longest)
    if reference is not None and not size.is_free:
        size = replace(size, part_characters=_of_two(size.part_characters, len(source.text), len(longest)))
    return Asker(Asking(resources.ask, resources.processors, command, run), resources.checkpoints, size)


def _of_two(characters: int, text: int, longest: int) -> int:
    """A comparison shows parts of both texts at once: each has half of the room, and both are divided into as many."""
    parts = -(-longest // max(characters // 2, 1))
    return max(-(-text // parts), MIN_PART_CHARACTERS)
