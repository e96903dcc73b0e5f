package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"regexp"
	"slices"
)

// settings are what the command line says about all measurements.
type settings struct {
	short    bool
	profiles string // directory for CPU profiles, or empty
	progress *log.Logger
}

// measurement gives the figures that come out of the same rounds.
type measurement struct {
	figures []string // their names
	measure func(context.Context) ([]figure, error)
}

func measurements(s settings) []measurement {
	return slices.Concat(listPages(s), listScales(s), listShares(s), []measurement{
		registryLayer(s), registryHung(s), createEntry(s), controllerAtSize(s), queryAtSize(s), rejudge(s), publishTaskRun(s), verifyTaskRun(s), verifySignature(s),
	})
}

func bench(ctx context.Context, args []string, out, progress io.Writer) error {
	s := settings{progress: log.New(progress, "", 0)}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	pattern := flags.String("run", "", "measure only the figures whose name matches this `regexp`")
	list := flags.Bool("list", false, "print the names of the figures and measure nothing")
	flags.BoolVar(&s.short, "short", false, "fewer and shorter rounds: quick and less exact")
	flags.StringVar(&s.profiles, "profiles", "", "keep the CPU profiles of the query server, the webhook and the controller in this `directory`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag; see -help", flags.Arg(0))
	}
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return fmt.Errorf("reading -run: %w", err)
	}
	chosen := choose(measurements(s), wanted)
	if len(chosen) == 0 {
		return fmt.Errorf("no figure matches %q; -list names them all", *pattern)
	}
	if *list {
		return printNames(out, chosen, wanted)
	}
	return measureAll(ctx, chosen, wanted, out, s.progress)
}

func choose(from []measurement, wanted *regexp.Regexp) []measurement {
	return slices.DeleteFunc(from, func(m measurement) bool { return !slices.ContainsFunc(m.figures, wanted.MatchString) })
}

func printNames(out io.Writer, chosen []measurement, wanted *regexp.Regexp) error {
	for _, m := range chosen {
		for _, name := range m.figures {
			if !wanted.MatchString(name) {
				continue
			}
			if _, err := fmt.Fprintln(out, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureAll goes on after a measurement that could not be made: the others are worth having.
func measureAll(ctx context.Context, chosen []measurement, wanted *regexp.Regexp, out io.Writer, progress *log.Logger) error {
	var errs []error
	lines := json.NewEncoder(out)
	for _, m := range chosen {
		figures, err := m.measure(ctx)
		errs = append(errs, err)
		for _, f := range figures {
			if !wanted.MatchString(f.Name) {
				continue
			}
			progress.Println(f)
			errs = append(errs, lines.Encode(f))
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted: %w", err) // what else went wrong followed from it
		}
	}
	return errors.Join(errs...)
}
