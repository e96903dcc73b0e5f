package catalogpolicy

import (
	"context"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"knative.dev/pkg/kmeta"

	"imagecatalog.dev/catalog/pkg/apis/catalog/v1alpha1"
	"imagecatalog.dev/catalog/pkg/signature"
)

// publicKey is the key in a Secret under which cosign puts the public key, beside the private one.
const publicKey = "cosign.pub"

// newSecretInformer watches that Secrets of a namespace come, change and go, by their metadata.
func newSecretInformer(client metadata.Interface, namespace string) cache.SharedIndexInformer {
	const noResync = time.Duration(0)
	return metadatainformer.NewFilteredMetadataInformer(client, corev1.SchemeGroupVersion.WithResource("secrets"), namespace, noResync,
		cache.Indexers{}, nil).Informer()
}

// lack is why there are no public keys in a Secret, and what to do.
type lack struct{ text string }

func (l *lack) Error() string { return l.text }

// publicKeys are those in the Secrets of the catalog's namespace. A Secret is read when it is another than the one that was
// read, and of what is in it only the public key is kept.
type publicKeys struct {
	secrets   corev1client.SecretInterface
	known     cache.KeyGetter // their metadata
	namespace string

	mutex sync.Mutex
	read  map[string]reading // by the Secret's name
}

// reading is what was read of one version of a Secret.
type reading struct {
	version string
	data    string
	lack    *lack
}

func newPublicKeys(secrets corev1client.SecretInterface, known cache.KeyGetter, namespace string) *publicKeys {
	return &publicKeys{secrets: secrets, known: known, namespace: namespace, read: map[string]reading{}}
}

// Of implements Keys.
func (k *publicKeys) Of(ctx context.Context, secret string) (string, error) {
	known, ok := k.recall(secret)
	if !ok {
		var err error
		if known, err = k.readNow(ctx, secret); err != nil {
			return "", err
		}
	}
	if known.lack != nil {
		return "", known.lack
	}
	return known.data, nil
}

// recall gives what was read of the Secret, if that is still the version that the watch knows.
func (k *publicKeys) recall(secret string) (reading, bool) {
	object, found, err := k.known.GetByKey(k.namespace + "/" + secret)
	if err != nil || !found {
		return reading{}, false
	}
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return reading{}, false
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	last, ok := k.read[secret]
	return last, ok && last.version == versionOf(&metadata.ObjectMeta)
}

func (k *publicKeys) readNow(ctx context.Context, secret string) (reading, error) {
	found, err := k.secrets.Get(ctx, secret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return reading{lack: &lack{fmt.Sprintf("the Secret %[1]s/%[2]s does not exist: make it with cosign generate-key-pair k8s://%[1]s/%[2]s, or with %[3]s alone by kubectl create secret generic %[2]s --namespace %[1]s --from-file %[3]s",
			k.namespace, secret, publicKey)}}, nil
	}
	if err != nil {
		return reading{}, fmt.Errorf("reading the Secret %s/%s: %w", k.namespace, secret, err)
	}
	now := reading{version: versionOf(&found.ObjectMeta)}
	now.data, now.lack = k.publicKeyIn(found)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.read[secret] = now
	return now, nil
}

// publicKeyIn takes of a Secret what goes into the status of a policy, if that has room for it.
func (k *publicKeys) publicKeyIn(secret *corev1.Secret) (string, *lack) {
	data, ok := secret.Data[publicKey]
	if !ok {
		return "", k.lacks(secret, "it has no "+publicKey+": put the public key into it under that name")
	}
	if len(data) > v1alpha1.MaxKeyData {
		return "", k.lacks(secret, fmt.Sprintf("%s has %d bytes, and %d is the most: leave in it the keys that are in use", publicKey, len(data), v1alpha1.MaxKeyData))
	}
	if _, err := signature.ParseKeys(data); err != nil {
		return "", k.lacks(secret, fmt.Sprintf("%s is no public key: %v: put the PEM into it that cosign public-key prints", publicKey, err))
	}
	if !utf8.Valid(data) {
		return "", k.lacks(secret, publicKey+" is no text: put the PEM into it that cosign public-key prints")
	}
	return string(data), nil
}

func (k *publicKeys) lacks(secret *corev1.Secret, text string) *lack {
	return &lack{fmt.Sprintf("the Secret %s/%s: %s", k.namespace, secret.Name, text)}
}

// forgetting calls changed with the name of a Secret that came, changed or went, and forgets the one that went.
func (k *publicKeys) forgetting(changed func(secret string)) cache.ResourceEventHandler {
	tell := func(object any) {
		if secret, err := kmeta.DeletionHandlingAccessor(object); err == nil {
			changed(secret.GetName())
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    tell,
		UpdateFunc: func(_, after any) { tell(after) },
		DeleteFunc: func(object any) {
			if secret, err := kmeta.DeletionHandlingAccessor(object); err == nil {
				k.forget(secret.GetName())
			}
			tell(object)
		},
	}
}

func (k *publicKeys) forget(secret string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	delete(k.read, secret)
}

func versionOf(object *metav1.ObjectMeta) string {
	return string(object.UID) + "/" + object.ResourceVersion
}
