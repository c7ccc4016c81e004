"""The home folder: one stack at a time, and a private record of where it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure import settings as settings_module
from infrastructure.local_stack.files.state_dir import RUNNER, AlreadyRunning, Home, Record, Recorded, locked
from infrastructure.local_stack.supervisor.processes import Identity, PartFailed, identity, living
from infrastructure.settings import LOCAL_STACK_FILE
from tests.waiting import wait_until

OURSELVES = Recorded(RUNNER, identity(os.getpid()))


def test_a_second_stack_in_the_same_folder_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    with locked(tmp_path) as home:
        home.record(Record(urls={"api": "http://127.0.0.1:8123"}, processes=(OURSELVES,)))

        with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}\): http://127.0.0.1:8123"), locked(tmp_path):
            pass

        assert home.recorded() is not None, "the first one's record stays"


def test_another_shell_finds_the_stack_without_a_variable(tmp_path: Path) -> None:
    with locked(tmp_path) as home:
        home.record(Record(settings={"database_url": "postgresql://somewhere", "api_port": 8123}))

        found = settings_module.load({"BUCATINI_HOME": str(tmp_path)})

        assert (found.database, found.api_port) == ("postgresql://somewhere", 8123)
        assert (tmp_path / LOCAL_STACK_FILE).stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / LOCAL_STACK_FILE).exists()


def test_a_process_that_a_killed_run_left_is_ended_before_anything_starts(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as left:
        Home(tmp_path).record(Record(processes=(Recorded("worker ai", identity(left.pid)),)))

        with locked(tmp_path) as home:
            assert left.wait(timeout=10) != 0
            assert home.recorded() is None


def test_a_process_that_only_has_the_number_of_a_former_one_is_left_alone(tmp_path: Path) -> None:
    stranger = Identity(os.getpid(), born_at=identity(os.getpid()).born_at - 3_600)
    Home(tmp_path).record(Record(processes=(Recorded("worker ai", stranger),)))

    with locked(tmp_path):
        assert living(stranger) is None


def test_the_lock_of_a_killed_run_is_free_at_once(tmp_path: Path) -> None:
    program = (
        "import pathlib, time; from infrastructure.local_stack.files.state_dir import locked\n"
        f"with locked(pathlib.Path({str(tmp_path)!r})): print('locked', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(AlreadyRunning), locked(tmp_path):
            pass
        holder.kill()

    with locked(tmp_path) as home:
        assert wait_until(home.logs.is_dir, "the home is ours")


def test_the_key_of_an_earlier_database_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.keep_key("bct_first")
    home.keep_key("bct_second")

    assert home.key() == "bct_second"
    assert (tmp_path / "admin.key.earlier").read_text() == "bct_first\n"
    assert home.key_file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(PartFailed, match="BUCATINI_HOME"), locked(tmp_path / "file" / "home"):
        pass
