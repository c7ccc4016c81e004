"""`bucatini search`: its commands, a file each."""

from producers.cli.lazy_group import command_group
from producers.cli.search.advise import advise, list_slow_queries
from producers.cli.search.setup import set_engine_up

app = command_group("Search documents; see what is slow and why.")
app.command("advise")(advise)
app.command("slow")(list_slow_queries)
app.command("setup")(set_engine_up)
