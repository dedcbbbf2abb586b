{{- define "qwicket.name" -}}
{{- if contains "qwicket" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-qwicket" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels that select the pods of a component: (list . "server"). */}}
{{- define "qwicket.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: qwicket
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "qwicket.labels" -}}
{{- $root := index . 0 -}}
{{ include "qwicket.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | quote }}
{{- end }}

{{- define "qwicket.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | default "IfNotPresent" }}
{{- end }}

{{/* The rules of the Pod Security Standard "restricted". */}}
{{- define "qwicket.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "qwicket.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Where pods run: the values of a component. */}}
{{- define "qwicket.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* One value of qwicket.toml, as text: the option reads it like an argument. */}}
{{- define "qwicket.setting" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . | quote }}
{{- else }}{{ toString . | quote }}{{ end }}
{{- end }}

{{- define "qwicket.toml" -}}
{{- range $name, $value := omit .Values.server.settings "limits" }}
{{ $name }} = {{ include "qwicket.setting" $value }}
{{- end }}
{{- with .Values.server.settings.limits }}

[limits]
{{- range $name, $value := . }}
{{ $name }} = {{ include "qwicket.setting" $value }}
{{- end }}
{{- end }}
{{- end }}
