{{/* What a schema cannot say: settings that contradict each other, or are missing together. */}}

{{- define "baton.checks" -}}
{{- $v := .Values -}}
{{- include "baton.checks.one" (dict "of" "redis" "named" (dict "url" $v.redis.url "existingSecret" $v.redis.existingSecret "hosts" $v.redis.hosts)) -}}
{{- include "baton.checks.one" (dict "of" "rabbitmq" "named" (dict "url" $v.rabbitmq.url "existingSecret" $v.rabbitmq.existingSecret "hosts" $v.rabbitmq.hosts)) -}}
{{- $volume := or $v.blobs.sharedVolume.existingClaim $v.blobs.sharedVolume.create -}}
{{- include "baton.checks.one" (dict "of" "blobs" "named" (dict "s3.bucket" $v.blobs.s3.bucket "sharedVolume.existingClaim or sharedVolume.create" $volume)) -}}
{{- if not $v.auth.existingSecret }}{{ fail "auth.existingSecret is missing: name a Secret with the keys of orchestrators and workers" }}{{ end -}}
{{- range $of := list "redis" "rabbitmq" -}}
{{- $server := index $v $of -}}
{{- if regexMatch "://[^/?]*:[^/?]*@" $server.url }}{{ fail (printf "%s.url holds a password: put the address into a Secret and name it in %s.existingSecret" $of $of) }}{{ end -}}
{{- if and $server.username (not $server.passwordSecret.name) }}{{ fail (printf "%s.username needs %s.passwordSecret.name" $of $of) }}{{ end -}}
{{- end -}}
{{- if and $v.rabbitmq.passwordSecret.name (not $v.rabbitmq.username) }}{{ fail "rabbitmq.passwordSecret needs rabbitmq.username" }}{{ end -}}
{{- if and $v.redis.hosts (eq $v.redis.mode "standalone") (gt (len $v.redis.hosts) 1) }}{{ fail "redis.hosts names several servers: redis.mode says sentinel or cluster" }}{{ end -}}
{{- if and $v.redis.hosts (eq $v.redis.mode "sentinel") (not $v.redis.sentinelName) }}{{ fail "redis.sentinelName is missing: the name under which the sentinels know the primary" }}{{ end -}}
{{- if and $v.redis.hosts (eq $v.redis.mode "cluster") $v.redis.database }}{{ fail "redis.database: a cluster has database 0 alone" }}{{ end -}}
{{- range $of, $scheme := dict "redis" "rediss" "rabbitmq" "amqps" -}}
{{- $server := index $v $of -}}
{{- if or $server.tls.caSecret $server.tls.clientSecret -}}
{{- if and $server.hosts (not $server.tls.enabled) }}{{ fail (printf "%s.tls names certificates and %s.tls.enabled is false" $of $of) }}{{ end -}}
{{- if and $server.url (not (hasPrefix $scheme $server.url)) }}{{ fail (printf "%s.tls names certificates and %s.url does not begin with %s" $of $of $scheme) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and $v.blobs.sharedVolume.existingClaim $v.blobs.sharedVolume.create }}{{ fail "blobs.sharedVolume: give existingClaim or create, not both" }}{{ end -}}
{{- $many := or (gt (int $v.orchestrator.replicas) 1) $v.orchestrator.autoscaling.enabled -}}
{{- if and $v.blobs.sharedVolume.create (eq $v.blobs.sharedVolume.accessMode "ReadWriteOnce") $many }}{{ fail "blobs.sharedVolume.accessMode: several orchestrators need ReadWriteMany, or blobs.s3" }}{{ end -}}
{{- if and $v.trust.existingSecret $v.trust.configMap }}{{ fail "trust: give existingSecret or configMap, not both" }}{{ end -}}
{{- if and $v.keda.rabbitmq.caKey (not (include "baton.trusts" .)) }}{{ fail "keda.rabbitmq.caKey is a key of trust.existingSecret or trust.configMap: name one" }}{{ end -}}
{{- $scraped := or $v.metrics.serviceMonitor.enabled $v.metrics.podMonitor.enabled -}}
{{- if and $scraped $v.networkPolicy.enabled (not $v.networkPolicy.monitoring) }}{{ fail "networkPolicy.monitoring is missing: who may ask for /metrics" }}{{ end -}}
{{- include "baton.checks.tls" . -}}
{{- include "baton.checks.scaling" (dict "at" "orchestrator.autoscaling" "scaling" $v.orchestrator.autoscaling) -}}
{{- include "baton.checks.env" (dict "at" "orchestrator.extraEnv" "env" $v.orchestrator.extraEnv) -}}
{{- $root := . -}}
{{- range $name, $_ := $v.workers -}}
{{- $worker := include "baton.worker" (dict "root" $root "name" $name) | fromJson -}}
{{- include "baton.checks.scaling" (dict "at" (printf "workers.%s.autoscaling" $name) "scaling" $worker.autoscaling) -}}
{{- include "baton.checks.env" (dict "at" (printf "workers.%s.extraEnv" $name) "env" $worker.extraEnv) -}}
{{- if and (eq $worker.autoscaling.kind "hpa") (lt (int $worker.autoscaling.minReplicas) 1) }}{{ fail (printf "workers.%s.autoscaling.minReplicas: only kind keda goes down to 0" $name) }}{{ end -}}
{{- if and $worker.queuesOnly (not $worker.queues) }}{{ fail (printf "workers.%s.queuesOnly leaves no queue to take from: name some in workers.%s.queues" $name $name) }}{{ end -}}
{{- if and $worker.autoscaling.inFlight.serverAddress (not $worker.perPod) }}{{ fail (printf "workers.%s.autoscaling.inFlight: how many jobs a pod takes is not known; say it in concurrency or inFlight.threshold" $name) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Exactly one of them. Takes { of, named }. */}}
{{- define "baton.checks.one" -}}
{{- $given := list -}}
{{- range $name, $value := .named }}{{ if $value }}{{ $given = append $given $name }}{{ end }}{{ end -}}
{{- if ne (len $given) 1 -}}
{{- $names := join ", " (keys .named | sortAlpha) -}}
{{- fail (printf "%s: give exactly one of %s; %s" .of $names (ternary "there is none" (printf "there are %s" (join ", " $given)) (empty $given))) -}}
{{- end -}}
{{- end -}}

