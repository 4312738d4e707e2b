// Command oapi is a client of the gateway's prompts whose code oapi-codegen
// made of /openapi.json, beside this file: see ../../clients_test.go.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"reflect"

	_ "github.com/oapi-codegen/runtime" // what is generated needs it
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("all is well")
}

func run(ctx context.Context) error {
	c, err := NewClientWithResponses(os.Getenv("SLUICE_SDK_ORIGIN"), WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("SLUICE_SDK_KEY"))
		return nil
	}))
	if err != nil {
		return err
	}
	sorted, err := c.ClassifyWithResponse(ctx, nil, ClassifyInput{Text: "My parcel never came."})
	if err != nil || sorted.JSON200 == nil || *sorted.JSON200 != (ClassifyOutput{Sentiment: ClassifyOutputSentimentPositive, Confidence: 1, Reasoning: "reasoning"}) {
		return fmt.Errorf("classify: %w: %s", err, sorted.Body)
	}
	one := 1
	found, err := c.TreeWithResponse(ctx, &TreeParams{XPromptVersion: &one}, TreeInput{Node: TreeInputNode{Name: "a", Next: &TreeInputNode{Name: "b"}}})
	if err != nil || found.JSON200 == nil || found.JSON200.Kind != X || !reflect.DeepEqual(found.JSON200.Found[0].Name, "name") {
		return fmt.Errorf("tree: %w: %s", err, found.Body)
	}
	text, err := c.RewriteWithResponse(ctx, nil, RewriteInput{Text: "so it is", Tone: Formal})
	if err != nil || string(text.Body) != "so it is" {
		return fmt.Errorf("rewrite: %w: %s", err, text.Body)
	}
	wrong, err := c.RewriteWithResponse(ctx, nil, RewriteInput{Text: "x", Tone: "loud"})
	if err != nil || wrong.ApplicationproblemJSON422 == nil || wrong.ApplicationproblemJSON422.Errors[0].Pointer != "/tone" {
		return fmt.Errorf("an input that does not fit: %w: %d %s", err, wrong.StatusCode(), wrong.Body)
	}
	return nil
}
