# An image of the command `turnout` with kubectl, to run it in a cluster: docs/kubernetes.md.
# `make image-command` builds it in a context that holds only the command.

# kubectl supports clusters that are one minor version older or newer.
ARG KUBECTL=v1.34.1
FROM registry.k8s.io/kubectl:${KUBECTL} AS kubectl

# This image has a shell, which runs the command of --apply-with.
FROM debian:13-slim
# Further Debian packages that your --apply-with command needs.
ARG PACKAGES=
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates ${PACKAGES} \
    && rm -rf /var/lib/apt/lists/*
COPY --from=kubectl /bin/kubectl /usr/local/bin/kubectl
COPY turnout /usr/local/bin/turnout
# Fails if the command was built for a newer C library than this image has.
RUN ["turnout", "--version"]
# A number, so that Kubernetes can check that it is not root.
USER 65532:65532
ENTRYPOINT ["turnout"]