{{- define "baton.checks.tls" -}}
{{- $tls := .Values.tls -}}
{{- if and $tls.enabled (not $tls.existingSecret) }}{{ fail "tls.existingSecret is missing: the certificate that orchestrators show" }}{{ end -}}
{{- if $tls.clientAuth.enabled -}}
{{- if not $tls.enabled }}{{ fail "tls.clientAuth.enabled needs tls.enabled" }}{{ end -}}
{{- if not $tls.clientAuth.caSecret }}{{ fail "tls.clientAuth.caSecret is missing: who vouches for clients" }}{{ end -}}
{{- if not $tls.clientAuth.existingSecret }}{{ fail "tls.clientAuth.existingSecret is missing: what workers and probes show" }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "baton.checks.scaling" -}}
{{- if gt (int .scaling.minReplicas) (int .scaling.maxReplicas) }}{{ fail (printf "%s: minReplicas is above maxReplicas" .at) }}{{ end -}}
{{- end -}}

{{/* Variables that the chart sets itself would stand there twice. */}}
{{- define "baton.checks.env" -}}
{{- $own := list "BATON_STORE" "BATON_BROKER" "BATON_BLOBS" "BATON_GRPC_ADDR" "BATON_HTTP_ADDR" "BATON_API_KEY" "BATON_WORKER_KEY" "BATON_CLUSTER_SECRET" "BATON_ORCHESTRATOR" "BATON_DATA_DIR" "BATON_CONFIG" "BATON_LOG" "BATON_GRACE_MS" "BATON_DRAIN_MS" "BATON_SLOTS" "BATON_QUEUES" "BATON_QUEUES_ONLY" "BATON_METRICS_ADDR" "BATON_FILE_ROOTS" "BATON_ADVANCES_MAX" "BATON_WATCHES_MAX" "BATON_BACKLOG_MAX" "BATON_ADMISSION_FILL_PERCENT" "BATON_LANE_SHARE" "BATON_BLOB_BYTES_MAX" "BATON_CONNECTION_AGE_MS" "BATON_ARCHIVE_MS" "BATON_TLS_CERT" "BATON_TLS_KEY" "BATON_TLS_CLIENT_CA" "BATON_TLS_CA" "BATON_TLS_CLIENT_CERT" "BATON_TLS_CLIENT_KEY" "BATON_TLS_NAME" "SSL_CERT_DIR" "OTEL_EXPORTER_OTLP_ENDPOINT" "BATON_TRACE_RATIO" "REDIS_PASSWORD" "REDIS_SENTINEL_PASSWORD" "RABBITMQ_PASSWORD" "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" -}}
{{- $at := .at -}}
{{- range .env -}}
{{- if has .name $own }}{{ fail (printf "%s: the chart sets %s itself; look for its value" $at .name) }}{{ end -}}
{{- end -}}
{{- end -}}
