import pytest
from hypothesis import given
from hypothesis import strategies as st

from dutiful.changes.cursor import decode_cursor, encode_cursor
from dutiful.errors import Invalid

ids = st.integers(1, 2**63 - 1)
seqs = st.integers(0, 2**63 - 1)


@given(st.dictionaries(ids, seqs))
def test_a_cursor_says_what_was_put_into_it(positions: dict[int, int]) -> None:
    assert decode_cursor(encode_cursor(positions)) == positions


@given(st.dictionaries(ids, seqs))
def test_a_cursor_needs_no_escaping_in_a_url(positions: dict[int, int]) -> None:
    assert encode_cursor(positions).replace("-", "").replace("_", "").isalnum()


@given(st.text())
def test_any_other_text_is_refused_or_read_as_positions(text: str) -> None:
    try:
        positions = decode_cursor(text)
    except Invalid:
        return
    assert all(0 < key < 2**63 and 0 <= seq < 2**63 for key, seq in positions.items())


@pytest.mark.parametrize("cursor", ["", "x", "é", "djI6MS4x", "djE6MC4x", "djE6MS4", "a" * 5000])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(cursor)
