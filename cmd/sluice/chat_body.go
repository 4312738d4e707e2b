package main

import (
	"fmt"
	"strings"

	"sluice/prompts/ordered"
)

// chatRoles are the names of a message's role in other formats.
var chatRoles = map[string]string{"system": "system", "developer": "system", "user": "user", "human": "user",
	"assistant": "model", "ai": "model", "model": "model"}

// chatBody makes a prompt's body of chat messages whose variables are written
// as ours already.
func chatBody(messages []any) (string, error) {
	var b strings.Builder
	for i, m := range messages {
		o, _ := m.(ordered.Object)
		role, _ := textAt(o, "role")
		content, ok := textAt(o, "content")
		if chatRoles[role] == "" || !ok {
			return "", fmt.Errorf("message %d: want a role (system, user or assistant) and a text as content", i+1)
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "{{role %q}}%s", chatRoles[role], content)
	}
	b.WriteByte('\n')
	return b.String(), nil
}
