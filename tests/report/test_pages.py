"""Pages as Markdown and HTML: what is in them is text, whoever wrote it, and however long it is."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from runner.plain import one_line, plain
from runner.report.html import html
from runner.report.markdown import escaped, markdown
from runner.report.page import Page, Rows, Terms, Verbatim

ANY = st.text(max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>", "</pre><img src=x onerror=alert(1)>", "[link](javascript:alert(1))", "`code`",
        "| a | b |", "@everyone #12 !34", "https://evil.example", "www.evil.example", "````\n# title", ":tada:",
        "\x1b]52;c;aGk=\x07", "a\u202eb", "<!-- -->", "**bold**", "&lt;b&gt;", "a\r\n| b", "\\", "![i](x)", "$x^2$",
    ]
)  # fmt: skip
PAGES = st.builds(
    lambda title, word, text, cells: Page(
        title, [Terms(word, [(word, text)]), Rows(text, ("a", "b"), [(word, text), *cells]), Verbatim(word, text)]
    ),
    ANY, ANY, ANY, st.lists(st.tuples(ANY, ANY), max_size=3),
)  # fmt: skip
ESCAPE = re.compile(r"\\([\\`*_{}\[\]<>#!|~@&$^:.])")


class Read(HTMLParser):
    """What a browser makes of it: its elements and attributes, and the texts in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(PAGES)
def test_text_never_becomes_an_element(page: Page) -> None:
    read, bare = Read(html(page)), Read(html(Page("t", [Terms("a", [("b", "c")]), Rows("d", ("a",), [("1",)]), Verbatim("a", "b")])))  # fmt: skip
    assert read.elements <= bare.elements
    assert read.attributes <= bare.attributes
    whole = "".join(read.texts)
    assert one_line(page.title) in whole
    verbatim = page.parts[2]
    assert isinstance(verbatim, Verbatim)
    assert plain(verbatim.text).replace("\r", "\n") in whole.replace("\r", "\n")


@given(ANY)
def test_escaped_text_reads_as_it_was_and_marks_nothing(text: str) -> None:
    marked = escaped(text)
    assert ESCAPE.sub(r"\1", marked) == one_line(text)
    bare = ESCAPE.sub("", marked)
    assert not set(bare) & set("\\`*_{}[]<>#!|~@&$^\n")
    assert "://" not in bare
    assert not re.search(r"www\.", bare)


@given(PAGES)
def test_a_table_has_as_many_columns_in_each_row(page: Page) -> None:
    for line in markdown(Page(page.title, page.parts[:2])).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3


@given(PAGES, st.integers(500, 2000))
def test_markdown_is_never_longer_than_asked_and_says_what_it_left_out(page: Page, most: int) -> None:
    whole = markdown(page)
    text = markdown(page, most)
    assert len(text.encode()) <= most
    assert text == whole or "The rest was left out" in text


def test_what_is_cut_within_a_fence_ends_with_it() -> None:
    text = markdown(Page("t", [Verbatim("", "line\n" * 500)]), 800)
    assert len(text.encode()) <= 800
    assert text.count("line\n") > 100
    assert "line\n```\n\n*The rest was left out" in text


def test_of_a_long_table_as_many_rows_stand_as_fit() -> None:
    rows = [(f"server-{number}", "failed") for number in range(10_000)]
    text = markdown(Page("Run", [Rows("", ("server", "outcome"), rows), Verbatim("next", "runner retry last")]))
    assert 60_000 < len(text.encode()) <= 64_000
    assert "| server-0 | failed |\n| server-1 |" in text
    assert text.endswith("it is longer than fits here.*\n")


def test_a_fence_is_longer_than_any_in_what_it_holds() -> None:
    text = markdown(Page("t", [Verbatim("", "````\n# no title\n````")]))
    assert "`````\n````\n# no title\n````\n`````" in text
