"""The feed of changes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dutiful.api.deps import CurrentActor, ReadDb
from dutiful.api.rendered import rendered_page
from dutiful.api.transaction import TransactionRoute
from dutiful.changes import queries, rows
from dutiful.changes.queries import News
from dutiful.changes.schemas import ChangePage
from dutiful.vocabulary import BIGGEST_ID, IdParameter

MOST_CHANGES = 1000
# A cursor names every workspace of the user: this is room for two thousand.
LONGEST_CURSOR = 50_000

Limit = Annotated[int, Query(ge=1, le=MOST_CHANGES)]

router = APIRouter(tags=["changes"], route_class=TransactionRoute)


@router.get("/workspaces/{workspace_id}/changes", response_model=ChangePage)
async def list_workspace_changes(
    workspace_id: IdParameter,
    db: ReadDb,
    actor: CurrentActor,
    after: Annotated[int | None, Query(ge=0, le=BIGGEST_ID, description="The `seq` seen last.")] = None,
    limit: Limit = 200,
) -> Response:
    """The journal of one workspace, oldest first and without holes; without `after` from the oldest change kept."""
    return _answer(await queries.of_workspace(db, actor, workspace_id, after, limit))


@router.get("/changes", response_model=ChangePage)
async def list_changes(
    db: ReadDb,
    actor: CurrentActor,
    after: Annotated[
        str | None,
        Query(max_length=LONGEST_CURSOR, description="`next_cursor`, or `latest` for the position alone."),
    ] = None,
    limit: Limit = 200,
) -> Response:
    """The journals of all your workspaces, merged. Joining and leaving one are changes of their own.

    To follow from now on, first ask with `after=latest`: nothing but `next_cursor` is told, which is where the feed is.
    """
    return _answer(await queries.of_all_workspaces(db, actor, after, limit))


def _answer(news: News) -> Response:
    return rendered_page(list(map(rows.as_json, news.items)), news.next_cursor)
