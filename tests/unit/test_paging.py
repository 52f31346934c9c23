import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dutiful.changes.cursor import decode_cursor, encode_cursor
from dutiful.errors import Invalid
from dutiful.models import Priority, Task
from dutiful.paging import Order

ids = st.integers(0, 2**63 - 1)
columns = Task.__table__.c


def order_by(name: str, *, descending: bool = False) -> Order:
    return Order(name, columns[name], columns["id"], descending=descending)


def encode(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


def key_of(order: Order, cursor: str) -> tuple[Any, int]:
    """The key and id that the condition behind a cursor compares with."""
    compiled = order.behind(cursor).compile()
    *keys, row_id = compiled.params.values()
    return keys[0] if keys else row_id, row_id


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), ids)
def test_a_cursor_brings_back_a_text_key(key: str, row_id: int) -> None:
    order = order_by("position")
    assert key_of(order, order.cursor(key, row_id)) == (key, row_id)


@given(st.datetimes(timezones=st.just(UTC)), ids)
def test_a_cursor_brings_back_a_moment(key: datetime, row_id: int) -> None:
    order = order_by("updated_at")
    assert key_of(order, order.cursor(key, row_id)) == (key, row_id)


@given(st.sampled_from(Priority), ids)
def test_a_cursor_brings_back_a_ranked_word(key: Priority, row_id: int) -> None:
    order = order_by("priority")
    assert key_of(order, order.cursor(key, row_id)) == (key, row_id)


@given(ids)
def test_a_cursor_brings_back_an_id(row_id: int) -> None:
    order = order_by("id")
    assert key_of(order, order.cursor(row_id, row_id)) == (row_id, row_id)


@given(ids)
def test_cursors_are_safe_in_a_url(row_id: int) -> None:
    assert set(order_by("position").cursor("?" * 7, row_id)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_a_descending_list_goes_on_below_the_cursor() -> None:
    assert " < " in str(order_by("id", descending=True).behind(encode(["id", 5, 5])))
    assert " > " in str(order_by("id").behind(encode(["id", 5, 5])))


def test_a_cursor_of_another_order_is_refused() -> None:
    cursor = order_by("updated_at").cursor(datetime.now(UTC), 1)
    with pytest.raises(Invalid) as caught:
        order_by("created_at").behind(cursor)
    assert [fault.pointer for fault in caught.value.faults] == ["/cursor"]


FORGED_KEYS: list[Any] = [
    *(True, 1.5, None, [], {}, -1, 2**63, "\0", "no moment", "2026-01-01T00:00:00"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z"),
]


@pytest.mark.parametrize("key", FORGED_KEYS, ids=repr)
@pytest.mark.parametrize("name", ["id", "position", "priority", "updated_at"])
def test_a_forged_key_is_refused_unless_it_is_a_possible_one(name: str, key: Any) -> None:
    order = order_by(name)
    if name == "position" and isinstance(key, str) and key != "\0":
        assert key_of(order, encode([name, key, 1])) == (key, 1)
    else:
        with pytest.raises(Invalid):
            order.behind(encode([name, key, 1]))


@pytest.mark.parametrize("row_id", [True, -1, 2**63, 1.0, "1", None])
def test_a_forged_id_is_refused(row_id: Any) -> None:
    with pytest.raises(Invalid):
        order_by("position").behind(encode(["position", "a0", row_id]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text() | json_values.map(encode), st.sampled_from(["id", "position", "priority", "updated_at"]))
def test_whatever_is_sent_as_a_cursor_is_used_or_refused(cursor: str, name: str) -> None:
    with suppress(Invalid):
        order_by(name).behind(cursor)


# --- the cursor of the feed -------------------------------------------------------------------------------------------


@given(st.dictionaries(st.integers(1, 2**63 - 1), ids))
def test_a_feed_cursor_brings_back_its_positions(positions: dict[int, int]) -> None:
    assert decode_cursor(encode_cursor(positions)) == positions


def test_a_feed_cursor_does_not_depend_on_the_order_of_workspaces() -> None:
    assert encode_cursor({2: 5, 1: 7}) == encode_cursor({1: 7, 2: 5})


def plain(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "v1:",
        plain("v2:1.1"),
        plain("v1:1"),
        plain("v1:0.1"),
        plain("v1:1.-1"),
        plain("v1:1.1.1"),
        plain("v1: 1.1"),
        plain("v1:\N{ARABIC-INDIC DIGIT ONE}.1"),
        plain(f"v1:1.{2**63}"),
        plain(f"v1:{2**63}.1"),
        "ÿ",
    ],
)
def test_a_forged_feed_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_cursor(cursor)
    assert [fault.pointer for fault in caught.value.faults] == ["/after"]


@given(st.text() | st.text().map(plain) | st.text("0123456789.,").map("v1:".__add__).map(plain))
def test_whatever_is_sent_as_a_feed_cursor_is_used_or_refused(cursor: str) -> None:
    try:
        positions = decode_cursor(cursor)
    except Invalid:
        return
    assert all(0 < workspace_id < 2**63 and 0 <= seq < 2**63 for workspace_id, seq in positions.items())


def test_a_moment_elsewhere_is_the_same_moment() -> None:
    order = order_by("updated_at")
    there = datetime(2026, 12, 1, 17, tzinfo=timezone(timedelta(hours=2)))
    assert key_of(order, order.cursor(there, 1)) == (there, 1)
