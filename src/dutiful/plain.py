"""Text that is safe to show: what other people and servers wrote, without what a terminal would obey."""

# Parts of emoji and of Arabic and Indic writing.
JOINERS = "\u200c\u200d"


def one_line(text: str, *, keep_spaces: bool = False) -> str:
    text = text.expandtabs() if keep_spaces else " ".join(text.split())
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in JOINERS else "�" for char in text)
