"""Past the express lane, which knows nothing of labels, to what the tests of the plain path are about."""

from typing import Any

PLAIN: dict[str, Any] = {"labels_add": []}
"""For the body of a new task or of a change of one. Changes nothing of what the request means."""
