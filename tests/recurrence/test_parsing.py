import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.recurring import rules

from dutiful.recurrence import InvalidRule, Rule, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("RRULE:FREQ=DAILY", "FREQ=DAILY"),
        ("freq=weekly;byday=fr,mo", "FREQ=WEEKLY;BYDAY=MO,FR"),
        ("FREQ=WEEKLY;INTERVAL=1;BYDAY=MO;", "FREQ=WEEKLY;BYDAY=MO"),
        ("BYMONTHDAY=31,1,31;FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=1,31"),
        ("FREQ=MONTHLY;BYDAY=+1MO,-1FR", "FREQ=MONTHLY;BYDAY=1MO,-1FR"),
        ("FREQ=WEEKLY;WKST=MO", "FREQ=WEEKLY"),
        ("FREQ=WEEKLY;WKST=SU;INTERVAL=02", "FREQ=WEEKLY;INTERVAL=2;WKST=SU"),
        ("UNTIL=20271201;FREQ=DAILY", "FREQ=DAILY;UNTIL=20271201"),
        ("FREQ=DAILY;UNTIL=20271201T170000Z", "FREQ=DAILY;UNTIL=20271201T170000Z"),
        ("FREQ=DAILY;UNTIL=20271201T170000", "FREQ=DAILY;UNTIL=20271201T170000"),
        ("FREQ=DAILY;UNTIL=20271231T235960Z", "FREQ=DAILY;UNTIL=20271231T235959Z"),
        ("FREQ=DAILY;UNTIL=00210101T000000", "FREQ=DAILY;UNTIL=00210101T000000"),
        ("  FREQ=DAILY;COUNT=3\r\n", "FREQ=DAILY;COUNT=3"),
    ],
)
def test_a_rule_has_one_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@given(rules())
def test_the_text_of_a_rule_says_all_of_it(rule: Rule) -> None:
    assert parse(str(rule)) == rule
    assert str(parse(str(rule).lower())) == str(rule)


