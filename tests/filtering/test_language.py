"""What a filter says, without a database."""

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.contract import the_contract

from dutiful import filtering
from dutiful.errors import Place
from dutiful.filtering import MOST_CHARACTERS, MOST_TERMS, FilterError, Node, Now
from dutiful.filtering.meaning import FIELDS
from dutiful.filtering.parsing import MOST_NESTED
from dutiful.filtering.quoting import quoted
from dutiful.filtering.tree import All, Comparison, Either, Me, Missing, Named, Not, Text
from dutiful.models import Priority, Status

# A Wednesday, 04:30 in Berlin and 22:30 of the day before in New York.
NOW = Now(dt.datetime(2026, 11, 25, 3, 30, tzinfo=dt.UTC), "Europe/Berlin")


def parse(text: str, now: Now = NOW) -> Node:
    # The space ends the last word.
    node = filtering.parse(f"{text} ", now)
    assert node is not None
    return node


def refused(text: str) -> FilterError:
    with pytest.raises(FilterError) as caught:
        filtering.parse(text, NOW)
    return caught.value


def text(word: str) -> Text:
    return Text(word)


def label(name: str, position: int, length: int) -> Named:
    return Named("label", name, Place(position, length), "@")


# --- how conditions are joined ----------------------------------------------------------------------------------------

A, B, C, D = map(Text, "abcd")


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("a", A),
        ("a b", All((A, B))),
        ("a and b", All((A, B))),
        ("a AND b", All((A, B))),
        ("a & b && c", All((A, B, C))),
        ("a&b", All((A, B))),
        ("a or b | c || d", Either((A, B, C, D))),
        ("a b or c d", Either((All((A, B)), All((C, D))))),
        ("a (b or c) d", All((A, Either((B, C)), D))),
        ("a and b or c", Either((All((A, B)), C))),
        ("a or b and c", Either((A, All((B, C))))),
        ("((a)) ((b or (c)))", All((A, Either((B, C))))),
        ("not a b", All((Not(A), B))),
        ("!a", Not(A)),
        ("! a", Not(A)),
        ("not (a b)", Not(All((A, B)))),
        ("!!a", A),
        ("not not not a", Not(A)),
        ("!(!(a or b))", Either((A, B))),
        ("-a", Not(A)),
        ('-"a b"', Not(Text("a b"))),
        ("!-a", A),
        ('"a" "b"', All((A, B))),
        ("a!b", Text("a!b")),
        ("orange android nothing notary", All(tuple(map(text, ["orange", "android", "nothing", "notary"])))),
        ('"and"', Text("and")),
        ('"say \\"hi\\""', Text('say "hi"')),
        ("“oat milk” „oat milk“ «oat milk»", All((Text("oat milk"),) * 3)),
        ('#"the „big“ house"', Named("project", "the „big“ house", Place(0, 18), "#")),
        ("#“big house”", Named("project", "big house", Place(0, 12), "#")),
        ("pass* don't foo-bar a@b", All(tuple(map(text, ["pass*", "don't", "foo-bar", "a@b"])))),
        ("\ta\n\N{NO-BREAK SPACE}b ", All((A, B))),
    ],
)
def test_conditions_are_joined(given_text: str, expected: Node) -> None:
    assert parse(given_text) == expected


@pytest.mark.parametrize("nothing", ["", " ", "\n\t"])
def test_a_filter_that_says_nothing_is_none(nothing: str) -> None:
    assert filtering.parse(nothing, NOW) is None


def test_the_last_word_may_go_on_while_nothing_follows_it() -> None:
    assert filtering.parse("cat", NOW) == Text("cat", is_unfinished=True)
    assert filtering.parse("a cat", NOW) == All((A, Text("cat", is_unfinished=True)))
    for finished in ("cat ", '"cat"', "(cat)", "not cat", "-cat", "!!cat"):
        assert "is_unfinished=True" not in repr(filtering.parse(finished, NOW))


