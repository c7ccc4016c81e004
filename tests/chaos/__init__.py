"""Everything at once: jobs of several tenants on two pools while processes and servers are killed, frozen and refilled.

`python -m tests.chaos --minutes 10` runs it for as long as you like; `tests/integration/jobs/chaos_test.py` for a minute.
"""
