package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func rollbackCommand() *cobra.Command {
	var c adminClient
	var message string
	var list bool
	cmd := &cobra.Command{Use: "rollback REVISION", Short: "Put an earlier configuration of a running gateway in force again",
		Long: "Put a revision of a running gateway's configuration in force again, as a new revision: whole, or not at all, without a failed request, and at all\n" +
			"replicas of one store. The gateway must be led by its store (config: {lead: store}); where a file leads, change that.",
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if list {
				return c.listRevisions(cmd)
			}
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || n < 1 {
				return unusable("%q is no number of a revision: see sluice rollback --list", args[0])
			}
			return c.rollback(cmd, n, message)
		})}
	cmd.Flags().StringVar(&message, "message", "", "what it is for: it stands in the history")
	cmd.Flags().BoolVar(&list, "list", false, "list the revisions, the newest first, and change nothing")
	c.flags(cmd)
	return cmd
}

func (c *adminClient) rollback(cmd *cobra.Command, to int64, message string) error {
	b, err := c.call(cmd.Context(), http.MethodPost, "config/rollback", nil, map[string]any{"to": to, "message": message})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if c.json {
		_, err = out.Write(b)
	} else if err = printChanges(out, gjson.GetBytes(b, "changes").Array()); err == nil {
		_, err = fmt.Fprintf(out, "revision %d is in force\n", gjson.GetBytes(b, "revision").Int())
	}
	tellRestart(cmd.ErrOrStderr(), b)
	return err
}

// tellRestart names what of a change waits for the gateway's next start.
func tellRestart(w io.Writer, applied []byte) {
	for _, key := range gjson.GetBytes(applied, "restart").Array() {
		fmt.Fprintf(w, "%s is in force when the gateway starts anew\n", key)
	}
}

func (c *adminClient) listRevisions(cmd *cobra.Command) error {
	all, err := c.all(cmd.Context(), "config/revisions", nil)
	if err != nil {
		return err
	}
	return printItems(cmd.OutOrStdout(), all, c.json, column{"REVISION", "revision"}, column{"CREATED", "created"}, column{"BY", "author"},
		column{"RUNNING", "running"}, column{"MESSAGE", "message"})
}
