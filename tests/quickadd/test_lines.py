"""Lines as people type them, and what becomes of each: read at two in the afternoon of Wednesday, 25 November 2026."""

import datetime as dt

import pytest

from dutiful.quickadd import QuickTask, parse

NOW = dt.datetime(2026, 11, 25, 14, 0)  # noqa: DTZ001 - the time on the wall

# The line, its title, when it is due, the rule. What is not understood stays in the title and has no due date.
DATES = """
Buy milk today | Buy milk | 2026-11-25
Buy milk tod | Buy milk | 2026-11-25
Buy milk tmr | Buy milk | 2026-11-26
Buy milk tomorrow at 17:00 | Buy milk | 2026-11-26 17:00
Buy milk tomorrow 5 pm | Buy milk | 2026-11-26 17:00
Buy milk tomorrow at 5 | Buy milk | 2026-11-26 17:00
Buy milk tomorrow at 05:00 | Buy milk | 2026-11-26 05:00
Buy milk tomorrow at 5:30 | Buy milk | 2026-11-26 17:30
Buy milk tomorrow at 9 | Buy milk | 2026-11-26 09:00
Buy milk at 9am | Buy milk | 2026-11-26 09:00
Buy milk 5pm | Buy milk | 2026-11-25 17:00
Buy milk at 5 p.m. | Buy milk | 2026-11-25 17:00
Buy milk at 15:30 | Buy milk | 2026-11-25 15:30
Buy milk 8:15pm | Buy milk | 2026-11-25 20:15
Buy milk at noon | Buy milk | 2026-11-26 12:00
Buy milk at midnight | Buy milk | 2026-11-26 00:00
Buy milk this evening | Buy milk | 2026-11-25 19:00
Buy milk tomorrow evening | Buy milk | 2026-11-26 19:00
Buy milk tomorrow evening at 8 | Buy milk | 2026-11-26 20:00
Buy milk in the morning | Buy milk | 2026-11-26 09:00
Buy milk friday | Buy milk | 2026-11-27
Buy milk wednesday | Buy milk | 2026-12-02
Buy milk on thursday | Buy milk | 2026-11-26
Buy milk this friday | Buy milk | 2026-11-27
Buy milk next friday | Buy milk | 2026-12-04
Buy milk next wednesday | Buy milk | 2026-12-02
Buy milk coming friday | Buy milk | 2026-11-27
Buy milk friday after next | Buy milk | 2026-12-04
Buy milk wednesday next week | Buy milk | 2026-12-02
Buy milk next week on tuesday | Buy milk | 2026-12-01
Buy milk fri 5pm | Buy milk | 2026-11-27 17:00
Buy milk by friday noon | Buy milk | 2026-11-27 12:00
Buy milk next week | Buy milk | 2026-11-30
Buy milk this week | Buy milk | 2026-11-29
Buy milk next month | Buy milk | 2026-12-01
Buy milk this month | Buy milk | 2026-11-30
Buy milk next quarter | Buy milk | 2027-01-01
Buy milk next year | Buy milk | 2027-01-01
Buy milk next weekend | Buy milk | 2026-12-05
Buy milk on the weekend | Buy milk | 2026-11-28
Buy milk in 3 days | Buy milk | 2026-11-28
Buy milk in a week | Buy milk | 2026-12-02
Buy milk in two weeks | Buy milk | 2026-12-09
Buy milk in 2 months | Buy milk | 2027-01-25
Buy milk in a year | Buy milk | 2027-11-25
Buy milk in 45 minutes | Buy milk | 2026-11-25 14:45
Buy milk in an hour | Buy milk | 2026-11-25 15:00
Buy milk in half an hour | Buy milk | 2026-11-25 14:30
Buy milk in 1 hour 30 minutes | Buy milk | 2026-11-25 15:30
Buy milk in 2 hours | Buy milk | 2026-11-25 16:00
Buy milk 3 days from now | Buy milk | 2026-11-28
Buy milk two fridays from now | Buy milk | 2026-12-04
Buy milk day after tomorrow | Buy milk | 2026-11-27
Buy milk dec 1 | Buy milk | 2026-12-01
Buy milk 1 dec | Buy milk | 2026-12-01
Buy milk jan 5 | Buy milk | 2027-01-05
Buy milk 5 January | Buy milk | 2027-01-05
Buy milk january 5th, 2028 | Buy milk | 2028-01-05
Buy milk 1st of december | Buy milk | 2026-12-01
Buy milk the 1st of december 2027 | Buy milk | 2027-12-01
Buy milk feb 29 | Buy milk | 2028-02-29
Buy milk thursday, dec 3 | Buy milk | 2026-12-03
Buy milk the 15th | Buy milk | 2026-12-15
Buy milk on the 25th | Buy milk | 2026-11-25
Buy milk the 24th | Buy milk | 2026-12-24
Buy milk 30th | Buy milk | 2026-11-30
Buy milk 31st | Buy milk | 2026-12-31
Buy milk friday 13th | Buy milk | 2027-08-13
Buy milk 2027-03-01 | Buy milk | 2027-03-01
Buy milk 12/1 | Buy milk | 2026-12-01
Buy milk 12/1/2027 | Buy milk | 2027-12-01
Buy milk 13/1/27 | Buy milk | 2027-01-13
Buy milk end of month | Buy milk | 2026-11-30
Buy milk by the end of the year | Buy milk | 2026-12-31
Buy milk end of january | Buy milk | 2027-01-31
Buy milk mid december | Buy milk | 2026-12-15
Buy milk beginning of next month | Buy milk | 2026-12-01
Buy milk last friday of december | Buy milk | 2026-12-25
Buy milk first monday of next month | Buy milk | 2026-12-07
Buy milk the last day of the month | Buy milk | 2026-11-30
Buy milk quarter past 8 | Buy milk | 2026-11-26 08:15
Buy milk at a quarter to 1 | Buy milk | 2026-11-26 12:45
Buy milk at a quarter to 1am | Buy milk | 2026-11-26 00:45
Buy milk at half past 12 | Buy milk | 2026-11-26 12:30
Buy milk at 20 to 6 | Buy milk | 2026-11-25 17:40
Buy milk at 1730 | Buy milk | 2026-11-25 17:30
Buy milk at 8 o'clock | Buy milk | 2026-11-26 08:00
Buy milk due next monday | Buy milk | 2026-11-30
Buy milk due by 5pm tomorrow | Buy milk | 2026-11-26 17:00
"""

