from typing import Any

import pytest
from sqlalchemy import delete, text, update
from tests.conftest import MakePerson
from tests.support.people import Person
from tests.support.sharing import share
from tests.support.statements import count_statements

from dutiful.changes.cursor import decode_cursor, encode_cursor
from dutiful.database.session import Database, Writer
from dutiful.models import Change

BIRTH = ["workspace.created", "member.added", "project.created"]


async def news(person: Person, after: str | None = None, limit: int | None = None, path: str = "") -> Any:
    params = {"after": after, "limit": limit}
    sent = {name: value for name, value in params.items() if value is not None}
    response = await person.get(f"{path}/changes", params=sent)
    assert response.status_code == 200, response.text
    page = response.json()
    assert page["count"] == len(page["items"])
    return page


async def rename(person: Person, workspace_id: int, *names: str) -> None:
    for name in names:
        response = await person.patch(f"/workspaces/{workspace_id}", {"name": name})
        assert response.status_code == 200, response.text


async def test_a_change_tells_who_did_what_and_when(ana: Person) -> None:
    response = await ana.patch(f"/workspaces/{ana.workspace_id}", {"name": "Mine"})
    (change,) = (await news(ana, "3", path=f"/workspaces/{ana.workspace_id}"))["items"]
    assert change == {
        "id": f"{ana.workspace_id}-4",
        "workspace_id": ana.workspace_id,
        "seq": 4,
        "at": change["at"],
        "user_id": ana.user_id,
        "verb": "workspace.updated",
        "entity": "workspace",
        "entity_id": ana.workspace_id,
        "version": 2,
        "before": {"name": change["before"]["name"]},
        "after": {"name": "Mine"},
        "request_id": response.headers["X-Request-Id"],
        "undo_of": None,
    }


async def test_a_workspace_is_followed_from_its_beginning_without_holes(ana: Person) -> None:
    workspace_id = await share(ana)
    path = f"/workspaces/{workspace_id}"
    await rename(ana, workspace_id, *"abcd")
    seqs, cursor = [], None
    while True:
        page = await news(ana, cursor, 2, path)
        cursor = page["next_cursor"]
        if not page["items"]:
            break
        seqs += [change["seq"] for change in page["items"]]
    assert seqs == list(range(1, 8))
    assert cursor == "7"
    assert await news(ana, cursor, path=path) == {"items": [], "count": 0, "next_cursor": "7"}


async def test_the_answer_to_a_write_carries_a_cursor_that_includes_it(ana: Person) -> None:
    cursor = (await news(ana))["next_cursor"]
    written = await ana.patch(f"/workspaces/{ana.workspace_id}", {"name": "Mine"})
    assert written.headers["Dutiful-Cursor"] == (await news(ana, cursor))["next_cursor"]
    assert (await news(ana, written.headers["Dutiful-Cursor"]))["items"] == []


async def test_a_write_that_changes_nothing_tells_where_the_feed_is(ana: Person) -> None:
    changed = await ana.patch(f"/workspaces/{ana.workspace_id}", {"name": "Mine"})
    unchanged = await ana.patch(f"/workspaces/{ana.workspace_id}", {"name": "Mine"})
    assert unchanged.headers["Dutiful-Cursor"] == changed.headers["Dutiful-Cursor"]


async def test_all_workspaces_are_told_in_one_feed_by_time(ana: Person, bob: Person) -> None:
    first, second = await share(ana), await share(bob, ana, role="viewer")
    cursor = (await news(ana))["next_cursor"]
    await rename(ana, first, "a")
    await rename(bob, second, "b")
    await rename(ana, first, "c")
    page = await news(ana, cursor)
    assert [change["after"]["name"] for change in page["items"]] == ["a", "b", "c"]
    assert set(decode_cursor(page["next_cursor"])) == {ana.workspace_id, first, second}


async def test_the_merged_feed_gives_everything_once_at_any_page_size(ana: Person) -> None:
    workspace_ids = [ana.workspace_id, *[await share(ana) for _ in range(3)]]
    for name in "abc":
        for workspace_id in reversed(workspace_ids):
            await rename(ana, workspace_id, name)
    whole = (await news(ana))["items"]
    for limit in (1, 2, 3, 7):
        items: list[Any] = []
        cursor = None
        while (page := await news(ana, cursor, limit))["items"]:
            items += page["items"]
            cursor = page["next_cursor"]
            assert set(decode_cursor(cursor)) == set(workspace_ids)
        assert {item["id"] for item in items} == {item["id"] for item in whole}
        assert len(items) == len(whole)
        in_order(items)


