"""What all writes of the lane have in common.

A write is one statement, which does what the plain path does in six. It holds the token, finds what the person may do,
and counts the journal on *if nobody has counted it meanwhile*; then it writes the rows and appends the changes.
Whatever is written in a workspace counts its journal. So where the count is the one that was seen, everything else that
was seen of that workspace is true as well, and stays so until the commit, because the counter is locked by then. Where
it is not, nothing is written, and it is tried again a few times; where a person may not write, nothing is seen, and the
plain path says why.

Writes of one workspace would only make each other repeat, so within a process they take turns (`database/turns.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dutiful.api.express.asking import ASKER, Asker, asker
from dutiful.api.express.request import Answer, Request
from dutiful.api.idempotency import is_key
from dutiful.changes.cursor import encode_cursor
from dutiful.database.direct import DirectPool, DirectStatement, Record
from dutiful.database.types import encode_json

ENTANGLED = frozenset(
    {
        *("section_id", "parent_id", "label_ids", "labels_add", "labels_remove", "assignee_id"),
        *("recurrence", "apply_to"),
    }
)
"""Fields that take a look at something else than the task itself."""

_ATTEMPTS = 8
_NOTHING = (None,) * (2 + len(ASKER))


class Written(NamedTuple):
    """What became of a statement that wrote."""

    rows: list[Record]
    """One for each that was written; what it tells of that, and then `TOLD`."""
    workspace_id: int
    seq: int
    """Of the last change."""
    asker: Asker

    def answer(self, status: int, content: Any, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
        body = encode_json(content)
        cursor = (b"dutiful-cursor", encode_cursor({self.workspace_id: self.seq}).encode())
        return Answer(status, body, self.asker, (*headers, cursor), {self.workspace_id: len(self.rows)})


async def write(
    pool: DirectPool,
    request: Request,
    statement: DirectStatement,
    values: Mapping[str, Any],
    turn: int | None,
) -> Written | None:
    """`turn`: the workspace, where it is known beforehand. Else it is taken for the one they wrote in last; a wrong
    guess costs another attempt if somebody else writes there."""
    guesses, secret = request.askers.workspaces, values["hash"]
    turn = turn or guesses.get(secret)
    attempts = iter(range(_ATTEMPTS))
    while True:
        async with pool.turns.take(turn or secret) as is_mine:
            for _ in attempts if is_mine else ():
                request.may_be_written = True
                found = await pool.fetch(statement, values)
                *_, seq, workspace_id, token_id, user_id, last_used_at = found[0] if found else _NOTHING
                request.may_be_written = seq is not None
                if workspace_id is None:
                    # Nothing was seen, so there is nothing to wait for.
                    return None
                if seq is not None:
                    guesses[secret] = workspace_id
                    asking = asker((token_id, user_id, last_used_at), values["now"])
                    return Written(found, workspace_id, seq, asking)
                if workspace_id != turn:
                    turn = workspace_id
                    break
            else:
                return None


def has_good_key(request: Request) -> bool:
    return request.key is None or is_key(request.key)


def kept(request: Request, status: int, task: dict[str, Any]) -> dict[str, Any]:
    """What is stored of the answer under the Idempotency-Key, if there is one."""
    if request.key is None:
        return {}
    headers = {"content-type": "application/json", "etag": f'"{task["version"]}"'}
    return {
        "key": request.key,
        "fingerprint": request.fingerprint,
        "answer_status": status,
        "answer_headers": to_json(headers),
        "answer_body": to_json(task),
    }


def to_json(value: Any) -> str:
    return encode_json(value).decode()


# --- parts of the statements ------------------------------------------------------------------------------------------

WHO = """
    who AS MATERIALIZED (
        SELECT token.id AS token_id, token.user_id, token.last_used_at
        FROM tokens AS token JOIN users AS person ON person.id = token.user_id
        WHERE token.hash = CAST(:hash AS bytea) AND token.scopes && '{write,admin}'
          AND (token.expires_at IS NULL OR token.expires_at > CAST(:now AS timestamptz))
          AND person.disabled_at IS NULL
        FOR KEY SHARE OF token, person
    )"""

WRITABLE = """
        FROM who
             JOIN members AS member ON member.user_id = who.user_id AND member.role IN ('editor', 'owner')
             JOIN workspaces AS workspace ON workspace.id = member.workspace_id AND workspace.deleted_at IS NULL
             JOIN workspace_counters AS counter ON counter.workspace_id = workspace.id"""
"""What the person may write in, and how far its journal is. Seen of that are `workspace_id`, `user_id`, `seq`, and as
`thing_id` what else it takes."""


def numbered(count: str = "1") -> str:
    return f"""
    numbered AS (
        UPDATE workspace_counters AS counter SET seq = seen.seq + {count}
        FROM seen WHERE counter.workspace_id = seen.workspace_id AND counter.seq = seen.seq
        RETURNING counter.seq, seen.workspace_id, seen.user_id, seen.thing_id
    )"""  # noqa: S608 - only our own words are put into it


def noted(before: str, after: str) -> str:
    """One change."""
    return f"""
    noted AS (
        INSERT INTO changes
            (workspace_id, seq, at, user_id, verb, entity, entity_id, version, before, after, request_id)
        SELECT numbered.workspace_id, numbered.seq, CAST(:now AS timestamptz), numbered.user_id, CAST(:verb AS text),
               'task', written.id, written.version, {before}, {after}, CAST(:request_id AS uuid)
        FROM numbered CROSS JOIN written
    )"""  # noqa: S608 - only our own words are put into it


TOLD = ", ".join(("numbered.seq", "seen.workspace_id", *(f"who.{name}" for name in ASKER)))
"""Behind what else the statement tells. There is no `seq` where nothing was written."""

TYPES = {
    "title": "text",
    "description": "text",
    "status": "text",
    "priority": "smallint",
    "start_date": "date",
    "start_time": "time",
    "start_timezone": "text",
    "due_date": "date",
    "due_time": "time",
    "due_timezone": "text",
    "due_at": "timestamptz",
    "completed_at": "timestamptz",
}
"""The columns that these writes set from what was sent."""


def value(name: str) -> str:
    return f"CAST(:{name} AS {TYPES[name]})"


_CURSOR = """rtrim(translate(encode(convert_to(
                   'v1:' || numbered.workspace_id || '.' || numbered.seq, 'UTF8'), 'base64'), '+/', '-_'), '=')"""
"""As `changes.cursor.encode_cursor`."""


def storing(is_keyed: bool, body: str, more_headers: str = "") -> str:
    """Refused by the key's uniqueness if it is claimed: then the plain path looks what is kept."""
    if not is_keyed:
        return ""
    return f""",
    kept AS (
        INSERT INTO idempotency_keys
            (user_id, key, fingerprint, status, headers, body, workspace_ids, created_at)
        SELECT numbered.user_id, CAST(:key AS text), CAST(:fingerprint AS bytea), CAST(:answer_status AS smallint),
               CAST(:answer_headers AS jsonb) || jsonb_build_object('dutiful-cursor', {_CURSOR}{more_headers}),
               convert_to({body}, 'UTF8'), ARRAY[numbered.workspace_id], CAST(:now AS timestamptz)
        FROM numbered CROSS JOIN written
    )"""  # noqa: S608 - only our own words are put into it
