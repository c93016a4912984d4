# The same for NVIDIA GPUs: TensorFlow brings CUDA as packages, the driver comes from the node (NVIDIA's container runtime).
#
#   docker build -f docs/docker/executor-cuda.Dockerfile --build-arg BASE=REGISTRY/emberline:0.1.0 \
#       -t REGISTRY/emberline-cuda:0.1.0 .
ARG BASE=emberline:0.1.0
FROM ${BASE}
USER root
RUN pip install --no-cache-dir "tensorflow[and-cuda]==2.21.0"
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 185
