"""Projects, labels, priorities, descriptions and quotes; and where in the line each was."""

import datetime as dt

import pytest

from dutiful.models import Priority, When
from dutiful.quickadd import QuickTask, TextSpan, parse
from dutiful.recurrence import Anchor, Recurrence

NOW = dt.datetime(2026, 11, 25, 14, 0)  # noqa: DTZ001 - the time on the wall
FRIDAY = When(dt.date(2026, 11, 27))


def read(text: str) -> QuickTask:
    return parse(text, NOW)


def test_the_line_of_the_guide() -> None:
    text = "Pay rent every 1st at 9:00 #home @bank !high //from the joint account"
    assert read(text) == QuickTask(
        title="Pay rent",
        description="from the joint account",
        priority=Priority.HIGH,
        project="home",
        labels=("bank",),
        due=When(dt.date(2026, 12, 1), dt.time(9)),
        recurrence=Recurrence("FREQ=MONTHLY;BYMONTHDAY=1", Anchor.SCHEDULE),
        spans=(
            TextSpan(9, 26, "recurrence", "FREQ=MONTHLY;BYMONTHDAY=1"),
            TextSpan(27, 32, "project", "home"),
            TextSpan(33, 38, "label", "bank"),
            TextSpan(39, 44, "priority", "high"),
            TextSpan(45, 69, "description", "from the joint account"),
        ),
    )
    assert text[9:26] == "every 1st at 9:00"


@pytest.mark.parametrize(
    ("text", "title", "project"),
    [
        ("Paint #home", "Paint", "home"),
        ("#home paint", "paint", "home"),
        ("Paint #home the wall", "Paint the wall", "home"),
        ('Paint #"Big house"', "Paint", "Big house"),
        ("Paint #'Big house' soon", "Paint soon", "Big house"),
        ("Paint #home, then rest", "Paint, then rest", "home"),
        ("Paint (#home)", "Paint", "home"),
        ("Paint #Größe-2_ü", "Paint", "Größe-2_ü"),
        ("Paint #日本", "Paint", "日本"),
        ('Paint #"2027"', "Paint", "2027"),
        ("Paint #work/sub", "Paint", "work/sub"),
        ("Paint #home #work", "Paint #work", "home"),
        ("Fix issue #12", "Fix issue #12", None),
        ("#1", "#1", None),
        ("Learn C#", "Learn C#", None),
        ("Learn C# and F#now", "Learn C# and F#now", None),
        ("A # alone", "A # alone", None),
        ('Paint #""', 'Paint #""', None),
        ('Paint #"Big house', 'Paint #"Big house', None),
        ("See https://example.com/#home", "See https://example.com/#home", None),
    ],
)
def test_a_project_begins_a_word_with_a_letter(text: str, title: str, project: str | None) -> None:
    task = read(text)
    assert (task.title, task.project) == (title, project)


@pytest.mark.parametrize(
    ("text", "title", "labels"),
    [
        ("Call @mum", "Call", ("mum",)),
        ("Call @mum @phone", "Call", ("mum", "phone")),
        ("Call @mum @phone @Mum", "Call", ("mum", "phone")),
        ('Call @"my mum"', "Call", ("my mum",)),
        ("Write to mum@example.com", "Write to mum@example.com", ()),
        ("Meet @ home", "Meet @ home", ()),
    ],
)
def test_labels_are_many_and_each_counts_once(text: str, title: str, labels: tuple[str, ...]) -> None:
    task = read(text)
    assert (task.title, task.labels) == (title, labels)


@pytest.mark.parametrize(
    ("text", "title", "priority"),
    [
        ("Rest !low", "Rest", Priority.LOW),
        ("Rest !medium", "Rest", Priority.MEDIUM),
        ("Rest !HIGH", "Rest", Priority.HIGH),
        ("!urgent rest", "rest", Priority.URGENT),
        ("Rest !1", "Rest", Priority.URGENT),
        ("Rest !2", "Rest", Priority.HIGH),
        ("Rest !3", "Rest", Priority.MEDIUM),
        ("Rest !4", "Rest", Priority.LOW),
        ("Rest !low !high", "Rest !high", Priority.LOW),
        ("Rest !5", "Rest !5", Priority.NONE),
        ("Rest !lower", "Rest !lower", Priority.NONE),
        ("Rest!high", "Rest!high", Priority.NONE),
        ("Rest !high-res", "Rest !high-res", Priority.NONE),
        ("Fix p1 incident", "Fix p1 incident", Priority.NONE),
        ("Rest !", "Rest !", Priority.NONE),
    ],
)
def test_priorities_have_names_and_numbers(text: str, title: str, priority: Priority) -> None:
    task = read(text)
    assert (task.title, task.priority) == (title, priority)


