"""Full-text search: what is typed, in any script, and what it finds."""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column, func, select, text
from tests.support.journals import tasks_of
from tests.support.people import Person
from tests.support.plain import PLAIN
from tests.support.problems import pointers
from tests.support.sharing import make_shared
from tests.support.statements import count_statements

from dutiful import words
from dutiful.database.session import Database, Writer
from dutiful.errors import Invalid
from dutiful.models import Task
from dutiful.tasks import search

# --- the words of a text ----------------------------------------------------------------------------------------------


def split(given: str) -> list[str]:
    return [piece.text for piece in words.pieces(given)]


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("foo-bar a/b c_d", ["foo", "bar", "a", "b", "c", "d"]),
        ("https://example.com/page?x=1", ["https", "example", "com", "page", "x", "1"]),
        ("Ana <ana.b+x@example.org>", ["ana", "ana", "b", "x", "example", "org"]),
        ("don't, “quote” 50%", ["don", "t", "quote", "50"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("É e\N{COMBINING ACUTE ACCENT} Ж ñ", ["é", "é", "ж", "ñ"]),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}\N{FULLWIDTH DIGIT ONE}2 ﬁne x²", ["a12", "fine", "x2"]),
        ("\N{GREEK CAPITAL LETTER SIGMA}ΟΦΟΣ σοφος", ["σοφοσ", "σοφοσ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("🎉party👍🏽 👩‍💻 ❤️", ["🎉", "party", "👍", "👩", "💻", "❤"]),
        ("iPhone用ケース", ["iphone", "用ケース"]),
        ("co\N{SOFT HYPHEN}operate zero\N{ZERO WIDTH JOINER}width", ["cooperate", "zerowidth"]),
        ("!?… — ()", []),
        ("x" * 300, ["x" * 255]),
    ],
)
def test_a_text_is_split_into_words(given_text: str, expected: list[str]) -> None:
    assert split(given_text) == expected


def test_scripts_without_spaces_are_known_by_pairs_of_characters() -> None:
    for run in ("日本語", "中文字", "한국어", "ภาษา", "ພາສາ", "ភាសា", "မြန်"):
        (piece,) = words.pieces(run)
        assert piece.is_unspaced
    assert words.pairs("日本語") == ["日本", "本語", "語"]


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("résumé", "resume"),
        ("i̇stanbul", "istanbul"),
        ("strøm", "strom"),
        ("łódź", "lodz"),
        ("ёлка", "елка"),
        ("x", "x"),
    ],
)
def test_a_word_is_known_without_its_accents_too(word: str, plain: str) -> None:
    assert words.without_accents(word) == plain


@given(st.text())
def test_words_have_nothing_in_them_that_a_query_would_have_to_escape(given_text: str) -> None:
    for word in split(given_text):
        assert word
        assert not set(word) & set("'\\#:\"-* \0")


@given(st.text())
def test_the_words_of_words_are_the_same(given_text: str) -> None:
    once = split(given_text)
    assert split(" ".join(once)) == once


# --- what is typed ----------------------------------------------------------------------------------------------------


def read(q: str) -> list[str]:
    """Each term as one line: `-` unwanted, words joined by `+`, `*` behind a prefix."""
    return [
        "-" * term.is_unwanted + "+".join(word.text + "*" * word.is_prefix for word in term.words)
        for term in search.parse(q)
    ]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("milk bread ", ["milk", "bread"]),
        ("milk bread", ["milk", "bread*"]),
        ("pass* x ", ["pass*", "x"]),
        ("pass* ", ["pass*"]),
        ('"oat milk"', ["oat+milk"]),
        ('"oat milk" ', ["oat+milk"]),
        ('"oat mi*"', ["oat+mi*"]),
        ('"oat mil', ["oat+mil*"]),
        ('"oat milk ', ["oat+milk"]),
        ("foo-bar ", ["foo+bar"]),
        ("foo-bar", ["foo+bar*"]),
        ("-milk", ["-milk"]),
        ("-milk*", ["-milk*"]),
        ('-"oat milk" x ', ["-oat+milk", "x"]),
        ('-"oat milk', ["-oat+milk"]),
        ("--milk", ["-milk"]),
        ("- milk ", ["milk"]),
        ("bread - milk ", ["bread", "milk"]),
        ('foo"oat milk"bar ', ["foo", "oat+milk", "bar"]),
        ("“oat milk” «x y» ", ["oat+milk", "x+y"]),
        ("＂oat　milk＂　－bread", ["oat+milk", "-bread"]),  # noqa: RUF001 - as a Japanese keyboard types it
        ("", []),
        ('"', []),
        ('""', []),
        ('-""', []),
        ('- -- " ??? *', []),
        ("日本語", ["日本+本語"]),
        ("日", ["日*"]),
        ('"日本 tokyo"', ["日本+本+tokyo"]),
        ("iphone用", ["iphone+用*"]),
        ("a'b\\c ", ["a+b+c"]),
    ],
)
def test_what_is_typed_is_understood(q: str, expected: list[str]) -> None:
    assert read(q) == expected


