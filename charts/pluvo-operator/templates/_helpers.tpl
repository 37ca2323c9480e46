{{/* One name for everything of a release: the release's own if it already says what it is. */}}
{{- define "pluvo-operator.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- $name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "pluvo-operator.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "pluvo-operator.fullname" .) -}}
{{- end }}

{{/* Of no namespace, and another one for each release. */}}
{{- define "pluvo-operator.definitionsRole" -}}
{{ .Release.Namespace }}-{{ include "pluvo-operator.fullname" . }}-definitions
{{- end }}

{{- define "pluvo-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pluvo-operator.labels" -}}
{{ include "pluvo-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
