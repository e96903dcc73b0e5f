package query

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/julienschmidt/httprouter"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kjson "sigs.k8s.io/json"

	catalogclient "imagecatalog.dev/catalog/pkg/client/clientset/versioned/typed/catalog/v1alpha1"
)

// maxBody bounds what is sent to be written, in bytes. An entry has a few thousand.
const maxBody = 256 << 10

// writing is an endpoint that writes to the entries of a namespace as whoever asks.
type writing func(w http.ResponseWriter, r *http.Request, path httprouter.Params, entries catalogclient.CatalogImageInterface) error

// asCaller gives an endpoint the entries with the caller's own rights.
func asCaller(clients Clients, next writing) personal {
	return func(w http.ResponseWriter, r *http.Request, path httprouter.Params, who *visitor) error {
		if who.token == "" {
			return unauthorized("Nothing is written for somebody unknown: "+howToGetAToken, "")
		}
		client, err := clients(who.token)
		if err != nil {
			return err
		}
		return refusedBy(next(w, r, path, client.CatalogImages(path.ByName("namespace"))))
	}
}

// refusedBy makes the answer of the API server, or of what it asked, the answer of this one.
func refusedBy(err error) error {
	var problem *Problem
	var refused apierrors.APIStatus
	switch {
	case err == nil, errors.As(err, &problem):
		return err
	case errors.As(err, &refused) && refused.Status().Code >= http.StatusBadRequest:
		status := refused.Status()
		if status.Code == http.StatusUnauthorized { // the token has just ended
			return unauthorized("The API server does not accept the token: "+howToGetAToken, "invalid_token")
		}
		problem = newProblem(int(status.Code), status.Message)
		if status.Details != nil {
			problem.retryAfter = int(status.Details.RetryAfterSeconds)
		}
		return problem
	}
	return unavailable("The API server gave no answer, and it is not known whether anything was written. Look, and try again in a moment.")
}

// readBody reads the JSON of a request. An unknown field and one that is there twice are refused.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != mediaJSON {
		return newProblem(http.StatusUnsupportedMediaType, "Send JSON, with the header `Content-Type: application/json`.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return newProblem(http.StatusRequestEntityTooLarge, "The body is longer than 256 KiB.")
	case err != nil:
		return badRequest("The body cannot be read: " + err.Error() + ".")
	}
	unknown, err := kjson.UnmarshalStrict(body, into)
	if err = errors.Join(append(unknown, err)...); err != nil {
		return badRequest("The body is not what is wanted here: " + clip(err.Error()) + ".")
	}
	return nil
}