PLACES = """
Call mum tomorrow about the party | Call mum about the party | 2026-11-26
Call mum on friday about the party | Call mum about the party | 2026-11-27
Call mum friday about the party | Call mum friday about the party
Call mum by 5pm today please | Call mum please | 2026-11-25 17:00
today buy milk | buy milk | 2026-11-25
next friday call mum | call mum | 2026-12-04
in 3 days call mum | call mum | 2026-11-28
17:00 call mum | call mum | 2026-11-25 17:00
dec 24: wrap presents | wrap presents | 2026-12-24
On friday call mum | call mum | 2026-11-27
Taxes due april 15 | Taxes | 2027-04-15
Taxes due: april 15 | Taxes | 2027-04-15
Taxes due on april 15 at 5pm | Taxes | 2027-04-15 17:00
Gym sat | Gym | 2026-11-28
Gym sun 10am | Gym | 2026-11-29 10:00
Renew passport by march | Renew passport | 2027-03-01
Pay on the first | Pay | 2026-12-01
tomorrow morning call the bank | call the bank | 2026-11-26 09:00
Buy 9 tomorrow | Buy 9 | 2026-11-26
Call mum @5pm | Call mum | 2026-11-25 17:00
Call mum @ 5pm | Call mum | 2026-11-25 17:00
Buy milk (tomorrow) now | Buy milk now | 2026-11-26
Party (saturday 8pm) | Party | 2026-11-28 20:00
Tomorrow, buy milk | buy milk | 2026-11-26
Friday: call mum | call mum | 2026-11-27
Friday call mum at 5pm | call mum | 2026-11-27 17:00
Tomorrow: call mum at 5pm | call mum | 2026-11-26 17:00
Meeting at 5 | Meeting | 2026-11-25 17:00
Meet at 5pm with Bob | Meet with Bob | 2026-11-25 17:00
Dinner at half past 7 | Dinner | 2026-11-26 07:30
Dinner tonight | Dinner | 2026-11-25 21:00
Call Dr. Smith mon. 9am | Call Dr. Smith | 2026-11-30 09:00
Tell Ann on monday. Then rest | Tell Ann. Then rest | 2026-11-30
Meeting fri. dec. 4 at noon | Meeting | 2026-12-04 12:00
Lunch tuesday 12:30 with Ann | Lunch with Ann | 2026-12-01 12:30
Haircut in three weeks on saturday | Haircut in three weeks on saturday
Gym mon wed fri | Gym mon wed fri
Movie night friday | Movie night | 2026-11-27
Team lunch tomorrow | Team lunch | 2026-11-26
Quiz night tomorrow at 8pm | Quiz night | 2026-11-26 20:00
Good morning tomorrow | Good morning | 2026-11-26
Call at noon tomorrow | Call | 2026-11-26 12:00
Call 20 minutes to 2pm tomorrow | Call | 2026-11-26 13:40
half past 8 call mum | call mum | 2026-11-26 08:30
Call mum seven ten pm | Call mum | 2026-11-25 19:10
Call mum tomorrow morning at 13:00 | Call mum | 2026-11-26 13:00
dec 1 - bring cake | bring cake | 2026-12-01
Dinner tonight at 2 | Dinner tonight at 2
next week on monday call mum | call mum | 2026-11-30
Dinner tonight at 8 | Dinner | 2026-11-25 20:00
Dinner friday night | Dinner | 2026-11-27 21:00
Prepare slides for monday | Prepare slides | 2026-11-30
Get up at 6 tomorrow | Get up | 2026-11-26 06:00
Call mum tuesday, dec 1 at noon | Call mum | 2026-12-01 12:00
eod send invoice | send invoice | 2026-11-25
Send invoice eom | Send invoice | 2026-11-30
Send invoice by the end of next week | Send invoice | 2026-12-06
This weekend clean the garage | clean the garage | 2026-11-28
Stop by at 5pm | Stop by | 2026-11-25 17:00
Run 5k in 30 minutes | Run 5k | 2026-11-25 14:30
Call 555-1234 tomorrow | Call 555-1234 | 2026-11-26
Don't forget Mum's birthday on 3 march | Don't forget Mum's birthday | 2027-03-03
Learn C# friday | Learn C# | 2026-11-27
Cake!!! tomorrow | Cake!!! | 2026-11-26
Buy milk tomorrow! | Buy milk! | 2026-11-26
Buy milk tomorrow? | Buy milk? | 2026-11-26
Buy milk, tomorrow. | Buy milk. | 2026-11-26
Buy milk tomorrow 🎂 | Buy milk 🎂 | 2026-11-26
Call on friday about the talk on monday | Call on friday about the talk | 2026-11-30
Buy milk tomorrow at 25:00 | Buy milk at 25:00 | 2026-11-26
"""

