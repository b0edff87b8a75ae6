# Builds the image of the service. The first stage runs the commands of the Makefile: locked packages, front-end files,
# the project. The second takes only the finished environment: no Node, no npm, no build tools, no root.
#
#   docker build -t klarbescheid .
#   docker run -p 8000:8000 -v klarbescheid:/var/lib/klarbescheid \
#     -v ./server.key:/run/secrets/server.key:ro -e EXPLAINER_BASE_URL=https://... klarbescheid

FROM python:3.12-slim AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/venv && python -m venv /opt/tools

COPY requirements.lock requirements-build.lock requirements-node.lock ./
RUN /opt/tools/bin/pip --python /opt/venv/bin/python install --no-deps --require-hashes -r requirements.lock
RUN /opt/tools/bin/pip install --no-deps --require-hashes -r requirements-build.lock -r requirements-node.lock

COPY package.json package-lock.json .npmrc build_assets.py ./
RUN /opt/tools/bin/python -m build_assets

COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY models models
COPY explainer explainer
COPY public_pages public_pages
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheels .
RUN /opt/tools/bin/pip --python /opt/venv/bin/python install --no-deps --no-index /opt/wheels/*.whl


FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/klarbescheid klarbescheid
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EXPLAINER_HOST=0.0.0.0 \
    EXPLAINER_PORT=8000 \
    EXPLAINER_DATA_FOLDER=/var/lib/klarbescheid \
    EXPLAINER_DATABASE_URL=sqlite:////var/lib/klarbescheid/klarbescheid.db \
    EXPLAINER_SERVER_KEY_FILE=/run/secrets/server.key
WORKDIR /var/lib/klarbescheid
VOLUME /var/lib/klarbescheid
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"EXPLAINER_PORT\"]}/healthz', timeout=4)"]
CMD ["explainer", "serve"]
