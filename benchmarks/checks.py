"""One answer to each kind of work, looked at in full, before anything is measured.

What Dutiful answers must be what the tables hold; the floor and the tutorial way must answer the same JSON.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.load import Line, Plan, Sender, WrongAnswer
from benchmarks.work import BATCH, CHANGES, TASKS, Ground, Work

# Made anew in each database, so they differ.
_OWN = {"id", "uid", "position", "created_at", "updated_at", "created_by"}


class Checker:
    """`references`: the answers of Dutiful by the name of the work; it is checked first."""

    def __init__(self, references: dict[str, Any]) -> None:
        self._references = references

    async def check(self, work: Work, ground: Ground, plan: Plan) -> None:
        sender = Sender(plan, ground.server.port)
        line = plan.lines[0]
        async with sender.client:
            answer = await sender.request(line)
            sender.checked(line, answer)
            if ground.server.candidate.plans:
                # No JSON: what its lines expect is all there is to compare.
                return
            body = answer.json()
            self._compare(work, ground, body)
            await _look_closer(work, ground, sender, line, body)

    def _compare(self, work: Work, ground: Ground, body: Any) -> None:
        if ground.server.candidate.name == "dutiful":
            self._references[work.name] = body
            return
        reference = self._references.get(work.name)
        if reference is None:
            return
        own = _OWN if work.name.startswith(("create", "batch")) else {"updated_at"}
        is_strict = not ground.server.candidate.is_peer
        pairs = zip(_tasks(body), _tasks(reference), strict=True)
        for mine, wanted in pairs:
            _require_same(mine, wanted, own, is_strict=is_strict)


def _tasks(body: Any) -> list[dict[str, Any]]:
    for name in ("items", "results"):
        if name in body:
            return list(body[name])
    return [body] if isinstance(body, dict) else list(body)


def _require_same(
    mine: Mapping[str, Any], wanted: Mapping[str, Any], own: set[str], *, is_strict: bool
) -> None:
    if is_strict and mine.keys() != wanted.keys():
        raise WrongAnswer(f"other fields: {sorted(mine.keys() ^ wanted.keys())}")
    for name in mine.keys() & wanted.keys() - own:
        # Peers write instants in forms of their own.
        is_instant = name.endswith("_at") and not is_strict
        if not is_instant and mine[name] != wanted[name]:
            raise WrongAnswer(f"{name} is {mine[name]!r}, not {wanted[name]!r}")


async def _look_closer(work: Work, ground: Ground, sender: Sender, line: Line, body: Any) -> None:
    if work.name in {"create", "create-keyed", "update"}:
        again = await sender.client.get(
            f"{TASKS}/{body['id']}", headers={"Authorization": f"Bearer {line.token}"} if line.token else {}
        )
        _require_same(again.json(), body, set(), is_strict=not ground.server.candidate.is_peer)
    if work.name == "batch":
        titles = [item["title"] for item in body["items"]]
        _require(titles[0] == line.key and len(set(titles)) == BATCH, "not the thousand tasks that were sent")
    if work.name == "changes":
        seqs = [item["seq"] for item in body["items"]]
        _require(seqs == list(range(seqs[0], seqs[0] + CHANGES)), f"a feed with holes: {seqs}")
    if work.name == "create-keyed":
        await _require_replay(sender, line, body)
    if work.name == "update" and ground.server.candidate.name.startswith("dutiful"):
        late = await sender.request(line)
        _require(late.status_code == 412, f"a stale If-Match gave {late.status_code}")
    if work.name in {"list", "filtered", "page-first", "page-deep", "search"}:
        _require(
            [task["id"] for task in _tasks(body)] == _ids(work, ground, line), "other tasks than in the table"
        )


async def _require_replay(sender: Sender, line: Line, body: Any) -> None:
    sender.keys_used -= 1
    replayed = await sender.request(line)
    _require(
        replayed.json() == body and replayed.headers.get("idempotency-replayed") == "true",
        "the same key gave another answer",
    )


def _ids(work: Work, ground: Ground, line: Line) -> list[int]:
    """What the table says the answer to the line holds."""
    facts = ground.facts
    person = next((one for one in facts.world.people if one.token == line.token), facts.world.people[0])
    match work.name:
        case "list":
            return facts.lists[person.workspace_id]
        case "filtered":
            return facts.filtered[person.workspace_id]
        case "page-first":
            return facts.first_page
        case "page-deep":
            return facts.deep_page
        case _:
            return facts.searches[0].ids


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise WrongAnswer(what)