REPETITIONS = """
Walk the dog every day | Walk the dog | 2026-11-25 | FREQ=DAILY
Walk the dog everyday | Walk the dog | 2026-11-25 | FREQ=DAILY
Walk the dog daily at 7 | Walk the dog | 2026-11-26 07:00 | FREQ=DAILY
Walk the dog every 2 days | Walk the dog | 2026-11-25 | FREQ=DAILY;INTERVAL=2
Walk the dog every three days at noon | Walk the dog | 2026-11-26 12:00 | FREQ=DAILY;INTERVAL=3
Walk the dog every day at 7am and 5pm | Walk the dog every day at 7am and 5pm
Walk the dog each morning | Walk the dog | 2026-11-26 09:00 | FREQ=DAILY
Walk the dog every evening | Walk the dog | 2026-11-25 19:00 | FREQ=DAILY
Walk the dog every weekday | Walk the dog | 2026-11-25 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
Walk the dog weekdays at 8 | Walk the dog | 2026-11-26 08:00 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
Walk the dog every friday | Walk the dog | 2026-11-27 | FREQ=WEEKLY;BYDAY=FR
Walk the dog every wednesday | Walk the dog | 2026-11-25 | FREQ=WEEKLY;BYDAY=WE
Walk the dog every wednesday at 9 | Walk the dog | 2026-12-02 09:00 | FREQ=WEEKLY;BYDAY=WE
Walk the dog every mon, wed and fri at 18:00 | Walk the dog | 2026-11-25 18:00 | FREQ=WEEKLY;BYDAY=MO,WE,FR
Walk the dog on mondays | Walk the dog | 2026-11-30 | FREQ=WEEKLY;BYDAY=MO
Walk the dog every monday morning | Walk the dog | 2026-11-30 09:00 | FREQ=WEEKLY;BYDAY=MO
Walk the dog every other friday | Walk the dog | 2026-11-27 | FREQ=WEEKLY;INTERVAL=2;BYDAY=FR
Walk the dog every 2 weeks | Walk the dog | 2026-11-25 | FREQ=WEEKLY;INTERVAL=2
Walk the dog every 2 weeks on mon and thu | Walk the dog | 2026-11-26 | FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH
Walk the dog every week | Walk the dog | 2026-11-25 | FREQ=WEEKLY
Walk the dog weekly | Walk the dog | 2026-11-25 | FREQ=WEEKLY
Walk the dog weekly on friday | Walk the dog | 2026-11-27 | FREQ=WEEKLY;BYDAY=FR
Walk the dog weekly on friday with Ann | Walk the dog with Ann | 2026-11-27 | FREQ=WEEKLY;BYDAY=FR
Walk the dog every week on friday with Ann | Walk the dog with Ann | 2026-11-27 | FREQ=WEEKLY;BYDAY=FR
team lunch every last thursday | team lunch | 2026-11-26 | FREQ=MONTHLY;BYDAY=-1TH
Gym every mon wed fri | Gym | 2026-11-25 | FREQ=WEEKLY;BYDAY=MO,WE,FR
Take vitamins every morning and evening | Take vitamins every morning and evening
Pay tax 1st of every month | Pay tax | 2026-12-01 | FREQ=MONTHLY;BYMONTHDAY=1
Rent due 1st and 15th of each month | Rent | 2026-12-01 | FREQ=MONTHLY;BYMONTHDAY=1,15
Pay rent on the first of every month | Pay rent | 2026-12-01 | FREQ=MONTHLY;BYMONTHDAY=1
Pay rent the 1st and the last day of every month | Pay rent | 2026-11-30 | FREQ=MONTHLY;BYMONTHDAY=-1,1
Walk the dog every day 10 times until dec 24 | Walk the dog every day 10 times until dec 24
Pay last friday of every month | Pay | 2026-11-27 | FREQ=MONTHLY;BYDAY=-1FR
Walk the dog every fortnight | Walk the dog | 2026-11-25 | FREQ=WEEKLY;INTERVAL=2
Walk the dog every month | Walk the dog | 2026-11-25 | FREQ=MONTHLY
Walk the dog every month on the 5th | Walk the dog | 2026-12-05 | FREQ=MONTHLY;BYMONTHDAY=5
Walk the dog every month on the last friday | Walk the dog | 2026-11-27 | FREQ=MONTHLY;BYDAY=-1FR
Walk the dog every 1st and 15th | Walk the dog | 2026-12-01 | FREQ=MONTHLY;BYMONTHDAY=1,15
Walk the dog every 25th | Walk the dog | 2026-11-25 | FREQ=MONTHLY;BYMONTHDAY=25
Walk the dog every 31st | Walk the dog | 2026-11-30 | FREQ=MONTHLY;BYMONTHDAY=31
Walk the dog every last day | Walk the dog | 2026-11-30 | FREQ=MONTHLY;BYMONTHDAY=-1
Walk the dog every first monday | Walk the dog | 2026-12-07 | FREQ=MONTHLY;BYDAY=1MO
Walk the dog every first and third monday | Walk the dog | 2026-12-07 | FREQ=MONTHLY;BYDAY=1MO,3MO
Walk the dog every 2nd tuesday of the month | Walk the dog | 2026-12-08 | FREQ=MONTHLY;BYDAY=2TU
Walk the dog every first workday of the month | Walk the dog | 2026-12-01 | FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1
Walk the dog every last friday of march | Walk the dog | 2027-03-26 | FREQ=YEARLY;BYMONTH=3;BYDAY=-1FR
Walk the dog every year on the first monday of may | Walk the dog | 2027-05-03 | FREQ=YEARLY;BYMONTH=5;BYDAY=1MO
Walk the dog every month on the last workday | Walk the dog | 2026-11-30 | FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1
Walk the dog every first monday of the quarter | Walk the dog every first monday of the quarter
Walk the dog every 3 months | Walk the dog | 2026-11-25 | FREQ=MONTHLY;INTERVAL=3
Walk the dog every quarter | Walk the dog | 2026-11-25 | FREQ=MONTHLY;INTERVAL=3
Walk the dog quarterly | Walk the dog | 2026-11-25 | FREQ=MONTHLY;INTERVAL=3
Walk the dog every 6 months on the 1st | Walk the dog | 2026-12-01 | FREQ=MONTHLY;INTERVAL=6;BYMONTHDAY=1
Walk the dog every year | Walk the dog | 2026-11-25 | FREQ=YEARLY
Walk the dog yearly on march 3 | Walk the dog | 2027-03-03 | FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3
Walk the dog every march 3 | Walk the dog | 2027-03-03 | FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3
Walk the dog every 3 march | Walk the dog | 2027-03-03 | FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3
Walk the dog every 2 years on 1 december | Walk the dog | 2026-12-01 | FREQ=YEARLY;INTERVAL=2;BYMONTH=12;BYMONTHDAY=1
Walk the dog every! day | Walk the dog | 2026-11-25 | FREQ=DAILY completion
Walk the dog every! 2 weeks | Walk the dog | 2026-11-25 | FREQ=WEEKLY;INTERVAL=2 completion
Walk the dog every! monday at 9 | Walk the dog | 2026-11-30 09:00 | FREQ=WEEKLY;BYDAY=MO completion
Walk the dog every 3 days after completion | Walk the dog | 2026-11-25 | FREQ=DAILY;INTERVAL=3 completion
Walk the dog every day until dec 24 | Walk the dog | 2026-11-25 | FREQ=DAILY;UNTIL=20261224
Walk the dog every day until friday | Walk the dog | 2026-11-25 | FREQ=DAILY;UNTIL=20261127
Walk the dog every day starting tomorrow | Walk the dog | 2026-11-26 | FREQ=DAILY
Walk the dog every 2 weeks from next friday | Walk the dog | 2026-12-04 | FREQ=WEEKLY;INTERVAL=2
Walk the dog every week starting jan 1 until mar 1 | Walk the dog | 2027-01-01 | FREQ=WEEKLY;UNTIL=20270301
Walk the dog every day for 10 times | Walk the dog | 2026-11-25 | FREQ=DAILY;COUNT=10
Walk the dog every monday 5 times | Walk the dog | 2026-11-30 | FREQ=WEEKLY;BYDAY=MO;COUNT=5
Walk the dog every day for 2 weeks | Walk the dog | 2026-11-25 | FREQ=DAILY;UNTIL=20261208
Walk the dog every monday for 3 months at 9am | Walk the dog | 2026-11-30 09:00 | FREQ=WEEKLY;BYDAY=MO;UNTIL=20270227
Every monday walk the dog | walk the dog | 2026-11-30 | FREQ=WEEKLY;BYDAY=MO
Every weekday at 7: walk the dog | walk the dog | 2026-11-26 07:00 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
Walk the dog every 500 weeks | Walk the dog | 2026-11-25 | FREQ=WEEKLY;INTERVAL=500
Walk the dog every 5000 days | Walk the dog every 5000 days
Walk the dog every hour | Walk the dog every hour
Walk the dog every day until yesterday | Walk the dog every day until yesterday
Walk the dog once a month | Walk the dog | 2026-11-25 | FREQ=MONTHLY
Pay rent monthly until june 2027 | Pay rent | 2026-11-25 | FREQ=MONTHLY;UNTIL=20270601
Bins every 2nd tuesday | Bins | 2026-12-08 | FREQ=MONTHLY;BYDAY=2TU
Bins every second tuesday | Bins | 2026-12-01 | FREQ=WEEKLY;INTERVAL=2;BYDAY=TU
Bins every third tuesday | Bins | 2026-12-15 | FREQ=MONTHLY;BYDAY=3TU
Water every 3rd day | Water | 2026-11-25 | FREQ=DAILY;INTERVAL=3
Water every other day | Water | 2026-11-25 | FREQ=DAILY;INTERVAL=2
Invoice every 1st of january | Invoice | 2027-01-01 | FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1
Clean every june | Clean | 2027-06-01 | FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=1
Team every mon-fri at 9 | Team | 2026-11-26 09:00 | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR
Every day call mum until dec 24 | call mum | 2026-11-25 | FREQ=DAILY;UNTIL=20261224
Clean weekends | Clean | 2026-11-28 | FREQ=WEEKLY;BYDAY=SA,SU
Clean every weekend | Clean | 2026-11-28 | FREQ=WEEKLY;BYDAY=SA
Walk mondays and thursdays | Walk | 2026-11-26 | FREQ=WEEKLY;BYDAY=MO,TH
Walk on tuesdays at 8 | Walk | 2026-12-01 08:00 | FREQ=WEEKLY;BYDAY=TU
Review every quarter starting jan 1 | Review | 2027-01-01 | FREQ=MONTHLY;INTERVAL=3
pay bill every month starting dec 31 | pay bill | 2026-12-31 | FREQ=MONTHLY;BYMONTHDAY=31
Clean every 6 months after it is done | Clean | 2026-11-25 | FREQ=MONTHLY;INTERVAL=6 completion
Water 3 days after completion | Water | 2026-11-25 | FREQ=DAILY;INTERVAL=3 completion
Exercise every day for 3 weeks | Exercise | 2026-11-25 | FREQ=DAILY;UNTIL=20261215
Exercise everyday | Exercise | 2026-11-25 | FREQ=DAILY
Take 2 pills every day 3 times a day | Take 2 pills 3 times a day | 2026-11-25 | FREQ=DAILY
Stand-up every day in the morning | Stand-up | 2026-11-26 09:00 | FREQ=DAILY
Mow the lawn every 2 weeks on saturday | Mow the lawn | 2026-11-28 | FREQ=WEEKLY;INTERVAL=2;BYDAY=SA
Bins every other tuesday 7pm | Bins | 2026-12-01 19:00 | FREQ=WEEKLY;INTERVAL=2;BYDAY=TU
Yoga every mon, wed & fri 7am for 10 times | Yoga | 2026-11-27 07:00 | FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=10
Pay every 15th and last day | Pay | 2026-11-30 | FREQ=MONTHLY;BYMONTHDAY=-1,15
Report every last workday | Report | 2026-11-30 | FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1
Drop by every monday | Drop by | 2026-11-30 | FREQ=WEEKLY;BYDAY=MO
Every friday, tidy up | tidy up | 2026-11-27 | FREQ=WEEKLY;BYDAY=FR
every day I write the book | I write the book | 2026-11-25 | FREQ=DAILY
"""

