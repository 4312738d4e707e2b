package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func routeCommand() *cobra.Command {
	return group("route", "Routes: which requests go to which services",
		routeListCommand(), routeShowCommand(), routeCreateCommand(), routeDeleteCommand(), routeExplainCommand(), routeVersionsCommand())
}

func routeListCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "list", Short: "List the routes, in their order of precedence", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			items, err := c.all(cmd.Context(), "routes", nil)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), items, c.json, column{"NAME", "name"}, column{"HOST", "match.host"}, column{"PATH", "match.path"},
				column{"METHODS", "match.methods"}, column{"BACKEND", "backend"}, column{"TARGETS", "targets.#.url"}, column{"STATES", "targets.#.state"},
				column{"AUTH", "auth"}, column{"LIMITS", "limits"}, column{"SOURCE", "source"})
		})}
	c.flags(cmd)
	return cmd
}

func routeShowCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "show NAME", Short: "Show a route and how its targets stand", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			b, err := c.call(cmd.Context(), http.MethodGet, "routes/"+url.PathEscape(args[0]), nil, nil)
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	return cmd
}

// routeCreateCommand sends the route as the configuration spells it. A gateway
// whose configuration file leads refuses it and says so.
func routeCreateCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "create NAME JSON", Short: "Create a route from its match, backend and policies as JSON", Args: cobra.ExactArgs(2),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			var body map[string]any
			if err := json.Unmarshal([]byte(args[1]), &body); err != nil {
				return unusable("%q is no JSON object: %v", args[1], err)
			}
			body["name"] = args[0]
			b, err := c.call(cmd.Context(), http.MethodPost, "routes", nil, body)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "Route %s was created.\n", args[0])
			return err
		})}
	c.flags(cmd)
	return cmd
}

func routeDeleteCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete a route", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if _, err := c.call(cmd.Context(), http.MethodDelete, "routes/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			return c.done(cmd, map[string]string{"name": args[0]}, "Route %s was deleted.\n", args[0])
		})}
	c.flags(cmd)
	return cmd
}

func routeExplainCommand() *cobra.Command {
	var c adminClient
	var method, host string
	who := map[string]*string{}
	cmd := &cobra.Command{Use: "explain PATH", Short: "Tell which route a request would go to, and by which rule its caller may use it", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			query := url.Values{"path": {args[0]}, "method": {method}, "host": {host}}
			for name, value := range who {
				query.Set(name, *value)
			}
			b, err := c.call(cmd.Context(), http.MethodGet, "explain", query, nil)
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	cmd.Flags().StringVar(&method, "method", http.MethodGet, "method of the request")
	cmd.Flags().StringVar(&host, "host", "", "host that the request is for")
	for name, usage := range map[string]string{"team": "team of its caller", "user": "user that its caller is", "roles": "roles of its caller, separated by commas",
		"scopes": "scopes of its caller's token, separated by commas", "ip": "address of its caller", "at": "when it comes, as 2026-11-30T09:00:00Z; now if not given"} {
		who[name] = cmd.Flags().String(name, "", usage)
	}
	return cmd
}

func routeVersionsCommand() *cobra.Command {
	var c adminClient
	only := map[string]*string{}
	var csv bool
	cmd := &cobra.Command{Use: "versions [ROUTE]", Short: "Tell who asked for which version of routes, how often and when last", Args: cobra.MaximumNArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			query := url.Values{"format": {"json"}}
			for name, value := range only {
				if *value != "" {
					query.Set(name, *value)
				}
			}
			if len(args) > 0 {
				query.Set("route", args[0])
			}
			if csv {
				query.Set("format", "csv")
			}
			b, err := c.call(cmd.Context(), http.MethodGet, "route-versions", query, nil)
			if err != nil {
				return err
			}
			if csv {
				_, err = cmd.OutOrStdout().Write(b)
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			return printItems(cmd.OutOrStdout(), gjson.GetBytes(b, "rows").Array(), false, column{"ROUTE", "route"}, column{"VERSION", "version"}, column{"TEAM", "team"},
				column{"KEY", "key"}, column{"REQUESTS", "requests"}, column{"REFUSED", "refused"}, column{"LAST", "last"}, column{"SUNSET", "sunset"})
		})}
	c.flags(cmd)
	for name, usage := range map[string]string{"from": "a date or a time; this month if neither from nor to is given", "to": "likewise, exclusive", "team": "only this team", "key": "only this key: team/name"} {
		only[name] = cmd.Flags().String(name, "", usage)
	}
	cmd.Flags().BoolVar(&csv, "csv", false, "print CSV")
	return cmd
}
