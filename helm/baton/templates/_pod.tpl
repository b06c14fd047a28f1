{{/* What pods of orchestrators and workers have in common. */}}

{{/* The pod's frame around its containers and volumes. Takes { root, settings, account, selector }. */}}
{{- define "baton.pod" -}}
{{- $settings := .settings -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
# A service named like this release would be told to pods as BATON_… variables, which no program knows.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
securityContext: {{- toYaml $settings.podSecurityContext | nindent 2 }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $settings.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if $settings.topologySpreadConstraints }}
{{- toYaml $settings.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- $selector := .selector }}
{{- range .spread }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $selector | nindent 8 }}
{{- end }}
{{- end }}
{{- with $settings.initContainers }}
initContainers: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The head of a Deployment's pods. Takes { root, component, worker?, settings, config }. */}}
{{- define "baton.pod.metadata" -}}
labels: {{- include "baton.labels" . | nindent 2 }}
{{- with .settings.podLabels }}
{{- toYaml . | nindent 2 }}
{{- end }}
{{- $annotations := deepCopy .settings.podAnnotations }}
{{- if .settings.config }}{{ $_ := set $annotations "checksum/config" (sha256sum .settings.config) }}{{ end }}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An HPA on CPU. Takes { root, component, worker?, target, scaling, down }. */}}
{{- define "baton.hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .target }}
  labels: {{- include "baton.labels" . | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ .target }} }
  minReplicas: {{ .scaling.minReplicas }}
  maxReplicas: {{ .scaling.maxReplicas }}
  metrics:
    - type: Resource
      resource: { name: cpu, target: { type: Utilization, averageUtilization: {{ .scaling.targetCPUPercent }} } }
{{- with .scaling.scaleDownSeconds }}
  behavior: { scaleDown: { stabilizationWindowSeconds: {{ . }} } }
{{- end }}
{{- end -}}
