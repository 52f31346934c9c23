"""Order keys: short strings between any two of which another fits.

A key is a whole part and a fraction, in digits that compare as bytes. The whole part's first character tells its
length (`a`: one digit, `b`: two, … upwards; `Z`: one, `Y`: two, … downwards), so that adding at either end counts
instead of growing: after `a9` comes `aA`, after `az` comes `b00`. Between two neighbours the fraction is halved.
The scheme is David Greenspan's "Implementing fractional indexing".
"""

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FIRST = "a0"

# The lowest whole part; alone it is no key, because nothing would fit ahead of it.
_LOWEST = "A" + DIGITS[0] * 26

# A key longer than this calls for new keys for all its siblings.
LONG = 60


def between(before: str | None, after: str | None) -> str:
    """A key behind `before` and ahead of `after`; None is the end of the list."""
    if before is not None and after is not None:
        return _between_two(before, after)
    if before is not None:
        return _behind(before)
    return FIRST if after is None else _ahead(after)


def numbered(number: int) -> str:
    """The key that a new task gets as the change of this number, where the list need not be looked at (express lane).

    It is behind every key of the workspace that an earlier change made. Whoever puts something at the end of a list
    adds one to the last whole part there, in base 62, and one at least to the number of changes; and digits of base 62
    are never more than decimal ones. `between` goes on from such a key as from any other.
    """
    digits = str(number)
    return chr(ord("a") + len(digits) - 1) + digits


def spread(before: str | None, after: str | None, count: int) -> list[str]:
    """`count` keys in order behind `before` and ahead of `after`, about as short as can be."""
    if after is None:
        return _run(before, count)
    if before is None:
        return _run_down(after, count)
    if count == 0:
        return []
    middle = between(before, after)
    left = count // 2
    return [*spread(before, middle, left), middle, *spread(middle, after, count - left - 1)]


def _run(last: str | None, count: int) -> list[str]:
    keys: list[str] = []
    for _ in range(count):
        last = between(last, None)
        keys.append(last)
    return keys


def _run_down(first: str, count: int) -> list[str]:
    keys: list[str] = []
    for _ in range(count):
        first = between(None, first)
        keys.append(first)
    return keys[::-1]


def _between_two(before: str, after: str) -> str:
    if before >= after:
        raise ValueError(f"no key fits between {before!r} and {after!r}")
    whole, fraction = _split(before)
    other_whole, other_fraction = _split(after)
    if whole == other_whole:
        return whole + _midpoint(fraction, other_fraction)
    upper = _next_whole(whole)
    if upper is not None and upper < after:
        return upper
    return whole + _midpoint(fraction, None)


def _behind(before: str) -> str:
    whole, fraction = _split(before)
    return _next_whole(whole) or whole + _midpoint(fraction, None)


def _ahead(after: str) -> str:
    whole, fraction = _split(after)
    if fraction and whole != _LOWEST:
        return whole
    return _previous_whole(whole) or _LOWEST + _midpoint("", fraction or None)


def _split(key: str) -> tuple[str, str]:
    length = _whole_length(key[0])
    return key[:length], key[length:]


def _whole_length(head: str) -> int:
    return ord(head) - ord("a") + 2 if head >= "a" else ord("Z") - ord(head) + 2


def _next_whole(whole: str) -> str | None:
    """None when the highest whole part is reached, after 62²⁶ keys."""
    head, digits = whole[0], _add(whole[1:], 1)
    if digits is not None:
        return head + digits
    if head == "Z":
        return FIRST
    if head == "z":
        return None
    head = chr(ord(head) + 1)
    return head + DIGITS[0] * (_whole_length(head) - 1)


def _previous_whole(whole: str) -> str | None:
    """None when only the lowest whole part is left, after 62²⁶ keys."""
    head, digits = whole[0], _add(whole[1:], -1)
    if digits is not None:
        return None if head + digits == _LOWEST else head + digits
    if head == "a":
        return "Z" + DIGITS[-1]
    if head == "A":
        return None
    head = chr(ord(head) - 1)
    return head + DIGITS[-1] * (_whole_length(head) - 1)


def _add(digits: str, step: int) -> str | None:
    """`digits` plus or minus one at the same length; None when it overflows."""
    values = [DIGITS.index(digit) for digit in digits]
    for index in reversed(range(len(values))):
        values[index] += step
        if 0 <= values[index] < len(DIGITS):
            return "".join(DIGITS[value] for value in values)
        values[index] %= len(DIGITS)
    return None


def _midpoint(low: str, high: str | None) -> str:
    """A fraction between two, the higher one open. Fractions never end in the lowest digit: nothing fits below it."""
    if high is not None:
        shared = _shared_prefix(low, high)
        if shared:
            return high[:shared] + _midpoint(low[shared:], high[shared:])
    lower = DIGITS.index(low[0]) if low else 0
    upper = DIGITS.index(high[0]) if high else len(DIGITS)
    if upper - lower > 1:
        return DIGITS[(lower + upper) // 2]
    if high is not None and len(high) > 1:
        return high[0]
    return DIGITS[lower] + _midpoint(low[1:], None)


def _shared_prefix(low: str, high: str) -> int:
    """How many digits both begin with; a missing digit of `low` counts as the lowest."""
    length = 0
    while length < len(high) and (low[length] if length < len(low) else DIGITS[0]) == high[length]:
        length += 1
    return length
