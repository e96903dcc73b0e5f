package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"imagecatalog.dev/catalog/pkg/result"
)

// noteBytes is the length of TEST_OUTPUT's note where the results have room for it.
const noteBytes = 300

// Results takes the results of the Task. *result.Dir is one; its errors tell when there is no more room.
type Results interface {
	Write(name, value string) error
	WriteObject(name string, fields map[string]string) error
}

// WriteTo writes the verdict as results of the Task. Those that name the image are left out where it is not known.
// CATALOG_ARTIFACT_INPUTS is a type hint for Tekton Chains ("ARTIFACT_INPUTS"): the image is something this run used,
// not something it built.
func (v Verdict) WriteTo(results Results, now time.Time) error {
	errs := []error{
		results.Write("VERIFIED", strconv.FormatBool(v.Outcome == Verified)),
		results.Write("REASON", v.Reason),
		results.Write("SIGNATURES_VERIFIED", strconv.FormatBool(v.SignaturesVerified)),
	}
	if v.Pinned != nil {
		errs = append(errs,
			results.Write("PINNED_REF", v.Pinned.Name()),
			results.WriteObject("CATALOG_ARTIFACT_INPUTS", map[string]string{"uri": v.Pinned.Context().Name(), "digest": v.Pinned.DigestStr()}),
		)
	}
	return errors.Join(append(errs, v.writeTestOutput(results, now))...)
}

// testOutput is the form in which Konflux reads the results of tests (konflux-ci, "Creating a custom integration test").
type testOutput struct {
	Result    string `json:"result"`
	Timestamp string `json:"timestamp"`
	Note      string `json:"note"`
	Successes int    `json:"successes"`
	Failures  int    `json:"failures"`
	Warnings  int    `json:"warnings"`
}

// writeTestOutput shortens the note until the result fits beside the others.
func (v Verdict) writeTestOutput(results Results, now time.Time) error {
	output := testOutput{
		Result: v.testResult(), Timestamp: now.UTC().Format(time.RFC3339),
		Successes: v.Successes, Failures: v.Failures, Warnings: v.Warnings,
	}
	for limit := noteBytes; ; limit /= 2 {
		output.Note = result.Clip(v.Message, limit)
		text, err := compact(output)
		if err != nil {
			return fmt.Errorf("encoding result TEST_OUTPUT: %w", err)
		}
		err = results.Write("TEST_OUTPUT", text)
		if !errors.Is(err, result.ErrTooLong) || limit == 0 {
			return err
		}
	}
}

func (v Verdict) testResult() string {
	switch {
	case v.Outcome == Verified && v.Warnings > 0:
		return "WARNING"
	case v.Outcome == Verified:
		return "SUCCESS"
	case v.Outcome == NotVerified:
		return "FAILURE"
	default:
		return "ERROR"
	}
}

// compact encodes without the escapes for HTML, which would cost six bytes a character.
func compact(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSpace(text.String()), err
}
