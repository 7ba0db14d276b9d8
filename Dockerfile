# CPU image: docker build -t ecglfm . && docker run --rm -v "$PWD/results:/ecglfm/results" ecglfm
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ make git && rm -rf /var/lib/apt/lists/*
WORKDIR /ecglfm
ARG PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
COPY . .
RUN pip install --no-cache-dir ${PIP_FLAGS} -c constraints.txt ".[postgres,train,workflow]"
CMD ["snakemake"]