def test_until_is_a_day_a_time_or_a_moment() -> None:
    def until(value: str) -> object:
        return parse(f"FREQ=DAILY;UNTIL={value}").until

    assert until("20271201") == dt.date(2027, 12, 1)
    assert until("20271201T170000") == dt.datetime(2027, 12, 1, 17)  # noqa: DTZ001 - a local time
    assert until("20271201T170000Z") == dt.datetime(2027, 12, 1, 17, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "part", "detail"),
    [
        ("", "RRULE", "must be NAME=VALUE, such as FREQ=MONTHLY;BYMONTHDAY=31."),
        ("FREQ", "FREQ", "must be NAME=VALUE"),
        ("FREQ=", "FREQ", "must be NAME=VALUE"),
        ("FREQ=DAILY;;COUNT=1", "RRULE", "must be NAME=VALUE"),
        ("INTERVAL=2", "FREQ", "is missing. Say how often, such as FREQ=WEEKLY."),
        ("FREQ=DAILY;" * 50, "RRULE", "is longer than 500 characters. Name fewer days."),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ", "is given twice."),
        ("FREQ=DAILY;BYMONTDAY=1", "BYMONTDAY", "is no part of a rule. Did you mean BYMONTHDAY?"),
        ("FREQ=DAILY;FOO=1", "FOO", "is no part of a rule. There are FREQ, INTERVAL,"),
        ("FREQ=DAILY;" + "Z" * 60 + "=1", "Z" * 20 + "…", "is no part of a rule."),
        ("FREQ=HOURLY", "FREQ", "HOURLY is too often: a task repeats by the day."),
        ("FREQ=MINUTELY", "FREQ", "MINUTELY is too often"),
        ("FREQ=SECONDLY", "FREQ", "SECONDLY is too often"),
        ("FREQ=FORTNIGHTLY", "FREQ", "FORTNIGHTLY is none of DAILY, WEEKLY, MONTHLY, YEARLY."),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL", "0 must be a number from 1 to 999."),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL", "-1 must be a number from 1 to 999."),
        ("FREQ=DAILY;INTERVAL=1000", "INTERVAL", "1000 must be a number from 1 to 999."),
        ("FREQ=DAILY;INTERVAL=99999999999", "INTERVAL", "99999999999 is no whole number."),
        ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL", "1.5 is no whole number."),
        ("FREQ=DAILY;INTERVAL=٣", "INTERVAL", "٣ is no whole number."),
        ("FREQ=DAILY;COUNT=0", "COUNT", "0 must be a number from 1 to 999."),
        ("FREQ=DAILY;COUNT=1000", "COUNT", "1000 must be a number from 1 to 999."),
        ("FREQ=DAILY;COUNT=2;UNTIL=20271201", "COUNT", "cannot stand beside UNTIL. Keep one of them."),
        ("FREQ=DAILY;UNTIL=2027-12-01", "UNTIL", "2027-12-01 must be a date such as 20271201"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL", "20270230 must be a date"),
        ("FREQ=DAILY;UNTIL=20271201T250000Z", "UNTIL", "must be a date"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY", "0 is not in 1 to 31 or -31 to -1."),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY", "32 is not in 1 to 31 or -31 to -1."),
        ("FREQ=MONTHLY;BYMONTHDAY=1,,2", "BYMONTHDAY", "nothing is no whole number."),
        ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH", "-1 is not in 1 to 12."),
        ("FREQ=YEARLY;BYMONTH=5L", "BYMONTH", "5L is no whole number."),
        ("FREQ=YEARLY;BYWEEKNO=54", "BYWEEKNO", "54 is not in"),
        ("FREQ=YEARLY;BYYEARDAY=367", "BYYEARDAY", "367 is not in"),
        ("FREQ=YEARLY;BYYEARDAY=" + ",".join(map(str, range(1, 55))), "BYYEARDAY", "has more than 53 values."),
        ("FREQ=WEEKLY;BYDAY=MON", "BYDAY", "MON is no weekday such as MO, 2TU or -1FR."),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY", "0MO must be numbered from 1 to 53 or -53 to -1."),
        ("FREQ=MONTHLY;BYDAY=54MO", "BYDAY", "54MO must be numbered"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY", "numbers weekdays, which needs FREQ=MONTHLY or FREQ=YEARLY."),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "BYDAY", "numbers weekdays, but beside BYWEEKNO"),
        ("FREQ=WEEKLY;WKST=1", "WKST", "1 is none of MO, TU,"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO", "needs FREQ=YEARLY"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY", "needs FREQ=YEARLY. For days of a month use BYMONTHDAY."),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY", "cannot be used with FREQ=WEEKLY. Use FREQ=MONTHLY."),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS", "picks among the days of another BY part."),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR", "cannot be used: the time of day is that of the due date."),
        ("FREQ=DAILY;BYMINUTE=9", "BYMINUTE", "cannot be used"),
        ("FREQ=DAILY;BYSECOND=9", "BYSECOND", "cannot be used"),
        ("RSCALE=GREGORIAN;FREQ=DAILY", "RSCALE", "cannot be used: days count as in the Gregorian calendar"),
        ("FREQ=MONTHLY;SKIP=OMIT", "SKIP", "cannot be used"),
        ("FREQ=DAILY;X-MINE=1", "X-MINE", "is a private extension"),
        ("DTSTART=20270101;FREQ=DAILY", "DTSTART", "is no part of the rule: the due date says when it begins."),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "BYMONTHDAY", "30 is a day that none of the months has."),
        ("FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=1,31", "BYMONTHDAY", "31 is a day that none of the months has."),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-30", "RRULE", "no day was found that fits all its BY parts."),
        ("FREQ=MONTHLY;BYDAY=6MO", "RRULE", "no day was found"),
    ],
)  # fmt: skip
def test_an_error_names_the_part_and_what_to_do(text: str, part: str, detail: str) -> None:
    with pytest.raises(InvalidRule) as raised:
        parse(text)
    assert raised.value.part == part
    assert detail in raised.value.detail
    assert str(raised.value) == f"{part}: {raised.value.detail}"


@given(
    st.text(st.sampled_from("FREQ=DAILYMONTHWEEKBYSETPOS;,:+-0123456789TZ é\0\n"), max_size=60) | st.text()
)
def test_any_other_text_is_refused_in_one_way(text: str) -> None:
    try:
        parse(text)
    except InvalidRule as error:
        refused = error
    else:
        return
    assert len(refused.part) <= 21
    assert refused.detail
