# Stands in for the image that compiles Baton, where none can be pulled: a C compiler of Debian, and
# the Rust toolchain that is this build's context.
#
#   docker build --file integration-tests/standins/rust.Dockerfile --tag standin/rust "$(rustc --print sysroot)"

ARG BASE=standin/compiler
FROM ${BASE}
COPY bin /usr/local/bin
COPY lib /usr/local/lib
COPY libexec /usr/local/libexec
