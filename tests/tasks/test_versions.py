"""ETag, If-Match and If-None-Match."""

from typing import Any

import pytest
from tests.support.people import Person
from tests.support.problems import problem


async def make_at_version_3(person: Person) -> dict[str, Any]:
    task = await person.make("/tasks", title="1")
    await person.patch(f"/tasks/{task['id']}", {"title": "2"})
    response = await person.patch(f"/tasks/{task['id']}", {"title": "3"})
    body: dict[str, Any] = response.json()
    assert response.headers["etag"] == '"3"'
    return body


async def write_each_way(person: Person, task_id: int, if_match: str) -> list[Any]:
    """The answers of every write that takes If-Match, the last one deletes."""
    headers = {"If-Match": if_match}
    return [
        await person.patch(f"/tasks/{task_id}", {"title": "new"}, headers=headers),
        await person.put(f"/tasks/{task_id}", {"title": "new"}, headers=headers),
        await person.post(f"/tasks/{task_id}/move", {"parent_id": None}, headers=headers),
        await person.delete(f"/tasks/{task_id}", headers=headers),
    ]


@pytest.mark.parametrize(
    "if_match",
    [
        '"2"',
        '"4"',
        'W/"3"',
        'W/"3", W/"4"',
        '"1", "2"',
        "3",
        '"abc"',
        '"99999999999999999999"',
        "",
        '"',
        '"3',
    ],
)
async def test_a_version_that_is_not_the_current_one_is_412_with_the_current_task(
    ana: Person, if_match: str
) -> None:
    task = await make_at_version_3(ana)
    for response in await write_each_way(ana, task["id"], if_match):
        document = problem(response, 412, "stale_version")
        assert document["current"] == task
        assert response.headers["etag"] == '"3"'
    assert (await ana.get(f"/tasks/{task['id']}")).json() == task


@pytest.mark.parametrize("if_match", ['"3"', "*", ' "3" ', '"2", "3"', '"3","7"', 'W/"1", "3"'])
async def test_the_current_version_lets_a_write_through(ana: Person, if_match: str) -> None:
    task = await make_at_version_3(ana)
    response = await ana.patch(f"/tasks/{task['id']}", {"title": "new"}, headers={"If-Match": if_match})
    assert (response.status_code, response.headers["etag"]) == (200, '"4"')


async def test_a_deletion_goes_through_with_the_current_version(ana: Person) -> None:
    task = await make_at_version_3(ana)
    assert (await ana.delete(f"/tasks/{task['id']}", headers={"If-Match": '"3"'})).status_code == 204


async def test_a_star_does_not_make_what_is_not_there(ana: Person) -> None:
    headers = {"If-Match": "*"}
    problem(await ana.patch(f"/tasks/{2**62}", {"title": "x"}, headers=headers), 404, "not_found")


@pytest.mark.parametrize("if_none_match", ['"3"', 'W/"3"', "*", '"1", "3"'])
async def test_what_is_known_already_is_not_sent_again(ana: Person, if_none_match: str) -> None:
    task = await make_at_version_3(ana)
    response = await ana.get(f"/tasks/{task['id']}", headers={"If-None-Match": if_none_match})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", '"3"')


@pytest.mark.parametrize("if_none_match", ['"2"', "3", "", '"33"'])
async def test_what_is_not_known_is_sent(ana: Person, if_none_match: str) -> None:
    task = await make_at_version_3(ana)
    response = await ana.get(f"/tasks/{task['id']}", headers={"If-None-Match": if_none_match})
    assert (response.status_code, response.json()) == (200, task)


async def test_what_others_may_not_see_is_404_whatever_the_tag(ana: Person, bob: Person) -> None:
    task = await make_at_version_3(ana)
    for header in ("If-None-Match", "If-Match"):
        problem(await bob.get(f"/tasks/{task['id']}", headers={header: "*"}), 404, "not_found")
        problem(await bob.delete(f"/tasks/{task['id']}", headers={header: '"1"'}), 404, "not_found")
