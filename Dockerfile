# The server of panoptic serve (docs/serve.md), built without a network: all that is installed comes
# from the folder wheels/ beside this file, in the versions of constraints.txt.
#
#   pip wheel --wheel-dir wheels -c constraints.txt '.[serve]'
#   docker build --network none -t panoptic .
#   docker run -e PANOPTIC_TOKEN=... -p 127.0.0.1:9090:9090 panoptic --models demo
#
# The wheels are of one Python and one kind of processor: those of BASE.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
COPY constraints.txt /
COPY wheels /wheels
RUN python3 -m venv /opt/panoptic \
    && /opt/panoptic/bin/pip install --no-cache-dir --no-index --find-links /wheels \
        -c /constraints.txt 'panoptic-anything[serve]'

FROM ${BASE}
RUN useradd --uid 10001 --create-home panoptic
COPY --from=build /opt/panoptic /opt/panoptic
USER 10001
WORKDIR /home/panoptic
ENV PATH=/opt/panoptic/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 9090
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9090/health', timeout=4)"]
ENTRYPOINT ["panoptic", "serve", "--host", "0.0.0.0", "--port", "9090"]
CMD ["--models", "tiny"]
