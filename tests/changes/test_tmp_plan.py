import time

from sqlalchemy import text
from tests.people import Person
from tests.sharing import share

from dutiful.changes import queries


async def test_plan(ana, bob, database):
    ids = [await share(ana) for _ in range(100)]

    async def work(s):
        for i in ids:
            await s.execute(
                text(
                    "INSERT INTO changes SELECT :w, g, now() - (10000-g) * interval '1 second', 1, 'task.updated','task',g,1,'{}','{}', gen_random_uuid() FROM generate_series(4, 5000) g"
                ),
                {"w": i},
            )
            await s.execute(text("update workspace_counters set seq=5000 where workspace_id=:w"), {"w": i})

    await database.write(work)
    async with database.engine.connect() as c:
        await (await c.execution_options(isolation_level="AUTOCOMMIT")).execute(text("analyze"))
    from sqlalchemy.dialects import postgresql

    async with database.read() as s:
        st = queries._merged(ana.actor(), {i: 3 for i in ids}, 1000)
        comp = st.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        for r in await s.execute(text("explain analyze " + str(comp).replace(":", "\\:"))):
            print(r[0])
    for after in (None,):
        t = time.perf_counter()
        r = await ana.get("/changes", params={"limit": 1000})
        print("first 1000", time.perf_counter() - t, r.json()["count"])
    cur = r.json()["next_cursor"]
    from dutiful.changes.cursor import encode_cursor

    cur = encode_cursor({ana.workspace_id: 103, **{i: 5000 for i in ids}})
    for _ in range(3):
        t = time.perf_counter()
        r = await ana.get("/changes", params={"after": cur})
        print("poll nothing", time.perf_counter() - t, r.status_code, r.json().get("count"))
    for _ in range(3):
        t = time.perf_counter()
        r = await ana.get(f"/workspaces/{ids[3]}/changes", params={"after": 4990})
        print("ws 10", time.perf_counter() - t, r.json().get("count"))
    w = ids[0]
    await ana.make(f"/workspaces/{w}/members", email=bob.email)
    r = await ana.post("/tasks/batch", [{"title": "x", "workspace_id": w, "assignee_id": bob.user_id}] * 1000)
    print(r.status_code)
    t = time.perf_counter()
    r = await ana.delete(f"/workspaces/{w}/members/{bob.user_id}")
    print("remove with 1000 tasks", time.perf_counter() - t, r.status_code)
    assert 0
