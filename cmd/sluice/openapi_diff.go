package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
	"github.com/spf13/cobra"
)

func openAPICommand() *cobra.Command {
	return group("openapi", "Compare OpenAPI documents, and make those of views", openAPIDiffCommand(), openAPIViewCommand())
}

func openAPIDiffCommand() *cobra.Command {
	var asJSON, strict bool
	cmd := &cobra.Command{Use: "diff OLD NEW", Short: "List what changed from one OpenAPI document to the next, and what of it breaks clients", Args: cobra.ExactArgs(2),
		Long: "List what changed from one OpenAPI document (3.0 or 3.1) to the next. What is breaking makes clients fail that kept to the old\n" +
			"document; what is doubtful may. Exit code 0: nothing is breaking; 1: something is, or doubtful with --strict.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			_, was, err := readOpenAPI(args[0])
			if err != nil {
				return unusable("%w", err)
			}
			_, now, err := readOpenAPI(args[1])
			if err != nil {
				return unusable("%w", err)
			}
			changes, err := compareAPIs(was, now)
			if err != nil {
				return unusable("cannot compare %s with %s: %w", args[0], args[1], err)
			}
			out := cmd.OutOrStdout()
			if asJSON {
				enc := json.NewEncoder(out)
				enc.SetEscapeHTML(false)
				err = enc.Encode(changes)
			} else {
				for _, c := range changes {
					fmt.Fprintf(out, "%-10s  %s\n", c.Level, c.line())
				}
			}
			if err == nil && slices.ContainsFunc(changes, func(c apiChange) bool { return c.Level == isBreaking || strict && c.Level == isDoubtful }) {
				return &failure{err: errors.New("there are breaking changes"), code: 1, said: true}
			}
			return err
		})}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&strict, "strict", false, "count what is doubtful as breaking")
	return cmd
}

// What changes do to clients that kept to the old document.
const (
	isBreaking   = "breaking"
	isDoubtful   = "doubtful" // it depends on what they send
	isCompatible = "compatible"
)

// apiChange is one difference of two documents.
type apiChange struct {
	Level  string `json:"level"`
	Method string `json:"method,omitempty"` // empty: it is not about one operation
	Path   string `json:"path,omitempty"`
	Rule   string `json:"rule"` // by its name in oasdiff
	Text   string `json:"text"`
}

func (c *apiChange) line() string {
	if c.Method == "" {
		return c.Text
	}
	return c.Method + " " + c.Path + ": " + c.Text
}

var changeLevels = map[checker.Level]string{checker.ERR: isBreaking, checker.WARN: isDoubtful, checker.INFO: isCompatible}

// compareAPIs lists what changed, the worst first.
func compareAPIs(was, now *openapi3.T) ([]apiChange, error) {
	found, operations, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), &load.SpecInfo{Url: "old", Spec: was}, &load.SpecInfo{Url: "new", Spec: now})
	if err != nil {
		return nil, err
	}
	words := checker.NewDefaultLocalizer()
	list := []apiChange{}
	for _, c := range checker.CheckBackwardCompatibilityUntilLevel(checker.NewConfig(checker.GetAllChecks()), found, operations, checker.INFO) {
		one := apiChange{Level: changeLevels[c.GetLevel()], Method: c.GetOperation(), Path: c.GetPath(), Rule: c.GetId(),
			Text: strings.ReplaceAll(c.GetUncolorizedText(words), "`", "")}
		if one.Level != "" && !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	order := []string{isBreaking, isDoubtful, isCompatible}
	slices.SortStableFunc(list, func(a, b apiChange) int {
		return cmp.Or(slices.Index(order, a.Level)-slices.Index(order, b.Level), cmp.Compare(a.Path, b.Path),
			byMethod(a.Method, b.Method), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
	return list, nil
}
