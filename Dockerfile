# The image of `sightline`: docker build -t sightline .
# For GPUs: docker build -t sightline:cuda --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 .
# The base has Python 3.11 or later, or is a Debian or Ubuntu whose python3 is.
ARG BASE=python:3.12-slim

FROM ${BASE}
# Both bases are of Debian's family; NVIDIA's has no Python. torch brings its own CUDA libraries.
RUN command -v python3 && python3 -m venv --help > /dev/null 2>&1 && python3 -c 'import ensurepip' \
    || (apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv \
        && rm -rf /var/lib/apt/lists/*)
RUN python3 -m venv /opt/sightline
ENV PATH=/opt/sightline/bin:$PATH

# Extras by task, such as --build-arg EXTRAS=all.
ARG EXTRAS=export
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY conf conf
COPY experiments experiments
COPY src src
RUN pip install --no-cache-dir -c constraints.txt ".[$EXTRAS]"

# Runs, the store and the images are in the folder that is mounted here.
WORKDIR /project
ENTRYPOINT ["sightline"]
CMD ["--help"]
