"""`bucatini ai`: its commands, a file each."""

from producers.cli.ai import credentials
from producers.cli.ai.estimate import show_estimate
from producers.cli.ai.providers import show_providers
from producers.cli.ai.usage import show_usage
from producers.cli.ai.write import write_document
from producers.cli.lazy_group import command_group

app = command_group("Write with models; show cost; keep their keys.")
app.command("write")(write_document)
app.command("estimate")(show_estimate)
app.command("usage")(show_usage)
app.command("providers")(show_providers)
app.add_typer(credentials.app, name="credentials")
