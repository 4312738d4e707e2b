package azure

import (
	"testing"

	"sluice/providers/schema"
)

func TestPassPaths(t *testing.T) {
	for _, c := range []struct {
		version    string
		op         schema.Operation
		path, want string
	}{
		{"", schema.OpImage, "/images/generations", "/openai/v1/images/generations"},
		{"v1", schema.OpFile, "/files?limit=1", "/openai/v1/files?limit=1"},
		{"v1", schema.OpRealtime, "/realtime?model=dep", "/openai/v1/realtime?model=dep"},
		{"preview", schema.OpFile, "/files?limit=1", "/openai/v1/files?limit=1&api-version=preview"},
		{"2024-10-21", schema.OpTranscribe, "/audio/transcriptions", "/openai/deployments/dep/audio/transcriptions?api-version=2024-10-21"},
		{"2024-10-21", schema.OpBatch, "/batches/b/cancel", "/openai/batches/b/cancel?api-version=2024-10-21"},
		{"2025-04-01-preview", schema.OpRealtime, "/realtime?intent=x&model=dep", "/openai/realtime?deployment=dep&intent=x&api-version=2025-04-01-preview"},
	} {
		if got := New(c.version).Pass[c.op].Path("dep", c.path); got != c.want {
			t.Errorf("%s %s goes to %s, want %s", c.version, c.path, got, c.want)
		}
	}
	if New("v1").Pass[schema.OpModerate] != nil || New("models/2024-05-01-preview").Pass != nil {
		t.Error("what Azure has not is passed on")
	}
}
