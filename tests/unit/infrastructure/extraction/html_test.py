"""A web page loses no word that its reader sees, however badly it is written."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.extraction.formats.html import FED_AT_ONCE, read_html, read_html_text
from infrastructure.extraction.limits import ExtractionLimits
from infrastructure.extraction.refusal import Refusal
from infrastructure.extraction.text_builder import TextBuilder
from infrastructure.ports.extraction import Reason

LIMITS = ExtractionLimits()

INLINE = ["a", "b", "i", "font", "span", "x-own"]
BLOCKS = ["p", "div", "h2", "ul", "li", "table", "tr", "td", "pre", "blockquote", "dl", "dd", "center", "form"]
LOOSE = ["<", "<3", "&", "&nbsp;", "&#0;", "&nothing;", "</>", "<!-- -- >x-->", "<![CDATA[y]]>", "<?z?>", "\0", "\r\n"]
TAGS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["<", "</"]),
    st.sampled_from([*INLINE, *BLOCKS, "br", "hr", "P", "body", "html"]),
    st.sampled_from([">", " >", " class='>'>", "/>"]),
)


def text_of(page: str) -> str:
    text = TextBuilder(LIMITS)
    read_html_text(page, text)
    return text.text()


@given(st.lists(st.one_of(TAGS, st.sampled_from(LOOSE)), max_size=40))
def test_every_word_is_found_in_its_order_whatever_tags_stand_between(between: list[str]) -> None:
    words = [f"word{number}." for number in range(len(between) + 1)]
    page = words[0] + "".join(f"{one} {word}" for one, word in zip(between, words[1:], strict=True))

    text = text_of(page)

    places = [text.find(word) for word in words]
    assert min(places) >= 0
    assert all(before < after for before, after in pairwise(places))


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("one<p>two</p>three", "one\ntwo\nthree\n"),
        ("<p>one<div>two</div>three</p>four", "one\ntwo\nthree\nfour\n"),  # The division has ended the paragraph.
        ("<P>one<UL><LI>two<LI>three</UL></P>four", "one\ntwo\nthree\nfour\n"),
        ("one<br>two<br/>three</div>, three", "one\ntwo\nthree, three\n"),
        ("<b>bold</b>er &amp;c<i>.</i>", "bolder &c.\n"),
        ("<p> one\n\ttwo&nbsp; three </p>", "one two three\n"),
        ("<pre>  one\n    two\n</pre>", "  one\n    two\n"),
        ("<table><tr><td>1<td>2<tr><td>3</table>", "1\t2\n3\n"),
        ("<pre>one<td>two</pre>", "one\ttwo\n"),
        ("<select><option>one</select>two<svg><title>three</title></svg>four", "twofour\n"),
        ("<svg/>one<script>if (1 < 2) '<p>two</p>'</script>", "one\n"),
        ("one<!-- two", "one\n"),
        ("one<a href='two", "one\n"),
    ],
)
def test_lines_break_where_a_browser_breaks_them(page: str, text: str) -> None:
    assert text_of(page) == text


def test_what_stands_in_a_heading_and_not_after_it_is_the_heading() -> None:
    text = TextBuilder(LIMITS)

    read_html_text("<h1><div>One</div></h1><p>one</p><h2></h2>two<h3>Three</h3>", text)

    assert [(one.title, one.level, one.offset) for one in text.headings] == [("One", 1, 0), ("Three", 3, 12)]


@pytest.mark.parametrize("tag", ["p", "li", "td", "option"])
def test_elements_that_nobody_closes_arent_nested(tag: str) -> None:
    lines = [f"line{number}" for number in range(2 * LIMITS.html_depth)]

    text = text_of("<table>" + "".join(f"<{tag}>{line}" for line in lines))

    assert text.split() == lines


def test_a_page_may_be_nested_to_the_limit_and_loses_nothing_after_it() -> None:
    depth = LIMITS.html_depth - 10

    assert text_of("<div>" * depth + "inner" + "</div>" * depth + "<p>after</p>") == "inner\nafter\n"
    with pytest.raises(Refusal) as refused:
        text_of("<div>" * (depth + 20) + "inner")
    assert refused.value.reason == Reason.EXPANDS_TOO_FAR


@pytest.mark.parametrize("length", [1_000_000, 12_000_000])
def test_no_run_of_letters_is_too_long(length: int) -> None:
    assert len(text_of(f"<p title='{'t' * length}'>{'a' * length}</p>after")) == length + len("\nafter\n")


def test_a_long_page_is_read_in_pieces_that_part_nothing() -> None:
    hidden = f"<script>'{'x' * FED_AT_ONCE}'</script>"
    lines = [f"{number} ä中😀 und" for number in range(FED_AT_ONCE // 20)]
    text = TextBuilder(LIMITS)

    read_html_text(
        f"<title>T{' ' * FED_AT_ONCE}</title>one {hidden}line<h1>Heading</h1>"
        + "".join(f"<p>{line} <b>mehr</b>&amp;\r\nmehr</p>" for line in lines)
        + f"<pre>{chr(10).join(lines)}</pre>",
        text,
    )

    assert text.text().split("\n") == ["one line", "Heading", *[f"{line} mehr& mehr" for line in lines], *lines, ""]
    assert (text.title, [one.title for one in text.headings]) == ("T", ["Heading"])


@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "no-such-encoding", "utf-16"])
def test_what_a_page_says_of_its_encoding_is_judged_once(declared: str) -> None:
    text = TextBuilder(LIMITS)

    read_html(f"<meta charset={declared}><title>Prix</title><p>élevés</p>".encode("utf-8-sig"), text)

    assert (text.title, text.text(), text.encoding) == ("Prix", "élevés\n", "utf-8-sig")
