{{/* How KEDA reaches RabbitMQ. */}}

{{/* The address where it holds no password: KEDA knows one host only. */}}
{{- define "baton.keda.host" -}}
{{- $rabbit := .Values.rabbitmq -}}
{{- if .Values.keda.rabbitmq.existingSecret -}}
{{- else if $rabbit.hosts }}
host: {{ printf "%s://%s/%s" (ternary "amqps" "amqp" $rabbit.tls.enabled) (first $rabbit.hosts) (urlquery $rabbit.vhost) | quote }}
{{- else if $rabbit.url }}
{{- $address := regexReplaceAll ",[^/?]*" (first (splitList "?" $rabbit.url)) "" }}
host: {{ regexMatch "://[^/]*/" $address | ternary $address (printf "%s/" $address) | quote }}
{{- end }}
{{- end -}}

{{/* Whether KEDA is told of certificates. */}}
{{- define "baton.keda.encrypted" -}}
{{- if or .Values.keda.rabbitmq.caKey .Values.rabbitmq.tls.caSecret .Values.rabbitmq.tls.clientSecret }}yes{{ end -}}
{{- end -}}

{{/* What it takes from Secrets and ConfigMaps. */}}
{{- define "baton.keda.secrets" -}}
{{- $rabbit := .Values.rabbitmq -}}
{{- $own := .Values.keda.rabbitmq -}}
{{- $secrets := list -}}
{{- $maps := list -}}
{{- if $own.existingSecret -}}
{{- $secrets = append $secrets (dict "parameter" "host" "name" $own.existingSecret "key" $own.urlKey) -}}
{{- else if $rabbit.existingSecret -}}
{{- $secrets = append $secrets (dict "parameter" "host" "name" $rabbit.existingSecret "key" $rabbit.urlKey) -}}
{{- else if $rabbit.passwordSecret.name -}}
{{- $maps = append $maps (dict "parameter" "username" "name" (printf "%s-keda" (include "baton.fullname" .)) "key" "username") -}}
{{- $secrets = append $secrets (dict "parameter" "password" "name" $rabbit.passwordSecret.name "key" $rabbit.passwordSecret.key) -}}
{{- end -}}
{{- if include "baton.keda.encrypted" . -}}
{{- $maps = append $maps (dict "parameter" "tls" "name" (printf "%s-keda" (include "baton.fullname" .)) "key" "tls") -}}
{{- end -}}
{{- if $own.caKey -}}
{{- $ca := dict "parameter" "ca" "name" (.Values.trust.existingSecret | default .Values.trust.configMap) "key" $own.caKey -}}
{{- if .Values.trust.existingSecret }}{{ $secrets = append $secrets $ca }}{{ else }}{{ $maps = append $maps $ca }}{{ end -}}
{{- else if $rabbit.tls.caSecret -}}
{{- $secrets = append $secrets (dict "parameter" "ca" "name" $rabbit.tls.caSecret "key" $rabbit.tls.caKey) -}}
{{- end -}}
{{- with $rabbit.tls.clientSecret -}}
{{- $secrets = concat $secrets (list (dict "parameter" "cert" "name" . "key" "tls.crt") (dict "parameter" "key" "name" . "key" "tls.key")) -}}
{{- end -}}
{{- with $secrets }}
secretTargetRef: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $maps }}
configMapTargetRef: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The words KEDA takes from an object alone. */}}
{{- define "baton.keda.words" -}}
{{- $rabbit := .Values.rabbitmq -}}
{{- $own := .Values.keda.rabbitmq -}}
{{- if and $rabbit.passwordSecret.name (not $own.existingSecret) (not $rabbit.existingSecret) }}
username: {{ $rabbit.username | quote }}
{{- end }}
{{- if include "baton.keda.encrypted" . }}
tls: enable
{{- end }}
{{- end -}}