# --- conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("status = open", Comparison("status", "=", Status.OPEN)),
        ("STATUS=Done", Comparison("status", "=", Status.DONE)),
        ("status != done", Not(Comparison("status", "=", Status.DONE))),
        ("status <> done", Not(Comparison("status", "=", Status.DONE))),
        ("done", Comparison("status", "=", Status.DONE)),
        ("open", Comparison("status", "=", Status.OPEN)),
        ("Cancelled", Comparison("status", "=", Status.CANCELLED)),
        ("priority >= high", Comparison("priority", ">=", Priority.HIGH)),
        ("priority<low", Comparison("priority", "<", Priority.LOW)),
        ("priority == none", Comparison("priority", "=", Priority.NONE)),
        ("no priority", Comparison("priority", "=", Priority.NONE)),
        ("title ~ milk", Comparison("title", "~", "milk")),
        ('title = "Buy milk"', Comparison("title", "=", "Buy milk")),
        ("assignee = me", Me()),
        ("assignee = none", Missing("assignee")),
        ("no assignee", Missing("assignee")),
        ("assignee != none", Not(Missing("assignee"))),
        ("assignee = a@b.c", Named("person", "a@b.c", Place(11, 5))),
        ('assignee = "me"', Named("person", "me", Place(11, 4))),
        ("#house", Named("project", "house", Place(0, 6), "#")),
        ('#"Big \\"house\\""', Named("project", 'Big "house"', Place(0, 16), "#")),
        ("project = 12", Named("project", "12", Place(10, 2))),
        ("@büro", label("büro", 0, 5)),
        ("@a(@b)", All((label("a", 0, 2), label("b", 3, 2)))),
        ("label = home", Named("label", "home", Place(8, 4))),
        ("label = none", Missing("label")),
        ('label = "none"', Named("label", "none", Place(8, 6))),
        ("no label", Missing("label")),
        ('workspace = "The flat"', Named("workspace", "The flat", Place(12, 10))),
        ("parent = 4711", Comparison("parent", "=", 4711)),
        ("parent = none", Missing("parent")),
        ("no parent", Missing("parent")),
        ("subtask", Not(Missing("parent"))),
        ("no date", Missing("due")),
        ("no due", Missing("due")),
        ("due = none", Missing("due")),
        ("no start", Missing("start")),
        ("completed = none", Missing("completed")),
    ],
)
def test_a_condition(given_text: str, expected: Node) -> None:
    assert parse(given_text) == expected


def moment(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc,arg-type]


def between(first: dt.datetime, end: dt.datetime, field: Any = "due") -> Node:
    return All((Comparison(field, ">=", first), Comparison(field, "<", end)))


# Midnight in Berlin, in winter.
TODAY, TOMORROW = moment(2026, 11, 24, 23), moment(2026, 11, 25, 23)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("due < today", Comparison("due", "<", TODAY)),
        ("due <= today", Comparison("due", "<", TOMORROW)),
        ("due > today", Comparison("due", ">=", TOMORROW)),
        ("due >= today", Comparison("due", ">=", TODAY)),
        ("due = today", between(TODAY, TOMORROW)),
        ("due != today", Not(between(TODAY, TOMORROW))),
        ("today", between(TODAY, TOMORROW)),
        ("overdue", All((Comparison("status", "=", Status.OPEN), Comparison("due", "<", NOW.moment)))),
        ("due < tomorrow", Comparison("due", "<", TOMORROW)),
        ("due < yesterday", Comparison("due", "<", moment(2026, 11, 23, 23))),
        ("due < +2w", Comparison("due", "<", moment(2026, 12, 8, 23))),
        ("due < today-1d", Comparison("due", "<", moment(2026, 11, 23, 23))),
        ("due < today+1m", Comparison("due", "<", moment(2026, 12, 24, 23))),
        ("due < 2027-01-31+1m", Comparison("due", "<", moment(2027, 2, 27, 23))),
        ("due < 2027-03-31-1m-1d", Comparison("due", "<", moment(2027, 2, 26, 23))),
        ("due < 2028-02-29+1y", Comparison("due", "<", moment(2029, 2, 27, 23))),
        ("due < 2026-07-01", Comparison("due", "<", moment(2026, 6, 30, 22))),
        ("due < Wednesday", Comparison("due", "<", TODAY)),
        ("due < thursday", Comparison("due", "<", TOMORROW)),
        ("due < tuesday", Comparison("due", "<", moment(2026, 11, 30, 23))),
        ("due < tuesday+1w", Comparison("due", "<", moment(2026, 12, 7, 23))),
        ("created >= wednesday", Comparison("created", ">=", TODAY)),
        ("updated >= tuesday", Comparison("updated", ">=", moment(2026, 11, 23, 23))),
        ("completed >= thursday", Comparison("completed", ">=", moment(2026, 11, 18, 23))),
        ("due < 2026-12-01T17:00", Comparison("due", "<", moment(2026, 12, 1, 16))),
        ("due <= 2026-12-01T17:00", Comparison("due", "<", moment(2026, 12, 1, 16, 0, 0, 1))),
        ('due < "2026-12-01 17:00"', Comparison("due", "<", moment(2026, 12, 1, 16))),
        ("due < 2026-12-01T17:00Z", Comparison("due", "<", moment(2026, 12, 1, 17))),
        (
            "due < 2026-12-01t17:00:30.5-05:00",
            Comparison("due", "<", moment(2026, 12, 1, 22, 0, 30, 500_000)),
        ),
        ("start < today", Comparison("start", "<", dt.datetime(2026, 11, 25))),  # noqa: DTZ001 - on the wall
        ("start <= today", Comparison("start", "<", dt.datetime(2026, 11, 26))),  # noqa: DTZ001
        ("start < 2026-12-01T17:00Z", Comparison("start", "<", dt.datetime(2026, 12, 1, 18))),  # noqa: DTZ001
        ("start < 2026-12-01T17:00", Comparison("start", "<", dt.datetime(2026, 12, 1, 17))),  # noqa: DTZ001
    ],
)
def test_a_day(given_text: str, expected: Node) -> None:
    assert parse(given_text) == expected


