"""The person who asks."""

from fastapi import APIRouter, Response

from dutiful.accounts import queries, service
from dutiful.accounts.schemas import UserOut, UserPatch
from dutiful.api.deps import CurrentActor, Db, IfMatch, ReadDb
from dutiful.api.headers import tagged
from dutiful.api.transaction import TransactionRoute
from dutiful.models import User

router = APIRouter(prefix="/users", tags=["users"], route_class=TransactionRoute)


@router.get("/me", response_model=UserOut)
async def get_me(db: ReadDb, actor: CurrentActor, response: Response) -> User:
    return tagged(response, await queries.get_user(db, actor))


@router.put("/me", name="replace_me", response_model=UserOut)
@router.patch("/me", response_model=UserOut)
async def update_me(
    body: UserPatch, db: Db, actor: CurrentActor, if_match: IfMatch, response: Response
) -> User:
    """Only what is sent changes. PUT does the same, so a client that knows fewer fields wipes none."""
    return tagged(response, await service.update_user(db, actor, body, if_match))
