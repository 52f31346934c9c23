"""The description of the API that clients are generated from: what FastAPI makes of the routes, completed by rules.

Every rule is about all routes, so a new route is described without a word here. `tests/api/test_openapi.py` says what
still has to be said of it.
"""

from dutiful.api.openapi.document import describe

__all__ = ["describe"]
