"""`python -m producers.packaging` writes all generated code anew. With `--check` it writes nothing, and fails where what stands
is otherwise."""

import sys

from producers.packaging import blocking, typed_jobs


def main() -> None:
    if "--check" not in sys.argv[1:]:
        typed_jobs.FILE.write_text(typed_jobs.generated(), encoding="utf-8")
        blocking.write(blocking.generated())
    elif wrong := [*typed_jobs.differing(), *blocking.differing(blocking.generated())]:
        sys.exit(f"{', '.join(wrong)}: not what they are generated from; run python -m producers.packaging")


if __name__ == "__main__":
    main()
