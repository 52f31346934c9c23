import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.recurring import rules

from dutiful.recurrence import Anchor, Recurrence, Rule, in_words


@pytest.mark.parametrize(
    ("rrule", "words"),
    [
        ("FREQ=DAILY", "every day"),
        ("FREQ=DAILY;INTERVAL=3", "every 3 days"),
        ("FREQ=DAILY;BYMONTH=1", "every day in January"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
        ("FREQ=DAILY;BYMONTHDAY=1", "every 1st"),
        ("FREQ=WEEKLY", "every week"),
        ("FREQ=WEEKLY;INTERVAL=2", "every 2 weeks"),
        ("FREQ=WEEKLY;BYDAY=MO", "every Monday"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR", "every Monday, Wednesday and Friday"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
        ("FREQ=WEEKLY;BYDAY=SA,SU", "every weekend day"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", "every day"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "every 2 weeks on Monday and Friday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU", "every 2 weeks on Monday, in weeks that start on Sunday"),
        ("FREQ=WEEKLY;BYDAY=MO;BYMONTH=6,7,8", "every Monday in June, July and August"),
        ("FREQ=MONTHLY", "every month"),
        ("FREQ=MONTHLY;BYMONTHDAY=1", "every 1st"),
        ("FREQ=MONTHLY;BYMONTHDAY=2,13,22", "every 2nd, 13th and 22nd"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "every 31st (the last day of shorter months)"),
        ("FREQ=MONTHLY;BYMONTHDAY=28", "every 28th"),
        ("FREQ=MONTHLY;BYMONTH=1,3;BYMONTHDAY=31", "every 31st in January and March"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every last day of the month"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", "every second to last day of the month"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1,15", "every month on the 15th and last day"),
        ("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=30", "every 2 months on the 30th (the last day of shorter months)"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every last Friday of the month"),
        ("FREQ=MONTHLY;BYDAY=2TU", "every second Tuesday of the month"),
        ("FREQ=MONTHLY;BYDAY=1MO,3MO", "every first Monday and third Monday of the month"),
        ("FREQ=MONTHLY;INTERVAL=3;BYDAY=2TU", "every 3 months on the second Tuesday"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "every month on Friday if it is the 13th"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "every last weekday of the month"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=15", "every 15th weekday of the month"),
        ("FREQ=MONTHLY;BYDAY=TU,TH;BYSETPOS=1,-2", "every month on Tuesday and Thursday, only the second to last and 1st of these days"),
        ("FREQ=YEARLY", "every year"),
        ("FREQ=YEARLY;BYMONTH=6", "every year in June"),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24,31", "every year on 24 and 31 December"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "every year on 29 February (the 28th when it has no more days)"),
        ("FREQ=YEARLY;BYMONTH=2,3;BYMONTHDAY=30", "every year in February and March on the 30th (the last day of shorter months)"),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "every year on the fourth Thursday of November"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "every Thursday in March"),
        ("FREQ=YEARLY;BYDAY=20MO", "every year on the 20th Monday"),
        ("FREQ=YEARLY;BYWEEKNO=1,20;BYDAY=MO", "every year in the 1st and 20th weeks on Monday"),
        ("FREQ=YEARLY;BYYEARDAY=-1,100", "every year on the last and 100th day of the year"),
        ("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "every first weekday of the year"),
        ("FREQ=DAILY;UNTIL=20271201", "every day, until 1 Dec 2027"),
        ("FREQ=DAILY;UNTIL=20271201T170000", "every day, until 1 Dec 2027 17:00"),
        ("FREQ=DAILY;UNTIL=20271201T170000Z", "every day, until 1 Dec 2027 17:00 UTC"),
        ("FREQ=DAILY;COUNT=10", "every day, 10 times"),
        ("FREQ=DAILY;COUNT=1", "every day, once"),
    ],
)  # fmt: skip
def test_a_schedule_in_words(rrule: str, words: str) -> None:
    assert in_words(Recurrence.of(rrule)) == words


@pytest.mark.parametrize(
    ("rrule", "words"),
    [
        ("FREQ=DAILY", "1 day after it is done"),
        ("FREQ=DAILY;INTERVAL=3", "3 days after it is done"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=5", "2 months after it is done, 5 times"),
        ("FREQ=DAILY;INTERVAL=3;BYMONTH=6,7", "3 days after it is done in June and July"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every last Friday of the month, counted from when it is done"),
    ],
)
def test_what_follows_a_completion_in_words(rrule: str, words: str) -> None:
    assert in_words(Recurrence.of(rrule, Anchor.COMPLETION)) == words


@given(rules(), st.sampled_from(Anchor))
def test_every_rule_has_words(rule: Rule, anchor: Anchor) -> None:
    words = in_words(Recurrence(str(rule), anchor))
    assert words[0].islower() or words[0].isdigit()
    assert "  " not in words
    assert "None" not in words
