"""Stand-ins for AI providers, as a process of their own: their wire formats, limits and bills, with faults on demand.

For tests and for people without a key. What it writes is made up of the prompt's digest, the same each time.
"""
