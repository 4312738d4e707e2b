package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func auditCommand() *cobra.Command {
	var c adminClient
	var verify bool
	var limit int
	query := map[string]*string{}
	cmd := &cobra.Command{Use: "audit", Short: "List who changed what, newest first, or verify the chain of records",
		Long: "List who changed what, newest first, or verify with --verify that the records are as they were written:\n" +
			"exit 0, or 1 and the first that is not.", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			if verify {
				return c.verifyAudit(cmd)
			}
			if limit < 1 || limit > 1000 {
				return unusable("--limit must be from 1 to 1000, not %d", limit)
			}
			values := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, value := range query {
				if *value != "" {
					values.Set(name, *value)
				}
			}
			b, err := c.call(cmd.Context(), http.MethodGet, "audit", values, nil)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), gjson.GetBytes(b, "data").Array(), c.json, column{"SEQ", "seq"}, column{"TIME", "time"}, column{"ACTOR", "actor"},
				column{"ROLE", "role"}, column{"IP", "ip"}, column{"ACTION", "action"}, column{"RESOURCE", "resource"}, column{"STATUS", "status"})
		})}
	c.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&verify, "verify", false, "verify the whole chain")
	f.IntVar(&limit, "limit", 100, "at most so many records")
	for name, usage := range map[string]string{"from": "a date or RFC 3339 time", "to": "a date or RFC 3339 time, exclusive", "actor": "only what this one did",
		"action": "only this action, such as key.rotate, or all of a kind: key", "resource": "only this resource and those below it"} {
		query[name] = f.String(name, "", usage)
	}
	return cmd
}

// verifyAudit prints what the gateway says of the chain; an error if it is
// broken.
func (c *adminClient) verifyAudit(cmd *cobra.Command) error {
	b, err := c.call(cmd.Context(), http.MethodGet, "audit/verify", nil, nil)
	if err != nil {
		return err
	}
	v := gjson.ParseBytes(b)
	if c.json {
		if err := printJSON(cmd.OutOrStdout(), b); err != nil {
			return err
		}
	} else if v.Get("ok").Bool() {
		from := ""
		if v.Get("anchor").Exists() {
			from = fmt.Sprintf(" from record %d on, which follows the hash %s", v.Get("from").Int(), v.Get("anchor.hash").String())
		}
		fmt.Fprintf(cmd.OutOrStdout(), "ok: %d records%s, the last has the hash %s\n", v.Get("count").Int(), from, v.Get("head").String())
	}
	if !v.Get("ok").Bool() {
		return errors.New("the chain is broken at record " + v.Get("broken").Raw + ": " + v.Get("why").String())
	}
	return nil
}
