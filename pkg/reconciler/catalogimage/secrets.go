package catalogimage

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/kmeta"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
)

// entriesOfCredential is the index of the entries by what they name to open their registry.
const entriesOfCredential = "credential"

// The keys of the index. A service account names secrets of its own, which its metadata do not tell; an entry with one
// is under anySecretOf its namespace as well.
func secretKey(namespace, name string) string { return "secret " + namespace + "/" + name }
func serviceAccountKey(namespace, name string) string {
	return "serviceaccount " + namespace + "/" + name
}
func anySecretOf(namespace string) string { return "secret of an account in " + namespace }

// byCredential indexes an entry by the secrets and the service account that it names.
func byCredential(object any) ([]string, error) {
	entry, ok := object.(*v1alpha1.CatalogImage)
	if !ok {
		return nil, nil
	}
	var keys []string
	for _, secret := range entry.Spec.ImagePullSecrets {
		keys = append(keys, secretKey(entry.Namespace, secret.Name))
	}
	if account := entry.Spec.ServiceAccountName; account != "" {
		keys = append(keys, serviceAccountKey(entry.Namespace, account), anySecretOf(entry.Namespace))
	}
	return keys, nil
}

// newCredentialInformers watch that secrets and service accounts come and change, by their metadata: what is in a secret
// is read when it is needed, and never kept. Of the secrets those that cannot open a registry are left out.
func newCredentialInformers(client metadata.Interface) (secrets, accounts cache.SharedIndexInformer) {
	var others []fields.Selector
	for _, other := range []corev1.SecretType{corev1.SecretTypeOpaque, corev1.SecretTypeServiceAccountToken, corev1.SecretTypeTLS, "helm.sh/release.v1"} {
		others = append(others, fields.OneTermNotEqualSelector("type", string(other)))
	}
	secrets = newMetadataInformer(client, "secrets", fields.AndSelectors(others...))
	return secrets, newMetadataInformer(client, "serviceaccounts", fields.Everything())
}

func newMetadataInformer(client metadata.Interface, resource string, selector fields.Selector) cache.SharedIndexInformer {
	const noResync = time.Duration(0)
	return metadatainformer.NewFilteredMetadataInformer(client, corev1.SchemeGroupVersion.WithResource(resource), metav1.NamespaceAll, noResync,
		cache.Indexers{}, func(options *metav1.ListOptions) { options.FieldSelector = selector.String() }).Informer()
}

// credentialEvents enqueue the entries that wait for a secret or service account when it comes or changes.
type credentialEvents struct {
	queue
	entries   cache.Indexer // with entriesOfCredential
	namespace string        // of the catalog
	waiting   func()        // enqueues all entries that wait for an answer
}

// secretChanged concerns the entries that name the secret, and those whose service account may. One of the catalog's own
// may open any registry.
func (e credentialEvents) secretChanged(object any) {
	secret, err := kmeta.DeletionHandlingAccessor(object)
	if err != nil {
		return
	}
	if secret.GetNamespace() == e.namespace {
		e.waiting()
		return
	}
	e.enqueue(secretKey(secret.GetNamespace(), secret.GetName()))
	e.enqueue(anySecretOf(secret.GetNamespace()))
}

func (e credentialEvents) accountChanged(object any) {
	if account, err := kmeta.DeletionHandlingAccessor(object); err == nil {
		e.enqueue(serviceAccountKey(account.GetNamespace(), account.GetName()))
	}
}

// enqueue enqueues the entries, of which those are asked about that have no answer to go by. One that has may just be being
// asked about with what there was.
func (e credentialEvents) enqueue(key string) {
	known, err := e.entries.ByIndex(entriesOfCredential, key)
	if err != nil {
		return // no such index, which a test would see
	}
	for _, object := range known {
		e.EnqueueKey(nameOf(object.(*v1alpha1.CatalogImage)))
	}
}

// waits says whether there is no answer of an entry's registry to go by: it gave none when it was asked last, or is just being
// asked. Of that what changes now may have come too late.
func waits(object any) bool {
	entry, ok := object.(*v1alpha1.CatalogImage)
	return ok && (!entry.Status.GetCondition(v1alpha1.ConditionFresh).IsTrue() || changed(entry))
}

// onChange calls for what comes and changes; who loses a secret finds out at the next check.
func onChange(changed func(any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    changed,
		UpdateFunc: func(_, after any) { changed(after) },
	}
}
