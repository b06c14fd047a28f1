#!/bin/sh
# Stands in for Jaeger: something on the port of its screens, and spans printed as they come.
busybox httpd -p 16686 -h /srv
exec rotel-agent start --otlp-grpc-endpoint 0.0.0.0:4317 --otlp-http-endpoint 0.0.0.0:4318 \
  --exporter blackhole --debug-log traces --debug-log-verbosity detailed
