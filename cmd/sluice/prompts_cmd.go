package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"sluice/prompts"
)

func promptCommand() *cobra.Command {
	return group("prompt", "Prompts: files that are APIs",
		promptListCommand(), promptShowCommand(), promptRunCommand(), promptTestCommand(), promptDiffCommand(),
		promptRenderCommand(), promptPublishCommand(), promptDeleteCommand(), promptLabelCommand(), promptRollbackCommand(),
		promptPullCommand(), promptPushCommand(), promptImportCommand())
}

func promptListCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "list", Short: "List the prompts that are served", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			items, err := c.all(cmd.Context(), "prompts", nil)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), items, c.json, column{"NAME", "name"}, column{"VERSION", "version"}, column{"PATH", "path"},
				column{"MODEL", "model"}, column{"ACCESS", "access"}, column{"LABELS", "labels"}, column{"SOURCE", "source"})
		})}
	c.flags(cmd)
	return cmd
}

func promptShowCommand() *cobra.Command {
	var c adminClient
	var n int
	cmd := &cobra.Command{Use: "show NAME", Short: "Show a prompt's versions, or the text of one", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			path := "prompts/" + url.PathEscape(args[0]) + "/versions"
			if n > 0 {
				b, err := c.call(cmd.Context(), http.MethodGet, path+"/"+strconv.Itoa(n), nil, nil)
				if err != nil {
					return err
				}
				if c.json {
					return printJSON(cmd.OutOrStdout(), b)
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), gjson.GetBytes(b, "source").String())
				return err
			}
			items, err := c.all(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), items, c.json, column{"VERSION", "version"}, column{"CREATED", "created"},
				column{"AUTHOR", "author"}, column{"LABELS", "labels"}, column{"MESSAGE", "message"}, column{"DIGEST", "digest"})
		})}
	c.flags(cmd)
	cmd.Flags().IntVar(&n, "version", 0, "print the text of this version")
	return cmd
}

func promptPublishCommand() *cobra.Command {
	var c adminClient
	var message string
	var force bool
	cmd := &cobra.Command{Use: "publish FILE", Aliases: []string{"create"}, Short: "Publish a prompt file as the next version, and serve it", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			name, source, partials, err := prompts.ReadFile(args[0])
			if err != nil {
				return unusable("%w", err)
			}
			b, err := c.publish(cmd, &prompts.Live{Name: name, Source: source, Partials: partials}, message, force)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			said := "%s@%s is published.\n"
			if !gjson.GetBytes(b, "created").Bool() {
				said = "%s@%s has these bytes already.\n"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), said, name, gjson.GetBytes(b, "version").String())
			return err
		})}
	c.flags(cmd)
	cmd.Flags().StringVar(&message, "message", "", "what has changed")
	cmd.Flags().BoolVar(&force, "force", false, "publish although its tests fail or callers break")
	return cmd
}

func promptDeleteCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "delete NAME", Short: "Serve a prompt that was published without a file no longer; its versions stay", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if _, err := c.call(cmd.Context(), http.MethodDelete, "prompts/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			return c.done(cmd, map[string]string{"name": args[0]}, "Prompt %s is not served any more. Its versions stay.\n", args[0])
		})}
	c.flags(cmd)
	return cmd
}

func promptLabelCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "label NAME LABEL N", Short: "Point a label of a prompt to a version", Args: cobra.ExactArgs(3),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[2])
			if err != nil || n < 1 {
				return unusable("version %q is not a number from 1 on", args[2])
			}
			return c.setLabel(cmd, args[0], args[1], n)
		})}
	c.flags(cmd)
	return cmd
}

func promptRollbackCommand() *cobra.Command {
	var c adminClient
	var to int
	var label string
	cmd := &cobra.Command{Use: "rollback NAME --to N", Short: "Serve an earlier version again", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if to < 1 {
				return unusable("--to is required: the version to go back to")
			}
			return c.setLabel(cmd, args[0], label, to)
		})}
	c.flags(cmd)
	cmd.Flags().IntVar(&to, "to", 0, "version to go back to")
	cmd.Flags().StringVar(&label, "label", "production", "label to move")
	return cmd
}

func (c *adminClient) setLabel(cmd *cobra.Command, name, label string, n int) error {
	b, err := c.call(cmd.Context(), http.MethodPut, "prompts/"+url.PathEscape(name)+"/labels", nil, map[string]int{label: n})
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(cmd.OutOrStdout(), b)
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s of %s is version %d now.\n", label, name, n)
	return err
}
