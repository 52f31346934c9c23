"""`dutiful undo`, on a real server."""

from typing import Any

from tests.cli.conftest import Dutiful


def run(dutiful: Dutiful, *arguments: object) -> str:
    ran = dutiful(*arguments)
    assert ran.code == 0, ran.err
    return ran.out


def added(dutiful: Dutiful, *title: object) -> Any:
    return dutiful("add", *title, "--json").json


def shown(dutiful: Dutiful, task: Any) -> Any:
    return dutiful("show", task["id"], "--json").json


def latest(dutiful: Dutiful, back: int = 0) -> str:
    change_id: str = dutiful("undo", "--list", "--json").json[back]["change_id"]
    return change_id


def test_it_takes_back_the_latest_and_then_the_one_before(dutiful: Dutiful) -> None:
    task = added(dutiful, "Milk")
    run(dutiful, "edit", task["id"], "--title", "Bread")
    run(dutiful, "done", task["id"])
    assert run(dutiful, "undo") == 'Took back:\n  task "Bread" completed\n'
    assert shown(dutiful, task)["status"] == "open"
    assert run(dutiful, "undo") == 'Took back:\n  task "Milk" updated\n'
    assert run(dutiful, "undo") == 'Took back:\n  task "Milk" created\n'
    assert dutiful("show", task["id"]).code == 1


def test_several_things_are_counted(dutiful: Dutiful) -> None:
    tasks = [added(dutiful, title) for title in ("One", "Two", "Three")]
    ids = [task["id"] for task in tasks]
    run(dutiful, "delete", *ids)
    assert run(dutiful, "undo") == "Took back:\n  3 tasks deleted\n"
    assert [shown(dutiful, task)["deleted_at"] for task in tasks] == [None] * 3


def test_an_undo_can_be_taken_back_by_its_change(dutiful: Dutiful) -> None:
    task = added(dutiful, "Milk")
    run(dutiful, "undo")
    assert run(dutiful, "undo", latest(dutiful)) == 'Took back:\n  task "Milk" deleted\n'
    assert shown(dutiful, task)["deleted_at"] is None


def test_one_change_alone_is_taken_back(dutiful: Dutiful) -> None:
    task = added(dutiful, "Milk", "--label", "only-undo")
    workspace, _, seq = latest(dutiful).partition("-")
    run(dutiful, "undo", f"{workspace}-{int(seq) + 1}", "--only")
    assert dutiful("show", task["id"]).code == 1
    assert "only-undo" in run(dutiful, "labels")


def test_what_was_done_is_listed_newest_first(dutiful: Dutiful) -> None:
    task = added(dutiful, "Listed")
    run(dutiful, "done", task["id"])
    run(dutiful, "undo")
    heading, undoing, done, created = run(dutiful, "undo", "--list", "--limit", 3).splitlines()
    assert heading.split() == ["CHANGE", "WHEN", "WHAT"]
    assert 'task "Listed" reopened' in undoing
    assert undoing.endswith("undo")
    assert 'task "Listed" completed' in done
    assert done.endswith("taken back")
    assert created.endswith('task "Listed" created')


def test_what_is_in_the_way_is_named(dutiful: Dutiful) -> None:
    task = added(dutiful, "Milk")
    created = latest(dutiful)
    run(dutiful, "edit", task["id"], "--title", "Bread")
    ran = dutiful("undo", created)
    assert (ran.code, ran.out) == (1, "")
    assert f"“Bread” was changed since (task.updated, change {latest(dutiful)})" in ran.err


def test_json_is_the_answer_of_the_server(dutiful: Dutiful) -> None:
    added(dutiful, "Milk")
    created = latest(dutiful)
    undone = dutiful("undo", "--json").json
    assert undone["items"][0]["undo_of"] == created
    assert undone["took_back"] == [{"verb": "task.created", "count": 1, "name": "Milk"}]


def test_what_cannot_be_meant_is_a_usage_error(dutiful: Dutiful) -> None:
    for arguments in (["x"], ["1"], ["1-x"], ["--only"], ["--list", "1-2"], ["--limit", "0"]):
        assert dutiful("undo", *arguments).code == 2, arguments


def test_without_a_token_it_says_how_to_get_one(dutiful: Dutiful) -> None:
    assert dutiful("undo", "--server", "http://127.0.0.1:9").code == 4
