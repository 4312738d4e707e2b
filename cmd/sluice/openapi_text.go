package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var plainYAML = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9/_.-]*$`)

// quoted is a text as a value within a flow of YAML.
func quoted(text string) string {
	switch strings.ToLower(text) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if plainYAML.MatchString(text) {
			return text
		}
	}
	// What stands between quotes is expanded too: $$ is the sign itself.
	return strconv.Quote(strings.ReplaceAll(text, "${", "$${"))
}

// flow is a list of texts.
func flow(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoted(w)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// comment makes one line of a text, that cannot end the comment.
func comment(text string) string { return strings.Join(strings.Fields(text), " ") }

// text writes the configuration. A backend is written once and named by the
// routes that follow.
func (a *importedAPI) text(routes []importedRoute) string {
	var b strings.Builder
	title, version := "", ""
	if a.doc.Info != nil {
		title, version = a.doc.Info.Title, a.doc.Info.Version
	}
	fmt.Fprintf(&b, "# %s, from %s\n", comment(title+" "+version), comment(a.file))
	for _, n := range a.notes {
		fmt.Fprintf(&b, "# not carried over: %s\n", comment(n))
	}
	kind := ""
	for _, id := range sortedKeys(a.schemes) {
		of, name, _ := strings.Cut(id, ":")
		if kind == "" {
			b.WriteString("auth:\n")
		}
		if of != kind {
			fmt.Fprintf(&b, "  %s:\n", of)
		}
		kind = of
		fmt.Fprintf(&b, "    %s: %s\n", quoted(name), a.schemes[id])
	}
	b.WriteString("routes:\n")
	for i := range routes {
		a.write(&b, &routes[i])
	}
	return b.String()
}

func (a *importedAPI) write(b *strings.Builder, r *importedRoute) {
	for _, n := range r.notes {
		fmt.Fprintf(b, "  # %s: not carried over: %s\n", r.name, comment(n))
	}
	fmt.Fprintf(b, "  - name: %s\n", quoted(r.name))
	fmt.Fprintf(b, "    match: {path: %s, methods: [%s]}\n", quoted(r.path), quoted(r.method))
	known := -1
	for i, text := range a.backends {
		if text == r.backend {
			known = i
		}
	}
	if known >= 0 {
		fmt.Fprintf(b, "    backend: *service%d\n", known+1)
	} else {
		a.backends = append(a.backends, r.backend)
		fmt.Fprintf(b, "    backend: &service%d %s\n", len(a.backends), r.backend)
	}
	if r.auth != "" {
		fmt.Fprintf(b, "    auth: {%s}\n", r.auth)
	}
	fmt.Fprintf(b, "    validate: {openapi: %s}\n", quoted(a.file))
}
