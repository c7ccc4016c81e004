"""A measurement takes its time: the one place where a benchmark sleeps, since time is what it measures over."""

import time


def pass_time(seconds: float) -> None:
    time.sleep(seconds)
