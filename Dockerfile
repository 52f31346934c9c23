# The server without its private PostgreSQL: it takes yours (see compose.yaml).

FROM python:3.13-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# What changes seldom comes first: as long as the lock files stay the same, so do these layers.
COPY requirements/image.txt requirements/build.txt requirements/
RUN python -m venv /opt/dutiful \
    && /opt/dutiful/bin/pip install --require-hashes --only-binary=:all: -r requirements/image.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --only-binary=:all: -r requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/dutiful/bin/pip install --no-deps dist/*.whl \
    && /opt/dutiful/bin/pip uninstall --yes pip


FROM python:3.13-slim-trixie

LABEL org.opencontainers.image.title="Dutiful" \
    org.opencontainers.image.description="A task server whose word counts: what was answered is committed." \
    org.opencontainers.image.licenses="MIT"

# pg_dump and pg_restore, for `dutiful backup` and `dutiful restore`. Debian keeps only the newest build of a version,
# so a pinned one could not be installed a month later.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 dutiful \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/dutiful --shell /usr/sbin/nologin dutiful \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/dutiful

COPY --from=build /opt/dutiful /opt/dutiful

ENV PATH=/opt/dutiful/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DUTIFUL_DATA_DIR=/var/lib/dutiful \
    DUTIFUL_HOST=0.0.0.0 \
    DUTIFUL_LOG_FORMAT=json

# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/dutiful
VOLUME /var/lib/dutiful
EXPOSE 8000

# /readyz also asks the database; the first minute is for migrations.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('DUTIFUL_PORT', 8000)}/readyz\", timeout=4)"]

ENTRYPOINT ["dutiful"]
CMD ["serve"]
