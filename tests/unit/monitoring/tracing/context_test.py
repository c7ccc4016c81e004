"""Trace context, held to the answers of opentelemetry's own propagator."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from monitoring.tracing.context import TraceContext, continue_trace, parse_traceparent, start_trace

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
hexadecimal = st.text("0123456789abcdef", min_size=0, max_size=34)
header_text = st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\t"), max_size=80)
almost_headers = st.builds(
    "{}-{}-{}-{}{}".format,
    st.sampled_from(["00", "01", "ff", "0", "zz", "0A"]),
    st.one_of(st.just("4bf92f3577b34da6a3ce929d0e0e4736"), st.just("0" * 32), hexadecimal),
    st.one_of(st.just("00f067aa0ba902b7"), st.just("0" * 16), hexadecimal),
    st.sampled_from(["00", "01", "02", "03", "ff", "1", "zz"]),
    st.sampled_from(["", "-", "-more", " ", "\t", "more"]),
)


def test_a_job_stays_in_the_trace_of_the_request_that_caused_it() -> None:
    step = continue_trace(CALLER)

    assert step.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert step.span_id != "00f067aa0ba902b7"
    assert parse_traceparent(step.traceparent) == step


def test_a_request_without_a_readable_trace_begins_one() -> None:
    for header in (None, "", "rubbish", "x" * 100_000):
        step = continue_trace(header)
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", step.traceparent)


def test_each_trace_and_each_step_has_an_id_of_its_own() -> None:
    traces = [start_trace() for _ in range(1_000)]

    assert len({trace.trace_id for trace in traces}) == 1_000
    assert len({traces[0].child().span_id for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("flags", ["00", "01"])
def test_the_callers_wish_to_be_sampled_is_passed_on(flags: str) -> None:
    assert continue_trace(CALLER[:-2] + flags).traceparent.endswith(flags)


@settings(deadline=None)
@given(st.one_of(almost_headers, header_text))
@example(CALLER)
@example(CALLER + "-more")
@example("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings")
@example("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
def test_a_header_is_read_as_the_reference_reads_it(header: str) -> None:
    assert parse_traceparent(header) == _as_the_reference_reads(header)


def _as_the_reference_reads(header: str) -> TraceContext | None:
    found = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": header})).get_span_context()
    if not found.is_valid:
        return None
    return TraceContext(f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled)
