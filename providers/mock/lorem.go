package mock

import "strings"

// latin is the filler text of typesetters, from Cicero's De finibus (45 BC).
var latin = strings.Fields("lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua " +
	"ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat " +
	"duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur " +
	"excepteur sint occaecat cupidatat non proident sunt in culpa qui officia deserunt mollit anim id est laborum")

// loremWords is a text of n words.
func loremWords(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(latin[i%len(latin)])
	}
	return b.String()
}
