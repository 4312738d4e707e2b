package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func keyCommand() *cobra.Command {
	return group("key", "Keys: the credentials of callers",
		keyListCommand(), keyShowCommand(), keyCreateCommand(), keyUpdateCommand(), keyRotateCommand(), keyRevokeCommand())
}

func keyListCommand() *cobra.Command {
	var c adminClient
	var team string
	cmd := &cobra.Command{Use: "list", Short: "List the keys, revoked ones too", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			items, err := c.keys(cmd.Context(), team)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), items, c.json, column{"ID", "id"}, column{"TEAM", "team"}, column{"NAME", "name"},
				column{"PREFIX", "prefix"}, column{"BUDGET", "budget"}, column{"LIMITS", "limits"},
				column{"EXPIRES", "expires"}, column{"REVOKED", "revoked"}, column{"LAST USED", "last_used"}, column{"SOURCE", "source"})
		})}
	c.flags(cmd)
	cmd.Flags().StringVar(&team, "team", "", "only this team's")
	return cmd
}

func (c *adminClient) keys(ctx context.Context, team string) ([]gjson.Result, error) {
	query := url.Values{}
	if team != "" {
		query.Set("team", team)
	}
	return c.all(ctx, "keys", query)
}

// keyPath is the path of a key that is named by its id, or as team/name: then
// it is the one that has not been revoked or rotated.
func (c *adminClient) keyPath(ctx context.Context, name string) (string, error) {
	paths, err := c.keyPaths(ctx, name)
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

// keyPaths is keyPath, and after it those of the same name that were rotated
// and still work for a while.
func (c *adminClient) keyPaths(ctx context.Context, name string) ([]string, error) {
	team, key, ok := strings.Cut(name, "/")
	if !ok {
		return []string{"keys/" + url.PathEscape(name)}, nil
	}
	items, err := c.keys(ctx, team)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, k := range items {
		path := "keys/" + url.PathEscape(k.Get("id").String())
		switch ends := k.Get("revoked"); {
		case k.Get("name").String() != key:
		case ends.Type == gjson.Null:
			paths = slices.Insert(paths, 0, path)
		case ends.Time().After(time.Now()):
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("team %q has no key %q in force", team, key)
	}
	return paths, nil
}

func keyShowCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "show ID", Short: "Show a key, by its id or as TEAM/NAME", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			path, err := c.keyPath(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			b, err := c.call(cmd.Context(), http.MethodGet, path, nil, nil)
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	return cmd
}

func keyCreateCommand() *cobra.Command {
	var c adminClient
	var t terms
	var team, name, user, expires, hash string
	var prompts, ips []string
	cmd := &cobra.Command{Use: "create --team TEAM", Short: "Create a key and print it, once", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			body, err := t.body(cmd)
			if err != nil {
				return err
			}
			if team == "" {
				return unusable("--team is required")
			}
			body["team"], body["name"], body["expires"], body["hash"] = team, name, expires, hash
			body["prompts"], body["ips"] = prompts, ips
			if user != "" {
				body["user"] = user
			}
			b, err := c.call(cmd.Context(), http.MethodPost, "keys", nil, body)
			if err != nil {
				return err
			}
			return c.printKey(cmd, b)
		})}
	c.flags(cmd)
	t.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&team, "team", "", "team that the key belongs to")
	f.StringVar(&name, "name", "", "name within the team (default: one is made up)")
	f.StringVar(&user, "user", "", "whose the key is (default: requests say whose they are)")
	f.StringVar(&expires, "expires", "", "when it ends: a date or an RFC 3339 time (default never)")
	f.StringSliceVar(&prompts, "prompts", nil, "prompts granted (default all that the team has)")
	f.StringSliceVar(&ips, "ips", nil, "addresses or networks it may be used from (default everywhere)")
	f.StringVar(&hash, "hash", "", "SHA-256 of a key from elsewhere, as 64 hexadecimal digits, to take that over instead of making one")
	return cmd
}

// printKey prints a new key: bare on stdout, for scripts, and the rest on
// stderr, for people.
func (c *adminClient) printKey(cmd *cobra.Command, body []byte) error {
	if c.json {
		return printJSON(cmd.OutOrStdout(), body)
	}
	k := gjson.ParseBytes(body)
	label := k.Get("team").String() + "/" + k.Get("name").String()
	secret := k.Get("key").String()
	if secret == "" {
		_, err := fmt.Fprintf(cmd.ErrOrStderr(), "Key %s (%s) was taken over.\n", label, k.Get("id"))
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Key %s (%s). It is shown this once:\n", label, k.Get("id"))
	_, err := fmt.Fprintln(cmd.OutOrStdout(), secret)
	return err
}

func keyRotateCommand() *cobra.Command {
	var c adminClient
	var grace time.Duration
	cmd := &cobra.Command{Use: "rotate ID", Short: "Replace a key, by its id or as TEAM/NAME, and print the new one, once", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if grace < 0 {
				return unusable("--grace %v is negative", grace)
			}
			path, err := c.keyPath(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			b, err := c.call(cmd.Context(), http.MethodPost, path+"/rotate", nil, map[string]string{"grace": grace.String()})
			if err != nil {
				return err
			}
			return c.printKey(cmd, b)
		})}
	c.flags(cmd)
	cmd.Flags().DurationVar(&grace, "grace", 0, "how long the old key still works, such as 10m")
	return cmd
}

func keyRevokeCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "revoke ID", Aliases: []string{"delete"}, Short: "End a key at once, by its id or, with what its rotation left, as TEAM/NAME", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			paths, err := c.keyPaths(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			for _, path := range paths {
				if _, err := c.call(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
					return err
				}
			}
			return c.done(cmd, map[string]string{"id": strings.TrimPrefix(paths[0], "keys/")}, "Key %s was revoked.\n", args[0])
		})}
	c.flags(cmd)
	return cmd
}
