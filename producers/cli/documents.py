"""`bucatini documents`: adds documents, and shows what is kept of them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from producers.cli import ingestion_profiles as profiles
from producers.cli.ages import age
from producers.cli.ingress import WrongUsage, run, show
from producers.cli.lazy_group import command_group
from producers.cli.output import (
    EXIT_ERROR,
    EXIT_OK,
    One,
    Output,
    OutputOption,
    Rows,
    View,
    WatchOption,
    counted,
    print_line,
    print_note,
    print_view,
)
from producers.cli.sizes import size
from producers.cli.table import Column
from schemas.documents import Document, DocumentFinding, DocumentVersion, VersionState

if TYPE_CHECKING:
    from producers.cli.uploading import AddedDocument
    from producers.client import Bucatini

app = command_group("Add documents; show, fetch, delete them.")
app.add_typer(profiles.app, name="profile")

DocumentId = Annotated[str, typer.Argument(metavar="ID", help="The document's id.")]
Version = Annotated[int | None, typer.Option(help="A version's number; the current one's if it isn't given.")]

DOCUMENTS = (
    Column[Document]("id", lambda one: one.id),
    Column[Document]("version", lambda one: str(one.version), right=True),
    Column[Document]("state", lambda one: "deleted" if one.deleted_at else one.newest.state.value),
    Column[Document]("in", lambda one: one.language or one.newest.language or ""),
    Column[Document]("size", lambda one: size(one.newest.size_bytes), right=True),
    Column[Document]("age", lambda one: age(one.created_at), right=True),
    Column[Document]("type", lambda one: one.document_type),
    Column[Document]("title", lambda one: one.title, prose=True),
)
VERSIONS = (
    Column[DocumentVersion]("version", lambda one: str(one.version), right=True),
    Column[DocumentVersion]("state", lambda one: one.state.value),
    Column[DocumentVersion]("media type", lambda one: one.media_type),
    Column[DocumentVersion]("size", lambda one: size(one.size_bytes), right=True),
    Column[DocumentVersion]("pages", lambda one: "" if one.pages is None else str(one.pages), right=True),
    Column[DocumentVersion]("words", lambda one: "" if one.words is None else f"{one.words:,}", right=True),
    Column[DocumentVersion]("age", lambda one: age(one.created_at), right=True),
    Column[DocumentVersion]("why", lambda one: one.problem.title if one.problem else "", prose=True),
)
FINDINGS = (
    Column[DocumentFinding]("version", lambda one: str(one.version), right=True),
    Column[DocumentFinding]("kind", lambda one: one.kind),
    Column[DocumentFinding]("job", lambda one: str(one.job_id)),
    Column[DocumentFinding]("age", lambda one: age(one.found_at), right=True),
    Column[DocumentFinding]("found", lambda one: _found_in(one.facts), prose=True),
)


@app.command("add")
def add_documents(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE… | FOLDER…", help="A folder's files are one batch.")],
    document_id: Annotated[str | None, typer.Option("--id", help="Your own id, for one file.")] = None,
    title: Annotated[str | None, typer.Option(help="For one file.")] = None,
    document_type: Annotated[str | None, typer.Option("--type", help="Such as contract.")] = None,
    industry: Annotated[str | None, typer.Option(help="A label of yours.")] = None,
    language: Annotated[str | None, typer.Option(help="If you know it: en, de, fr-CH.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    profile: Annotated[str | None, typer.Option(help="What is done with them afterwards.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Don't wait for the imports.")] = False,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="Wait so long at the most.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Upload files, wait for their imports, and say what failed and why. Exit code 1 if one did."""
    from producers.cli.upload_progress import upload_progress
    from producers.cli.uploading import await_imports, found_in, send

    def added(client: "Bucatini") -> int:
        found = found_in(paths, document_id)
        if title is not None and len(found) > 1:
            raise WrongUsage("--title is for one file")
        typed = {"title": title, "document_type": document_type, "industry": industry, "language": language}
        fields = {
            name: value for name, value in {**typed, "tags": tag, "profile": profile}.items() if value is not None
        }
        with upload_progress(len(found), sum(one.size_bytes for one in found)) as progress:
            documents = send(client, found, fields, paths[0].name, progress)
            if not no_wait:
                documents = await_imports(client, documents, timeout, progress)
        return _print_added(documents, output)

    run(added)


