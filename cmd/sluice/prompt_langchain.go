package main

import (
	"errors"
	"fmt"
	"strings"

	"sluice/prompts/ordered"
)

// langchainRoles are the classes of message templates, and of messages.
var langchainRoles = map[string]string{"SystemMessagePromptTemplate": "system", "HumanMessagePromptTemplate": "user", "AIMessagePromptTemplate": "assistant",
	"SystemMessage": "system", "HumanMessage": "user", "AIMessage": "assistant"}

// constructed takes one of LangChain's serialised objects apart: {lc, type, id,
// kwargs}.
func constructed(v any) (class string, kwargs ordered.Object) {
	o, _ := v.(ordered.Object)
	id, _ := o.Get("id")
	if list, _ := id.([]any); len(list) > 0 {
		class, _ = list[len(list)-1].(string)
	}
	k, _ := o.Get("kwargs")
	kwargs, _ = k.(ordered.Object)
	return class, kwargs
}

// langchain carries a template over, or a sequence of a template and a model.
func (p *imported) langchain(v any) error {
	class, kwargs := constructed(v)
	switch class {
	case "PromptTemplate":
		text, err := p.template(v)
		p.say("user", text)
		return err
	case "ChatPromptTemplate", "StructuredPrompt":
		p.schema, _ = kwargs.Get("schema_")
		messages, _ := kwargs.Get("messages")
		list, _ := messages.([]any)
		for i, m := range list {
			if err := p.langchainMessage(m); err != nil {
				return fmt.Errorf("message %d: %w", i+1, err)
			}
		}
		return nil
	case "PromptPlayground", "RunnableSequence":
		first, _ := kwargs.Get("first")
		if last, ok := kwargs.Get("last"); ok {
			p.langchainModel(last)
		}
		return p.langchain(first)
	}
	return fmt.Errorf("objects of the class %q are not understood", class)
}

func (p *imported) langchainMessage(m any) error {
	class, kwargs := constructed(m)
	role := langchainRoles[class]
	switch {
	case class == "MessagesPlaceholder":
		name, _ := textAt(kwargs, "variable_name")
		p.note("the placeholder %q for messages", name)
		return nil
	case role == "":
		return fmt.Errorf("objects of the class %q are not understood", class)
	case strings.HasSuffix(class, "PromptTemplate"):
		prompt, _ := kwargs.Get("prompt")
		text, err := p.template(prompt)
		p.say(role, text)
		return err
	}
	text, ok := textAt(kwargs, "content")
	if !ok {
		p.note("what a message holds beside text")
	}
	p.say(role, literal(text))
	return nil
}

// template is the text of a PromptTemplate.
func (p *imported) template(v any) (string, error) {
	_, kwargs := constructed(v)
	text, ok := textAt(kwargs, "template")
	if !ok {
		return "", errors.New("there is no text in its template")
	}
	if has(kwargs, "partial_variables") {
		v, _ := kwargs.Get("partial_variables")
		if o, ok := v.(ordered.Object); !ok || len(o) > 0 {
			p.note("partial_variables: %.200s", ordered.Append(nil, v))
		}
	}
	switch format, _ := textAt(kwargs, "template_format"); format {
	case "", "f-string":
		return p.python(text), nil
	case "mustache":
		return p.mustache(text), nil
	default:
		return "", fmt.Errorf("templates of the format %s are not understood", format)
	}
}

// langchainModel carries the model and its settings over; its secrets not.
func (p *imported) langchainModel(v any) {
	_, kwargs := constructed(v)
	if bound, ok := kwargs.Get("bound"); ok {
		_, kwargs = constructed(bound)
	}
	for _, e := range kwargs {
		if o, _ := e.Value.(ordered.Object); has(o, "lc") {
			continue // a secret, or another object
		}
		if e.Key == "model_name" {
			e.Key = "model"
		}
		p.settings(ordered.Object{e})
	}
}