# Not a word of these is a date.
TITLES = """
Read chapter 12
Email May about the 3 reports
Call August
Buy 2 milk
Watch 2001: A Space Odyssey
March of the penguins
Sun cream
Review the second draft
Meet Friday's team
Plan 2027 budget
Monthly report
Every breath you take
Weekly review
Second monday
Once a week is enough
Buy sat nav
Weekend plans
Plan the weekend
Watch the 5 o'clock news
Room 1030
Flight BA 1730
Call noon
Yearly March sale
Monthly 1st class ticket
Daily stand-up notes
Read the Daily Mail
Plan next week's menu
Sunday roast
Saturday Night Fever
Friday Night Lights
Sunday school
Monday meeting notes
Enjoy the sun
Sit in the sun
The cat and the sun
Marching band
Augustus and June
June and Mary
Visit April in Paris
Dinner with May
Plan holiday in May
Fix issue #12
#1 priority is rest
Learn C#
Reply to mail@example.com
Call 555-1234
Read pages 10-20
Buy 3 apples and 12 eggs
Chapter 5 exercise 3
Run 10 miles
Bake at 200 degrees
Look at 3 houses
Meet on the 15th floor
Discuss the third of March proposal
Do the 30 day challenge
Boil it for 10 minutes
Call 10 times
Email John about next week
Email Ann about friday
Report of monday
Don't call before friday
Clean up after tomorrow
Fly home from friday to sunday
Trip from dec 1 to dec 5
Conference dec 1-3
Conference dec 1 to 3
Shift 9:30-17:00
Meeting from 9am to 5pm
Buy milk tomorrow and friday
Pack monday, tuesday and friday
Open monday to friday
Buy milk feb 30
Buy milk at 25:00
Call every 2 hours
Every one of them
Every man for himself
Exercise 3 times a week
Swim twice a week
The first of many
Be the first
Ring the first responder
Order a quarter pounder
Half an hour of yoga
Buy a fortnight of food
Second hand shop
Minute taking
Windows 11 upgrade
iPhone 15 case
Call 112
Handle p1 incident
Install python 3.11
Backup report.2027-03-01.pdf
https://example.com/today
Say hello!
Wow!important
Yesterday's news
Today's list
Until friday
Away until friday
Look forward to friday
Move the dentist to tomorrow
5 to 10 people for dinner
Ten to one odds
Bet 5 to 2
Meet at 10 Downing Street
Two weeks notice
A day in the life
"""


