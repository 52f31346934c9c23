"""Tasks that repeat. One of a series is open; when it is done, the next is made in the same transaction.

The task keeps in `recurrence` what the next follows from (see `recurrence.series`), and once it is done the id of the next.
While that lives, or a later one of the series, no other is made, however often it is done again.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dutiful import clock, ordering, quickadd, trash
from dutiful.access import Actor
from dutiful.changes import journal
from dutiful.database.session import Writer
from dutiful.database.types import JsonObject
from dutiful.errors import Conflict, invalid
from dutiful.models import Priority, Status, Task, When
from dutiful.models.journaled import as_json
from dutiful.models.task import new_uid
from dutiful.recurrence import Anchor, InvalidRule, Recurrence, next_due, occurrences, starting
from dutiful.tasks import queries
from dutiful.tasks.at_hand import AtHand
from dutiful.tasks.place import Place
from dutiful.tasks.schemas import Following, RecurrenceAsked, RecurrenceFields, RecurrencePatch, TaskPatch
from dutiful.tasks.series import Kept, shown

_OF_THIS_ONE = ("title", "description", "priority", "start")
"""What can be changed for one of a series alone, besides its due date."""


# --- changing ---------------------------------------------------------------------------------------------------------


def begin(task: Task, wanted: RecurrenceFields, timezone: str) -> None:
    """Makes `task` the first of a series, due when it is or else on the first day that fits. Raises Invalid."""
    _begin(task, _recurrence(wanted, None), timezone, {})


def _begin(task: Task, recurrence: Recurrence, timezone: str, usual: JsonObject) -> None:
    today = clock.now().astimezone(ZoneInfo(timezone)).date()
    try:
        if task.due is None:
            task.due = next(occurrences(recurrence, When(today)), None)
        if task.due is None:
            raise invalid("/recurrence/rrule", "has no day from today on")
        recurrence = starting(recurrence, task.due)
    except InvalidRule as error:
        raise invalid("/recurrence/rrule", str(error)) from error
    task.recurrence = Kept(recurrence, task.due, task.due.date, usual=usual).as_json()
    task.series_id = uuid.uuid4()


def _recurrence(wanted: RecurrenceFields | RecurrencePatch, kept: Kept | None) -> Recurrence:
    if wanted.rrule is None and kept is None:
        raise invalid("/recurrence/rrule", "is needed: the task does not repeat yet")
    anchor = wanted.anchor or (kept.recurrence.anchor if kept else Anchor.SCHEDULE)
    try:
        return Recurrence.of(wanted.rrule or (kept.recurrence.rrule if kept else ""), anchor)
    except InvalidRule as error:
        raise invalid("/recurrence/rrule", str(error)) from error


async def change(session: Writer, task: Task, patch: TaskPatch, before: JsonObject, timezone: str) -> None:
    """What `patch`, which was applied already, means for the series of `task`."""
    kept = Kept.of(task)
    if "recurrence" not in patch.model_fields_set:
        if kept is not None:
            _change_fields(task, kept, patch, before)
        elif patch.apply_to is not None:
            raise invalid("/apply_to", "is for tasks that repeat; leave it out")
        return
    wanted = None if patch.recurrence is None else _recurrence(patch.recurrence, kept)
    is_due_as_before = as_json(task.due) == before["due"]
    if kept is not None and wanted == kept.recurrence and is_due_as_before:
        _change_fields(task, kept, patch, before)
    else:
        await _change_rule(session, task, kept, patch, before, timezone)


async def _change_rule(
    session: Writer, task: Task, kept: Kept | None, patch: TaskPatch, before: JsonObject, timezone: str
) -> None:
    next_id = None if kept is None else await queries.find_next(session, task)
    if next_id is not None:
        raise invalid("/recurrence", f"belongs to the next of the series by now: change task {next_id}")
    if patch.recurrence is None:
        task.recurrence = None
        return
    # A new series begins with the dates that this one has.
    usual = _usual({} if kept is None else kept.usual, patch, before)
    usual.pop("start", None)
    if kept is not None and patch.recurrence.rrule is None:
        kept = replace(kept, recurrence=_rest(kept))
    _begin(task, _recurrence(patch.recurrence, kept), timezone, usual)


def _change_fields(task: Task, kept: Kept, patch: TaskPatch, before: JsonObject) -> None:
    kept = replace(kept, usual=_usual(kept.usual, patch, before))
    if "due" in patch.model_fields_set:
        if task.due is None:
            raise invalid(
                "/due", "is needed by a task that repeats; send “recurrence”: null as well to end its series"
            )
        if patch.apply_to is Following.FOLLOWING:
            kept = _starting_again(kept, task.due)
    task.recurrence = kept.as_json()


def _usual(usual: JsonObject, patch: TaskPatch, before: JsonObject) -> JsonObject:
    """What the next ones have of what was, and now is, changed for this one alone."""
    usual = dict(usual)
    for name in patch.model_fields_set.intersection(_OF_THIS_ONE):
        if (patch.apply_to or _usually(name)) is Following.THIS:
            usual.setdefault(name, before[name])
        else:
            usual.pop(name, None)
    return usual


def _starting_again(kept: Kept, due: When) -> Kept:
    try:
        recurrence = starting(_rest(kept), due)
    except InvalidRule as error:
        raise invalid("/due/date", f"does not go with the recurrence. {error}") from error
    return replace(kept, recurrence=recurrence, start=due, occurrence=due.date)


def _rest(kept: Kept) -> Recurrence:
    """The recurrence for a new series to take over: COUNT of a schedule without those before this one."""
    rule = kept.recurrence.rule
    if rule.count is None or kept.recurrence.anchor is Anchor.COMPLETION:
        return kept.recurrence
    passed = sum(when.date < kept.occurrence for when in occurrences(kept.recurrence, kept.start))
    return replace(kept.recurrence, rrule=str(replace(rule, count=rule.count - passed)))


def _usually(name: str) -> Following:
    """Who moves a date means this one, who mends a title all that come."""
    return Following.THIS if name == "start" else Following.FOLLOWING


def preview(asked: RecurrenceAsked, actor: Actor) -> JsonObject:
    """The rule, its sentence, and its first dates. Raises Invalid."""
    here = clock.now().astimezone(ZoneInfo(actor.timezone)).replace(tzinfo=None)
    due = None if asked.due is None else asked.due.when()
    try:
        if asked.rrule is not None:
            recurrence = Recurrence.of(asked.rrule, asked.anchor or Anchor.SCHEDULE)
        else:
            said = quickadd.parse_when(asked.text or "", here)
            if said is None or said.recurrence is None:
                raise invalid("/text", "is not understood as a repetition; write for example “every 2 weeks”")
            recurrence = replace(said.recurrence, anchor=asked.anchor or said.recurrence.anchor)
            due = due or said.due
        if due is None:
            due = next(occurrences(recurrence, When(here.date())), When(here.date()))
        recurrence = starting(recurrence, due)
    except InvalidRule as error:
        raise invalid("/rrule" if asked.rrule is not None else "/text", str(error)) from error
    dates = islice(occurrences(recurrence, due), asked.count)
    return {**(shown(recurrence) or {}), "items": [when.as_json() for when in dates]}


# --- going on ---------------------------------------------------------------------------------------------------------


async def go_on(
    session: Writer, actor: Actor, task: Task, before: JsonObject, at_hand: AtHand | None
) -> None:
    """Makes the next when `task` was done since it was in the state `before`; takes it back when `task` was opened
    again, if nobody has touched it."""
    kept = Kept.of(task)
    if kept is None or task.status == before["status"]:
        return
    if task.status is Status.DONE:
        following = _next(kept, actor, completed_at=task.completed_at or clock.now())
        if following is not None and await queries.find_next(session, task) is None:
            made = await _make_next(session, actor, task, kept, following, at_hand)
            task.recurrence = replace(kept, next_id=made.id).as_json()
    elif (
        before["status"] == Status.DONE
        and kept.next_id is not None
        and await _discard_untouched(session, actor, kept.next_id)
    ):
        task.recurrence = replace(kept, next_id=None).as_json()


async def skip(session: Writer, actor: Actor, task: Task) -> None:
    """Puts this one off to the next date of its series."""
    kept = Kept.of(task)
    if kept is None:
        raise Conflict(
            "The task does not repeat, so there is nothing to skip to. Move its date instead.",
            code="no_series",
        )
    if task.status is not Status.OPEN:
        raise Conflict("Only an open task can be skipped; this one is closed.", code="not_open")
    next_id = await queries.find_next(session, task)
    if next_id is not None:
        raise Conflict(f"The next of the series is there already: skip task {next_id}.", code="has_next")
    following = _next(kept, actor, completed_at=clock.now())
    if following is None:
        raise Conflict(
            "It is the last of its series. Complete, cancel or delete it instead.", code="last_of_series"
        )
    fields = _fields(task, kept, following)
    for name in (*_OF_THIS_ONE, "due"):
        setattr(task, name, fields[name])
    task.recurrence = following.as_json()


def _next(kept: Kept, actor: Actor, *, completed_at: dt.datetime) -> Kept | None:
    """What the next task keeps; it is due on its occurrence."""
    found = next_due(
        kept.recurrence,
        kept.start,
        kept.occurrence,
        completed_at=completed_at,
        now=clock.now(),
        timezone=actor.timezone,
    )
    return None if found is None else Kept(found.recurrence, kept.start, found.due.date)


def _fields(task: Task, kept: Kept, following: Kept) -> dict[str, Any]:
    """Of the next: its due date, and as it usually is what can be changed for one alone."""
    usual = {name: _USUAL[name](value) for name, value in kept.usual.items()}
    fields = {name: usual.get(name, getattr(task, name)) for name in _OF_THIS_ONE}
    days = following.occurrence - kept.occurrence
    fields["start"] = _moved(fields["start"], days)
    fields["due"] = replace(kept.start, date=following.occurrence)
    return fields


async def _make_next(
    session: Writer, actor: Actor, task: Task, kept: Kept, following: Kept, at_hand: AtHand | None
) -> Task:
    # What this transaction moved before must be there to be read.
    await session.flush()
    below = [one for one in await queries.descendants(session, task) if _goes_along(one)]
    place = Place.of(task)
    made = _copy(actor, task, place, **_fields(task, kept, following), series_id=task.series_id)
    made.recurrence = following.as_json()
    if at_hand is not None:
        at_hand.forget_list(place)
    await ordering.place(session, actor, made, queries.siblings(place), after=task.id, half_changed=task)
    session.add(made)
    await session.flush()
    journal.record(session, actor, "task.created", made, None)
    days = following.occurrence - kept.occurrence
    copies = await _copy_below(session, actor, below, {task.id: made}, days)
    if at_hand is not None:
        at_hand.add_made([made, *copies])
    return made


async def _copy_below(
    session: Writer,
    actor: Actor,
    below: Sequence[Task],
    parents: Mapping[int, Task],
    days: dt.timedelta,
) -> list[Task]:
    """The subtasks of those that `parents` are the copies of. A level at a time, since a copy needs the id of its parent."""
    copies = {
        one.id: _copy_subtask(actor, one, Place(parent.project_id, parent.section_id, parent.id), days)
        for one in below
        if (parent := parents.get(one.parent_id or 0)) is not None
    }
    if not copies:
        return []
    session.add_all(copies.values())
    await session.flush()
    for copy in copies.values():
        journal.record(session, actor, "task.created", copy, None)
    return [*copies.values(), *await _copy_below(session, actor, below, copies, days)]


def _goes_along(subtask: Task) -> bool:
    """Of those that repeat by themselves the last is enough."""
    kept = Kept.of(subtask)
    is_over = subtask.status is Status.CANCELLED or (kept is not None and kept.next_id is not None)
    return subtask.deleted_at is None and not is_over


def _copy_subtask(actor: Actor, task: Task, place: Place, days: dt.timedelta) -> Task:
    if task.recurrence is not None:
        # It has a rhythm of its own, and goes on with it.
        own = {"series_id": uuid.uuid4(), "recurrence": task.recurrence, "start": task.start, "due": task.due}
    else:
        own = {"start": _moved(task.start, days), "due": _moved(task.due, days)}
    return _copy(actor, task, place, position=task.position, **own)


def _copy(actor: Actor, task: Task, place: Place, **fields: Any) -> Task:
    """Open, with the fields of `task` that are not given."""
    now = clock.now()
    same = {
        name: getattr(task, name) for name in ("title", "description", "priority", "label_ids", "assignee_id")
    }
    return Task(
        **{
            "workspace_id": task.workspace_id,
            "project_id": place.project_id,
            "section_id": place.section_id,
            "parent_id": place.parent_id,
            "status": Status.OPEN,
            "uid": new_uid(),
            "created_by": actor.user_id,
            "created_at": now,
            "updated_at": now,
            **same,
            **fields,
        }
    )


async def _discard_untouched(session: Writer, actor: Actor, task_id: int) -> bool:
    """Into the trash with what was made and is as it was; False if it is gone, or somebody worked on it."""
    await session.flush()
    task = await session.get(Task, task_id)
    if task is None or task.deleted_at is not None:
        return False
    group = [task, *await queries.descendants(session, task)]
    made = await queries.creations(session, task.workspace_id, [one.id for one in group])
    # What another request made was put there by somebody.
    if len({change.request_id for change in made}) > 1:
        return False
    as_made = {change.entity_id: _content(change.after or {}) for change in made}
    if any(as_made.get(one.id) != _content(one.state()) for one in group):
        return False
    trash.discard(session, actor, group)
    return True


def _content(state: JsonObject) -> JsonObject:
    """Without its place among its neighbours, which they may change too."""
    return {name: value for name, value in state.items() if name != "position"}


def _moved(when: When | None, days: dt.timedelta) -> When | None:
    if when is None:
        return None
    try:
        return replace(when, date=when.date + days)
    except OverflowError:
        # There is no later date to have.
        return when


def _when(value: JsonObject | None) -> When | None:
    return None if value is None else When.from_json(value)


_USUAL: Mapping[str, Any] = {"title": str, "description": str, "priority": Priority, "start": _when}
