"""`bucatini prompts`: what models are asked, in versions that labels point to."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from producers.cli import prompt_labels as labels
from producers.cli.ages import age
from producers.cli.ingress import WrongUsage, show
from producers.cli.lazy_group import command_group
from producers.cli.output import One, Output, OutputOption, Rows, View
from producers.cli.prompt_labels import where
from producers.cli.table import Column
from schemas.ai.prompt_list import Prompt
from schemas.ai.prompts import Industry, PromptChange, PromptVersion, PromptVersionInfo, RenderedPrompt

if TYPE_CHECKING:
    from producers.client import Bucatini
    from schemas.ai.prompts import PromptContent

app = command_group("Make, change, compare, fill and test prompts.")
app.command("label")(labels.move_label)
app.command("rollback")(labels.roll_back)
app.command("history")(labels.show_history)
app.command("exposures")(labels.show_exposures)

Name = Annotated[str, typer.Argument(help="The prompt's name.")]
ContentFile = Annotated[str, typer.Argument(metavar="FILE", help="What it says, as JSON or TOML; - is stdin.")]
IndustryOption = Annotated[Industry | None, typer.Option(help="Of an overlay.")]
VersionOption = Annotated[int | None, typer.Option(help="A version's number.")]

PROMPTS = (
    Column[Prompt]("prompt", lambda one: one.name),
    Column[Prompt]("newest", lambda one: str(one.newest_version), right=True),
    Column[Prompt]("production", lambda one: where([state for state in one.labels if state.label == "production"])),
    Column[Prompt]("from", lambda one: "bucatini" if one.shipped else ""),
    Column[Prompt]("description", lambda one: one.description, prose=True),
)
VERSIONS = (
    Column[PromptVersionInfo]("version", lambda one: str(one.version), right=True),
    Column[PromptVersionInfo]("industry", lambda one: one.industry or ""),
    Column[PromptVersionInfo]("base", lambda one: "" if one.base is None else str(one.base), right=True),
    Column[PromptVersionInfo]("age", lambda one: age(one.created_at) if one.created_at else "", right=True),
    Column[PromptVersionInfo]("by", lambda one: one.created_by),
    Column[PromptVersionInfo]("note", lambda one: one.note, prose=True),
)


@app.command("list")
def list_prompts(output: OutputOption = Output.TABLE) -> None:
    """List prompts by name: yours, and those that Bucatini comes with."""
    show(lambda client: Rows(list(client.prompts.list()), PROMPTS, "no prompts"), output)


@app.command("show")
def show_prompt(name: Name, version: VersionOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show a prompt and where its labels point, or what a version says."""

    def shown(client: "Bucatini") -> View:
        if version is not None:
            return _version(client.prompts.version(name, version))
        found = client.prompts.get(name)
        return One(found, [f"prompt   {found.name}: {found.description}", *labels.lines(found.labels)])

    show(shown, output)


@app.command("versions")
def list_versions(name: Name, output: OutputOption = Output.TABLE) -> None:
    """List a prompt's versions, the newest first."""
    show(lambda client: Rows(list(client.prompts.versions(name)), VERSIONS, "no versions"), output)


@app.command("create")
def create_prompt(
    name: Name,
    file: ContentFile,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a prompt; `production` points to its first version."""

    def created(client: "Bucatini") -> View:
        made = client.prompts.create(name, _content(file), description=description)
        return One(made, [f"version {made.version} of {name} is production"])

    show(created, output)


@app.command("version")
def add_version(
    name: Name,
    file: ContentFile,
    industry: IndustryOption = None,
    base: Annotated[int | None, typer.Option(help="The version that an overlay changes.")] = None,
    note: Annotated[str, typer.Option(help="What is new, for people.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Add a version. No label points to it yet. Repeating it is safe."""

    def added(client: "Bucatini") -> View:
        made = client.prompts.add_version(name, _content(file), industry=industry, base=base, note=note)
        return One(made, [str(made.version)])

    show(added, output)


@app.command("diff")
def show_diff(
    name: Name,
    before: Annotated[int, typer.Argument(help="The earlier version.")],
    after: Annotated[int, typer.Argument(help="The later one.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a version says otherwise than another."""

    def compared(client: "Bucatini") -> View:
        found = client.prompts.diff(name, before, after)
        lines = [line for change in found.changes for line in _lines_of(change)]
        return One(found, lines or ["they say the same"])

    show(compared, output)


@app.command("render")
def render_prompt(
    name: Name,
    variables: Annotated[str, typer.Argument(metavar="FILE", help="The variables as a JSON object; - is stdin.")],
    version: VersionOption = None,
    label: Annotated[str | None, typer.Option(help="Instead of production.")] = None,
    industry: IndustryOption = None,
    subject: Annotated[str | None, typer.Option(help="Who it is for, where a label is split.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a prompt would say. No model is called."""

    def rendered(client: "Bucatini") -> View:
        given = _object(variables)
        filled = client.prompts.render(name, given, version=version, label=label, industry=industry, subject=subject)
        return One(filled, _lines(filled))

    show(rendered, output)


@app.command("test")
def run_tests(
    name: Name,
    version: VersionOption = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Wait so long at the most.")] = 900.0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run a prompt's tests on a version, the newest if none is given, and say what it didn't pass. Exit code 1 then."""
    from events.ai import PromptTested
    from producers.cli.ingress import run
    from producers.cli.prompt_results import print_results

    def tested(client: "Bucatini") -> int:
        job = client.jobs.get(client.prompts.tests.run(name, version=version).id)
        return print_results(PromptTested.model_validate(job.result(timeout_seconds=timeout)), output)

    run(tested)


def _content(file: str) -> "PromptContent":
    from pydantic import ValidationError

    from producers.cli.flaws import flaws_of
    from schemas.ai.prompts import PromptContent

    said = _object(file)
    try:
        # As the files of the prompts that Bucatini comes with have it, or the content alone.
        return PromptContent.model_validate(said.get("content", said))
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "the prompt")) from None


def _object(file: str) -> dict[str, Any]:
    import json
    import tomllib

    from producers.cli.command_input import text_of

    text = text_of(file)
    try:
        found = tomllib.loads(text) if file.endswith(".toml") else json.loads(text)
    except ValueError as error:
        raise WrongUsage(f"{file} can't be read: {error}") from None
    if not isinstance(found, dict):
        raise WrongUsage(f"{file} must have an object")
    return found


def _version(version: PromptVersion) -> View:
    head = f"version {version.version} of {version.name}"
    head += f", for {version.industry}, over version {version.base}" if version.industry else ""
    lines = [head, *([version.note] if version.note else [])]
    for pointer, text in version.content.templates().items():
        lines += ["", pointer, *text.strip().splitlines()]
    return One(version, lines)


def _lines(prompt: RenderedPrompt) -> list[str]:
    lines = [f"version {prompt.version}", "", *prompt.system.splitlines()]
    lines += ["", *prompt.outline.splitlines()] if prompt.outline else []
    for section in prompt.sections:
        lines += ["", f"## {section.heading}", *section.instruction.splitlines()]
    return lines


def _lines_of(change: PromptChange) -> list[str]:
    from difflib import ndiff

    before, after = (_text(value).splitlines() for value in (change.before, change.after))
    return [change.pointer, *(line.rstrip() for line in ndiff(before, after) if line[0] in "+-"), ""]


def _text(value: Any) -> str:
    import json

    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
