"""Reads of one's own account. Nobody reads another's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from dutiful import paging
from dutiful.access import Actor
from dutiful.database.session import Reader, Writer
from dutiful.errors import NotFound
from dutiful.models import Token, TokenKind, User
from dutiful.paging import Order, Slice

_token_id = Token.__table__.c.id
TOKENS_IN_ORDER = Order("id", _token_id, _token_id)


async def get_user(session: Reader | Writer, actor: Actor) -> User:
    return (await session.scalars(_own_user(actor))).one()


async def get_user_for_update(session: Writer, actor: Actor) -> User:
    """Locked until the transaction ends, but not against rows that merely refer to it."""
    locking = _own_user(actor).with_for_update(of=User, key_share=True)
    return (await session.scalars(locking)).one()


def _own_user(actor: Actor) -> Select[User]:
    return select(User).options(joinedload(User.home)).where(User.id == actor.user_id)


async def page_tokens(session: Reader, actor: Actor, wanted: Slice) -> tuple[Sequence[Token], str | None]:
    return await paging.page(session, _own_tokens(actor), TOKENS_IN_ORDER, wanted)


async def get_token(session: Reader, actor: Actor, token_id: int) -> Token:
    token: Token | None = await session.scalar(_own_tokens(actor).where(Token.id == token_id))
    if token is None:
        raise no_such_token()
    return token


def no_such_token() -> NotFound:
    return NotFound("There is no such token, or it is not yours.")


def _own_tokens(actor: Actor) -> Select[Any]:
    return select(Token).where(Token.user_id == actor.user_id, Token.kind == TokenKind.API)
