{{/* Names and labels: everything that must be the same wherever it is written. */}}

{{- define "baton.chart" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 30 characters leave room for a component and a worker's name within the 63 of a label. */}}
{{- define "baton.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "baton.chart" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 30 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "baton.orchestrator" -}}{{ include "baton.fullname" . }}-orchestrator{{- end -}}

{{/* Labels that never change over an upgrade. Takes { root, component, worker? }. */}}
{{- define "baton.selector" -}}
app.kubernetes.io/name: {{ include "baton.chart" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .worker }}
baton/worker: {{ . }}
{{- end }}
{{- end -}}

{{/* All labels of an object. Takes the same. */}}
{{- define "baton.labels" -}}
{{ include "baton.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: baton
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image. Takes { root, image, repository? }. */}}
{{- define "baton.image" -}}
{{- $all := .root.Values.image -}}
{{- with $all.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .image.repository | default .repository -}}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default $all.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* The account of orchestrators or workers. Takes { root, account, suffix }. */}}
{{- define "baton.account" -}}
{{- if .account.name -}}
{{- .account.name -}}
{{- else if .account.create -}}
{{- printf "%s-%s" (include "baton.fullname" .root) .suffix -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* What a worker is told, its own words before the defaults. Takes { root, name }. */}}
{{- define "baton.worker" -}}
{{- $own := index .root.Values.workers .name -}}
{{- $worker := mustMergeOverwrite (deepCopy .root.Values.workerDefaults) (deepCopy $own) -}}
{{- $_ := set $worker "program" (printf "baton-worker-%s" $own.class) -}}
{{- $_ := set $worker "object" (printf "%s-worker-%s" (include "baton.fullname" .root) .name) -}}
{{- $_ := set $worker "perPod" ($worker.autoscaling.inFlight.threshold | default $worker.concurrency | default (ternary 64 0 (eq $own.class "io"))) -}}
{{- $queues := list -}}
{{- if not $worker.queuesOnly }}{{ range list "high" "normal" "low" }}{{ $queues = append $queues (printf "%s.%s" $own.class .) }}{{ end }}{{ end -}}
{{- $_ := set $worker "consumes" (concat $queues ($worker.queues | default list) | uniq) -}}
{{- toJson $worker -}}
{{- end -}}

{{/* What lies beside a queue for tenants that have much waiting. Takes the queue's name. */}}
{{- define "baton.with-lanes" -}}
{{- if regexMatch "^(io|cpu)[.](high|normal|low)$" . -}}
{{- toJson (list . (printf "%s.t00" .) (printf "%s.t01" .)) -}}
{{- else -}}
{{- toJson (list .) -}}
{{- end -}}
{{- end -}}
