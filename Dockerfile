# The router, and the browser page it serves. Mount a state directory with router/policy.json at /state.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/run.txt requirements/nodejs.txt requirements/
RUN python3 -m venv --without-pip /opt/sisock && python3 -m venv --without-pip /opt/node \
    && pip --python /opt/sisock/bin/python3 install --no-cache-dir --no-deps --require-hashes -r requirements/run.txt \
    && pip --python /opt/node/bin/python3 install --no-cache-dir --no-deps --require-hashes -r requirements/nodejs.txt
COPY . .
RUN /opt/node/bin/python3 js/build.py \
    && pip --python /opt/sisock/bin/python3 install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN install -d -o 1000 -g 1000 -m 700 /state
COPY --from=build /opt/sisock /opt/sisock
COPY deploy/docker /opt/sisock/docker
ENV HOME=/state PATH=/opt/sisock/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SISOCK_STATE=/state
WORKDIR /state
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python3", "/opt/sisock/docker/healthcheck.py", "router"]
ENTRYPOINT ["python3", "-m", "sisock.router"]
