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

{{/* Address of the server for workers and their scaler. */}}
{{- define "qwicket.address" -}}
{{ .Values.worker.server | default (printf "http://%s:%v" (include "qwicket.name" .) .Values.service.port) }}
{{- end }}

{{/* Arguments with which workers and their scaler connect. */}}
{{- define "qwicket.connection" -}}
- --connect
- {{ include "qwicket.address" . | quote }}
{{- if hasPrefix "http://" (include "qwicket.address" .) }}
- --insecure  # the network is the cluster's own
{{- end }}
- --token-file
- /run/secrets/qwicket/token
{{- end }}

{{- define "qwicket.tokenVolume" -}}
- name: token
  secret:
    secretName: {{ .Values.worker.token.secret | quote }}
    items: [{key: {{ .Values.worker.token.key | quote }}, path: token}]
    defaultMode: 0440
{{- end }}

{{/* The pod of a worker, of a Deployment or of a Job. */}}
{{- define "qwicket.workerPod" -}}
metadata:
  labels: {{- include "qwicket.labels" (list . "worker") | nindent 4 }}
spec:
  serviceAccountName: {{ include "qwicket.name" . }}
  {{- include "qwicket.podSecurity" . | nindent 2 }}
  # On SIGTERM a worker lets running jobs end, or returns them to the server.
  terminationGracePeriodSeconds: 60
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- include "qwicket.placement" .Values.worker | nindent 2 }}
  containers:
    # Without probes: a worker has no port, and the server voids the leases of one that is silent.
    - name: worker
      {{- include "qwicket.image" . | nindent 6 }}
      args:
        - worker
        {{- include "qwicket.connection" . | nindent 8 }}
        - --slots
        - {{ .Values.worker.slots | quote }}
        {{- with .Values.worker.devices }}
        - --devices
        - {{ join "," . | quote }}
        {{- end }}
      {{- include "qwicket.containerSecurity" . | nindent 6 }}
      {{- with .Values.worker.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: token, mountPath: /run/secrets/qwicket, readOnly: true}
        - {name: tmp, mountPath: /tmp}
  volumes:
    {{- include "qwicket.tokenVolume" . | nindent 4 }}
    - name: tmp
      emptyDir: {}
{{- end }}

{{/* Where workers and their scaler connect to. */}}
{{- define "qwicket.workerEgress" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- if .Values.worker.server }}
{{- $address := urlParse .Values.worker.server }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $address.host) }}
- ports: [{port: {{ $port | default (eq $address.scheme "https" | ternary 443 80) }}, protocol: TCP}]
{{- else }}
- ports: [{port: http, protocol: TCP}]
  to:
    - podSelector:
        matchLabels: {{- include "qwicket.selector" (list . "server") | nindent 10 }}
{{- end }}
{{- end }}

{{/* One value of qwicket.toml, as text: the option reads it like an argument. */}}
{{- define "qwicket.setting" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ printf "%.0f" . | quote }}
{{- else }}{{ toString . | quote }}{{ end }}
{{- end }}

{{- define "qwicket.toml" -}}
{{- range $name, $value := omit .Values.server.settings "limits" "oidc-groups" }}
{{ $name }} = {{ include "qwicket.setting" $value }}
{{- end }}
{{- with .Values.server.settings.limits }}

[limits]
{{- range $name, $value := . }}
{{ $name }} = {{ include "qwicket.setting" $value }}
{{- end }}
{{- end }}
{{- with index .Values.server.settings "oidc-groups" }}

[oidc-groups]
{{- range $name, $gives := . }}
{{ $name | quote }} = {projects = {{ $gives.projects | default list | toJson }}{{ with $gives.role }}, role = {{ . | quote }}{{ end }}}
{{- end }}
{{- end }}
{{- end }}
