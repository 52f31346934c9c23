"""A series of due dates: what a rule makes of a first one.

What a task of a series must keep, besides its due date: the `Recurrence`; the `start`, which is the due date of the
series' first task, with the time of day and zone of all of them; and the `occurrence`, the day of the series that this task
stands for, which stays when only this one is moved. Following from these, nothing drifts: neither the day, nor every other
week, nor the count. Changing this one and all following begins a new series: `starting` with the new due date.

An occurrence is a day with the time on the wall in its zone, whatever the clocks do: a time that they skip, or that comes
twice, means what `When.instant` says, and so does a day that a zone left out.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from zoneinfo import ZoneInfo

from dutiful.models.when import When
from dutiful.recurrence.expansion import FURTHEST, days, filled
from dutiful.recurrence.parsing import parse
from dutiful.recurrence.rule import InvalidRule, Rule

_A_DAY = dt.timedelta(days=1)


class Anchor(StrEnum):
    SCHEDULE = "schedule"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """`rrule` is canonical, as `Recurrence.of` makes it from what somebody wrote."""

    rrule: str
    anchor: Anchor = Anchor.SCHEDULE

    @classmethod
    def of(cls, text: str, anchor: Anchor = Anchor.SCHEDULE) -> "Recurrence":
        """Raises `InvalidRule`."""
        return cls(str(parse(text)), anchor)

    @property
    def rule(self) -> Rule:
        return parse(self.rrule)


@dataclass(frozen=True, slots=True)
class Next:
    """The due date of the next task, and the recurrence for it to keep: COUNT of an anchor on completion is one less."""

    due: When
    recurrence: Recurrence


def starting(recurrence: Recurrence, due: When) -> Recurrence:
    """The recurrence for a task to keep that is the first of its series, due then.

    A day at the end of a month that so far only the due date says is written into the rule, for others who read it. Raises
    `InvalidRule` where no occurrence is on or after the due date, or COUNT cannot be reached.
    """
    rule = recurrence.rule
    given = filled(rule, due.date)
    if recurrence.anchor is Anchor.SCHEDULE and given.by_month_day != rule.by_month_day and due.date.day > 28:
        recurrence = replace(recurrence, rrule=str(given))
    if next(occurrences(recurrence, due), None) is None:
        if rule.until is not None and _is_beyond(rule.until, due):
            raise InvalidRule(
                "UNTIL", "is before the first due date. Choose a later end, or an earlier date."
            )
        raise InvalidRule("RRULE", "has no day on or after the first due date. Change one of them.")
    if recurrence.anchor is Anchor.SCHEDULE and rule.count is not None:
        reached = sum(1 for _ in days(rule, due.date))
        if reached < rule.count:
            raise InvalidRule(
                "COUNT", f"{rule.count} reaches too far: use {reached} at most, or UNTIL, or leave it out."
            )
    return recurrence


def occurrences(recurrence: Recurrence, start: When) -> Iterator[When]:
    """The due dates of the series, in order. Those that follow a completion are as if each were done on its day, and
    begin with `start`; those of a schedule begin with the first day on or after it that fits the rule."""
    rule = recurrence.rule
    found = days(rule, start.date) if recurrence.anchor is Anchor.SCHEDULE else _done_in_time(rule, start)
    for day in found:
        due = replace(start, date=day)
        if rule.until is not None and _is_beyond(rule.until, due):
            return
        yield due


def _done_in_time(rule: Rule, start: When) -> Iterator[dt.date]:
    day: dt.date | None = start.date
    left = rule.count
    while day is not None and left != 0:
        yield day
        left = None if left is None else left - 1
        day = next(days(replace(rule, count=None), day, day + _A_DAY), None) if day < FURTHEST else None


def next_due(
    recurrence: Recurrence,
    start: When,
    occurrence: dt.date,
    *,
    completed_at: dt.datetime,
    now: dt.datetime,
    timezone: str,
) -> Next | None:
    """What comes after a completed task of a series; None when the series is over.

    It always lies in the future: its moment after `now`, or, all day, its date after today. Floating and all-day dates are
    read in `timezone`, the person's, zoned ones in their own.

    On a schedule it is the first occurrence after `occurrence` that does, so what was missed meanwhile is passed over,
    and counts. After a completion it is what the rule makes of the day of `completed_at`, which stands for DTSTART; where
    the rule names days, and that was before `occurrence`, the next must be after both, lest it be the same one again.
    """
    clock = ZoneInfo(start.timezone or timezone)
    today = now.astimezone(clock).date()
    rule = recurrence.rule
    if recurrence.anchor is Anchor.SCHEDULE:
        begin, after = start.date, occurrence
    else:
        if rule.count == 1:
            return None
        begin = completed_at.astimezone(clock).date()
        after = begin if rule.is_bare else max(begin, occurrence)
        if rule.count is not None:
            rule = replace(rule, count=rule.count - 1)
            recurrence = replace(recurrence, rrule=str(rule))
            rule = replace(rule, count=None)
    # The clock's day may be one behind a moment that it skipped.
    since = max(after, today - 2 * _A_DAY)
    for day in days(rule, begin, since + _A_DAY):
        due = replace(start, date=day)
        if rule.until is not None and _is_beyond(rule.until, due):
            return None
        if _is_ahead(due, now, today, clock):
            return Next(due, recurrence)
    return None


def _is_ahead(due: When, now: dt.datetime, today: dt.date, clock: ZoneInfo) -> bool:
    moment = When(due.date, due.time, clock.key).instant()
    return due.date > today if moment is None else moment > now


def _is_beyond(until: dt.date | dt.datetime, due: When) -> bool:
    """Whether a due date comes after UNTIL, which is itself included.

    A date is the whole day wherever the due date is. A time compares with the time on the wall; one in UTC with the moment,
    if the due date has one. An all-day due date is compared by the day that is written.
    """
    if not isinstance(until, dt.datetime):
        return due.date > until
    if due.time is None:
        return due.date > until.date()
    moment = due.instant()
    if until.tzinfo is not None and moment is not None:
        return moment > until
    return dt.datetime.combine(due.date, due.time) > until.replace(tzinfo=None)