@given(st.text(max_size=60))
def test_nothing_that_can_be_typed_is_an_error(q: str) -> None:
    for term in search.parse(q):
        assert term.words


@given(st.lists(st.text(alphabet='a"*- “', max_size=8)).map("".join))
def test_nothing_made_of_our_own_signs_is_an_error(q: str) -> None:
    with suppress(Invalid):  # more terms than are allowed
        assert len(search.parse(q)) <= search.MOST_TERMS


# --- what is found ----------------------------------------------------------------------------------------------------


async def titles(person: Person, **params: Any) -> str:
    return "".join(task["title"] for task in await person.all("/tasks", **params))


TEXTS = {
    "a": "Renew passport: two photos, the old passport",
    "b": "Buy oat milk and bread",
    "c": "milk without oat",
    "d": "foo-bar a/b example.com/page me@example.org",
    "e": "Straße nach İstanbul, Ñandú, Жук, résumé",
    "f": "日本語の文章を書く",
    "g": "中文搜索 한국어를 배우다 ภาษาไทย",
    "h": "party 🎉 👍🏽 done",
    "i": "schon schön",
    "j": "50% off 500 things",
}


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("passport photos ", "a"),
        ("PHOTOS renew ", "a"),
        ("photo ", ""),
        ("photo", "a"),
        ("photo* renew ", "a"),
        ("pass* ", "a"),
        ("assport", ""),
        ("milk", "bc"),
        ("milk oat", "bc"),
        ('"oat milk"', "b"),
        ('"milk oat"', ""),
        ('"oat mi', "b"),
        ("milk -bread", "c"),
        ('milk -"oat milk"', "c"),
        ("milk -bre*", "c"),
        ("-milk -foo -日本 -passport -strasse -中文 -party", "ij"),
        ("foo", "d"),
        ("bar", "d"),
        ("foo-bar", "d"),
        ("bar-foo", ""),
        ("example", "d"),
        ("page", "d"),
        ("example.com/page", "d"),
        ("me@example.org", "d"),
        ("STRASSE ", "e"),
        ("straße ", "e"),
        ("istanbul ", "e"),
        ("İSTANBUL ", "e"),
        ("ñandú ", "e"),
        ("ÑANDÚ ", "e"),
        ("nandu ", "e"),
        ("ЖУК ", "e"),
        ("resume ", "e"),
        ("日本", "f"),
        ("本語", "f"),
        ("語", "f"),
        ("く", "f"),
        ("文章 日本", "f"),
        ("日語", ""),
        ('"書く"', "f"),
        ("搜索", "g"),
        ("한국어", "g"),
        ("국", "g"),
        ("ไทย", "g"),
        ("🎉", "h"),
        ("👍", "h"),
        ("👍🏿", "h"),
        ("schon ", "i"),
        ("schön ", "i"),
        ("schòn ", ""),
        ("50%", "j"),
        ("5%0", ""),
        ("   ", "abcdefghij"),
        ("???", ""),
        ('"', ""),
        ("-", ""),
        ("milk ???", "bc"),
        ("'; drop table tasks; --", ""),
        ("# :* & | ! ( ) <->", ""),
        ("x:y & !(z", ""),
    ],
)
async def test_a_query_finds(searcher: Person, q: str, expected: str) -> None:
    assert await titles(searcher, q=q) == expected


@pytest.fixture
async def searcher(ana: Person) -> Person:
    items = [{"title": title, "description": text} for title, text in TEXTS.items()]
    assert (await ana.post("/tasks/batch", items)).status_code == 201
    return ana


