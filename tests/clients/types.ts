// Compiles only if the types that openapi-typescript made say what they should.
import type { components, operations, paths } from "./schema";

type Task = components["schemas"]["Task"];
type ListQuery = NonNullable<operations["list_tasks"]["parameters"]["query"]>;
type Refusal = paths["/api/v1/tasks"]["post"]["responses"]["422"]["content"]["application/problem+json"];

export const assignee = (task: Task): number | null => task.assignee_id;
export const wanted: ListQuery = { status: "open", sort: "-due", limit: 10 };
export const reason = (refusal: Refusal): string => refusal.code;

// @ts-expect-error there is no such order
export const misspelt: ListQuery = { sort: "deu" };
