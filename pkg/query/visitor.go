package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"

	"imagecatalog.dev/catalog/pkg/access"
	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// Verbs of RBAC.
const (
	verbGet   = "get"
	verbList  = "list"
	verbWatch = "watch"
)

const howToGetAToken = "`kubectl create token ACCOUNT --namespace NAMESPACE` makes one of a service account; " +
	"it goes into the header as `Authorization: Bearer TOKEN`."

// personal is an endpoint whose answer depends on who asks.
type personal func(w http.ResponseWriter, r *http.Request, path httprouter.Params, who *visitor) error

// visitor is who sends a request.
type visitor struct {
	reviewer *access.Reviewer
	gates    *gates
	token    string
	caller   *access.Caller
}

// identify finds out who it is, again in a request that lasts: tokens come to an end.
func (v *visitor) identify(ctx context.Context) error {
	caller, err := v.reviewer.Authenticate(ctx, v.token)
	if err != nil {
		return refusal(err)
	}
	v.caller = caller
	return nil
}

// authenticated finds out who asks. What they get is theirs alone: no cache may give it to somebody else, or to them
// when they may no longer see it.
func authenticated(reviewer *access.Reviewer, gates *gates, next personal) endpoint {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params) error {
		w.Header().Set("Vary", "Authorization")
		w.Header().Set("Cache-Control", "no-cache, private")
		token, err := bearerToken(r.Header)
		if err != nil {
			return err
		}
		who := &visitor{reviewer: reviewer, gates: gates, token: token}
		if err := who.identify(r.Context()); err != nil {
			return err
		}
		leave, err := gates.requests.enter(who.caller.Name(), 1)
		if err != nil {
			return err
		}
		defer leave()
		return next(w, r, path, who)
	}
}

// hold makes room for an answer until its reader has taken it: there may be many, and slow ones.
func (v *visitor) hold(answer []byte) (leave func(), err error) {
	return v.gates.answers.enter(v.caller.Name(), len(answer))
}

// send holds a whole answer and sends it.
func (v *visitor) send(w http.ResponseWriter, contentType string, answer []byte) error {
	leave, err := v.hold(answer)
	if err != nil {
		return err
	}
	defer leave()
	write(w, http.StatusOK, contentType, answer)
	return nil
}

// bearerToken reads the header as RFC 6750 has it. Without an Authorization there is no token, which is no error yet.
func bearerToken(header http.Header) (string, error) {
	credentials := header.Values("Authorization")
	if len(credentials) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(credentials[0], " ")
	token = strings.TrimSpace(token)
	if len(credentials) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", unauthorized("This server takes one bearer token and nothing else: "+howToGetAToken, "invalid_request")
	}
	return token, nil
}

// refusal is what a request gets of which is not known who sends it.
func refusal(err error) error {
	var unknown *access.Unauthenticated
	switch {
	case !errors.As(err, &unknown):
		return unanswered()
	case unknown.Reason == "":
		return unauthorized("Say who you are: "+howToGetAToken, "")
	default:
		return unauthorized("The API server does not accept the token ("+unknown.Reason+"): "+howToGetAToken, "invalid_token")
	}
}

// unanswered is no verdict: what a caller may see is not known just now.
func unanswered() *Problem {
	return unavailable("The API server does not say who may see what. Try again in a moment.")
}

func unauthorized(detail, code string) *Problem {
	problem := newProblem(http.StatusUnauthorized, detail)
	problem.challenge = `Bearer realm="` + v1alpha1.SchemeGroupVersion.Group + `"`
	if code != "" {
		problem.challenge += `, error="` + code + `"`
	}
	return problem
}

// require refuses a visitor who may not do something with an entry, or with all of a namespace where name is empty. It
// does so whether or not there is such an entry.
func (v *visitor) require(ctx context.Context, verb, namespace, name string) error {
	verdict, err := v.caller.May(ctx, verb, namespace, name)
	if err != nil {
		return unanswered()
	}
	if verdict.Allowed {
		return nil
	}
	return newProblem(http.StatusForbidden, forbidden(v.caller, verb, namespace, name, verdict.Reason))
}

// forbidden says it in kubectl's words.
func forbidden(caller *access.Caller, verb, namespace, name, reason string) string {
	text := fmt.Sprintf("catalogimages.%s ", v1alpha1.SchemeGroupVersion.Group)
	if name != "" {
		text += quote(name) + " "
	}
	text += fmt.Sprintf("is forbidden: User %q cannot %s resource %q in API group %q in the namespace %s",
		caller.Name(), verb, "catalogimages", v1alpha1.SchemeGroupVersion.Group, quote(namespace))
	if reason != "" {
		text += ": " + reason
	}
	return text
}
