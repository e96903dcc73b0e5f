package main

import (
	"context"
	"fmt"
	"strings"
)

func (s site) rootFSReference() string { return s.repository + "/demo/rootfs:" + debianRelease }
func (s site) imageReference() string  { return s.repository + "/demo/debian:" + debianRelease }

// runPipeline has Tekton build an image, publish it and verify it, and shows the logs.
func runPipeline(ctx context.Context, s site) error {
	err := stream(ctx, nil, "tkn", "pipeline", "start", "build-publish-verify",
		"--namespace", demoNamespace,
		"--serviceaccount", "pipeline",
		"--param", "ROOTFS="+s.rootFSReference(),
		"--param", "IMAGE_URL="+s.imageReference(),
		"--param", "DISPLAY_NAME=Debian 12 for demonstrations",
		"--param", "LABELS=redhat.id=debian,redhat.version-id=12",
		"--param", "CHANNEL=dev",
		"--param", "TARGETS=qemu,raspberry-pi",
		"--param", "PLATFORMS=linux/amd64,linux/arm64",
		"--param", "CONTENT=true",
		"--use-param-defaults", "--skip-optional-workspace",
		"--showlog")
	if err != nil {
		return err
	}
	return lastRunSucceeded(ctx)
}

// lastRunSucceeded asks for the outcome: tkn shows the logs of a failed run and exits with 0.
func lastRunSucceeded(ctx context.Context) error {
	const outcome = `{.status.conditions[?(@.type=="Succeeded")].status} {.status.conditions[?(@.type=="Succeeded")].message}`
	out, err := output(ctx, "tkn", "pipelinerun", "describe", "--last", "--namespace", demoNamespace, "--output", "jsonpath="+outcome)
	if err != nil {
		return err
	}
	succeeded, message, _ := strings.Cut(string(out), " ")
	if succeeded != "True" {
		return fmt.Errorf("the run ended otherwise than in success: %s", message)
	}
	return nil
}