async def test_words_may_be_in_the_title_or_the_description_but_a_phrase_is_in_one(ana: Person) -> None:
    task = await ana.make("/tasks", title="oat", description="milk")
    assert await ana.all("/tasks", q="milk oat ") == [task]
    assert await ana.all("/tasks", q='"oat milk"') == []


async def test_what_is_written_is_found_whichever_way_it_was_written(ana: Person, database: Database) -> None:
    task = await ana.make("/tasks", title="one")
    path = f"/tasks/{task['id']}"
    await ana.patch(path, {"title": "two"})
    assert [await titles(ana, q=q) for q in ("one ", "two ")] == ["", "two"]
    await ana.patch(path, {"description": "three"})
    assert [await titles(ana, q=q) for q in ("two ", "three ")] == ["two", "two"]
    operations = [
        {"op": "update", "type": "task", "id": task["id"], "data": {"description": "four"}},
        {"op": "create", "type": "task", "data": {"title": "five"}},
    ]
    assert (await ana.post("/batch", operations)).status_code == 200
    assert [await titles(ana, q=q) for q in ("three ", "four ", "five ")] == ["", "two", "five"]
    export = [{"uuid": "u1", "description": "six", "status": "pending", "entry": "20261122T100000Z"}]
    assert (await ana.post("/imports/taskwarrior", export)).is_success
    await ana.delete(path)
    assert [await titles(ana, q=q) for q in ("six ", "two ")] == ["six", ""]
    await ana.post(f"{path}/restore")
    assert await titles(ana, q="two ") == "two"
    await check_words(database, ana.workspace_id)


async def check_words(database: Database, workspace_id: int) -> None:
    """Every task of the workspace has the words of its texts."""
    for task in await tasks_of(database, workspace_id):
        expected = words.vector(workspace_id, task.title, task.description)
        is_right = select(Task.search == text("CAST(:expected AS tsvector)").bindparams(expected=expected))
        async with database.read() as session:
            assert await session.scalar(is_right.where(Task.id == task.id)), task.title


async def test_a_search_goes_with_every_filter_order_and_page(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob)
    items = [
        {"title": f"{number:03} milk", "workspace_id": shared.id if number % 3 else ana.workspace_id}
        | {"priority": ["low", "high"][number % 2], "labels_add": ["x"] if number % 5 else []}
        for number in range(40)
    ]
    for workspace_id in (shared.id, ana.workspace_id):
        part = [item for item in items if item["workspace_id"] == workspace_id]
        assert (await ana.post("/tasks/batch", part)).status_code == 201
    await ana.make("/tasks", title="bread")

    async def numbers(**params: Any) -> list[int]:
        return [int(task["title"][:3]) for task in await ana.all("/tasks", q="milk", **params)]

    assert sorted(await numbers(limit=7)) == list(range(40))
    shared_ones = [number for number in range(40) if number % 3]
    assert await numbers(workspace_id=shared.id, limit=7) == shared_ones
    assert await numbers(workspace_id=shared.id, sort="-id", limit=7) == shared_ones[::-1]
    assert sorted(await numbers(priority="high", label="x")) == [n for n in range(40) if n % 2 and n % 5]
    for sort in ("due", "-priority", "position", "updated_at", "-updated_at"):
        found = await numbers(sort=sort, limit=7)
        assert sorted(found) == list(range(40))
    assert len(await ana.all("/tasks", q="-milk")) == 1
    assert await ana.all("/tasks", q="-milk", workspace_id=shared.id) == []


async def test_nobody_finds_what_is_anothers(ana: Person, bob: Person) -> None:
    shared = await make_shared(ana, bob, role="viewer")
    await ana.make("/tasks", title="secret")
    ours = await ana.make("/tasks", title="secret plan", workspace_id=shared.id)
    for params in ({}, {"workspace_id": shared.id}):
        assert [task["id"] for task in await bob.all("/tasks", q="secret", **params)] == [ours["id"]]
    assert await bob.all("/tasks", q="secret", workspace_id=ana.workspace_id) == []
    assert [task["id"] for task in await bob.all("/tasks", q="-nothing")] == [ours["id"]]
    # Nor by spelling out how the index names the words of a workspace.
    for q in (
        f'"{ana.workspace_id}:secret"',
        f"{ana.workspace_id}:secret",
        "#:secret",
        f"{ana.workspace_id}:*",
    ):
        assert {task["id"] for task in await bob.all("/tasks", q=q)} <= {ours["id"]}


