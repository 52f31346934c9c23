"""Filters in lists of tasks: names, what goes with them, who may see what, and what it costs."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text
from tests.filtering.test_language import SOUP
from tests.support.people import Person
from tests.support.problems import problem
from tests.support.sharing import make_shared
from tests.support.statements import count_statements

from dutiful.api.express import reads
from dutiful.database.session import Database
from dutiful.filtering import MOST_CHARACTERS, MOST_TERMS
from dutiful.paging import Slice
from dutiful.tasks import naming, queries, search
from dutiful.tasks.filters import TaskFilter


async def titles(person: Person, filter_: str, **params: Any) -> str:
    return "".join(task["title"] for task in await person.all("/tasks", filter=filter_, **params))


async def refused(person: Person, filter_: str) -> dict[str, Any]:
    """What is wrong with it."""
    document = problem(await person.get("/tasks", params={"filter": filter_}), 422, "invalid")
    [fault] = document["errors"]
    assert (fault["in"], fault["pointer"]) == ("query", "/filter")
    found: dict[str, Any] = fault
    return found


@pytest.fixture
async def four(ana: Person) -> list[dict[str, Any]]:
    """Tasks a to d."""
    project = await ana.make("/projects", name="Big house")
    given: list[dict[str, Any]] = [
        {"title": "a", "priority": "high", "labels_add": ["home"], "due": {"date": "2026-01-01"}},
        {"title": "b", "priority": "low", "project_id": project["id"], "labels_add": ["work", "home"]},
        {"title": "c", "status": "done", "description": "oat milk"},
        {"title": "d", "due": {"date": "2099-01-01"}, "description": "milk, and oat"},
    ]
    return [await ana.make("/tasks", **one) for one in given]


# --- with other parameters --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("", "abcd"),
        (" ", "abcd"),
        ("overdue & @home", "a"),
        ("@HOME", "ab"),
        ('#"big HOUSE" or done', "bc"),
        ("no date !done", "b"),
        ("priority >= low and priority < urgent", "ab"),
        ("milk", "cd"),
        ('"oat milk"', "c"),
        ("mil", "cd"),
        ("mil ", ""),
        ("milk | @work", "bcd"),
        ("milk | (oat -bread)", "cd"),
        ("not (milk | @work)", "a"),
        ('milk -"oat milk"', "d"),
        ("(milk #Inbox) | (oat @home) | @work", "bcd"),
        ("title ~ B", "b"),
        ("parent = 9223372036854775807", ""),
    ],
)
async def test_a_filter_narrows(ana: Person, four: list[dict[str, Any]], filter_: str, expected: str) -> None:
    assert await titles(ana, filter_) == expected


async def test_characters_of_a_title_mean_themselves(ana: Person) -> None:
    for title in ("50%", "a_b", "back\\slash", "ÄPFEL"):
        await ana.make("/tasks", title=title)
    for part, expected in (
        ("%", "50%"),
        ("_", "a_b"),
        ("\\\\", "back\\slash"),
        ("äpf", "ÄPFEL"),
        ("0%5", ""),
    ):
        assert await titles(ana, f'title ~ "{part}"') == expected


async def test_a_filter_goes_with_everything_else(ana: Person, four: list[dict[str, Any]]) -> None:
    assert await titles(ana, "@home", priority="low") == "b"
    assert await titles(ana, "milk", q="oat", status="open") == "d"
    assert await titles(ana, "not done", sort="-due") == "dab"
    assert await titles(ana, "not done", due_after="2026-01-02") == "d"
    assert await titles(ana, "@home", workspace_id=ana.workspace_id) == "ab"
    assert await titles(ana, "milk", workspace_id=2**62) == ""


@pytest.mark.parametrize("sort", ["id", "-id", "due", "-due", "priority", "-updated_at"])
async def test_pages_fit_together(ana: Person, sort: str) -> None:
    items = [
        {
            "title": str(number),
            "priority": ["low", "high"][number % 2],
            "due": {"date": f"2026-12-{number + 1:02}"},
        }
        for number in range(20)
    ]
    await ana.post("/tasks/batch", items)
    params = {"filter": "priority >= high & due >= 2026-12-03", "sort": sort}
    whole = await ana.all("/tasks", limit=200, **params)
    assert len(whole) == 9
    assert await ana.all("/tasks", limit=2, **params) == whole
    skipped = (await ana.get("/tasks", params={**params, "skip": 7, "limit": 5})).json()
    assert skipped["items"] == whole[7:]


async def test_the_express_lane_hands_it_on(ana: Person, four: list[dict[str, Any]]) -> None:
    for query in (b"filter=done", b"status=open&filter=done", b"limit=5&filter="):
        assert reads._parse(query) is None
    # The lane answers the first of these, so it is open here.
    with_lane = [task["title"] for task in await ana.all("/tasks", status="open")]
    assert with_lane == ["a", "b", "d"]
    assert await titles(ana, "@home", status="open") == "ab"


async def test_the_profile_says_where_one_is(ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    await ana.make(
        "/tasks", title="a", due={"date": "2026-12-01", "time": "00:30", "timezone": "Europe/Berlin"}
    )
    assert await titles(ana, "due = 2026-11-30") == "a"
    assert await titles(ana, "due = 2026-11-30", timezone="Europe/Berlin") == ""
    await ana.patch("/users/me", {"timezone": "Europe/Berlin"})
    assert await titles(ana, "due = 2026-12-01") == "a"


# --- names ------------------------------------------------------------------------------------------------------------


async def test_a_name_in_several_workspaces_means_all_of_them(ana: Person, bob: Person) -> None:
    flat = await make_shared(ana, bob)
    for title, workspace_id in (("a", ana.workspace_id), ("b", flat.id)):
        project = await ana.make("/projects", name="Äpfel", workspace_id=workspace_id)
        await ana.make("/tasks", title=title, project_id=project["id"], labels_add=["home"])
    assert await titles(ana, "@home") == "ab"
    assert await titles(ana, "#ÄPFEL") == "ab"
    assert await titles(ana, "#äpfel workspace = flat") == "b"
    assert await titles(bob, "#äpfel") == "b"


async def test_ids_name_as_well_as_names(ana: Person, four: list[dict[str, Any]]) -> None:
    project, label = four[1]["project_id"], four[0]["label_ids"][0]
    assert await titles(ana, f"#{project}") == "b"
    assert await titles(ana, f"label = {label}") == "ab"
    assert await titles(ana, f"workspace = {ana.workspace_id} done") == "c"
    await ana.make("/tasks", title="e", labels_add=[str(label)])
    assert await titles(ana, f"@{label}") == "abe"


async def test_people_are_named_by_their_address(ana: Person, bob: Person) -> None:
    flat = await make_shared(ana, bob)
    for title, who in (("a", ana.user_id), ("b", bob.user_id), ("c", None)):
        await ana.make("/tasks", title=title, workspace_id=flat.id, assignee_id=who)
    assert await titles(ana, "assignee = me") == "a"
    assert await titles(bob, "assignee = me") == "b"
    assert await titles(ana, f"assignee = {bob.email.upper()}") == "b"
    assert await titles(ana, f"assignee = {bob.user_id} or no assignee") == "bc"
    assert await titles(ana, "assignee != me") == "bc"


@pytest.mark.parametrize(
    ("filter_", "position", "length", "detail", "suggestion"),
    [
        ("done & #hose", 7, 5, "there is no project “hose”; did you mean “House”?", "#House"),
        ("@gardn", 0, 6, "there is no label “gardn”; did you mean “big garden”?", '@"big garden"'),
        ('label = "gardn"', 8, 7, "there is no label “gardn”; did you mean “big garden”?", '"big garden"'),
        ("#xyzzy", 0, 6, "there is no project “xyzzy”, or you may not see it", None),
        ("workspace = xyzzy", 12, 5, "there is no workspace “xyzzy”, or you may not see it", None),
        ("assignee = xyzzy", 11, 5, "nobody in your workspaces has the address “xyzzy”", None),
        ("#xyzzy @zyxxy", 0, 6, "there is no project “xyzzy”, or you may not see it", None),
    ],
)
async def test_a_name_that_is_not_there_is_told_with_one_that_is(
    ana: Person, filter_: str, position: int, length: int, detail: str, suggestion: str | None
) -> None:
    await ana.make("/projects", name="House")
    await ana.make("/labels", name="big garden" if "gardn" in filter_ else "other")
    fault = await refused(ana, filter_)
    expected = {"position": position, "length": length, "detail": detail}
    assert {name: fault[name] for name in expected} == expected
    assert fault.get("suggestion") == suggestion
    if suggestion is not None:
        mended = filter_[:position] + suggestion + filter_[position + length :]
        assert (await ana.get("/tasks", params={"filter": mended})).status_code == 200


async def test_what_is_in_the_trash_has_no_name(ana: Person, four: list[dict[str, Any]]) -> None:
    await ana.delete(f"/labels/{four[0]['label_ids'][0]}")
    assert (await refused(ana, "@home"))["position"] == 0
    await ana.delete(f"/projects/{four[1]['project_id']}")
    assert (await refused(ana, '#"Big house"'))["length"] == 12


async def test_what_strangers_have_is_as_if_it_were_not_there(
    ana: Person, bob: Person, new_person: Any
) -> None:
    flat = await make_shared(bob, await new_person("Eve"), name="Secret flat")
    project = await bob.make("/projects", name="Secret project", workspace_id=flat.id)
    task = await bob.make(
        "/tasks", title="secret", project_id=project["id"], labels_add=["secret"], assignee_id=bob.user_id
    )
    things = {
        "#": ("Secret project", project["id"]),
        "@": ("secret", task["label_ids"][0]),
        "workspace = ": ("Secret flat", flat.id),
        "assignee = ": (bob.email, bob.user_id),
    }
    for sign, names in things.items():
        for name in names:
            # The very words for what nobody has, and no word of what is near.
            there, nowhere = [await refused(ana, f'{sign}"{one}"') for one in (name, f"x{name}x")]
            assert told(there, str(name)) == told(nowhere, f"x{name}x")
        near = await refused(ana, f'{sign}"{str(names[0])[:-1]}"')
        assert str(names[0]) not in near["detail"] + near.get("suggestion", "")
    for filter_ in ("secret", 'title ~ "secret"', f"parent = {task['id']}", "no date", "not secret", "open"):
        assert await titles(ana, filter_) == ""


def told(fault: dict[str, Any], name: str) -> str:
    """Without the name, and without what she has herself that is like it."""
    return str(fault["detail"]).partition("; did you mean")[0].partition(", or you")[0].replace(name, "")


async def test_without_a_token_nothing_is_told(ana: Person) -> None:
    response = await ana.client.get("/api/v1/tasks", params={"filter": "#x ("})
    problem(response, 401)


# --- refused ----------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_read_is_refused_with_its_place(ana: Person) -> None:
    fault = await refused(ana, "overdue & prioriti >= high")
    assert fault == {
        "in": "query",
        "pointer": "/filter",
        "code": "invalid",
        "detail": "there is no field “prioriti”; did you mean “priority”?",
        "position": 10,
        "length": 8,
        "suggestion": "priority",
    }


@pytest.mark.parametrize("filter_", ["x" * (MOST_CHARACTERS + 1), "a\x00b"])
async def test_what_is_no_text_for_a_filter_is_refused(ana: Person, filter_: str) -> None:
    assert "position" not in await refused(ana, filter_)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SOUP)
async def test_whatever_is_typed_is_no_failure(ana: Person, typed: str) -> None:
    response = await ana.get("/tasks", params={"filter": typed})
    assert response.status_code in {200, 422}, response.text
    if response.status_code == 422:
        problem(response, 422, "invalid")


DEEP = [
    "(" * 999,
    "(" * 499 + "a" + ")" * 500,
    "!(" * 300,
    "(a|(b&" * 16 + "c" + "))" * 16,
    "!(a|!(b&" * 16 + "c" + "))" * 16,
    "a|b&" * 8,
    '"' * 999,
    "-" * 999,
    "#" * 999,
    "=" * 999,
    "é" * 999,
    " ".join(["due=" + "+9999d" * 30] * 5),
    " ".join(f"@{number}" for number in range(MOST_TERMS)),
    " | ".join(f"(w{number} no date)" for number in range(MOST_TERMS // 2)),
    " & ".join(["due != today"] * MOST_TERMS),
]


@pytest.mark.parametrize("filter_", DEEP, ids=range(len(DEEP)))
async def test_what_is_made_to_cost_much_does_not(
    ana: Person, four: list[dict[str, Any]], filter_: str
) -> None:
    begin = time.perf_counter()
    response = await ana.get("/tasks", params={"filter": filter_})
    assert response.status_code in {200, 422}, response.text
    assert time.perf_counter() - begin < 3


# --- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filter_", "statements"),
    [
        ("overdue & priority >= high", 1),
        ("@home | @work | #Inbox | workspace = Home | assignee = me", 2),
        ("milk oat | bread", 2),
        ("(milk @home) | bread", 4),
        ("not milk", 1),
    ],
)
async def test_a_filter_takes_few_statements(
    ana: Person, four: list[dict[str, Any]], database: Database, filter_: str, statements: int
) -> None:
    await ana.make("/workspaces", name="Home")
    await ana.get("/tasks")
    with count_statements(database) as sent:
        assert (await ana.get("/tasks", params={"filter": filter_})).status_code == 200
    # Three more: who asks, and how to plan.
    assert len(sent) - 3 == statements, sent


async def test_a_statement_is_written_once_for_each_shape_of_filter(
    ana: Person, four: list[dict[str, Any]]
) -> None:
    queries._filtered_page.cache_clear()
    for filter_ in ("@home & due < today+7d", "@work due < 2026-01-01", "(@home and (due < -2w))"):
        await titles(ana, filter_)
    assert queries._filtered_page.cache_info().misses == 1
    await titles(ana, "@home | due < today+7d")
    assert queries._filtered_page.cache_info().misses == 2


async def test_no_value_stands_in_the_statement(
    ana: Person, four: list[dict[str, Any]], database: Database
) -> None:
    filter_ = "@home | #Inbox | priority >= high | title ~ needle | needle | due < 2031-05-07 | parent = 7531"
    with count_statements(database) as sent:
        await titles(ana, filter_)
    for value in ("home", "inbox", "needle", "2031", "7531"):
        # The first tells who asks.
        assert not any(value in statement.lower() for statement in sent[1:])


async def test_each_filter_is_planned_for_its_values(
    ana: Person, four: list[dict[str, Any]], database: Database
) -> None:
    filtered = TaskFilter(timezone="UTC", expression="@home & not done & due < 2031-01-01")
    # The backslash keeps it from finding itself.
    used = text(
        "SELECT coalesce(sum(generic_plans), 0), coalesce(sum(custom_plans), 0) "
        r"FROM pg_prepared_statements WHERE statement LIKE '%label\_ids &&%'"
    )
    async with database.read() as session:
        before = (await session.execute(used)).one()
        for _ in range(8):
            rows, _ = await queries.page(session, ana.actor(), Slice(), filtered)
            assert len(rows) == 1
        generic, custom = (await session.execute(used)).one()
        assert (generic - before[0], custom - before[1]) == (0, 8)
        assert await session.scalar(text("SHOW plan_cache_mode")) == "auto"


@pytest.mark.parametrize("few", [0, 1, 10])
async def test_few_and_many_are_found_alike(
    ana: Person, four: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(search, "FEW", few)
    assert await titles(ana, "milk") == "cd"
    assert await titles(ana, "milk | @work") == "bcd"
    assert await titles(ana, '"oat milk" | (oat -milk)') == "c"


async def test_only_so_many_names_are_compared(ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("house", "horse"):
        await ana.make("/projects", name=name)
    assert "did you mean" in (await refused(ana, "#hose"))["detail"]
    monkeypatch.setattr(naming, "MOST_CANDIDATES", 0)
    naming._candidates.cache_clear()
    try:
        assert "did you mean" not in (await refused(ana, "#hose"))["detail"]
    finally:
        naming._candidates.cache_clear()


async def test_no_name_takes_long_to_compare(ana: Person) -> None:
    longest = naming.LONGEST_CANDIDATE
    operations = [
        {"op": "create", "type": "label", "data": {"name": "a" * (longest - 3) + f"{number:03}"}}
        for number in range(naming.MOST_CANDIDATES + 100)
    ]
    assert (await ana.post("/batch", operations)).status_code == 200
    for name in ("a" * longest, "a" * 990):
        begin = time.perf_counter()
        await refused(ana, f"@{name}")
        assert time.perf_counter() - begin < 1


async def test_many_at_once_do_not_mix(ana: Person, four: list[dict[str, Any]]) -> None:
    wanted = {"@home": "ab", "@work": "b", "done": "c", "milk": "cd", "no date open": "b"}
    found = await asyncio.gather(*(titles(ana, filter_) for filter_ in list(wanted) * 8))
    assert found == list(wanted.values()) * 8
