from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dutiful.positions import DIGITS, FIRST, LONG, between, numbered, spread

LOWEST_WHOLE = "A" + "0" * 26
HIGHEST_WHOLE = "z" * 27

places = st.lists(st.floats(0, 1), max_size=200)
"""Where to insert, as a share of the list's length at that time."""


def insert_at(keys: list[str], index: int) -> None:
    low = keys[index - 1] if index else None
    high = keys[index] if index < len(keys) else None
    keys.insert(index, between(low, high))


def grow(places: list[float]) -> list[str]:
    keys: list[str] = []
    for place in places:
        insert_at(keys, round(place * len(keys)))
    return keys


def is_ordered(keys: list[str]) -> bool:
    return all(low.encode() < high.encode() for low, high in pairwise(keys))


def is_key(key: str) -> bool:
    """Nothing fits below a fraction that ends in the lowest digit."""
    return set(key) <= set(DIGITS) and key != LOWEST_WHOLE and (key[-1] != "0" or key == whole_of(key))


def whole_of(key: str) -> str:
    length = ord(key[0]) - ord("a") + 2 if key[0] >= "a" else ord("Z") - ord(key[0]) + 2
    return key[:length]


@given(places)
def test_random_inserts_keep_order_and_uniqueness(places: list[float]) -> None:
    keys = grow(places)
    assert is_ordered(keys)
    assert all(is_key(key) for key in keys)


@given(places, st.data(), st.integers(0, 50))
def test_spread_fills_any_gap_in_order(places: list[float], data: Any, count: int) -> None:
    keys = grow(places)
    index = data.draw(st.integers(0, len(keys)))
    gap = (keys[index - 1] if index else None, keys[index] if index < len(keys) else None)
    fresh = spread(*gap, count)
    assert len(fresh) == count
    assert is_ordered([*keys[:index], *fresh, *keys[index:]])
    assert all(is_key(key) for key in fresh)


@given(st.text(DIGITS, min_size=1, max_size=30), st.text(DIGITS, min_size=1, max_size=30))
def test_a_key_fits_between_any_two_fractions(one: str, other: str) -> None:
    low, high = sorted({"a0" + one.rstrip("0"), "a0" + other.rstrip("0"), "a1"})[:2]
    assert low < between(low, high) < high


def test_keys_count_at_the_end_of_the_list() -> None:
    keys = spread(None, None, 100_000)
    assert keys[:2] == [FIRST, "a1"]
    assert is_ordered(keys)
    assert max(map(len, keys)) == 4


def test_keys_count_at_the_beginning_of_the_list() -> None:
    keys = spread(None, FIRST, 100_000)
    assert is_ordered([*keys, FIRST])
    assert max(map(len, keys)) == 4


def test_ten_thousand_keys_fit_between_two_neighbours_with_short_ones() -> None:
    keys = spread("a0", "a1", 10_000)
    assert is_ordered(["a0", *keys, "a1"])
    assert max(map(len, keys)) <= 6


@pytest.mark.parametrize("before_the_last", [True, False])
def test_two_hundred_and_fifty_inserts_at_one_spot_need_no_new_keys_for_the_others(
    *, before_the_last: bool
) -> None:
    keys = ["a0", "a1"]
    for _ in range(250):
        insert_at(keys, len(keys) - 1 if before_the_last else 1)
    assert max(map(len, keys)) <= LONG


def test_appending_after_a_long_key_is_short_again() -> None:
    assert between("a0" + "V" * 200, None) == "a1"
    assert between(None, "a0" + "V" * 200) == "a0"


@pytest.mark.parametrize("key", [LOWEST_WHOLE + "V", LOWEST_WHOLE[:-1] + "1", LOWEST_WHOLE[:-1] + "2"])
def test_something_fits_ahead_of_the_lowest_keys(key: str) -> None:
    for _ in range(100):
        ahead = between(None, key)
        assert ahead < key
        assert is_key(ahead)
        key = ahead


def test_something_fits_behind_the_highest_keys() -> None:
    key = HIGHEST_WHOLE[:-1] + "y"
    for _ in range(100):
        behind = between(key, None)
        assert key < behind
        key = behind


@pytest.mark.parametrize(("low", "high"), [("a1", "a1"), ("a1", "a0"), ("a1", "a0V")])
def test_no_key_fits_between_keys_that_are_not_in_order(low: str, high: str) -> None:
    with pytest.raises(ValueError, match="no key fits"):
        between(low, high)


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.integers(0, 10_000))
def test_the_number_of_a_change_is_a_key_behind_all_that_were_made_before(
    by_number: list[bool], before: int
) -> None:
    """Each change puts something at the end of one list, by its number or by the last key there."""
    last: str | None = None
    for number, is_numbered in enumerate(by_number, start=before + 1):
        key = numbered(number)
        assert last is None or key > last
        last = key if is_numbered else between(last, None)
        assert last <= key