def rows(*tables: str) -> list[list[str]]:
    return [row.split(" | ") for table in tables for row in table.strip().splitlines()]


def outcome(task: QuickTask) -> list[str]:
    fields = [task.title]
    if task.due is not None:
        time = "" if task.due.time is None else f" {task.due.time:%H:%M}"
        fields.append(f"{task.due.date}{time}")
    if task.recurrence is not None:
        anchor = "" if task.recurrence.anchor == "schedule" else f" {task.recurrence.anchor}"
        fields.append(f"{task.recurrence.rrule}{anchor}")
    return fields


@pytest.mark.parametrize("row", rows(DATES, PLACES, REPETITIONS), ids=lambda row: str(row[0]))
def test_a_line_becomes_a_task(row: list[str]) -> None:
    line, *expected = row
    assert outcome(parse(line, NOW)) == expected


@pytest.mark.parametrize("title", TITLES.strip().splitlines())
def test_a_title_stays_untouched(title: str) -> None:
    assert parse(title, NOW) == QuickTask(title)


@pytest.mark.parametrize("title", TITLES.strip().splitlines())
def test_a_title_stays_untouched_beside_a_date(title: str) -> None:
    task = parse(f"Tomorrow at 16:45: {title}", NOW)
    assert outcome(task) == [title, "2026-11-26 16:45"]