def test_days_are_those_of_whoever_asks() -> None:
    there = Now(NOW.moment, "America/New_York")
    assert parse("due < today", there) == Comparison("due", "<", moment(2026, 11, 24, 5))
    assert parse("created >= tuesday", there) == Comparison("created", ">=", moment(2026, 11, 24, 5))


# --- what is wrong, where, and what to write instead ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_text", "place", "said", "suggestion"),
    [
        (
            "overdue & prioriti >= high",
            (10, 8),
            "there is no field “prioriti”; did you mean “priority”?",
            "priority",
        ),
        ("colour = red", (0, 6), "there are title, status, priority", None),
        ("priority >= hgh", (12, 3), "did you mean “high”?", "high"),
        ("status = closed", (9, 6), "“closed” is not one of open, done and cancelled", None),
        ("status < done", (7, 1), "“status” is compared with = or !=", "="),
        ("title > x", (6, 1), "“title” is compared with ~, = or !=", "~"),
        ("due < tomorow", (6, 7), "did you mean “tomorrow”?", "tomorrow"),
        ("due < 7d", (6, 2), "did you mean “+7d”?", "+7d"),
        ("due < today 7d", (12, 2), "in an address + is %2B", None),
        ("due < 2026-02-30", (6, 10), "is not in the calendar", None),
        ("due < 2026-02-01T25:00", (6, 16), "is not in the calendar, or not on the clock", None),
        ("due < 0001-01-01", (6, 10), "is too far away", None),
        ("due < 9999-01-01", (6, 10), "is too far away", None),
        ("due < today+9999y", (6, 11), "is too far away", None),
        ("due < none", (6, 4), "write due = none", None),
        ("due <", (5, 0), "after “<” comes a value, not the end", None),
        ("due < (a)", (6, 1), "after “<” comes a value, not “(”", None),
        ("due = = x", (6, 1), "after “=” comes a value, not “=”", None),
        ("< today", (0, 1), "before “<” comes a field", None),
        ("title = b = c", (10, 1), "before “=” comes a field", None),
        ("due", (0, 3), "“due” needs a comparison, such as due < today+7d", '"due"'),
        ("due:today", (0, 9), "a comparison is written due = today", "due = today"),
        ("-done", (0, 5), "write !done", "!done"),
        ("-@home", (0, 6), "write !@home", "!@home"),
        ("no milk", (3, 4), "after “no” comes date, due, start", None),
        ("no lable", (3, 5), "after “no” comes date, due, start", "label"),
        ("no", (2, 0), "after “no” comes date, due, start", None),
        ("a and", (5, 0), "before the end comes a condition", None),
        ("or a", (0, 2), "before “or” comes a condition", None),
        ("a | | b", (4, 1), "before “|” comes a condition", None),
        ("a && || b", (5, 2), "before “||” comes a condition", None),
        ("()", (1, 1), "before “)” comes a condition", None),
        ("not", (3, 0), "before the end comes a condition", None),
        ("(a b", (4, 0), "a “)” is missing at the end", ")"),
        ("a) b", (1, 1), "there is no “(” that this “)” could close", ""),
        ('a "b c', (2, 4), "this quote is not closed", '"b c"'),
        ('#"b c', (0, 5), "this quote is not closed", '#"b c"'),
        ('-"b', (1, 2), "this quote is not closed", '"b"'),
        ("a “b c", (2, 4), "this quote is not closed", "“b c”"),
        ('title ~ "', (8, 1), "this quote is not closed", '""'),
        ("a # b", (2, 1), "after “#” comes the name of a project", None),
        ("@", (0, 1), "after “@” comes the name of a label", None),
        ('@""', (0, 3), "give the name of a label", None),
        ('title ~ " "', (8, 3), "give the words of the title", None),
        ("a ??? b", (2, 3), "has no letters or digits to look for", None),
        ('""', (0, 2), "has no letters or digits to look for", None),
        ("-", (0, 1), "has no letters or digits to look for", None),
        ("parent = x", (9, 1), "is no number of a task", None),
        (f"parent = {2**63}", (9, 19), "is no number of a task", None),
        ("parent = 0", (9, 1), "is no number of a task", None),
        ("a " * (MOST_TERMS + 1), (2 * MOST_TERMS, 1), f"more than {MOST_TERMS} conditions", None),
        ("(" * (MOST_NESTED + 1) + "a", (MOST_NESTED, 1), f"more than {MOST_NESTED} parentheses", None),
    ],
)
def test_an_error_tells_where_and_what(
    given_text: str, place: tuple[int, int], said: str | None, suggestion: str | None
) -> None:
    error = refused(given_text)
    assert (error.place.position, error.place.length) == place, error.detail
    assert said is None or said in error.detail
    assert error.suggestion == suggestion


