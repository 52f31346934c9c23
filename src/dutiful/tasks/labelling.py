"""Labels of a task: given whole, or as what to add and what to take away, so that two people adding both win."""

from collections.abc import Mapping, Sequence

from dutiful.access import Actor
from dutiful.database.session import Writer
from dutiful.errors import invalid
from dutiful.labels import service as labels
from dutiful.models import Task
from dutiful.tasks.at_hand import AtHand
from dutiful.tasks.schemas import TaskPatch


async def apply(
    session: Writer, actor: Actor, task: Task, patch: TaskPatch, at_hand: AtHand | None = None
) -> None:
    resolve = labels.resolve if at_hand is None else at_hand.resolve_labels
    find = labels.find if at_hand is None else at_hand.find_labels
    sent = patch.model_fields_set
    added = [*(patch.label_ids or ()), *(patch.labels_add or ())]
    known = await resolve(session, actor, task.workspace_id, added) if added else {}
    result = set(task.label_ids)
    if "label_ids" in sent:
        result = label_ids_of(known, patch.label_ids or (), "/label_ids")
    result |= label_ids_of(known, patch.labels_add or (), "/labels_add")
    if patch.labels_remove:
        result -= await find(session, task.workspace_id, patch.labels_remove)
    task.label_ids = sorted(result)


def label_ids_of(known: Mapping[int | str, int], wanted: Sequence[int | str], pointer: str) -> set[int]:
    """The ids of `wanted`; raises `Invalid` at the one that is not a label of the workspace."""
    for index, label in enumerate(wanted):
        if label not in known:
            raise invalid(f"{pointer}/{index}", "names no label of this workspace", "not_found")
    return {known[label] for label in wanted}
