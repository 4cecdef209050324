"""What the page is made of: elements that no text becomes, scales, racks, and the servers as it carries them."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from datetime import UTC, datetime
from html.parser import HTMLParser
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Server
from runner.report.fold import RunReport, fold
from runner.report.format_names import ReportFormat
from runner.report.formats import Pieces
from runner.report.web.axes import Scale, time_axis, time_scale
from runner.report.web.markup import Markup, element, text
from runner.report.web.over_time import shortened
from runner.report.web.racks import grid_label, racks_by
from runner.report.web.server_data import packed
from tests.made_run import MadeRun, made_run, racks
from tests.report.test_formats import HOSTILE, hostile_run, report_of, written

EMPTY = {"meta", "input", "col", "rect", "line", "path", "polygon", "polyline", "circle"}


class Nested(HTMLParser):
    """Elements as they are nested; what is opened is closed, in its order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  the parser's
        self.seen.append(tag)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  the parser's
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(st.text(max_size=30) | st.sampled_from(HOSTILE))
def test_no_text_becomes_an_element_or_leaves_its_attribute(words: str) -> None:
    made = element("p", text(words), title=words, class_="a")
    seen: list[tuple[str, list[tuple[str, str | None]]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: seen.append((tag, attrs))  # type: ignore[method-assign]
    parser.feed(made)
    ((tag, attributes),) = seen
    assert (tag, [name for name, _ in attributes]) == ("p", ["title", "class"])
    assert made.count("<") == made.count(">") == 2


def test_an_element_of_a_picture_is_closed() -> None:
    # One that is not has all that follow in it, and they are not drawn.
    assert element("line", x1=1.0, x2=2.5) == '<line x1="1" x2="2.5"/>'
    assert element("g", element("line"), class_=None) == "<g><line/></g>"


@pytest.mark.parametrize("run", [made_run(60), hostile_run()], ids=["plain", "hostile"])
def test_the_page_is_well_nested_and_its_only_scripts_are_its_own(run: MadeRun) -> None:
    page = written(report_of(run), ReportFormat.HTML)
    nested = Nested(page)
    assert nested.open == []
    assert (nested.seen.count("script"), nested.seen.count("style"), nested.seen.count("a")) == (2, 1, 1)
    assert not re.search(r"\son\w+=|javascript:|src=|style=\"", page.partition('<script type="application')[0])
    assert "https://" not in page.partition("<style>")[0]


def test_values_stand_between_the_ends_of_a_scale() -> None:
    scale = Scale(10, 20, 100, 0)
    assert [scale.at(value) for value in (10, 15, 20, 5, 99)] == [100, 50, 0, 100, 0]
    assert Scale(1, 1, 0, 100).at(1) == 0


@pytest.mark.parametrize("length_s", [0.2, 9, 61, 3599, 86_000, 90_000, 86400 * 3, 86400 * 400])
def test_times_are_named_at_a_few_round_moments(length_s: float) -> None:
    begin = 1_790_000_123.4
    words = re.findall(r">([\d: -]+)</text>", "".join(time_axis(time_scale(begin, begin + length_s), 0, 10)))
    assert 1 <= len(words) <= 11
    assert len(set(words)) == len(words)
    if length_s > 86_400:
        assert all(re.fullmatch(r"\d\d-\d\d \d\d:00", word) for word in words)
    else:
        assert all(
            datetime.strptime(word, "%H:%M:%S" if word.count(":") > 1 else "%H:%M").replace(tzinfo=UTC)
            for word in words
        )


@pytest.mark.parametrize(
    ("labels", "servers", "label"),
    [
        ({"rack": 30, "host": 600}, 600, "rack"),
        ({"rack": 1, "zone": 3, "row": 12}, 600, "row"),
        ({"host": 600, "zone": 3}, 600, "zone"),
        ({"rack": 1}, 600, None),
        ({}, 600, None),
    ],
)
def test_the_grid_is_by_rack_or_what_comes_closest(labels: dict[str, int], servers: int, label: str | None) -> None:
    assert grid_label(labels, servers) == label


def test_racks_are_in_the_order_of_their_numbers_and_count_what_was_tried() -> None:
    names = ["r10", "r9", "a", "r2", "r10b", "", "\u0662"]
    fleet = [Server(f"s{place}", "n", {"rack": names[place % len(names)]}) for place in range(140)]
    fleet.append(Server("last", "n", {"rack": "r0005"}))
    run = made_run(
        fleet=fleet,
        bad=lambda server, _: "broken" if server.labels["rack"] == "r9" else None,
        rollout={"waves": [{"name": "one"}]},
    )
    found = racks_by("rack", report_of(run).servers())
    assert [rack.name for rack in found if rack.name.startswith("r")] == ["r2", "r0005", "r9", "r10", "r10b"]
    assert {rack.name: (rack.servers, rack.tried, rack.bad) for rack in found}["r9"] == (20, 20, 20)
    begun = racks_by("rack", report_of(run, 1).servers())
    assert {(rack.tried, rack.bad) for rack in begun} == {(0, 0)}


def test_names_of_waves_that_differ_at_the_end_differ_when_they_are_shortened() -> None:
    names = [f"a-rather-long-name-of-a-ramp-{place}" for place in range(100)]
    assert len({shortened(name) for name in names}) == 100
    assert {len(shortened(name)) for name in names} == {13}
    assert shortened("canary") == "canary"


def unpacked(page_data: Markup) -> dict[str, list[str]]:
    read = json.loads(gzip.decompress(b64decode(page_data)))
    return {
        column["name"]: [column["values"][place] for place in column["of"]]
        if column["of"] is not None
        else column["values"]
        for column in read["columns"]
    }


def test_the_page_carries_every_server_as_it_is() -> None:
    servers = report_of(made_run()).servers()
    columns = unpacked(packed(servers, "rack"))
    assert columns["id"] == [server.id for server in servers]
    assert columns["rack"] == [server.labels["rack"] for server in servers]
    assert columns["reason"] == [server.why for server in servers]
    assert columns["outcome"] == [server.outcome.replace("_", " ") for server in servers]
    assert list(columns)[8] == "rack"  # before the other labels


def test_a_label_called_as_a_column_is_hides_none() -> None:
    fleet = [server._replace(labels={**server.labels, "outcome": "fine", "id": "none"}) for server in racks(120)]
    read = json.loads(gzip.decompress(b64decode(packed(report_of(made_run(fleet=fleet)).servers(), None))))
    names = [column["name"] for column in read["columns"]]
    assert len(set(names)) == len(names)


def test_a_page_does_not_grow_with_what_one_server_says() -> None:
    chance = Random(1)
    long = "".join(chance.choices("abcdef ", k=1_000_000))
    run = made_run(40, lambda *_: long, fleet=racks(120), rollout={"waves": [{"name": "one"}]})
    pieces = Pieces(RunReport(fold(run.plan, run.events), "r"), ReportFormat.HTML)
    assert sum(map(len, pieces)) < 200_000
