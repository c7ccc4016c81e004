"""`python -m tests.benchmarks.beyond [--jobs-per-second N] [--postgres-cores N] …`: what lies beyond one machine.

Takes what a job cost each part in the newest steady state, and what isn't measured as arguments, and prints what one
PostgreSQL would carry, when it must be split, and how many processes and connections that takes.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from tests.benchmarks.capacity import Assumptions, Capacity, Coefficients, capacity
from tests.benchmarks.reading import read, runs
from tests.benchmarks.results import Measured

SCENARIO, SUBJECT = "steady", "bucatini, 1 process"
WAL = "wal_bytes_per_job"


def main() -> int:
    arguments = _arguments()
    told = [read(arguments.results)] if arguments.results else runs()
    found = next(((one, measured) for one in told for measured in one.measured if _has_all(measured)), None)
    if found is None:
        print("no results hold a steady state: measure one with `make bench ARGS='--only steady'`", file=sys.stderr)
        return 2
    run, measured = found
    cost = Coefficients.of(measured.value, measured.cores, float(measured.detail[WAL]))
    given = Assumptions(**{one.name: getattr(arguments, one.name) for one in fields(Assumptions)})
    print(f"measured: {run.path.name}{' (a quick round)' if run.quick else ''}, {SCENARIO}, {SUBJECT}\n")
    print(explained(cost, given, capacity(cost, given)))
    return 0


def explained(cost: Coefficients, given: Assumptions, found: Capacity) -> str:
    """For people."""
    return f"""\
A job costs PostgreSQL {cost.postgres_us:.0f} µs of CPU, its worker {cost.worker_us:.0f}, the dispatcher \
{cost.dispatcher_us:.0f}, Redis {cost.redis_us:.1f}, its submitter {cost.producer_us:.0f}; and {cost.wal_bytes:,.0f} \
bytes of PostgreSQL's log.

One PostgreSQL of {given.postgres_cores} cores   {found.one_database_carries:>9,.0f} jobs/s, limited by {found.limit} \
(cores {found.postgres_jobs_per_second:,.0f}, log {found.wal_jobs_per_second:,.0f})
One Redis                    {found.redis_jobs_per_second:>9,.0f} jobs/s
One dispatcher               {found.dispatcher_jobs_per_second:>9,.0f} jobs/s of backlog; only one at a time gives turns

At {given.jobs_per_second:,.0f} jobs/s of {given.handler_seconds:g} s each, {given.handler_cpu_ms:g} ms of it on the \
worker's core:
  databases        {found.databases:>8,}  {_split(found)}
  worker processes {found.worker_processes:>8,}  by CPU {found.workers_by_cpu:,}, by {given.concurrency} jobs at a time \
{found.workers_by_concurrency:,}
  submitters       {found.producer_processes:>8,}  that do nothing else
  connections      {found.connections_per_database:>8,}  from workers to each database; {given.most_connections:,} allow \
{found.workers_that_fit:,} processes
  log              {found.wal_megabytes_per_second:>8,.1f}  MB/s altogether
  Redis            {found.redis_share:>8.0%}  of a core
  finished jobs    {found.kept_gigabytes:>8,.0f}  GB, days kept: {given.kept_days:g}"""


def _split(found: Capacity) -> str:
    return "one carries it" if found.databases == 1 else "by queue first, then by tenant"


def _has_all(measured: Measured) -> bool:
    return (measured.scenario, measured.subject) == (SCENARIO, SUBJECT) and WAL in measured.detail


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.beyond",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--results", type=Path, help="a file of results; the newest that has what is needed")
    parser.add_argument("--jobs-per-second", type=float, default=20_000)
    parser.add_argument("--postgres-cores", type=int, default=16)
    parser.add_argument("--busy", type=float, default=0.6, help="of a core on the average, as peaks need room")
    parser.add_argument("--scaling", type=float, default=0.95, help="what each further core adds of the one before")
    parser.add_argument("--wal-megabytes-per-second", type=float, default=100.0, help="the log's volume takes")
    parser.add_argument("--handler-seconds", type=float, default=0.2)
    parser.add_argument("--handler-cpu-ms", type=float, default=1.0)
    parser.add_argument("--concurrency", type=int, default=256, help="WORKER_CONCURRENCY")
    parser.add_argument(
        "--connections-per-worker", type=int, default=4, help="claim, settle, heartbeat, and a spare one"
    )
    parser.add_argument("--most-connections", type=int, default=500, help="max_connections left for workers")
    parser.add_argument("--kept-days", type=float, default=1.0)
    parser.add_argument("--bytes-per-finished-job", type=float, default=1_500.0, help="with its events and indexes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
