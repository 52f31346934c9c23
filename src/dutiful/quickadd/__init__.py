"""One line of text into a task: `Pay rent every 1st at 9:00 #home @bank !high`. Pure: no database, no clock of its own."""

from dutiful.quickadd.english import ENGLISH
from dutiful.quickadd.language import Language
from dutiful.quickadd.parsing import QuickTask, TextSpan, Understood, parse, parse_when

__all__ = ["ENGLISH", "Language", "QuickTask", "TextSpan", "Understood", "parse", "parse_when"]
