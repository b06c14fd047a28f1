# Stands in for the image that compiles Baton, where none can be pulled: a C compiler of Debian, and
# the Rust toolchain that is this build's context.
#
#   docker build --file integration-tests/standins/rust.Dockerfile --tag standin/rust "$(rustc --print sysroot)"

ARG BASE=standin/base
FROM ${BASE}
RUN apt-get update && \
    apt-get install --yes --no-install-recommends gcc libc6-dev ca-certificates && \
    rm -rf /var/lib/apt/lists/*
COPY bin /usr/local/bin
COPY lib /usr/local/lib
COPY libexec /usr/local/libexec
