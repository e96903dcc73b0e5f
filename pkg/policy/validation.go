package policy

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/ext"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// What an expression may be and cost, so that no policy holds up who judges by it.
const (
	// maxCost is in CEL's units. An expression of a dozen comparisons costs about fifty, one that looks at 64 tags for each of
	// 64 platforms 20,000. What costs most takes some tenths of a second: the time grows with the square of the cost, since CEL
	// keeps a stack of what a loop has seen.
	maxCost = 50_000
	// maxLength is in characters, as in the schema. The parser has a bound for nesting, besides.
	maxLength = 4096
	// maxNesting is of all, exists, map and filter in each other. Each may multiply, and what they make is compared in one step,
	// which no cost ends.
	maxNesting = 3
	// maxProblems is how many problems with an expression are told.
	maxProblems = 3
	// maxQuoted is how much of an expression is quoted, in characters.
	maxQuoted = 200
)

// validation is an expression that must be true of an entry.
type validation struct {
	expression, message string
	program             cel.Program
}

// environment is what expressions can name: the variable entry, and CEL's own functions and those for texts.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.ParserExpressionSizeLimit(maxLength),
		ext.NativeTypes(reflect.TypeFor[entry](), ext.ParseStructTags(true)),
		ext.Strings(),
		cel.Variable("entry", cel.ObjectType("policy.entry")),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateComprehensionNestingLimit(maxNesting), withoutBuilders{}),
	)
})

// withoutBuilders refuses the functions that make of two texts one as long as their product: what publishers write into
// their entries must not fill the memory of who judges.
type withoutBuilders struct{}

// Name implements cel.ASTValidator.
func (withoutBuilders) Name() string { return "without-builders" }

// Validate implements cel.ASTValidator.
func (withoutBuilders) Validate(_ *cel.Env, _ cel.ValidatorConfig, expression *ast.AST, issues *cel.Issues) {
	for _, builder := range []string{"replace", "join", "format"} {
		for _, call := range ast.MatchDescendants(ast.NavigateAST(expression), ast.FunctionMatcher(builder)) {
			issues.ReportErrorAtID(call.ID(), "%s is not among the functions that policies may call", builder)
		}
	}
}

func parseValidation(declared *v1alpha1.Validation) (validation, error) {
	v := validation{expression: declared.Expression, message: declared.Message}
	env, err := environment()
	if err != nil {
		return v, err
	}
	checked, issues := env.Compile(declared.Expression)
	if issues.Err() != nil {
		return v, problemsOf(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return v, fmt.Errorf("it gives a value of type %s, and not true or false", checked.OutputType())
	}
	v.program, err = env.Program(checked, cel.CostLimit(maxCost))
	return v, err
}

// problemsOf says where what is wrong, without the drawing that CEL makes of it.
func problemsOf(issues *cel.Issues) error {
	var problems []string
	for _, problem := range slices.Compact(issues.Errors()) {
		if len(problems) == maxProblems {
			break
		}
		text := oneLine(problem.Message)
		if line, column := problem.Location.Line(), problem.Location.Column(); line > 0 {
			text = fmt.Sprintf("line %d, column %d: %s", line, column+1, text)
		}
		problems = append(problems, text)
	}
	return errors.New(strings.Join(problems, "; "))
}

// oneLine is a text as a condition or a table has room for it.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// quoted is the beginning of the expression, for people who know which one it is.
func (v validation) quoted() string {
	text := []rune(oneLine(v.expression))
	if len(text) > maxQuoted {
		return string(text[:maxQuoted-1]) + "…"
	}
	return string(text)
}

// check evaluates the expression. One that cannot be evaluated, for example because it divides by zero, holds of no entry.
func (v validation) check(e *entry) Check {
	if v.program == nil {
		return unreadable(checkNameValidation, fmt.Sprintf("the expression %s cannot be read", v.quoted()))
	}
	violated := Check{Name: checkNameValidation, Outcome: v1alpha1.PolicyViolated, Reason: ReasonValidationFailed}
	result, _, err := v.program.Eval(map[string]any{"entry": e})
	switch {
	case err != nil:
		violated.Text = fmt.Sprintf("the expression %s cannot be evaluated: %s", v.quoted(), oneLine(err.Error()))
		return violated
	case result.Value() != true:
		violated.Text = cmp.Or(oneLine(v.message), "this is not true: "+v.quoted())
		return violated
	}
	return Check{Name: checkNameValidation, Outcome: v1alpha1.PolicySatisfied, Text: "true: " + v.quoted()}
}
