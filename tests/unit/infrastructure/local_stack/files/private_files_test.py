"""Passwords and keys on disk."""

from pathlib import Path

from infrastructure.local_stack.files.private_files import lasting_secret, write_private


def test_only_the_owner_may_read_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("old, and open to all")
    file.chmod(0o644)

    write_private(file, "new")

    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_secret_is_made_once_and_then_kept(tmp_path: Path) -> None:
    secret = lasting_secret(tmp_path / "password")

    assert len(secret) == 48
    assert lasting_secret(tmp_path / "password") == secret
    assert lasting_secret(tmp_path / "another") != secret