@pytest.mark.parametrize("q", ["a\0b", "x" * 501, "a " * 33])
async def test_a_query_that_is_too_much_is_refused_by_its_name(ana: Person, q: str) -> None:
    assert pointers(await ana.get("/tasks", params={"q": q})) == ["/q"]


@pytest.mark.parametrize(
    "q",
    [
        '"' + "ﷺ" * 499,
        "㌀" * 500,
        "日本" * 250,
        "a-" * 250,
        '-"' + "語" * 498,
        "𠀀" * 500,
        "x" * 500,
        "é*" * 250,
    ],
)
async def test_the_longest_queries_are_answered(ana: Person, q: str) -> None:
    await ana.make("/tasks", title="found", description=q * 3)
    response = await ana.get("/tasks", params={"q": q})
    assert response.status_code == 200, response.text
    assert q.startswith("-") or len(response.json()["items"]) == 1


async def test_whatever_is_typed_is_answered(ana: Person) -> None:
    dice = random.Random(3)  # noqa: S311 - no secret
    await ana.make("/tasks", title="a")
    for _ in range(60):
        q = "".join(
            dice.choices("a\"'-*\\:!&|()<># ß日🎉\N{ZERO WIDTH JOINER}\u0301\ufffd%_$", k=dice.randint(1, 12))
        )
        response = await ana.get("/tasks", params={"q": q})
        assert response.status_code == 200, (q, response.text)


ALPHABETS = ["abcdé", "日本語中文", "ab日本", "가나다", "กขคง", "жшё", "a🎉b"]


def some_text(dice: random.Random) -> str:
    alphabet = dice.choice(ALPHABETS)
    return dice.choice([" ", "-", ", "]).join(
        "".join(dice.choices(alphabet, k=dice.randint(1, 4))) for _ in range(dice.randint(1, 8))
    )


async def test_every_part_of_a_text_finds_it_as_a_phrase_and_nothing_else_does(database: Database) -> None:
    """Against an oracle: the words of the query, in a row, in the words of the text."""
    dice = random.Random(20261123)  # noqa: S311 - no secret
    cases = []
    for _ in range(1500):
        body = some_text(dice)
        source = body if dice.random() < 0.6 else some_text(dice)
        start = dice.randrange(len(source))
        part = source[start : start + dice.randint(1, 6)]
        if split(part):
            cases.append((body, part))
    vectors = [words.vector(7, body) for body, _ in cases]
    queries = [str(search.parse(f'"{part}*"')[0]).replace("#", "7") for _, part in cases]
    given_rows = func.unnest(text("CAST(:v AS text[]), CAST(:q AS text[])").bindparams(v=vectors, q=queries))
    rows = given_rows.table_valued(column("v"), column("q"), name="given").render_derived(name="given")
    matches = text("CAST(given.v AS tsvector) @@ CAST(given.q AS tsquery)")
    async with database.read() as session:
        found = (await session.scalars(select(matches).select_from(rows))).all()
    expected = [is_in_a_row(part, body) for body, part in cases]
    assert [
        case for case, is_found, should in zip(cases, found, expected, strict=True) if is_found != should
    ] == []
    assert 0.3 < sum(expected) / len(expected) < 0.99


def is_in_a_row(part: str, body: str) -> bool:
    """Words as a whole, but the last as a beginning; those of scripts without spaces as parts of one run."""
    return any(marks(part, is_query=True) in marks(form, is_query=False) for form in (body, plain(body)))


def plain(body: str) -> str:
    return " ".join(words.without_accents(word) for word in split(body))


def marks(given_text: str, *, is_query: bool) -> str:
    pieces = list(words.pieces(given_text))
    out = "".join(("" if piece.is_unspaced else "|") + piece.text + "\n" for piece in pieces)
    return out.removesuffix("\n") if is_query else out


# --- long texts -------------------------------------------------------------------------------------------------------


def hanzi(count: int) -> str:
    return "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(count))


