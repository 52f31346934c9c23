"""The reference at /docs comes from this server alone."""

import re

import httpx
import pytest

from dutiful.api.docs_page import FILES


async def test_the_root_leads_to_the_reference(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get("/")
    assert response.status_code == 307
    # No host, so that nobody can name one.
    assert response.headers["location"] == "docs"


async def test_the_page_names_nothing_elsewhere_and_has_no_script_of_its_own(
    anonymous: httpx.AsyncClient,
) -> None:
    response = await anonymous.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"https?://|//[a-z]", response.text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon[a-z]+=|\bstyle=", response.text)


async def test_every_file_that_the_page_names_is_there_and_kept(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/docs")
    named = re.findall(r'(?:href|src)="(docs/[^"]+)"', page.text)
    assert {re.sub(r"docs/|\?.*", "", path) for path in named} == FILES.keys()
    for path in named:
        response = await anonymous.get(f"/{path}")
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        again = await anonymous.get(f"/{path}", headers={"If-None-Match": response.headers["etag"]})
        assert again.status_code == 304
        assert not again.content


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/docs.js", "/docs/favicon.svg"])
async def test_nothing_else_may_run_in_it(anonymous: httpx.AsyncClient, path: str) -> None:
    headers = (await anonymous.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


async def test_files_come_packed_or_plain(anonymous: httpx.AsyncClient) -> None:
    path = "/docs/swagger-ui.css"
    packed = await anonymous.get(path, headers={"Accept-Encoding": "gzip"})
    plain = await anonymous.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert packed.content == plain.content


@pytest.mark.parametrize("name", ["nothing", "favicon.png", "..%2fdocs_page.py", "docs.html"])
async def test_other_files_are_not_served(anonymous: httpx.AsyncClient, name: str) -> None:
    assert (await anonymous.get(f"/docs/{name}")).status_code == 404
