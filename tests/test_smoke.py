async def test_two_people(ana, bob, anonymous):
    assert ana.workspace_id != bob.workspace_id
    assert (await anonymous.get("/healthz")).json() == {"status": "ok"}
    assert (await anonymous.get("/readyz")).json() == {"status": "ok"}
    r = await ana.get("/nothing")
    assert r.status_code == 404 and r.headers["content-type"] == "application/problem+json", r.text