@pytest.mark.parametrize(
    "wrong",
    [
        "prioriti = high",
        "due:today",
        "priority = hgh",
        "due < tomorow",
        "-@home",
        "(a b",
        "a) b",
        'a "b',
        "no lable",
    ],
)
def test_what_is_suggested_can_be_put_there(wrong: str) -> None:
    error = refused(wrong)
    assert error.suggestion is not None
    end = error.place.position + error.place.length
    assert filtering.parse(wrong[: error.place.position] + error.suggestion + wrong[end:], NOW) is not None


def test_as_much_as_is_allowed_is_read() -> None:
    assert isinstance(parse("a " * MOST_TERMS), All)
    assert parse("(" * MOST_NESTED + "a" + ")" * MOST_NESTED) == A
    assert parse("(a)" * MOST_TERMS) == All((A,) * MOST_TERMS)
    assert parse("!" * (MOST_CHARACTERS - 1) + "a") == Not(A)


# --- whatever is typed ------------------------------------------------------------------------------------------------

PARTS = [
    *(
        "(",
        ")",
        "&",
        "|",
        "!",
        "and",
        "or",
        "not",
        "no",
        "<",
        "<=",
        "=",
        "!=",
        "~",
        '"',
        "#",
        "@",
        "-",
        "+",
        "\\",
        " ",
    ),
    *(
        "due",
        "today",
        "today+7d",
        "2026-12-01",
        "2026-12-01T17:00Z",
        "priority",
        "high",
        "title",
        "none",
        "me",
    ),
    *(
        "#a",
        "@b",
        '"c d"',
        '-"e"',
        "milk",
        "*",
        "overdue",
        "done",
        "date",
        "label",
        "parent",
        "5",
        "\x00",
        "日本",
        "😀",
    ),
]
SOUP = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PARTS), max_size=60).map(" ".join),
    st.lists(st.sampled_from(PARTS), max_size=60).map("".join),
)


@settings(max_examples=500, deadline=None)
@given(SOUP)
def test_whatever_is_typed_is_read_or_refused_with_its_place(typed: str) -> None:
    try:
        filtering.parse(typed, NOW)
        return
    except FilterError as caught:
        error = caught
    assert 0 <= error.place.position <= error.place.position + error.place.length <= len(typed)
    assert error.detail


@given(st.text(min_size=1, max_size=40).filter(str.strip), st.sampled_from(["#", "@", "project = "]))
def test_every_name_can_be_written(name: str, sign: str) -> None:
    node = parse(sign + quoted(name, sign if len(sign) == 1 else ""))
    assert isinstance(node, Named)
    assert node.name == name.strip()


def test_neither_server_nor_command_line_loads_the_parser_before_it_is_needed() -> None:
    code = "import sys, dutiful.app, dutiful.cli.tasks; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- what the documents say -------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text()


def cells(title: str, column: int) -> list[str]:
    """What stands in backticks in that column of the table below that title."""
    table = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines() if line.startswith("| ")]
    found = [text for row in rows for text in re.findall(r"`([^`]+)`", row[column])]
    return [text.replace("\\|", "|") for text in found]


def test_every_field_is_documented_and_no_other() -> None:
    assert sorted(cells("Fields", 0)) == sorted(FIELDS)


def test_what_the_documents_show_can_be_written() -> None:
    example = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    shown = [
        *example[1].splitlines(),
        *cells("Conditions", 0),
        *cells("Joining them", 0),
        *cells("Fields", -1),
    ]
    shown += [f"due < {day}" for day in cells("Days", 0)]
    assert len(shown) > 50
    for text_shown in shown:
        assert filtering.parse(text_shown, NOW) is not None


def test_the_examples_of_the_api_can_be_written() -> None:
    [parameter] = [
        each
        for each in the_contract().document["paths"]["/api/v1/tasks"]["get"]["parameters"]
        if each.get("name") == "filter"
    ]
    assert len(parameter["examples"]) >= 3
    for example in parameter["examples"].values():
        assert filtering.parse(example["value"], NOW) is not None
