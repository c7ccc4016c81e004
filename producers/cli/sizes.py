"""How many bytes, in at most seven characters."""

UNITS = ("B", "kB", "MB", "GB")


def size(count: float) -> str:
    """`999 B`, `1.2 MB`."""
    for unit in UNITS[:-1]:
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1_000
    return f"{count:.1f} {UNITS[-1]}"
