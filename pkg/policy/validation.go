package policy

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// maxCost bounds what one expression may compute, in CEL's units; one of a dozen comparisons costs about fifty. It is that of
// Kubernetes for one expression of a ValidatingAdmissionPolicy.
const maxCost = 10_000_000

// validation is an expression that must be true of an entry.
type validation struct {
	expression, message string
	program             cel.Program
}

// environment is what expressions can name: the variable entry, and CEL's functions for texts and sets.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[entry](), ext.ParseStructTags(true)),
		ext.Strings(), ext.Sets(),
		cel.Variable("entry", cel.ObjectType("policy.entry")),
	)
})

func parseValidation(declared *v1alpha1.Validation) (validation, error) {
	v := validation{expression: declared.Expression, message: declared.Message}
	env, err := environment()
	if err != nil {
		return v, err
	}
	ast, issues := env.Compile(declared.Expression)
	if issues.Err() != nil {
		return v, errors.New(oneLine(issues.Err().Error()))
	}
	if ast.OutputType() != cel.BoolType {
		return v, fmt.Errorf("it gives a value of type %s, and not true or false", ast.OutputType())
	}
	v.program, err = env.Program(ast, cel.CostLimit(maxCost))
	return v, err
}

// oneLine leaves out the drawing of where in the expression something is.
func oneLine(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "|") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// check evaluates the expression. One that cannot be evaluated, for example because it divides by zero, holds of no entry.
func (v validation) check(e *entry) Check {
	if v.program == nil {
		return Check{Name: checkNameValidation, Outcome: v1alpha1.PolicyUnknown, Reason: ReasonPolicyInvalid, Text: fmt.Sprintf("the expression %q cannot be read", v.expression)}
	}
	violated := Check{Name: checkNameValidation, Outcome: v1alpha1.PolicyViolated, Reason: ReasonValidationFailed}
	result, _, err := v.program.Eval(map[string]any{"entry": e})
	switch {
	case err != nil:
		violated.Text = fmt.Sprintf("the expression %q cannot be evaluated: %s", v.expression, oneLine(err.Error()))
		return violated
	case result.Value() != true:
		violated.Text = cmp.Or(v.message, fmt.Sprintf("this is not true: %s", v.expression))
		return violated
	}
	return Check{Name: checkNameValidation, Outcome: v1alpha1.PolicySatisfied, Text: "true: " + v.expression}
}
