"""`bucatini search`: its commands, a file each."""

from producers.cli.lazy_group import command_group
from producers.cli.search import saved
from producers.cli.search.advise import advise, list_slow_queries
from producers.cli.search.index import index
from producers.cli.search.query import search
from producers.cli.search.rebuild import list_indexes, reindex, roll_back, unindex
from producers.cli.search.setup import set_engine_up
from producers.cli.search.suggest import suggest

app = command_group("Search, index, save searches; see what is slow and why.")
app.command("query")(search)
app.command("suggest")(suggest)
app.command("index")(index)
app.command("unindex")(unindex)
app.command("indexes")(list_indexes)
app.command("reindex")(reindex)
app.command("rollback")(roll_back)
app.add_typer(saved.app, name="saved")
app.command("advise")(advise)
app.command("slow")(list_slow_queries)
app.command("setup")(set_engine_up)
