// Package param reads the params of a Tekton Task from the arguments of its step.
//
// A Task's step passes its params like this:
//
//	args:
//	  - --image-url=$(params.IMAGE_URL)
//	  - --tags
//	  - $(params.TAGS[*])
//	  - --targets
//	  - $(params.TARGETS[*])
//
// Tekton replaces the last kind of line by one argument for each element, so a list arrives as its flag followed by
// any number of values, none included. Elements may come from whoever started the run: "--image-url=evil/image" as
// a tag must not become a flag. The grammar is strict for that reason:
//
//	args   = scalar* list*
//	scalar = "--" name "=" value         one argument, so its value may be anything
//	list   = "--" name value*            no value begins with "-"
//
// and every flag occurs at most once. In a list an argument that begins with "-" is therefore either the next list's
// flag or refused; and an element that spells another list's flag makes that flag occur twice, which is refused too,
// as long as the Task passes every list (as the Tasks of this repository do; a test holds them to it).
package param

import (
	"flag"
	"fmt"
	"strings"
	"time"
)

// ExitCode is what a Task's binary exits with when a param is wrong: EX_USAGE of BSD's sysexits.
const ExitCode = 64

// Error says which param is wrong, why, and what to write instead.
type Error struct {
	// Param is the name as in the Task, for example IMAGE_URL.
	Param string
	// Problem and Advice are one sentence without a full stop: "<Problem>; <Advice>".
	Problem, Advice string
}

func (e *Error) Error() string {
	return fmt.Sprintf("param %s: %s; %s", e.Param, e.Problem, e.Advice)
}

// List is a flag for a Task's array param. Empty elements are left out: an array that a form left empty is [""].
type List []string

// String implements flag.Value.
func (l *List) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value; it adds one element.
func (l *List) Set(value string) error {
	if value != "" {
		*l = append(*l, value)
	}
	return nil
}

// Name is the name of the param that a flag stands for: IMAGE_URL for image-url.
func Name(flagName string) string {
	return strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// Parse sets the flags of fs from the arguments of a step. An empty scalar leaves the flag at its default. The error
// is an *Error, or flag.ErrHelp when help was asked for.
func Parse(fs *flag.FlagSet, args []string) error {
	p := parser{flags: fs, seen: map[string]bool{}}
	for _, arg := range args {
		if err := p.take(arg); err != nil {
			return err
		}
	}
	return nil
}

type parser struct {
	flags *flag.FlagSet
	seen  map[string]bool
	list  string // the flag of the list that is being read
}

func (p *parser) take(arg string) error {
	name, value, hasValue := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
	isFlag := strings.HasPrefix(arg, "--") && p.flags.Lookup(name) != nil
	switch {
	case p.list == "" && (arg == "-h" || arg == "--help"):
		return flag.ErrHelp
	case isFlag && p.isList(name) && !hasValue:
		p.list = name
		return p.once(name)
	case p.list != "":
		return p.element(arg)
	case isFlag && !p.isList(name) && hasValue:
		return p.scalar(name, value)
	default:
		return p.unknown(arg)
	}
}

func (p *parser) isList(name string) bool {
	_, ok := p.flags.Lookup(name).Value.(*List)
	return ok
}

func (p *parser) once(name string) error {
	if p.seen[name] {
		return &Error{Param: Name(name), Problem: "it is given twice", Advice: "write no element that begins with \"-\" into a list"}
	}
	p.seen[name] = true
	return nil
}

func (p *parser) element(value string) error {
	if strings.HasPrefix(value, "-") {
		return &Error{
			Param:   Name(p.list),
			Problem: fmt.Sprintf("the element %q begins with \"-\"", value),
			Advice:  "write elements that begin with a letter or digit",
		}
	}
	return p.flags.Set(p.list, value)
}

func (p *parser) scalar(name, value string) error {
	if err := p.once(name); err != nil || value == "" {
		return err
	}
	if err := p.flags.Set(name, value); err != nil {
		return &Error{Param: Name(name), Problem: fmt.Sprintf("%q is not understood", value), Advice: advice(p.flags.Lookup(name), err)}
	}
	return nil
}

// advice replaces the words of package flag, "parse error", where the type of the flag tells what to write.
func advice(f *flag.Flag, err error) string {
	if getter, ok := f.Value.(flag.Getter); ok {
		switch getter.Get().(type) {
		case bool:
			return `write "true" or "false"`
		case time.Duration:
			return `write a duration such as "90s" or "2m"`
		case int, int64, uint, uint64:
			return "write a whole number"
		}
	}
	return err.Error()
}

func (p *parser) unknown(arg string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	f := p.flags.Lookup(name)
	if f == nil || !strings.HasPrefix(arg, "--") {
		return &Error{Param: Name(name), Problem: fmt.Sprintf("the argument %q is no param of this task", arg), Advice: "see --help for those there are"}
	}
	form := "--" + name + "=VALUE"
	if p.isList(name) {
		form = "--" + name + " VALUE..."
	}
	return &Error{Param: Name(name), Problem: fmt.Sprintf("the argument %q has the wrong form", arg), Advice: "write " + form}
}
