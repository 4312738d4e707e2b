package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice/prompts"
	"sluice/prompts/ordered"
)

// rendering is the flags of prompt render. Each is JSON, @FILE, or - for
// standard input.
type rendering struct {
	input, context, messages, options, schemas string
	json                                       bool
}

func promptRenderCommand() *cobra.Command {
	var r rendering
	cmd := &cobra.Command{Use: "render FILE", Short: "Print the messages that a prompt file makes of an input, offline", Args: cobra.ExactArgs(1),
		Long: "Print the messages that a prompt file makes of an input. No gateway is asked, and the input is not\nchecked. Partials are the files _NAME.prompt beside it. Each JSON may also be @FILE, or - for standard input.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			rendered, err := r.render(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			b, err := json.Marshal(rendered)
			if err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			return printMessages(cmd.OutOrStdout(), rendered.Messages)
		})}
	f := cmd.Flags()
	f.StringVar(&r.input, "input", "{}", "the variables, as a JSON object")
	f.StringVar(&r.context, "context", "", "the @ variables, as a JSON object")
	f.StringVar(&r.messages, "messages", "", "earlier turns, as a JSON list of messages")
	f.StringVar(&r.options, "options", "", "what to put over the file's front matter, as a JSON object")
	f.StringVar(&r.schemas, "schemas", "", "named JSON Schemas, as a JSON object by name")
	f.BoolVar(&r.json, "json", false, "print {messages, config, input, output, ext, model, raw}")
	return cmd
}

func (r *rendering) render(path string, stdin io.Reader) (*prompts.Rendered, error) {
	name, source, partials, err := prompts.ReadFile(path)
	if err != nil {
		return nil, unusable("%w", err)
	}
	schemas, err := object("--schemas", r.schemas, stdin)
	if err != nil {
		return nil, err
	}
	t, faults := prompts.Parse(name, source, prompts.ParseOptions{
		File: path, Lenient: true,
		Partials: func(name string) (string, bool) { text, ok := partials[name]; return text, ok },
		Schemas: func(name string) (json.RawMessage, bool) {
			v, ok := schemas.Get(name)
			return ordered.Append(nil, v), ok
		},
	})
	if len(faults) > 0 {
		return nil, faults
	}
	in, err := r.renderInput(stdin)
	if err != nil {
		return nil, err
	}
	return t.Render(in)
}

func (r *rendering) renderInput(stdin io.Reader) (in prompts.RenderInput, err error) {
	var input, context ordered.Object
	if input, err = object("--input", r.input, stdin); err != nil {
		return in, err
	}
	if context, err = object("--context", r.context, stdin); err != nil {
		return in, err
	}
	if in.Options, err = object("--options", r.options, stdin); err != nil {
		return in, err
	}
	in.Input, _ = ordered.Plain(input).(map[string]any)
	in.Context, _ = ordered.Plain(context).(map[string]any)
	text, err := argument("--messages", r.messages, stdin)
	if err != nil || text == "" {
		return in, err
	}
	if in.History, err = prompts.DecodeMessages([]byte(text)); err != nil {
		return in, unusable("--messages: %w", err)
	}
	return in, nil
}

// object reads an argument that is a JSON object; empty: none.
func object(flag, arg string, stdin io.Reader) (ordered.Object, error) {
	text, err := argument(flag, arg, stdin)
	if err != nil || text == "" {
		return nil, err
	}
	v, err := ordered.Decode([]byte(text))
	if err != nil {
		return nil, unusable("%s is not JSON: %w", flag, err)
	}
	o, ok := v.(ordered.Object)
	if !ok {
		return nil, unusable("%s must be a JSON object", flag)
	}
	return o, nil
}

// argument is an argument itself, the file that @FILE names, or standard input
// for -.
func argument(flag, arg string, stdin io.Reader) (string, error) {
	var b []byte
	var err error
	switch {
	case arg == "-":
		b, err = io.ReadAll(stdin)
	case strings.HasPrefix(arg, "@"):
		b, err = os.ReadFile(arg[1:])
	default:
		return arg, nil
	}
	if err != nil {
		return "", unusable("%s: %w", flag, err)
	}
	return string(b), nil
}

// printMessages prints messages for people.
func printMessages(w io.Writer, messages []prompts.Message) error {
	for i, m := range messages {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s:\n", m.Role)
		for _, p := range m.Content {
			if p.Text != "" {
				fmt.Fprintln(w, p.Text)
				continue
			}
			b, err := json.Marshal(prompts.Message{Role: m.Role, Content: []prompts.Part{p}}) // media and tools
			if err != nil {
				return err
			}
			fmt.Fprintln(w, string(b))
		}
	}
	return nil
}
