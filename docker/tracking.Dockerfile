# The MLflow server of docker/tracking.yaml, with the drivers of PostgreSQL and S3. It needs no torch.
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build
# the versions of requirements.lock: server and clients are the same MLflow
COPY docker/tracking-requirements.txt requirements.lock ./
RUN uv venv /opt/venv \
    && uv pip install --python /opt/venv --no-cache --compile-bytecode --no-verify-hashes \
        -c requirements.lock -r tracking-requirements.txt

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home tracking
COPY --from=build /opt/venv /opt/venv
COPY docker/make_buckets.py /opt/make_buckets.py
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
WORKDIR /tmp
USER 10001
EXPOSE 5000
