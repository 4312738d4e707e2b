// Package prompts turns .prompt files into requests.
package prompts
