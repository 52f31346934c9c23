"""Making oneself an account, where the server is open to strangers.

That an address is taken is told (409): without a mail to confirm it, whoever signs up must learn why they cannot. On a
server that is open this tells whether an address has an account, so such questions are counted for each address they
come from. A closed server, the default, tells nothing.
"""

from dataclasses import dataclass

from dutiful.accounts import password_changes, service, throttling
from dutiful.accounts.schemas import SignUp
from dutiful.accounts.visitors import Visitor
from dutiful.database.session import Database, Writer
from dutiful.errors import Forbidden
from dutiful.models import User
from dutiful.settings import Settings

FREE_TRIES = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    wanted: SignUp
    name: str
    password_hash: str


async def prepare(database: Database, settings: Settings, wanted: SignUp, visitor: Visitor) -> Prepared:
    """Raises Forbidden on a closed server, and TooManyRequests."""
    if settings.sign_up == "closed":
        raise Forbidden("This server takes no sign-ups. Ask its administrator for an account.")
    name = wanted.name or wanted.email.partition("@")[0]
    counter = throttling.address_counter("sign-up", visitor, FREE_TRIES)
    await database.write(lambda session: throttling.count(session, [counter]))
    password_hash = await password_changes.hash_for(
        "/password", wanted.password.get_secret_value(), name, wanted.email
    )
    return Prepared(wanted, name, password_hash)


async def create(session: Writer, prepared: Prepared) -> User:
    wanted = prepared.wanted
    user = await service.create_user(
        session,
        prepared.name,
        email=wanted.email,
        password_hash=prepared.password_hash,
        timezone=wanted.timezone,
    )
    await session.refresh(user, ["home"])
    return user
