{{/* Where Redis, RabbitMQ, blobs and orchestrators are: settings, and the files they name. */}}

{{/* Variables that hold the store's address. Passwords come before the address that names them. */}}
{{- define "baton.store.env" -}}
{{- $redis := .Values.redis -}}
{{- $files := list -}}
{{- if $redis.tls.caSecret }}{{ $files = append $files "ca_file=/etc/baton/redis-ca/ca.crt" }}{{ end -}}
{{- if $redis.tls.clientSecret }}{{ $files = concat $files (list "cert_file=/etc/baton/redis-client/tls.crt" "key_file=/etc/baton/redis-client/tls.key") }}{{ end -}}
{{- if $redis.existingSecret }}
- name: BATON_STORE
  valueFrom: { secretKeyRef: { name: {{ $redis.existingSecret | quote }}, key: {{ $redis.urlKey | quote }} } }
{{- else if $redis.url }}
- name: BATON_STORE
  value: {{ include "baton.with-options" (dict "url" $redis.url "options" $files) | quote }}
{{- else }}
{{- $login := "" -}}
{{- if $redis.passwordSecret.name }}
{{- $login = printf "%s:$(REDIS_PASSWORD)@" (urlquery $redis.username) }}
- name: REDIS_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $redis.passwordSecret.name | quote }}, key: {{ $redis.passwordSecret.key | quote }} } }
{{- end }}
{{- $scheme := ternary "rediss" "redis" $redis.tls.enabled -}}
{{- $path := printf "/%d" (int $redis.database) -}}
{{- $options := $files -}}
{{- if eq $redis.mode "sentinel" -}}
{{- $path = printf "/%s" (urlquery $redis.sentinelName) -}}
{{- if $redis.database }}{{ $options = append $options (printf "db=%d" (int $redis.database)) }}{{ end -}}
{{- if $redis.sentinelPasswordSecret.name }}
{{- $options = append $options "sentinel_password=$(REDIS_SENTINEL_PASSWORD)" }}
- name: REDIS_SENTINEL_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $redis.sentinelPasswordSecret.name | quote }}, key: {{ $redis.sentinelPasswordSecret.key | quote }} } }
{{- end }}
{{- end -}}
{{- if ne $redis.mode "standalone" }}{{ $scheme = printf "%s+%s" $scheme $redis.mode }}{{ end -}}
{{- if eq $redis.mode "cluster" }}{{ $path = "" }}{{ end }}
- name: BATON_STORE
  value: {{ include "baton.with-options" (dict "url" (printf "%s://%s%s%s" $scheme $login (join "," $redis.hosts) $path) "options" $options) | quote }}
{{- end }}
{{- end -}}

{{/* Variables that hold the broker's address. */}}
{{- define "baton.broker.env" -}}
{{- $rabbit := .Values.rabbitmq -}}
{{- $options := list (printf "queue_type=%s" $rabbit.queueType) -}}
{{- $files := list -}}
{{- if $rabbit.tls.caSecret }}{{ $files = append $files "ca_file=/etc/baton/rabbitmq-ca/ca.crt" }}{{ end -}}
{{- if $rabbit.tls.clientSecret }}{{ $files = concat $files (list "cert_file=/etc/baton/rabbitmq-client/tls.crt" "key_file=/etc/baton/rabbitmq-client/tls.key") }}{{ end -}}
{{- if $rabbit.existingSecret }}
- name: BATON_BROKER
  valueFrom: { secretKeyRef: { name: {{ $rabbit.existingSecret | quote }}, key: {{ $rabbit.urlKey | quote }} } }
{{- else if $rabbit.url }}
- name: BATON_BROKER
  value: {{ include "baton.with-options" (dict "url" $rabbit.url "options" (concat (ternary list $options (contains "queue_type=" $rabbit.url)) $files)) | quote }}
{{- else }}
{{- $login := "" -}}
{{- if $rabbit.passwordSecret.name }}
{{- $login = printf "%s:$(RABBITMQ_PASSWORD)@" (urlquery $rabbit.username) }}
- name: RABBITMQ_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ $rabbit.passwordSecret.name | quote }}, key: {{ $rabbit.passwordSecret.key | quote }} } }
{{- end }}
- name: BATON_BROKER
  value: {{ include "baton.with-options" (dict "url" (printf "%s://%s%s/%s" (ternary "amqps" "amqp" $rabbit.tls.enabled) $login (join "," $rabbit.hosts) (urlquery $rabbit.vhost)) "options" (concat $options $files)) | quote }}
{{- end }}
{{- end -}}

{{/* The files that address names. */}}
{{- define "baton.broker.mounts" -}}
{{- $tls := .Values.rabbitmq.tls -}}
{{- if $tls.caSecret }}
- { name: rabbitmq-ca, mountPath: /etc/baton/rabbitmq-ca, readOnly: true }
{{- end }}
{{- if $tls.clientSecret }}
- { name: rabbitmq-client, mountPath: /etc/baton/rabbitmq-client, readOnly: true }
{{- end }}
{{- end -}}

{{- define "baton.broker.volumes" -}}
{{- $tls := .Values.rabbitmq.tls -}}
{{- with $tls.caSecret }}
- name: rabbitmq-ca
  secret: { secretName: {{ . | quote }}, items: [{ key: {{ $tls.caKey | quote }}, path: ca.crt }] }
{{- end }}
{{- with $tls.clientSecret }}
- name: rabbitmq-client
  secret: { secretName: {{ . | quote }} }
{{- end }}
{{- end -}}

