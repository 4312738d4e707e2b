package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/spf13/cobra"

	"sluice/gateway/validate"
)

// maxDocument bounds an OpenAPI document, as the configuration does.
const maxDocument = 16 << 20

func importOpenAPICommand() *cobra.Command {
	var backend, prefix string
	var mocked bool
	cmd := &cobra.Command{Use: "openapi FILE", Short: "Print the sluice.yaml that routes what an OpenAPI document describes", Args: cobra.ExactArgs(1),
		Long: "Print the sluice.yaml that routes the operations of an OpenAPI document (3.0 or 3.1): a route each, that is held against\n" +
			"the document and asks for what its security schemes say. Comments tell what could not be carried over. The document is\n" +
			"named as it is here: keep the file that is printed in the same directory, or change the names.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			text, doc, err := readOpenAPI(args[0])
			if err != nil {
				return unusable("%w", err)
			}
			if _, err := validate.NewContract(text); err != nil {
				return unusable("%s: %w", args[0], err)
			}
			a := &importedAPI{file: args[0], doc: doc, backend: backend, mock: mocked}
			if cmd.Flags().Changed("prefix") {
				a.prefix = &prefix
			}
			out, err := a.yaml()
			if err != nil {
				return unusable("%s: %w", args[0], err)
			}
			_, err = io.WriteString(cmd.OutOrStdout(), out)
			return err
		})}
	f := cmd.Flags()
	f.StringVar(&backend, "backend", "", "base URL of the service (default the document's first server)")
	f.StringVar(&prefix, "prefix", "", "path before the document's own (default the base path of its server)")
	f.BoolVar(&mocked, "mock", false, "answer with the document's examples, without a service")
	return cmd
}

// readOpenAPI reads a document. Nothing outside of it is fetched.
func readOpenAPI(name string) ([]byte, *openapi3.T, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the document: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("cannot read the document: %w", err)
	case len(text) > maxDocument:
		return nil, nil, fmt.Errorf("%s has more than %d MiB", name, maxDocument>>20)
	}
	doc, err := parseOpenAPI(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, doc, nil
}

func parseOpenAPI(text []byte) (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	switch {
	case err != nil && strings.Contains(err.Error(), "external reference"):
		return nil, fmt.Errorf("%w: bring the files together in one first", err)
	case err != nil:
		return nil, err
	case doc.Extensions["swagger"] != nil:
		return nil, errors.New("it is Swagger 2: turn it into OpenAPI 3 first")
	case !strings.HasPrefix(doc.OpenAPI, "3."):
		return nil, errors.New("it is no OpenAPI document: it lacks openapi: 3.x")
	}
	return doc, nil
}