async def test_a_clock_that_jumps_does_not_change_the_order(ana: Person, database: Database) -> None:
    """Two servers, one of them an hour ahead."""
    other = await share(ana)
    await rename(ana, ana.workspace_id, *"abcdef")
    await rename(ana, other, *"abcdef")

    async def jump(session: Writer) -> None:
        ahead = update(Change).where(Change.workspace_id == ana.workspace_id, Change.seq % 3 == 0)
        await session.execute(ahead.values(at=Change.at + text("interval '1 hour'")))

    await database.write(jump)
    items: list[Any] = []
    cursor = None
    while (page := await news(ana, cursor, 4))["items"]:
        items += page["items"]
        cursor = page["next_cursor"]
    in_order(items)
    assert len(items) == 10 + 9


async def test_joining_brings_the_whole_workspace_into_the_feed(ana: Person, bob: Person) -> None:
    cursor = (await news(bob))["next_cursor"]
    workspace_id = await share(ana, bob)
    page = await news(bob, cursor)
    told = [(change["workspace_id"], change["verb"]) for change in page["items"]]
    assert sorted(told) == sorted(
        [(workspace_id, verb) for verb in [*BIRTH, "member.added"]] + [(bob.workspace_id, "workspace.joined")]
    )
    assert (await news(bob, page["next_cursor"]))["items"] == []


async def test_leaving_is_told_and_ends_the_workspace_in_the_feed(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob)
    cursor = (await news(bob))["next_cursor"]
    await rename(ana, workspace_id, "secret")
    await ana.delete(f"/workspaces/{workspace_id}/members/{bob.user_id}")
    page = await news(bob, cursor)
    (change,) = page["items"]
    assert (change["verb"], change["entity_id"]) == ("workspace.left", workspace_id)
    assert set(decode_cursor(page["next_cursor"])) == {bob.workspace_id}


async def test_a_workspace_of_strangers_in_a_cursor_is_dropped(ana: Person, bob: Person) -> None:
    await rename(ana, ana.workspace_id, "secret")
    cursor = encode_cursor({ana.workspace_id: 0, bob.workspace_id: 2})
    page = await news(bob, cursor)
    assert [change["id"] for change in page["items"]] == [f"{bob.workspace_id}-3"]
    assert decode_cursor(page["next_cursor"]) == {bob.workspace_id: 3}


async def test_strangers_do_not_read_a_journal(ana: Person, bob: Person) -> None:
    for workspace_id in (ana.workspace_id, 9_000_000_000):
        response = await bob.get(f"/workspaces/{workspace_id}/changes", params={"after": 0})
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_viewers_and_read_only_tokens_read_the_journal(ana: Person, bob: Person) -> None:
    workspace_id = await share(ana, bob, role="viewer")
    reader = bob.with_token((await bob.make("/tokens", name="reader", scopes=["read"]))["token"])
    page = await news(reader, path=f"/workspaces/{workspace_id}")
    assert [change["verb"] for change in page["items"]] == [*BIRTH, "member.added"]


async def test_changes_that_are_not_kept_are_gone(ana: Person, database: Database) -> None:
    path = f"/workspaces/{ana.workspace_id}"
    await rename(ana, ana.workspace_id, *"abc")
    await forget(database, ana.workspace_id, up_to=4)
    for after in (0, 3):
        response = await ana.get(f"{path}/changes", params={"after": after})
        problem = response.json()
        assert (response.status_code, problem["code"]) == (410, "gone")
        assert (problem["workspace_ids"], problem["next_cursor"]) == ([ana.workspace_id], "6")
    assert [change["seq"] for change in (await news(ana, "4", path=path))["items"]] == [5, 6]
    assert [change["seq"] for change in (await news(ana, path=path))["items"]] == [5, 6]