{{/* An address with options behind it. Takes { url, options }. */}}
{{- define "baton.with-options" -}}
{{- .url -}}
{{- if .options }}{{ ternary "&" "?" (contains "?" .url) }}{{ join "&" .options }}{{ end -}}
{{- end -}}

{{/* Variables that say where blobs lie. */}}
{{- define "baton.blobs.env" -}}
{{- $s3 := .Values.blobs.s3 -}}
{{- if $s3.bucket }}
{{- $options := list -}}
{{- with $s3.endpoint }}{{ $options = append $options (printf "endpoint=%s" .) }}{{ end -}}
{{- with $s3.region }}{{ $options = append $options (printf "region=%s" .) }}{{ end -}}
{{- if $s3.existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: { secretKeyRef: { name: {{ $s3.existingSecret | quote }}, key: {{ $s3.accessKeyIdKey | quote }} } }
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: { secretKeyRef: { name: {{ $s3.existingSecret | quote }}, key: {{ $s3.secretAccessKeyKey | quote }} } }
{{- end }}
- name: BATON_BLOBS
  value: {{ include "baton.with-options" (dict "url" (printf "s3://%s%s" $s3.bucket (ternary (printf "/%s" (trimAll "/" $s3.prefix)) "" (ne $s3.prefix ""))) "options" $options) | quote }}
{{- else }}
- name: BATON_BLOBS
  value: file:/var/lib/baton/blobs
{{- end }}
{{- end -}}

{{/* Where orchestrators are, for workers and the test. */}}
{{- define "baton.orchestrator.url" -}}
{{ ternary "https" "http" .Values.tls.enabled }}://{{ include "baton.orchestrator" . }}.{{ .Release.Namespace }}.svc:{{ .Values.orchestrator.ports.grpc }}
{{- end -}}

{{/* The name that the orchestrators' certificate is asked for. */}}
{{- define "baton.server-name" -}}
{{- .Values.tls.serverName | default (printf "%s.%s.svc" (include "baton.orchestrator" .) .Release.Namespace) -}}
{{- end -}}

{{/* Variables of who calls orchestrators: workers, probes and the test. */}}
{{- define "baton.client.env" -}}
{{- $tls := .Values.tls -}}
{{- if $tls.enabled }}
{{- if $tls.caKey }}
- name: BATON_TLS_CA
  value: /etc/baton/tls-ca/ca.crt
{{- end }}
- name: BATON_TLS_NAME
  value: {{ include "baton.server-name" . | quote }}
{{- if $tls.clientAuth.enabled }}
- name: BATON_TLS_CLIENT_CERT
  value: /etc/baton/tls-client/tls.crt
- name: BATON_TLS_CLIENT_KEY
  value: /etc/baton/tls-client/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{/* The files those variables name. */}}
{{- define "baton.client.mounts" -}}
{{- $tls := .Values.tls -}}
{{- if and $tls.enabled $tls.caKey }}
- { name: tls-ca, mountPath: /etc/baton/tls-ca, readOnly: true }
{{- end }}
{{- if and $tls.enabled $tls.clientAuth.enabled }}
- { name: tls-client, mountPath: /etc/baton/tls-client, readOnly: true }
{{- end }}
{{- end -}}

{{- define "baton.client.volumes" -}}
{{- $tls := .Values.tls -}}
{{- if and $tls.enabled $tls.caKey }}
- name: tls-ca
  secret: { secretName: {{ $tls.caSecret | default $tls.existingSecret | quote }}, items: [{ key: {{ $tls.caKey | quote }}, path: ca.crt }] }
{{- end }}
{{- if and $tls.enabled $tls.clientAuth.enabled }}
- name: tls-client
  secret: { secretName: {{ $tls.clientAuth.existingSecret | quote }} }
{{- end }}
{{- end -}}

{{/* Private authorities stand beside the system's. */}}
{{- define "baton.trusts" -}}
{{- if or .Values.trust.existingSecret .Values.trust.configMap }}yes{{ end -}}
{{- end -}}

{{- define "baton.trust.env" -}}
{{- if include "baton.trusts" . }}
- name: SSL_CERT_DIR
  value: {{ compact (list .Values.trust.systemFolder "/etc/baton/trust") | join ":" | quote }}
{{- end }}
{{- end -}}

{{- define "baton.trust.mounts" -}}
{{- if include "baton.trusts" . }}
- { name: trust, mountPath: /etc/baton/trust, readOnly: true }
{{- end }}
{{- end -}}

{{- define "baton.trust.volumes" -}}
{{- if .Values.trust.existingSecret }}
- name: trust
  secret: { secretName: {{ .Values.trust.existingSecret | quote }} }
{{- else if .Values.trust.configMap }}
- name: trust
  configMap: { name: {{ .Values.trust.configMap | quote }} }
{{- end }}
{{- end -}}

{{- define "baton.telemetry.env" -}}
- name: BATON_LOG
  value: {{ .Values.telemetry.log | quote }}
{{- with .Values.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- if not (kindIs "invalid" .Values.telemetry.traceRatio) }}
- name: BATON_TRACE_RATIO
  value: {{ .Values.telemetry.traceRatio | quote }}
{{- end }}
{{- end -}}
