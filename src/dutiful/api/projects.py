"""Projects."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from dutiful.access import get
from dutiful.api.deps import CurrentActor, Db, IfMatch, ReadDb, WantedSlice, of_query
from dutiful.api.headers import created, tagged
from dutiful.api.transaction import TransactionRoute
from dutiful.models import Project
from dutiful.ordering import Move
from dutiful.projects import queries, service
from dutiful.projects.queries import ProjectFilter
from dutiful.projects.schemas import ProjectCreate, ProjectOut, ProjectPatch
from dutiful.vocabulary import IdParameter, Page

router = APIRouter(prefix="/projects", tags=["projects"], route_class=TransactionRoute)


@router.get("", response_model=Page[ProjectOut])
async def list_projects(
    db: ReadDb,
    actor: CurrentActor,
    wanted: WantedSlice,
    narrow: Annotated[ProjectFilter, of_query(ProjectFilter)],
) -> Any:
    items, next_cursor = await queries.page(db, actor, wanted, narrow)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post("", status_code=201, response_model=ProjectOut)
async def create_project(body: ProjectCreate, db: Db, actor: CurrentActor, response: Response) -> Project:
    project = await service.create(db, actor, body)
    return created(response, project, f"/api/v1/projects/{project.id}")


@router.get("/{project_id}", response_model=ProjectOut)
async def get_project(
    project_id: IdParameter, db: ReadDb, actor: CurrentActor, response: Response
) -> Project:
    return tagged(response, await get(db, actor, Project, project_id))


@router.put("/{project_id}", name="replace_project", response_model=ProjectOut)
@router.patch("/{project_id}", response_model=ProjectOut)
async def update_project(
    project_id: IdParameter,
    body: ProjectPatch,
    db: Db,
    actor: CurrentActor,
    if_match: IfMatch,
    response: Response,
) -> Project:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    return tagged(response, await service.update(db, actor, project_id, body, if_match))


@router.delete("/{project_id}", status_code=204)
async def delete_project(project_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch) -> None:
    """To the trash, with its sections and tasks. The Inbox cannot be deleted."""
    await service.delete(db, actor, project_id, if_match)


@router.post("/{project_id}/move", response_model=ProjectOut)
async def move_project(
    project_id: IdParameter,
    body: Move,
    db: Db,
    actor: CurrentActor,
    if_match: IfMatch,
    response: Response,
) -> Project:
    return tagged(response, await service.move(db, actor, project_id, body, if_match))


@router.post("/{project_id}/restore", response_model=ProjectOut)
async def restore_project(
    project_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> Project:
    """Out of the trash, with what went there with it. A name taken meanwhile gets a number, as in “Name (2)”."""
    return tagged(response, await service.restore(db, actor, project_id, if_match))