async def test_a_journal_of_which_nothing_is_kept_goes_on_from_its_end(
    ana: Person, database: Database
) -> None:
    path = f"/workspaces/{ana.workspace_id}"
    await forget(database, ana.workspace_id, up_to=3)
    assert (await ana.get(f"{path}/changes", params={"after": 2})).status_code == 410
    empty = {"items": [], "count": 0, "next_cursor": "3"}
    assert await news(ana, path=path) == empty
    assert await news(ana, "3", path=path) == empty
    await rename(ana, ana.workspace_id, "a")
    assert [change["seq"] for change in (await news(ana, "3", path=path))["items"]] == [4]


async def test_a_position_in_the_future_is_of_another_history(ana: Person) -> None:
    """As after the server went back to a backup."""
    for after in (4, 2**63 - 1):
        response = await ana.get(f"/workspaces/{ana.workspace_id}/changes", params={"after": after})
        assert (response.status_code, response.json()["next_cursor"]) == (410, "3")
    response = await ana.get("/changes", params={"after": encode_cursor({ana.workspace_id: 4})})
    assert response.status_code == 410


async def test_the_merged_feed_names_what_is_gone_and_how_to_go_on(ana: Person, database: Database) -> None:
    lost, kept, lost_too = await share(ana), await share(ana), await share(ana)
    cursor = encode_cursor({ana.workspace_id: 6, lost: 1, kept: 3, lost_too: 2})
    await rename(ana, kept, "a")
    await forget(database, lost, up_to=2)
    await forget(database, lost_too, up_to=3)
    response = await ana.get("/changes", params={"after": cursor})
    problem = response.json()
    assert response.status_code == 410
    assert problem["workspace_ids"] == [lost, lost_too]
    assert f"{lost}, {lost_too}" in problem["detail"]
    # What is not lost is not skipped.
    page = await news(ana, problem["next_cursor"])
    assert [change["id"] for change in page["items"]] == [f"{kept}-4"]


async def test_a_first_reading_starts_with_what_is_kept(ana: Person, database: Database) -> None:
    workspace_id = await share(ana)
    await forget(database, workspace_id, up_to=2)
    items: list[Any] = []
    cursor = None
    while (page := await news(ana, cursor, 1))["items"]:
        items += page["items"]
        cursor = page["next_cursor"]
    assert [item["seq"] for item in items if item["workspace_id"] == workspace_id] == [3]
    assert len(items) == 5


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 1001}, {"after": -1}, {"after": "x"}, {"after": 2**63}]
)
async def test_what_is_no_position_is_refused(ana: Person, params: dict[str, Any]) -> None:
    response = await ana.get(f"/workspaces/{ana.workspace_id}/changes", params=params)
    assert response.status_code == 422


@pytest.mark.parametrize("after", ["x", "12", "", "djE6MS4", "\x00", "é", "a" * 60_000])
async def test_what_is_no_cursor_is_refused(ana: Person, after: str) -> None:
    response = await ana.get("/changes", params={"after": after})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/after")


async def test_the_feed_takes_the_same_statements_whatever_there_is(
    new_person: MakePerson, database: Database
) -> None:
    ana = await new_person("Ana")
    counts = []
    await news(ana)
    for _ in range(2):
        cursor = (await news(ana))["next_cursor"]
        await rename(ana, ana.workspace_id, *"ab")
        with count_statements(database) as statements:
            await news(ana, cursor)
        counts.append(len(statements))
        for _ in range(3):
            await share(ana)
    assert counts == [3, 3]


async def test_asking_when_there_is_nothing_new_takes_one_statement(ana: Person, database: Database) -> None:
    cursor = (await news(ana))["next_cursor"]
    with count_statements(database) as statements:
        await news(ana, cursor)
    assert len(statements) == 2, "the sign-in and one"


def in_order(items: list[Any]) -> None:
    """Within each workspace: every seq, each behind the one before."""
    reached: dict[int, int] = {}
    for item in items:
        expected = reached.get(item["workspace_id"], item["seq"] - 1) + 1
        assert item["seq"] == expected
        reached[item["workspace_id"]] = expected


async def forget(database: Database, workspace_id: int, up_to: int) -> None:
    async def work(session: Writer) -> None:
        await session.execute(delete(Change).where(Change.workspace_id == workspace_id, Change.seq <= up_to))

    await database.write(work)
