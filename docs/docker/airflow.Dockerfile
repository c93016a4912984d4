# Airflow with the DAGs, the jobs, and a Python environment for the driver in client mode, from which spark-submit comes.
#
#   docker build -f docs/docker/airflow.Dockerfile -t REGISTRY/emberline-airflow:0.1.0 .
#
# Airflow's own packages and ours never meet: the second environment is the driver's alone.
# --build-arg AIRFLOW=apache/airflow@sha256:… names the image by its content; --build-arg LOCK=hashes takes only
# packages whose SHA-256 is in requirements.hashes and requirements-airflow.hashes.
ARG AIRFLOW=apache/airflow:slim-3.3.2-python3.11
FROM ${AIRFLOW}
ARG LOCK=lock
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir --parents /opt/emberline \
    && chown airflow /opt/emberline
USER airflow
COPY requirements-airflow.lock requirements-airflow.hashes requirements.lock requirements.hashes /opt/emberline/
RUN cd /opt/emberline \
    && grep '^setuptools==' requirements.${LOCK} | pip install --no-cache-dir --requirement /dev/stdin \
    && pip install --no-cache-dir --no-build-isolation --requirement requirements-airflow.${LOCK}
RUN cd /opt/emberline \
    && python -m venv venv \
    && grep '^setuptools==' requirements.${LOCK} | venv/bin/pip install --no-cache-dir --requirement /dev/stdin \
    && venv/bin/pip install --no-cache-dir --no-build-isolation --requirement requirements.${LOCK}
COPY emberline /opt/emberline/emberline
COPY features /opt/emberline/features
COPY models /opt/emberline/models
COPY pipelines /opt/emberline/pipelines
COPY jobs /opt/emberline/jobs
COPY airflow_dags /opt/airflow/dags
RUN cd /opt/emberline && python -m emberline bundle --output /opt/emberline
ENV PATH=/opt/emberline/venv/lib/python3.11/site-packages/pyspark/bin:${PATH} \
    PYSPARK_DRIVER_PYTHON=/opt/emberline/venv/bin/python \
    AIRFLOW_VAR_EMBERLINE_CODE=/opt/emberline
