// Command go makes a call and a streamed call with go-openai.
//
//	OPENAI_API_KEY=sk-… go run ./examples/clients/go
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sashabaranov/go-openai"
)

func main() {
	config := openai.DefaultConfig(os.Getenv("OPENAI_API_KEY"))
	config.BaseURL = cmp.Or(os.Getenv("OPENAI_BASE_URL"), "http://127.0.0.1:8080/v1")
	client := openai.NewClientWithConfig(config)
	if err := talk(context.Background(), client); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func talk(ctx context.Context, client *openai.Client) error {
	question := openai.ChatCompletionRequest{Model: "mock/echo",
		Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "Hello from Go"}}}

	answer, err := client.CreateChatCompletion(ctx, question)
	if err != nil {
		return err
	}
	fmt.Println(answer.Choices[0].Message.Content, answer.Usage.TotalTokens)

	question.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	stream, err := client.CreateChatCompletionStream(ctx, question)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, choice := range chunk.Choices {
			fmt.Print(choice.Delta.Content)
		}
		if chunk.Usage != nil {
			fmt.Printf(" (%d tokens)\n", chunk.Usage.TotalTokens)
		}
	}

	question.Model = "mock/fail-429"
	_, err = client.CreateChatCompletion(ctx, question)
	var refused *openai.APIError
	if errors.As(err, &refused) {
		fmt.Println(refused.HTTPStatusCode, refused.Code)
		return nil
	}
	return err
}
