package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
)

// answer is what a server said, but for the date.
type answer struct {
	header http.Header
	body   []byte
}

// keep writes it to a file, for a process that serves it.
func (a *answer) keep(file string) error {
	content, err := json.Marshal(keptAnswer{a.header, a.body})
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

func readAnswer(file string) (*answer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	var kept keptAnswer
	if err := json.Unmarshal(content, &kept); err != nil {
		return nil, fmt.Errorf("reading the answer in %s: %w", file, err)
	}
	return &answer{kept.Header, kept.Body}, nil
}

type keptAnswer struct {
	Header http.Header
	Body   []byte
}

// fetch asks once. Anything but a 200 is an error.
func fetch(ctx context.Context, url string) (*answer, error) {
	return fetchAs(ctx, http.DefaultClient, url, credentials)
}

// fetchAs asks with other credentials.
func fetchAs(ctx context.Context, client *http.Client, url, credentials string) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", credentials)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %s", url, response.Status, body)
	}
	response.Header.Del("Date") // each server has its own
	return &answer{header: response.Header, body: body}, nil
}

func (a *answer) equal(b *answer) bool {
	return bytes.Equal(a.body, b.body) && maps.EqualFunc(a.header, b.header, slices.Equal)
}

// ServeHTTP says the same again.
func (a *answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	maps.Copy(w.Header(), a.header)
	_, _ = w.Write(a.body) // an error means that the client has left, which it is told
}
