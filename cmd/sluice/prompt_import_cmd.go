package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"sluice/prompts/ordered"
)

func promptImportCommand() *cobra.Command {
	var dir, name string
	cmd := &cobra.Command{Use: "import FILE", Short: "Turn an export of LangChain, Langfuse, Portkey or a request of OpenAI's into a prompt file", Args: cobra.ExactArgs(1),
		Long: "Turn a prompt that another program exported into a prompt file: JSON of LangChain (serialised templates),\nLangfuse or Portkey (as their APIs give it), or a request in OpenAI's form. It is printed, or written to --dir;\ncomments at its top tell what could not be carried over.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return unusable("%w", err)
			}
			v, err := ordered.Decode(b)
			doc, ok := v.(ordered.Object)
			if err != nil || !ok {
				return unusable("%s holds no JSON object", args[0])
			}
			p, err := importPrompt(doc)
			if err != nil {
				return unusable("%s: %w", args[0], err)
			}
			base := strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
			name := fileName(cmp.Or(name, p.name, base))
			text := p.file()
			if _, faults := draft(name, text, nil); len(faults) > 0 {
				return unusable("%s: what came out is no prompt: %w", args[0], faults)
			}
			if dir == "" {
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			path := filepath.Join(dir, name+".prompt")
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is there already", path)
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			for _, n := range p.notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "not carried over:", n)
			}
			return nil
		})}
	cmd.Flags().StringVar(&dir, "dir", "", "directory to write NAME.prompt to")
	cmd.Flags().StringVar(&name, "name", "", "name of the prompt (default its own, else the file's)")
	return cmd
}

var notInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName is a name as a prompt may have it.
func fileName(name string) string {
	return cmp.Or(strings.Trim(notInFileName.ReplaceAllString(name, "-"), "._-"), "prompt")
}