@app.command("list")
def list_documents(
    document_type: Annotated[str | None, typer.Option("--type", help="Only of this type.")] = None,
    industry: Annotated[str | None, typer.Option(help="Only of this industry.")] = None,
    language: Annotated[str | None, typer.Option(help="Only in this language.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    state: Annotated[VersionState | None, typer.Option(help="Only whose newest version is so.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 50,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """List documents, the newest first."""
    from itertools import islice

    def listed(client: "Bucatini") -> Rows:
        found = client.documents.list(
            document_type=document_type,
            industry=industry,
            language=language,
            tag=tag,
            state=state,
            deleted=deleted,
            limit=min(limit, 200),
        )
        return Rows(list(islice(found, limit)), DOCUMENTS, "no documents")

    show(listed, output, watch=watch)


@app.command("show")
def show_document(document: DocumentId, output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """Show a document and its newest version."""
    show(lambda client: _view(client.documents.read(document)), output, watch=watch)


@app.command("versions")
def list_versions(document: DocumentId, output: OutputOption = Output.TABLE) -> None:
    """List a document's versions, the newest first."""
    show(lambda client: Rows(list(client.documents.versions(document)), VERSIONS, "no versions"), output)


@app.command("get")
def get_content(
    document: DocumentId,
    version: Version = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write it; stdout if not given.")] = None,
) -> None:
    """Fetch a document's original."""

    def fetched(client: "Bucatini") -> None:
        if to is None and sys.stdout.isatty():
            raise WrongUsage("an original may steer a terminal: name a file with --to, or pipe it")
        count = client.documents.content(document, to or sys.stdout.buffer, version=version)
        sys.stdout.flush()
        if to is not None:
            print_note(f"{size(count)} in {to}")

    run(fetched)


@app.command("text")
def get_text(document: DocumentId, version: Version = None) -> None:
    """Print the text that was read of a document."""

    def printed(client: "Bucatini") -> None:
        text = client.documents.text(document, version=version)
        if not sys.stdout.isatty():
            sys.stdout.write(text)
            return
        for line in text.splitlines():
            print_line(line)

    run(printed)


@app.command("facts")
def list_facts(document: DocumentId, version: Version = None, output: OutputOption = Output.TABLE) -> None:
    """List what jobs found in a document, the newest first."""

    def found(client: "Bucatini") -> Rows:
        return Rows(list(client.documents.facts(document, version=version)), FINDINGS, "nothing was found yet")

    show(found, output)


@app.command("delete")
def delete_documents(
    documents: Annotated[list[str], typer.Argument(metavar="ID…", help="The documents' ids.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete documents: they aren't found any more, and a job removes their contents for good."""

    def deleted(client: "Bucatini") -> View:
        removals = [removal for one in documents if (removal := client.documents.delete(one)) is not None]
        return Rows(removals, (Column("id", lambda one: one.id), Column("job", lambda one: str(one.job_id))), "none")

    show(deleted, output)


def _print_added(documents: "list[AddedDocument]", output: Output) -> int:
    failed = [one for one in documents if one.outcome == "failed"]
    columns = (
        Column["AddedDocument"]("id", lambda one: one.id or ""),
        Column["AddedDocument"]("version", lambda one: "" if one.version is None else str(one.version), right=True),
        Column["AddedDocument"]("outcome", lambda one: one.outcome.value),
        Column["AddedDocument"]("file", lambda one: one.file, prose=True),
    )
    print_view(Rows(documents, columns, "nothing was added"), output)
    for one in failed:
        print_note(f"bucatini: {one.file}: {one.reason}")
    if len(documents) > 1:
        print_note(f"{counted(len(documents), 'file')}, {len(failed)} failed")
    return EXIT_ERROR if failed else EXIT_OK


def _view(document: Document) -> View:
    newest = document.newest
    said = [document.document_type, document.industry, document.language or newest.language, *document.tags]
    lines = [
        f"document {document.id}: {document.title}",
        f"said     {', '.join(one for one in said if one)}",
        f"newest   version {newest.version} is {newest.state}: {newest.media_type}, {size(newest.size_bytes)}{_read(newest)}",
        f"current  {'none yet' if document.current_version is None else f'version {document.current_version}'}",
    ]
    if newest.problem is not None:
        lines.append(f"why      {_why(newest)}")
    return One(document, lines, over=newest.state is not VersionState.IMPORTING)


def _read(version: DocumentVersion) -> str:
    pages = "" if version.pages is None else f", {counted(version.pages, 'page')}"
    return pages + ("" if version.words is None else f", {counted(version.words, 'word')}")


def _why(version: DocumentVersion) -> str:
    problem = version.problem
    return "" if problem is None else ": ".join(one for one in (problem.title, problem.detail) if one)


def _found_in(facts: dict[str, Any]) -> str:
    """How many of each kind."""
    return ", ".join(f"{len(value)} {name}" for name, value in facts.items() if isinstance(value, list) and value)
