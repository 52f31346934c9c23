"""A process that asks a database many things at once, and says how many answers were those to its questions.

python -m tests.pgbouncer.asking URL NAME
"""

import asyncio
import json
import sys
from collections import Counter

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dutiful.database.engine import create_engine
from dutiful.settings import Settings

AT_ONCE = 6
QUESTIONS = 20
ROUNDS = 15


async def ask(url: str, name: str) -> Counter[str]:
    """Counts of `right`, `wrong` and `failed`. The texts of the statements are those of this name alone."""
    engine = create_engine(Settings(db_pool_size=AT_ONCE, db_max_overflow=0), url)
    counts: Counter[str] = Counter()
    questions = [f"{name}-{number}" for number in range(QUESTIONS)] * ROUNDS

    async def keep_asking() -> None:
        while questions:
            question = questions.pop()
            counts[await answer(question)] += 1

    async def answer(question: str) -> str:
        try:
            async with engine.connect() as connection:
                told = await connection.scalar(text(f"SELECT '{question}' || :more"), {"more": "!"})
        except DBAPIError:
            return "failed"
        return "right" if told == f"{question}!" else "wrong"

    await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))
    await engine.dispose()
    return counts


if __name__ == "__main__":
    json.dump(asyncio.run(ask(*sys.argv[1:])), sys.stdout)
