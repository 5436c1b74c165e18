# One stage installs, one builds the model with torch, the run-time image has neither torch nor the sample footage.
FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 \
    GATEWATCH_HOME=/opt/gatewatch/home \
    PATH=/opt/gatewatch/venv/bin:$PATH
WORKDIR /opt/gatewatch/app
RUN python -m venv /opt/gatewatch/venv
COPY pyproject.toml setup.py README* LICENSE ./
COPY vision ./vision
COPY pipelines ./pipelines
COPY console ./console
# Editable: sample_streams/ is looked for beside the packages. The compiler makes vision/native and is gone again.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && pip install -e ".[samples,onnx,postgres,analysis]" \
    && apt-get purge -y --auto-remove gcc libc6-dev && rm -rf /var/lib/apt/lists/* build

FROM base AS model
COPY models ./models
COPY sample_streams ./sample_streams
RUN gatewatch samples pull
RUN gatewatch models build yolov8n-int8
RUN gatewatch models build yolov8n-fp32
RUN gatewatch models build efficientnet-lite0-features

FROM base
COPY sample_streams ./sample_streams
COPY --from=model /opt/gatewatch/home/models/yolov8n-int8 /opt/gatewatch/home/models/yolov8n-int8
# Its layers count dense crowds.
COPY --from=model /opt/gatewatch/home/models/yolov8n-fp32 /opt/gatewatch/home/models/yolov8n-fp32
COPY --from=model /opt/gatewatch/home/models/efficientnet-lite0-features /opt/gatewatch/home/models/efficientnet-lite0-features
# What was trained here is looked for beside the packages.
COPY models/bullying ./models/bullying
COPY models/crowding ./models/crowding
COPY configs/gatewatch.yaml /etc/gatewatch/gatewatch.yaml
# Of these two only, so that volumes that are mounted there belong to it too.
RUN useradd --system --uid 10001 --home-dir /var/lib/gatewatch --create-home gatewatch \
    && mkdir -p /opt/gatewatch/home/samples \
    && chown gatewatch: /var/lib/gatewatch /opt/gatewatch/home/samples
USER gatewatch
WORKDIR /var/lib/gatewatch
VOLUME /var/lib/gatewatch
# The worker's page; compose.yaml says the others'.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/livez', timeout=3)"]
ENTRYPOINT ["gatewatch"]
CMD ["worker", "-c", "/etc/gatewatch/gatewatch.yaml"]
