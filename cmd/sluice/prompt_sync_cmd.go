package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/user"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"sluice/prompts"
)

// errLeftOut is the failure of a pull or push that did not do all.
var errLeftOut = errors.New("some prompts were left as they are")

func promptPullCommand() *cobra.Command {
	var c adminClient
	var force bool
	cmd := &cobra.Command{Use: "pull DIR [NAME…]", Short: "Write the prompts that a gateway serves to files", Args: cobra.MinimumNArgs(1),
		Long: "Write what a running gateway serves to NAME.prompt, and partials beside it. A file that was edited since it\nwas published is left as it is, and the exit code is 1, unless forced.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			list, err := c.pairs(cmd.Context(), args[0], args[1:])
			if err != nil {
				return err
			}
			left := false
			for _, p := range list {
				said := "written, as version " + fmt.Sprint(p.version)
				switch {
				case p.served == nil:
					said = "is not served: push publishes it"
				case p.file != nil && p.same():
					said = "is up to date"
				case p.file != nil && !p.behind() && !force:
					said, left = "was edited and is left as it is: push publishes it, --force overwrites it", true
				default:
					if err := p.overwrite(force); err != nil {
						return err
					}
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", p.path, said)
			}
			if left {
				return errLeftOut
			}
			return nil
		})}
	c.flags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "overwrite files that were edited")
	return cmd
}

func promptPushCommand() *cobra.Command {
	var c adminClient
	var message string
	var force bool
	cmd := &cobra.Command{Use: "push FILE|DIR [NAME…]", Short: "Publish the prompt files that differ from what a gateway serves", Args: cobra.MinimumNArgs(1),
		Long: "Publish the prompt files that were edited. A file that is an earlier version of what is served is left out,\nfor someone has published a later one meanwhile, and the exit code is 1, unless forced.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			list, err := c.pairs(cmd.Context(), args[0], args[1:])
			if err != nil {
				return err
			}
			var left error
			for _, p := range list {
				if p.file == nil {
					continue
				}
				said, err := c.push(cmd, p, message, force)
				if err != nil {
					said, left = err.Error(), errLeftOut
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", p.path, said)
			}
			return left
		})}
	c.flags(cmd)
	cmd.Flags().StringVar(&message, "message", "", "what has changed")
	cmd.Flags().BoolVar(&force, "force", false, "publish although tests fail, callers break, or a later version is served")
	return cmd
}

// push publishes a file if it differs from what is served, and says what was
// done.
func (c *adminClient) push(cmd *cobra.Command, p *pair, message string, force bool) (string, error) {
	switch {
	case p.served != nil && p.same():
		return "is up to date", nil
	case p.led:
		return "", errors.New("is led by a file of the gateway's own prompts.dir: change it there")
	case p.served != nil && p.behind() && !force:
		return "", fmt.Errorf("is an earlier version, and %s@%d is served: pull it, or publish this one with --force", p.name, p.version)
	}
	b, err := c.publish(cmd, p.file, message, force)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("published as %s@%s", p.name, gjson.GetBytes(b, "version")), nil
}

// publish publishes a prompt, in the name of whoever runs the program.
func (c *adminClient) publish(cmd *cobra.Command, l *prompts.Live, message string, force bool) ([]byte, error) {
	body := map[string]any{"source": string(l.Source), "partials": l.Partials, "message": message, "force": force}
	if u, err := user.Current(); err == nil {
		body["author"] = u.Username
	}
	return c.call(cmd.Context(), http.MethodPost, "prompts/"+url.PathEscape(l.Name)+"/publish", nil, body)
}

// diffFiles shows what differs between what is served and the files of a path.
func (c *adminClient) diffFiles(cmd *cobra.Command, path string) error {
	if _, err := os.Stat(path); err != nil {
		return unusable("%w", err)
	}
	list, err := c.pairs(cmd.Context(), path, nil)
	if err != nil {
		return err
	}
	for _, p := range list {
		out := cmd.OutOrStdout()
		switch {
		case p.file == nil:
			fmt.Fprintf(out, "%s is served, and has no file: pull writes it\n", p.name)
		case p.served == nil:
			fmt.Fprintf(out, "%s is not served: push publishes it\n", p.path)
		case !p.same():
			fmt.Fprintf(out, "%s differs from %s@%d\n", p.path, p.name, p.version)
			if err := printCompared(out, prompts.Compare(p.served, p.file)); err != nil {
				return err
			}
		}
	}
	return nil
}
