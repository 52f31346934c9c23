"""The words of a text as search compares them: the same for what is stored and for what is asked.

Worked out here rather than by PostgreSQL: what its functions take for a letter and for lower case depends on the
server's locale and version, and its parser keeps `foo-bar`, `a/b` or a Japanese sentence in one piece.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_WORD = 255
"""Of longer words the beginning counts."""

# What a tsvector can hold: later positions are taken for this one, and a word keeps so many of them.
_LAST_POSITION = 16_383
_MOST_POSITIONS = 255
# Below the megabyte at which PostgreSQL refuses. The text of a task comes near it only if made for that.
_MOST_BYTES = 1_000_000

# Scripts that put no spaces between words, and Korean, which joins particles to them: looked for by their characters.
UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf"  # Tai
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Hangul
    "\u3005-\u3007\u3021-\u3029\u3031-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # Kana, Bopomofo, Han digits
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\ua000-\ua4cf"  # Yi
)
_RUN = re.compile(f"([{UNSPACED}]+)")

# Letters with a stroke or joined, which Unicode does not take apart.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "æ": "ae", "œ": "oe"}
)
_ACCENT = re.compile("[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text between spaces and punctuation; `is_unspaced` says that its script has no words of its own."""

    text: str
    is_unspaced: bool = False


def pieces(text: str) -> Iterator[Piece]:
    for run in _folded(text).translate(_CLASSES).split():
        if run.isascii():
            yield Piece(run[:LONGEST_WORD])
            continue
        for part in _RUN.split(run):
            if part:
                is_unspaced = _RUN.match(part) is not None
                yield Piece(part if is_unspaced else part[:LONGEST_WORD], is_unspaced)


def pairs(run: str) -> list[str]:
    """Each character of a run with the next, and the last alone: any part of the run is a row of these."""
    return [run[index : index + 2] for index in range(len(run))]


def without_accents(word: str) -> str:
    """`word` as people type it who lack the key, so that they find it too: `resume` for `résumé`, `strom` for `strøm`."""
    if word.isascii():
        return word
    apart = _ACCENT.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", apart).translate(_PLAIN)


def vector(workspace_id: int | str, *texts: str) -> str:
    """A tsvector, as text, of the words of a task and where they are. No phrase reaches over the end of a text.

    Each begins with its workspace: a search there touches nothing of the others in the index, however common its
    words are elsewhere. The word of no letters says that some positions are missing.
    """
    places: dict[str, list[int]] = {}
    position = size = 0
    is_missing_some = False
    for text in texts:
        for forms in _forms(text):
            position += 1
            for form in forms:
                found = places.get(form)
                if found is None:
                    places[form] = [position]
                    size += 4 * len(form) + 24
                elif len(found) < _MOST_POSITIONS:
                    found.append(position)
                    size += 2
                else:
                    is_missing_some = True
            if size > _MOST_BYTES:
                break
        # The border between two texts.
        position += 1
    if is_missing_some or position > _LAST_POSITION:
        places[""] = [1]
    return " ".join(
        [f"'{workspace_id}:{word}':{','.join(map(str, found))}" for word, found in places.items()]
    )


def _forms(text: str) -> Iterator[tuple[str, ...]]:
    """What each place of the text is found by."""
    if text.isascii():
        for word in _folded(text).translate(_CLASSES).split():
            yield (word[:LONGEST_WORD],)
        return
    for piece in pieces(text):
        if piece.is_unspaced:
            yield from ((pair,) for pair in pairs(piece.text))
            continue
        plain = without_accents(piece.text)
        yield (piece.text,) if plain == piece.text else (piece.text, plain)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Twice: lower case may need putting together again.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


_MOST_CLASSES = 20_000


class _Classes(dict[int, str | None]):
    """What becomes of each character: letters, digits and marks stay, symbols stand alone, the rest separates."""

    def __missing__(self, code: int) -> str | None:
        found = _class_of(code)
        # Whatever is sent, what is kept stays small.
        if len(self) < _MOST_CLASSES:
            self[code] = found
        return found


def _class_of(code: int) -> str | None:
    char = chr(code)
    category = unicodedata.category(char)
    if _is_ornament(code, category):
        return None
    if category[0] in "LMN":
        return char
    # Emoji are symbols. A newer one than this Python knows has no category yet.
    return f" {char} " if category in {"So", "Cn", "Co"} else " "


def _is_ornament(code: int, category: str) -> bool:
    """Changes how its neighbour looks: joiners, soft hyphens, skin tones, variants, key caps."""
    is_variant = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    return is_variant or 0x1F3FB <= code <= 0x1F3FF or category in {"Cf", "Me"}


_CLASSES = _Classes()
