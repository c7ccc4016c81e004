"""`bucatini search setup`: what the search engine needs before the first document is indexed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from infrastructure import settings as settings_module
from infrastructure.ports import Refused, Unavailable
from infrastructure.settings import Settings, SettingsInvalid
from producers.cli.output import EXIT_ERROR, Output, OutputOption, Rows, print_error, print_line, print_view

if TYPE_CHECKING:
    from infrastructure.elasticsearch.setup import Comparison

DONE: Mapping[str, str] = {
    "missing": "is put",
    "different": "differed and is put anew",
    "none": "is up to date",
    "newer": "is of a newer release and stays as it is",
}


def set_engine_up(output: OutputOption = Output.TABLE) -> None:
    """Put Elasticsearch's templates, and the place for snapshots if SEARCH_SNAPSHOTS names one; print what was done. Safe to
    repeat."""
    try:
        settings = settings_module.load()
        if settings.chosen_search_engine == "tantivy":
            print_line("the search engine is the embedded one: there is nothing to set up")
            return
        found = asyncio.run(_set_up(settings))
    except (SettingsInvalid, Unavailable, Refused) as error:
        raise typer.Exit(print_error(error, EXIT_ERROR)) from None
    if output is not Output.TABLE:
        rows = [{"name": one.template.name, "was": one.difference, "done": DONE[one.difference]} for one in found]
        print_view(Rows(rows, (), "no templates"), output)
        return
    for one in found:
        print_line(f"{one.template.name} {DONE[one.difference]}")


async def _set_up(settings: Settings) -> "Sequence[Comparison]":
    # Here, since the client takes long to import and an embedded engine has none.
    from infrastructure.elasticsearch.client import elasticsearch
    from infrastructure.elasticsearch.lifecycle.snapshots import register
    from infrastructure.elasticsearch.setup import set_up

    async with elasticsearch(settings) as client:
        found = await set_up(client, settings.elasticsearch_app)
        if settings.search_snapshots is not None:
            await register(client, settings.elasticsearch_app, settings.search_snapshots)
        return found
