"""The `offline` provider: extraction by statistics and rules, writing by templates, no model and no network.

One file answers one question. Every rule reads the text in one pass, or a bounded part of it: no pattern here can take
more than a fixed number of steps at one position, so a hostile text costs what an honest one of its size does.
"""