@pytest.mark.parametrize(
    ("text", "title", "description"),
    [
        ("Rest //a while", "Rest", "a while"),
        ("Rest // a while #home tomorrow ", "Rest", "a while #home tomorrow"),
        ("Rest //one //two", "Rest", "one //two"),
        ("Rest //", "Rest", ""),
        ("//all of it", "", "all of it"),
        ("See https://example.com", "See https://example.com", ""),
        ("And//or", "And//or", ""),
        ('Say "a //b" c', 'Say "a //b" c', ""),
    ],
)
def test_a_description_goes_on_to_the_end(text: str, title: str, description: str) -> None:
    task = read(text)
    assert (task.title, task.description, task.project, task.due) == (title, description, None, None)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('Watch "Friday" friday', 'Watch "Friday"'),
        ("Watch 'Friday' friday", "Watch 'Friday'"),
        ("Watch “Every Friday” friday", "Watch “Every Friday”"),
        ("Watch 'Mum's Friday' friday", "Watch 'Mum's Friday'"),
        ('Watch "the #1 @home !high" friday', 'Watch "the #1 @home !high"'),
        ('"Tomorrow at 5" friday', "Tomorrow at 5"),
        ("'Every day' friday", "Every day"),
        ("Mum's and the boys' friday", "Mum's and the boys'"),
        ("Don't stop friday", "Don't stop"),
        ('A 5" disk friday', 'A 5" disk'),
        ('Say "hello friday', 'Say "hello'),
    ],
)
def test_quotes_keep_words_out_of_the_dates(text: str, title: str) -> None:
    task = read(text)
    assert (task.title, task.due, task.project, task.labels) == (title, FRIDAY, None, ())


@pytest.mark.parametrize(
    "text", ['"Friday" club', "See 'next week'", 'In "3 days"', 'Every "monday"', 'At "5pm" "today"']
)
def test_quoted_words_are_no_date(text: str) -> None:
    assert read(text) == QuickTask(text)


def test_a_quote_has_words_as_well() -> None:
    """The end of the line, where a date alone is enough, is behind it."""
    assert read('Call dec 1 "now"') == QuickTask('Call dec 1 "now"')


def test_a_phrase_does_not_go_on_behind_a_quote() -> None:
    assert read('Call next "x" friday').due == FRIDAY


def test_marks_do_not_come_between_the_words_of_a_date() -> None:
    task = read("Gym every mon #home and wed @fit at 7")
    assert task.recurrence == Recurrence("FREQ=WEEKLY;BYDAY=MO,WE")
    assert (task.title, task.project, task.labels) == ("Gym", "home", ("fit",))


def test_a_line_of_nothing_but_a_date_has_no_title() -> None:
    assert read("friday") == QuickTask("", due=FRIDAY, spans=(TextSpan(0, 6, "due", "2026-11-27"),))
    assert read("") == QuickTask("")
    assert read("  \n ") == QuickTask("")


def test_spans_count_characters_not_bytes() -> None:
    text = "🎂 für Jürgen fri 5pm"
    (span,) = read(text).spans
    assert (text[span.start : span.end], span.kind, span.value) == ("fri 5pm", "due", "2026-11-27T17:00")


def test_a_date_in_two_places_has_two_spans() -> None:
    text = "Tomorrow: call mum at 5pm"
    spans = [(text[span.start : span.end], span.kind, span.value) for span in read(text).spans]
    assert spans == [("Tomorrow", "due", "2026-11-26T17:00"), ("at 5pm", "due", "2026-11-26T17:00")]


def test_the_time_of_a_repetition_may_stand_elsewhere() -> None:
    text = "Every monday call mum at 5pm"
    spans = [(text[span.start : span.end], span.kind, span.value) for span in read(text).spans]
    assert spans == [
        ("Every monday", "recurrence", "FREQ=WEEKLY;BYDAY=MO"),
        ("at 5pm", "due", "2026-11-30T17:00"),
    ]
