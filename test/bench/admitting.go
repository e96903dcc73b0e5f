package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The paths of the webhooks that do nothing.
const (
	mutatingPath   = "/mutating"
	validatingPath = "/validating"
)

// admitting is webhooks that do nothing: each admits every object as it is. Only one that is named like its path is
// refused, by which one can tell that the API server asks there.
type admitting struct {
	http http.Server
	dir  string
}

func newAdmitting(dir string) *admitting {
	return &admitting{dir: dir, http: http.Server{Handler: http.HandlerFunc(admit), ReadHeaderTimeout: 5 * time.Second}}
}

// Serve implements server.
func (a *admitting) Serve(_ context.Context, listener net.Listener) error {
	return a.http.ServeTLS(listener, filepath.Join(a.dir, "tls.crt"), filepath.Join(a.dir, "tls.key"))
}

// admit reads no more of a review than its answer takes.
func admit(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Request struct {
			UID  types.UID `json:"uid"`
			Name string    `json:"name"`
		} `json:"request"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, fmt.Sprintf("reading a review: %v", err), http.StatusBadRequest)
		return
	}
	answer := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: "/"+review.Request.Name != r.URL.Path},
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // an error means that the API server has left, which it is told
}
