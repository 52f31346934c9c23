"""Sections."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from dutiful.access import get
from dutiful.api.deps import CurrentActor, Db, IfMatch, ReadDb, WantedSlice, of_query
from dutiful.api.headers import created, tagged
from dutiful.api.transaction import TransactionRoute
from dutiful.models import Section
from dutiful.ordering import Move
from dutiful.projects import queries, sections
from dutiful.projects.queries import SectionFilter
from dutiful.projects.schemas import SectionCreate, SectionOut, SectionPatch
from dutiful.vocabulary import IdParameter, Page

router = APIRouter(prefix="/sections", tags=["sections"], route_class=TransactionRoute)


@router.get("", response_model=Page[SectionOut])
async def list_sections(
    db: ReadDb,
    actor: CurrentActor,
    wanted: WantedSlice,
    narrow: Annotated[SectionFilter, of_query(SectionFilter)],
) -> Any:
    items, next_cursor = await queries.page_sections(db, actor, wanted, narrow)
    return {"items": items, "count": len(items), "next_cursor": next_cursor}


@router.post("", status_code=201, response_model=SectionOut)
async def create_section(body: SectionCreate, db: Db, actor: CurrentActor, response: Response) -> Section:
    section = await sections.create(db, actor, body)
    return created(response, section, f"/api/v1/sections/{section.id}")


@router.get("/{section_id}", response_model=SectionOut)
async def get_section(
    section_id: IdParameter, db: ReadDb, actor: CurrentActor, response: Response
) -> Section:
    return tagged(response, await get(db, actor, Section, section_id))


@router.put("/{section_id}", name="replace_section", response_model=SectionOut)
@router.patch("/{section_id}", response_model=SectionOut)
async def update_section(
    section_id: IdParameter,
    body: SectionPatch,
    db: Db,
    actor: CurrentActor,
    if_match: IfMatch,
    response: Response,
) -> Section:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    return tagged(response, await sections.update(db, actor, section_id, body, if_match))


@router.delete("/{section_id}", status_code=204)
async def delete_section(section_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch) -> None:
    """To the trash, with its tasks."""
    await sections.delete(db, actor, section_id, if_match)


@router.post("/{section_id}/move", response_model=SectionOut)
async def move_section(
    section_id: IdParameter,
    body: Move,
    db: Db,
    actor: CurrentActor,
    if_match: IfMatch,
    response: Response,
) -> Section:
    return tagged(response, await sections.move(db, actor, section_id, body, if_match))


@router.post("/{section_id}/restore", response_model=SectionOut)
async def restore_section(
    section_id: IdParameter, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> Section:
    """Out of the trash, with the tasks that went there with it. A name taken meanwhile gets a number, as in “Name (2)”."""
    return tagged(response, await sections.restore(db, actor, section_id, if_match))
