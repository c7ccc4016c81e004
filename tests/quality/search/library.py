"""The judged library: the samples, and documents written from `topics.toml`, of which it is known how well each answers
what people type."""

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from infrastructure.ports.search import IndexedDocument

TOPICS: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("topics.toml").read_text(encoding="utf-8"))
PARAPHRASES: Final[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("paraphrases.toml").read_text(encoding="utf-8")
)
BEGINNING: Final = datetime(2024, 1, 1, tzinfo=UTC)
ABOUT, IN_PART, MENTIONED = 3, 2, 1
"""How well a document answers: it is about that, a part of it is, it mentions it."""
FILLERS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        "This document replaces all earlier versions.",
        "Changes are valid only in writing.",
        "Please direct questions to the office in Leeds.",
        "The annexes are part of this document.",
        "It was read by both parties before they signed.",
        "A copy is kept by each department.",
    ),
    "de": (
        "Änderungen bedürfen der Textform.",
        "Die Anlagen sind Bestandteil dieses Dokuments.",
        "Rückfragen beantwortet das Büro in Kassel.",
        "Jede Partei erhält eine Ausfertigung.",
    ),
    "fr": (
        "Toute modification se fait par écrit.",
        "Les annexes font partie du document.",
        "Chaque partie reçoit un exemplaire.",
        "Le bureau de Lyon répond aux questions.",
    ),
    "es": (
        "Toda modificación se hace por escrito.",
        "Los anexos forman parte del documento.",
        "Cada parte recibe un ejemplar.",
        "La oficina de Sevilla responde a las preguntas.",
    ),
}
NAMES: Final = ("Acme", "Borealis", "Cobalt", "Delfino", "Estuary", "Fulcrum", "Gantry", "Harbour")
PLAIN_TITLES: Final = {"en": "Papers of", "de": "Unterlagen von", "fr": "Dossier de", "es": "Expediente de"}


@dataclass(frozen=True, slots=True)
class Judged:
    """What somebody types, and how well documents answer it, by their ids."""

    text: str
    language: str
    grades: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Library:
    documents: Sequence[IndexedDocument] = field(repr=False)
    queries: Sequence[Judged]
    paraphrases: Sequence[Judged]
    """Typed by people who don't know the documents' words: no floor is held by them."""


@cache
def judged_library() -> Library:
    """The same at every call, and on every machine."""
    documents, grades = dict[str, IndexedDocument](), dict[int, dict[str, int]]()
    topics: list[dict[str, Any]] = TOPICS["topics"]
    for number, topic in enumerate(topics):
        same_language = [n for n, other in enumerate(topics) if other["language"] == topic["language"] and n != number]
        for document, graded in _written(number, topic, topics, same_language):
            documents[document.document_id] = document
            for which, grade in graded.items():
                grades.setdefault(which, {})[document.document_id] = grade
    queries = [
        Judged(text, topic["language"], grades[n]) for n, topic in enumerate(topics) for text in topic["queries"]
    ]
    queries += [Judged(one["query"], "samples", one["documents"]) for one in TOPICS["samples"]]
    return Library((*documents.values(), *samples()), tuple(queries), tuple(_paraphrases(topics, grades)))


def _paraphrases(topics: Sequence[dict[str, Any]], grades: Mapping[int, Mapping[str, int]]) -> Iterator[Judged]:
    numbers = {topic["titles"][0]: number for number, topic in enumerate(topics)}
    for one in PARAPHRASES["paraphrases"]:
        about = one["about"]
        if about in numbers:
            yield Judged(one["text"], topics[numbers[about]]["language"], grades[numbers[about]])
        else:
            yield Judged(one["text"], "samples", {about: ABOUT})


def _written(
    number: int, topic: dict[str, Any], topics: Sequence[dict[str, Any]], others: Sequence[int]
) -> Iterator[tuple[IndexedDocument, Mapping[int, int]]]:
    """Twelve documents around a topic, and how well each answers the queries of which topic."""
    choose = random.Random(number)  # to vary texts
    language, fillers = topic["language"], FILLERS[topic["language"]]
    for copy in range(12):
        other = choose.choice(others)
        beside = list(choose.sample(fillers, 2))
        name = NAMES[(number + copy) % len(NAMES)]
        title = f"{PLAIN_TITLES[language]} {name} {2020 + copy % 6}"
        graded: dict[int, int] = {}
        if copy < 5:
            title = f"{topic['titles'][copy % len(topic['titles'])]}, {name}"
            beside += choose.sample(topic["about"], min(4, len(topic["about"])))
            graded[number] = ABOUT
        elif copy < 8:
            beside += [*choose.sample(topic["about"], 2), *choose.sample(topics[other]["about"], 2)]
            graded = {number: IN_PART, other: IN_PART}
        elif copy < 10:
            beside += [*topic["mention"], *choose.sample(topics[other]["about"], 3)]
            graded = {number: MENTIONED, other: IN_PART}
        else:
            beside += [*topic["beside"], *fillers[2:]]
        choose.shuffle(beside)
        yield _document(f"t{number:02}-{copy:02}", title, " ".join(beside), language, copy), graded


def samples() -> Iterator[IndexedDocument]:
    """Those of `samples/` that are text as they are."""
    folder = Path(__file__).parents[3] / "samples"
    for number, file in enumerate(sorted(folder.iterdir())):
        if file.suffix in {".md", ".txt"}:
            text = file.read_text(encoding="utf-8")
            title = text.lstrip("# \n").partition("\n")[0].strip()
            yield _document(file.stem, title, text, SAMPLE_LANGUAGES.get(file.stem, "en"), number)


SAMPLE_LANGUAGES: Final = {"contrat-de-prestation": "fr", "werkvertrag-softwareentwicklung": "de"}


def _document(document_id: str, title: str, text: str, language: str, day: int) -> IndexedDocument:
    when = BEGINNING + timedelta(days=day)
    return IndexedDocument(
        document_id=document_id,
        version=1,
        title=title,
        text=text,
        document_type="document",
        industry=None,
        language=language,
        tags=(),
        created_at=when,
        updated_at=when,
    )
