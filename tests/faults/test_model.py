"""Whatever one person does, the server holds what a few dictionaries hold."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, ClassVar, TypeVar

import httpx
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.faults.figures import Figures
from tests.faults.world import Refused, World
from tests.support.contract import hold_to_contract
from tests.support.people import Person, make_person
from tests.support.plain import PLAIN

from dutiful.database.session import Database

SHORT = settings(max_examples=6, stateful_step_count=25, derandomize=True)
LONG = settings(max_examples=60, stateful_step_count=50)
HASTE = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
PATIENCE = 30.0
LISTS: tuple[dict[str, Any], ...] = (
    {"sort": "id", "limit": 7},
    {"sort": "-id", "limit": 3},
    {"sort": "priority", "limit": 4},
    {"sort": "position", "limit": 5},
    {"sort": "-updated_at", "limit": 6},
    {"sort": "due", "limit": 4},
)

T = TypeVar("T")
Act = Callable[[World], object]

picks = st.integers(0, 30)
words = st.sampled_from(["milk", "Äpfel", "日本", "🎉 party", "x" * 500])
labels = st.one_of(picks, st.sampled_from(["home", "Home", "work", "ÄRGER", "ärger"]))
"""One that was made before, or a name."""
dues = st.sampled_from(
    [
        None,
        {"date": "2026-12-01", "time": None, "timezone": None},
        {"date": "2027-03-28", "time": "02:30", "timezone": "Europe/Berlin"},
    ]
)
fields = {
    "title": words,
    "description": st.sampled_from(["", "A *description*", '"\\ \n\t\u2028']),
    "status": st.sampled_from(["open", "done", "cancelled"]),
    "priority": st.sampled_from(["none", "low", "urgent"]),
    "due": dues,
    "labels_add": st.lists(labels, max_size=2),
}
places: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"project_id": st.integers(0, 2)}),
    st.fixed_dictionaries({"parent_id": picks}),
)
anchors = st.one_of(st.fixed_dictionaries({"after": picks}), st.fixed_dictionaries({"before": picks}))
items = st.builds(
    lambda item, place: {**item, **place},
    st.fixed_dictionaries(
        {"title": words}, optional={name: each for name, each in fields.items() if name != "title"}
    ),
    places,
)
patches = st.builds(
    lambda patch, place: {**patch, **place},
    st.fixed_dictionaries(
        {},
        optional={
            **fields,
            "label_ids": st.lists(picks, max_size=2),
            "labels_remove": st.lists(labels, max_size=2),
        },
    ),
    st.one_of(st.just({}), st.just({}), places, st.just({"parent_id": None})),
)
guards = st.sampled_from(["", "", "right", "stale", "weak", "any"])
keyed = st.sampled_from([False, False, True])
operations = st.one_of(
    st.builds(lambda item: {"op": "create", "data": item}, items),
    st.builds(lambda task, patch: {"op": "update", "id": task, "data": patch}, picks, patches),
    st.builds(
        lambda task, target: {"op": "move", "id": task, "data": target}, picks, st.one_of(places, anchors)
    ),
    st.builds(lambda task: {"op": "delete", "id": task}, picks),
)
spoils = st.sampled_from(["", "", "title", "parent", "version", "id"])


class Model(RuleBasedStateMachine):
    """Runs in a thread; what it asks runs on the loop of the tests."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    database: ClassVar[Database]
    client: ClassVar[httpx.AsyncClient]
    steps: ClassVar[int] = 0
    refusals: ClassVar[int] = 0
    undone: ClassVar[int] = 0
    repeated: ClassVar[int] = 0

    @initialize()
    def begin(self) -> None:
        self.person: Person = self.run(make_person(self.database, self.client, "Ana"))
        made = [self.run(self.person.make("/projects", name=name)) for name in ("One", "Two")]
        self.project_ids = [self.person.inbox_id, *(project["id"] for project in made)]
        self.world = World(self.person.inbox_id)
        self.versions: dict[tuple[str, int], int] = {}
        self.step = self.seq = 0
        self.news()
        self.past: list[tuple[str, World]] = []
        """The requests that can be taken back, each by a change it made, with what was before it."""
        self.future: tuple[str, World, list[tuple[str, World]]] | None = None
        """The undo that was just done, what was before it, and the requests that could be taken back then."""
        self.seen: dict[tuple[str, int, int], Any] = {}
        """What a thing was shown as, by its version."""

    def run(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        async def whatever() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(whatever(), self.loop).result(PATIENCE)

    # --- what is done -------------------------------------------------------------------------------------------------

    @rule(item=items, is_plain=st.booleans(), key=keyed)
    def create(self, item: dict[str, Any], is_plain: bool, key: bool) -> None:
        body = self.with_ids(item)
        if is_plain and "labels_add" not in body:
            body |= PLAIN
        self.write("POST", "/tasks", body, lambda world: world.create_task(body), status=201, key=key)

    @rule(pick=picks, patch=patches, method=st.sampled_from(["PATCH", "PUT"]), guard=guards, key=keyed)
    def update(self, pick: int, patch: dict[str, Any], method: str, guard: str, key: bool) -> None:
        task_id, body = self.task(pick), self.with_ids(patch)
        self.write_one(
            method, "task", task_id, "", body, lambda world: world.update_task(task_id, body), guard, key
        )

    @rule(pick=picks, status=st.sampled_from(["done", "open", "cancelled"]), guard=guards)
    def set_status(self, pick: int, status: str, guard: str) -> None:
        task_id, body = self.task(pick), {"status": status}
        self.write_one(
            "PATCH",
            "task",
            task_id,
            "",
            body,
            lambda world: world.update_task(task_id, body),
            guard,
            key=False,
        )

    @rule(pick=picks, to=st.one_of(places, anchors, st.just({"parent_id": None})), guard=guards, key=keyed)
    def move(self, pick: int, to: dict[str, Any], guard: str, key: bool) -> None:
        task_id, body = self.task(pick), self.with_ids(to)
        self.write_one(
            "POST", "task", task_id, "/move", body, lambda world: world.move_task(task_id, body), guard, key
        )

    @rule(kind=st.sampled_from(["task", "task", "label"]), pick=picks, guard=guards, key=keyed)
    def delete(self, kind: str, pick: int, guard: str, key: bool) -> None:
        thing_id = self.pick(kind, pick)

        def act(world: World) -> None:
            world.delete_task(thing_id) if kind == "task" else world.delete_label(thing_id)

        self.write_one("DELETE", kind, thing_id, "", None, act, guard, key, status=204)

    @rule(kind=st.sampled_from(["task", "task", "label"]), pick=picks, guard=guards, key=keyed)
    def restore(self, kind: str, pick: int, guard: str, key: bool) -> None:
        gone = self.world.in_trash(kind)
        thing_id = gone[pick % len(gone)] if gone else self.pick(kind, pick)

        def act(world: World) -> None:
            world.restore_task(thing_id) if kind == "task" else world.restore_label(thing_id)

        self.write_one("POST", kind, thing_id, "/restore", None, act, guard, key)

    @rule(name=st.sampled_from(["home", "HOME", "shop", "ärger"]), key=keyed)
    def create_label(self, name: str, key: bool) -> None:
        self.write(
            "POST", "/labels", {"name": name}, lambda world: world.create_label(name), status=201, key=key
        )

    @rule(pick=picks, name=st.sampled_from(["home", "Shop", "garden"]), guard=guards, key=keyed)
    def rename_label(self, pick: int, name: str, guard: str, key: bool) -> None:
        label_id = self.pick("label", pick)
        self.write_one(
            "PATCH",
            "label",
            label_id,
            "",
            {"name": name},
            lambda world: world.rename_label(label_id, name),
            guard,
            key,
        )

    @rule(batch=st.lists(items, min_size=1, max_size=4), spoil=spoils, at=picks, key=keyed)
    def create_many(self, batch: list[dict[str, Any]], spoil: str, at: int, key: bool) -> None:
        body = list(map(self.with_ids, batch))
        if spoil == "title":
            body[at % len(body)]["title"] = ""
        elif spoil == "parent":
            body[at % len(body)] = {"title": "nowhere", "parent_id": 2**62}
        self.write("POST", "/tasks/batch", body, lambda world: world.create_tasks(body), status=201, key=key)

    @rule(batch=st.lists(operations, min_size=1, max_size=5), spoil=spoils, at=picks, key=keyed)
    def run_batch(self, batch: list[dict[str, Any]], spoil: str, at: int, key: bool) -> None:
        body: list[dict[str, Any]] = []
        refs: list[str] = []
        for number, operation in enumerate(batch):
            done: dict[str, Any] = {"type": "task", **operation}
            if "data" in done:
                done["data"] = self.with_ids(done["data"], refs)
            if done["op"] == "create":
                done["ref"] = f"made-{number}"
                refs.append(done["ref"])
            else:
                done["id"] = self.task_or_ref(done["id"], refs)
            body.append(done)
        _spoil(body[at % len(body)], spoil, self.versions)
        versions = {
            thing_id: version for (kind, thing_id), version in self.versions.items() if kind == "task"
        }
        self.write("POST", "/batch", body, lambda world: world.run_batch(body, versions), key=key)

    @rule(times=st.integers(1, 5), key=keyed)
    def undo(self, times: int, key: bool) -> None:
        """The latest requests that were not taken back yet."""
        for _ in range(min(times, len(self.past))):
            (change_id, then), now, past = self.past[-1], self.world, list(self.past)
            path, wanted = f"/changes/{change_id}/undo", {"request": True}
            answer = self.write("POST", path, wanted, partial(_go_back, then), key=key)
            if not answer.is_success:
                return
            type(self).undone += 1
            self.past = past[:-1]
            self.future = (answer.json()["items"][0]["id"], now, past)
            # A second time there is nothing to take back.
            self.write("POST", path, wanted, _refuse)

    @rule()
    def undo_the_undo(self) -> None:
        if self.future is None:
            return
        change_id, then, past = self.future
        path, wanted = f"/changes/{change_id}/undo", {"request": True}
        if self.write("POST", path, wanted, partial(_go_back, then)).is_success:
            type(self).undone += 1
            self.past, self.future = past, None

    # --- what is true afterwards --------------------------------------------------------------------------------------

    @invariant()
    def lists_have_each_once(self) -> None:
        if not hasattr(self, "world"):
            return
        type(self).steps += 1
        self.step += 1
        params = LISTS[self.step % len(LISTS)]
        found = self.run(self.person.all("/tasks", **params))
        ids = [item["id"] for item in found]
        assert sorted(ids) == sorted(self.world.living("task")), params
        if params["sort"].endswith("id"):
            assert ids == sorted(ids, reverse=params["sort"] == "-id")
        for item in found:
            self.check_task(item)
        self.check_order(found)
        if self.step % 3 == 0:
            self.check_filters()
        shown = {item["id"]: item for item in self.run(self.person.all("/labels", limit=2))}
        assert shown.keys() == set(self.world.living("label"))
        for item in shown.values():
            self.check_label(item)
        in_trash = self.run(self.person.all("/trash", limit=3))
        gone = len(self.world.in_trash("task")) + len(self.world.in_trash("label"))
        assert sum(1 + entry["along"] for entry in in_trash) == gone

    @invariant()
    def each_is_what_it_should_be(self) -> None:
        """One that lives, or one that does not."""
        if not hasattr(self, "world"):
            return
        for kind in ("task", "label"):
            ids = self.world.in_trash(kind) if self.step % 4 == 0 else self.world.living(kind)
            if ids:
                self.check_one(kind, ids[self.step % len(ids)])

    def check_one(self, kind: str, thing_id: int) -> None:
        answer = self.send("GET", f"/{kind}s/{thing_id}")
        if self.world.things(kind)[thing_id].group is not None:
            assert answer.status_code == 404
            return
        assert answer.status_code == 200
        assert answer.headers["ETag"] == f'"{self.versions[kind, thing_id]}"'
        (self.check_task if kind == "task" else self.check_label)(answer.json())

    def check_task(self, item: dict[str, Any]) -> None:
        task = self.world.tasks[item["id"]]
        expected = {
            "workspace_id": self.person.workspace_id,
            "project_id": task.project_id,
            "section_id": None,
            "parent_id": task.parent_id,
            "title": task.title,
            "description": task.description,
            "status": task.status,
            "priority": task.priority,
            "due": task.due,
            "label_ids": sorted(task.label_ids),
            "version": self.versions["task", item["id"]],
            "deleted_at": None,
        }
        assert {name: item[name] for name in expected} == expected
        assert (item["completed_at"] is not None) is (task.status == "done")
        self.check_seen("task", item)

    def check_label(self, item: dict[str, Any]) -> None:
        assert item["name"] == self.world.labels[item["id"]].name
        assert item["version"] == self.versions["label", item["id"]]
        self.check_seen("label", item)

    def check_seen(self, kind: str, item: dict[str, Any]) -> None:
        """A version is never shown in two ways."""
        assert self.seen.setdefault((kind, item["id"], item["version"]), item) == item

    def check_order(self, found: list[dict[str, Any]]) -> None:
        for place, here in self.world.order.items():
            there = sorted(
                (item for item in found if (item["project_id"], item["parent_id"]) == place),
                key=lambda item: item["position"],
            )
            ids = [item["id"] for item in there]
            floating = self.world.floating
            assert [each for each in ids if each not in floating] == [
                each for each in here if each not in floating
            ], place
            self.world.order[place] = ids
        self.world.floating.clear()

    def check_filters(self) -> None:
        tasks = self.world.tasks
        status = ("open", "done", "cancelled")[self.step // 3 % 3]
        wanted = {each for each in self.world.living("task") if tasks[each].status == status}
        assert {item["id"] for item in self.run(self.person.all("/tasks", status=status))} == wanted
        if living := self.world.living("label"):
            label_id = living[self.step % len(living)]
            wanted = {each for each in self.world.living("task") if label_id in tasks[each].label_ids}
            assert {item["id"] for item in self.run(self.person.all("/tasks", label=label_id))} == wanted

    # --- asking -------------------------------------------------------------------------------------------------------

    def write_one(
        self,
        method: str,
        kind: str,
        thing_id: int,
        way: str,
        body: Any,
        act: Act,
        guard: str,
        key: bool,
        status: int = 200,
    ) -> None:
        """Of one thing, which must be there, and in the version that the client believes in."""
        is_there = thing_id in (self.world.in_trash(kind) if way == "/restore" else self.world.living(kind))
        version = self.versions.get((kind, thing_id), 1)
        tags = {
            "right": f'"{version}"',
            "stale": f'"{version + 1}", "0"',
            "weak": f'W/"{version}"',
            "any": "*",
        }

        def checked(world: World) -> None:
            if not is_there:
                raise Refused(404)
            if guard in {"stale", "weak"}:
                raise Refused(412)
            act(world)

        headers = {"If-Match": tags[guard]} if guard else {}
        answer = self.write(
            method, f"/{kind}s/{thing_id}{way}", body, checked, headers, status=status, key=key
        )
        if answer.status_code == 200:
            assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
            assert answer.json()["version"] == self.versions[kind, thing_id]
        elif answer.status_code == 412:
            assert answer.json()["current"]["version"] == version

    def write(
        self,
        method: str,
        path: str,
        body: Any,
        act: Act,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
        key: bool = False,
    ) -> httpx.Response:
        world = self.world.next()
        try:
            act(world)
        except Refused as refused:
            status = refused.status
        headers = {**(headers or {}), **({"Idempotency-Key": str(uuid.uuid4())} if key else {})}
        answer = self.send(method, path, body, headers)
        assert answer.status_code == status, f"{answer.status_code} for {status}: {answer.text}"
        if answer.is_success:
            self.take_in(answer, world)
        else:
            type(self).refusals += 1
            self.news(0)
        if key:
            self.repeat(method, path, body, headers, answer)
        return answer

    def repeat(
        self, method: str, path: str, body: Any, headers: dict[str, str], answer: httpx.Response
    ) -> None:
        """Nothing more comes of it, and the key is good for this alone."""
        type(self).repeated += 1
        again = self.send(method, path, body, headers)
        assert again.status_code == answer.status_code, again.text
        if answer.is_success:
            assert again.headers["Idempotency-Replayed"] == "true"
            assert again.content == answer.content
            for name in ("ETag", "Location", "Dutiful-Cursor"):
                assert again.headers.get(name) == answer.headers.get(name)
            other = self.send("POST", "/tasks", {"title": "another"}, headers)
            assert other.status_code == 422, other.text
        self.news(0)

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        more: dict[str, Any] = {"headers": headers or {}}
        if body is not None:
            more["content"] = json.dumps(body)
            more["headers"] = {**more["headers"], "Content-Type": "application/json"}
        return self.run(self.person.request(method, path, **more))

    def take_in(self, answer: httpx.Response, world: World) -> None:
        changes = self.news()
        told = [(change["verb"], change["entity"], change["entity_id"]) for change in changes]
        assert {change["request_id"] for change in changes} <= {answer.headers["X-Request-Id"]}
        undos = [change["undo_of"] for change in changes]
        if any(undos):
            # The journal tells in its own words what an undo does.
            seqs = [int(undo.split("-")[1]) for undo in undos if undo is not None]
            assert seqs == sorted(seqs, reverse=True)
        else:
            world.give_ids([(kind, thing_id) for verb, kind, thing_id in told if verb.endswith(".created")])
            assert world.differences(told) == {}, (told, world.changes)
        for change in changes:
            key = (change["entity"], change["entity_id"])
            self.versions[key] = self.versions.get(key, 0) + 1
            assert change["version"] == self.versions[key], change
        if changes:
            self.past.append((changes[0]["id"], self.world))
            self.future = None
        self.world = world

    def news(self, count: int | None = None) -> list[dict[str, Any]]:
        """The changes since the last time: so many of them, and without a hole."""
        path = f"/workspaces/{self.person.workspace_id}/changes"
        changes = self.run(self.person.get(path, params={"after": self.seq, "limit": 1000})).json()["items"]
        seqs = [change["seq"] for change in changes]
        assert seqs == list(range(self.seq + 1, self.seq + len(seqs) + 1))
        assert count is None or len(changes) == count, changes
        self.seq += len(seqs)
        return list(changes)

    # --- naming -------------------------------------------------------------------------------------------------------

    def pick(self, kind: str, pick: int) -> int:
        """Mostly one that lives; of those in the trash, and of none, the last."""
        living, gone = self.world.living(kind), self.world.in_trash(kind)
        if pick == 0 or not living:
            return gone[-1] if gone else 2**62
        return living[-pick % len(living)]

    def task(self, pick: int) -> int:
        return self.pick("task", pick)

    def task_or_ref(self, pick: int, refs: list[str]) -> int | str:
        return f"${refs[pick % len(refs)]}" if refs and pick % 3 == 0 else self.task(pick)

    def with_ids(self, body: dict[str, Any], refs: list[str] | None = None) -> dict[str, Any]:
        """With ids for what was picked."""
        done = dict(body)
        if "project_id" in done:
            done["project_id"] = self.project_ids[done["project_id"]]
        for name in ("parent_id", "after", "before"):
            if done.get(name) is not None:
                done[name] = self.task_or_ref(done[name], refs or [])
        for name in ("labels_add", "labels_remove", "label_ids"):
            if name in done:
                done[name] = [
                    each if isinstance(each, str) else self.pick("label", each) for each in done[name]
                ]
        return done


def _go_back(then: World, world: World) -> None:
    world.go_back_to(then)


def _refuse(_: World) -> None:
    raise Refused(409)


def _spoil(operation: dict[str, Any], how: str, versions: dict[tuple[str, int], int]) -> None:
    """Makes one of a batch fail, so that nothing of it happens."""
    task_id = operation.get("id")
    if how == "title" and operation["op"] in {"create", "update"}:
        operation["data"]["title"] = ""
    elif how == "parent" and "data" in operation:
        operation["data"] = {**operation["data"], "parent_id": 2**62}
    elif how == "id" and operation["op"] != "create":
        operation["id"] = 2**62
    elif how == "version" and isinstance(task_id, int):
        operation["version"] = versions.get(("task", task_id), 1) + 1


async def test_the_server_holds_what_the_model_holds(
    app: FastAPI, database: Database, is_long: bool, figures: Figures
) -> None:
    class Here(Model):
        pass

    Here.loop, Here.database = asyncio.get_running_loop(), database
    divergence: BaseException | None = None
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://dutiful.test", event_hooks={"response": [hold_to_contract]}
    ) as Here.client:
        try:
            machine = seed(11)(Here) if is_long else Here
            await asyncio.to_thread(run_state_machine_as_test, machine, settings=_settings(is_long))
        except Exception as error:  # noqa: BLE001 - told as a figure first
            divergence = error
    figures.tell(
        "model",
        steps=Here.steps,
        refused=Here.refusals,
        undone=Here.undone,
        repeated_with_a_key=Here.repeated,
    )
    figures.none("model", divergences=int(divergence is not None))
    if divergence is not None:
        raise divergence
    figures.at_least("model", "steps", Here.steps, 2000 if is_long else 100)
    figures.at_least("model", "undone", Here.undone, 40 if is_long else 4)
    figures.check()


def _settings(is_long: bool) -> settings:
    mine = LONG if is_long else SHORT
    return settings(
        HASTE,
        max_examples=mine.max_examples,
        stateful_step_count=mine.stateful_step_count,
        derandomize=mine.derandomize,
    )
