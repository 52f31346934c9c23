import httpx


async def test_the_process_says_that_it_lives(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/healthz")).json() == {"status": "ok"}


async def test_the_process_says_that_it_reaches_its_database(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/readyz")).json() == {"status": "ok"}


async def test_the_description_of_the_api_is_served(anonymous: httpx.AsyncClient) -> None:
    description = (await anonymous.get("/openapi.json")).json()
    assert "/api/v1/tasks/{task_id}" in description["paths"]
