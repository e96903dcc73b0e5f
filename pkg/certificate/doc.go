// Package certificate keeps the certificates of the webhook and of the query server, each in its Secret, and renews them
// without a refused request.
//
// The webhook serves the certificate that it reads from the Secret, and knative copies the Secret's ca-cert.pem into
// the webhook configurations, from where the API servers learn whom to trust. None of them learns of a change at the
// same moment as another. So certificate and trust never change together:
//
//	replace  The Secret holds no certificate that serves: a new installation, or one that expired or is damaged. A
//	         certificate is made at once, with the CA that signed it.
//	stage    Renewal is due. The next certificate is made and waits beside the current one; its CA joins ca-cert.pem.
//	promote  Everybody trusts the next CA. The next certificate becomes the current one; ca-cert.pem stays.
//	trim     Everybody serves the new certificate. The CA of the old one leaves ca-cert.pem.
//
// Everybody, that is: every webhook configuration which calls the Service carries ca-cert.pem as it is, and for some time
// after that nothing has changed, in which watches bring the news to each API server and kubelets and watches to each
// replica. The query server's clients have its CA in files, so its next one is in ca-cert.pem for a month before it counts. A
// ConfigMap that every user may read says the same as ca-cert.pem, and no step is taken before it does.
// A step that waits is taken later, or by the next leader; nothing but the Secret says how far a renewal is.
// Each step is one compare-and-swap on the Secret, so that two who both think they lead do no harm.
//
// Renewal is due some time before the certificate or its CA expires, or when somebody asks for it by the annotation
// RenewRequestedAnnotation; then it takes no more time than it must.
//
// A Secret that is deleted cannot be made anew, because no one may create Secrets here: apply config/ again. Until then
// open connections go on, and new ones fail.
package certificate
