# Driver and executors on Kubernetes, CPU: Spark, Python, the locked packages and the code.
#
#   docker build -f docs/docker/executor.Dockerfile -t REGISTRY/emberline:0.1.0 .
#
# --build-arg LOCK=hashes takes only packages whose SHA-256 is in requirements.hashes. What only developers need is not in
# the image, and neither is TensorFlowOnSpark (docs/training.md).
#
# Spark comes from its own image, with the entry point that Kubernetes' driver and executors are started by; its Python is
# older than ours, so that the rest stands on an image of Python's, with the newest patch release of 3.11. What a tag names
# changes: --build-arg PYTHON=python@sha256:… and --build-arg SPARK=apache/spark@sha256:… name an image by its content.
ARG SPARK=apache/spark:4.3.0-scala2.13-java17-python3-ubuntu
ARG PYTHON=python:3.11-slim-bookworm
FROM ${SPARK} AS spark

FROM ${PYTHON}
ARG LOCK=lock
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gosu libgomp1 procps tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 185 --create-home --shell /usr/sbin/nologin spark
COPY --from=spark /opt/java/openjdk /opt/java/openjdk
COPY --from=spark /opt/spark /opt/spark
COPY --from=spark /opt/entrypoint.sh /opt/entrypoint.sh
COPY requirements.lock requirements.hashes /opt/emberline/
RUN cd /opt/emberline \
    && grep '^setuptools==' requirements.${LOCK} | pip install --no-cache-dir --requirement /dev/stdin \
    && pip install --no-cache-dir --no-build-isolation --requirement requirements.${LOCK} \
    && rm -rf /usr/local/lib/python3.11/site-packages/pyspark/jars
COPY emberline /opt/emberline/emberline
COPY features /opt/emberline/features
COPY models /opt/emberline/models
COPY pipelines /opt/emberline/pipelines
COPY jobs /opt/emberline/jobs
ENV JAVA_HOME=/opt/java/openjdk \
    SPARK_HOME=/opt/spark \
    PATH=/opt/spark/bin:/opt/java/openjdk/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/emberline \
    PYSPARK_PYTHON=/usr/local/bin/python \
    PYSPARK_DRIVER_PYTHON=/usr/local/bin/python
WORKDIR /opt/spark/work-dir
RUN chown spark:spark /opt/spark/work-dir
USER 185
ENTRYPOINT ["/opt/entrypoint.sh"]