@pytest.mark.parametrize(
    "description",
    [
        "word " * 10_000,
        " ".join(f"w{number}" for number in range(8_000)),
        hanzi(50_000),
        "".join(chr(0x20000 + number % 40_000) for number in range(50_000)),
        "ﷺ" * 50_000,
        "㌀㌁㌂" * 16_666,
        "é" * 50_000,
        "🎉" * 50_000,
    ],
    ids=["repeated", "distinct", "chinese", "astral", "ligature", "squared", "one-word", "emoji"],
)
async def test_the_longest_texts_can_be_kept_and_found(ana: Person, description: str) -> None:
    task = await ana.make("/tasks", title="long", description=description[:50_000])
    assert [found["id"] for found in await ana.all("/tasks", q="long ")] == [task["id"]]


async def test_what_is_far_down_in_a_long_text_is_found(ana: Person) -> None:
    filler = "so " * 16_400
    task = await ana.make("/tasks", title="x", description=f"{filler} oat milk")
    chinese = await ana.make("/tasks", title="y", description=hanzi(30_000) + "日本語の文章")
    for q, expected in (('"oat milk"', task), ("milk", task), ("日本語の文章", chinese), ("語", chinese)):
        assert expected["id"] in [found["id"] for found in await ana.all("/tasks", q=q)]
    # Of what has no position any more, having the words is enough; to be shut out, they must be known to be in a row.
    assert [found["id"] for found in await ana.all("/tasks", q='-"oat milk"')] == [task["id"], chinese["id"]]


# --- what it costs ----------------------------------------------------------------------------------------------------


async def test_the_words_are_written_with_the_task_and_never_read(ana: Person, database: Database) -> None:
    with count_statements(database) as statements:
        task = await ana.make("/tasks", title="milk", **PLAIN)
    inserts = [one for one in statements if "INSERT INTO tasks" in one]
    assert len(inserts) == 1
    assert "search" in inserts[0].partition("RETURNING")[0]
    assert "search" not in inserts[0].partition("RETURNING")[2]
    with count_statements(database) as statements:
        await ana.patch(f"/tasks/{task['id']}", {"priority": "low", **PLAIN})
        await ana.get("/tasks", params={"sort": "id"})
    assert not any("search" in one for one in statements)
    with count_statements(database) as statements:
        await ana.get("/tasks", params={"q": "milk"})
    assert len(statements) == 3
    assert "tasks.search," not in "".join(statements)


@pytest.mark.parametrize("limit", [50, 7])
async def test_more_than_a_few_are_found_in_the_order_of_the_list(
    ana: Person, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    items = [{"title": f"milk {number}" if number % 4 else "bread"} for number in range(60)]
    assert (await ana.post("/tasks/batch", items)).status_code == 201
    for q in ("milk ", "mil", "milk -3", '"milk 5', "-bread"):
        found = [
            [
                await ana.all("/tasks", q=q, sort=sort, limit=limit)
                for sort in ("id", "-id", "due", "-position")
            ]
            for _ in _few_and_many(monkeypatch)
        ]
        assert found[0] == found[1]
        assert 1 <= len(found[0][0]) <= 45


def _few_and_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    monkeypatch.setattr(search, "FEW", 0)
    yield
    monkeypatch.undo()


async def test_a_search_asks_the_index(ana: Person, database: Database) -> None:
    plan = await plan_of_a_search(ana, database, "enable_seqscan")
    assert "ix_tasks_search" in plan, plan


async def test_a_search_reads_its_query_once_whatever_the_plan(ana: Person, database: Database) -> None:
    plan = await plan_of_a_search(ana, database, "enable_bitmapscan")
    assert "(tasks.search @@ here.query)" in plan, plan


async def plan_of_a_search(ana: Person, database: Database, switched_off: str) -> str:
    with count_statements(database) as statements:
        await ana.get("/tasks", params={"q": "milk"})
    (look_up,) = [one for one in statements if "@@" in one]

    async def explain(session: Writer) -> str:
        await session.execute(text(f"SET LOCAL {switched_off} = off"))
        connection = await session.connection()
        await connection.exec_driver_sql(f"PREPARE look_up AS {look_up}")
        await connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        plan = await connection.exec_driver_sql("EXPLAIN (VERBOSE) EXECUTE look_up ('x', '#', 1, 50)")
        await connection.exec_driver_sql("DEALLOCATE look_up")
        return "\n".join(row[0] for row in plan)

    return await database.write(explain)
