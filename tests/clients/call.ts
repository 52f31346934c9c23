// Lists, creates and batches with the client that hey-api made.
import { client } from "./hey/client.gen";
import { createTask, getTask, listTasks, runBatch } from "./hey/sdk.gen";

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

client.setConfig({ baseUrl: process.env.CLIENT_URL, auth: () => process.env.CLIENT_TOKEN });

const made = await createTask({ body: { title: "From TypeScript", labels_add: ["generated"] } });
check(made.data !== undefined, made.error);
const id: number = made.data.id;
const page = await listTasks({ query: { limit: 10 } });
check(page.data?.items.some((task) => task.id === id) ?? false, page);

const done = await runBatch({
  body: [
    { op: "create", type: "project", ref: "p", data: { name: "From TypeScript" } },
    { op: "create", type: "task", data: { title: "In it", project_id: "$p" } },
  ],
});
check(done.data?.count === 2, done);
const last = done.data.items[1];
// The type of the item follows from the type of the operation.
check(last?.type === "task" && last.item?.title === "In it", last);

const missing = await getTask({ path: { task_id: 999999999 } });
check(missing.error?.code === "not_found", missing);
console.log("typescript: created, listed, batched, refused");
