// Package volumes provisions persistent volumes as folders on the node.
//
// The provisioner built into the controller manager makes folders in /tmp
// that only root may write, of no use to pods that must not run as root, and
// leaves them behind. This one makes them below a folder of the cluster's own,
// open to everyone, and deletes them with their volumes.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	// Provisioner is what a storage class calls this.
	Provisioner = "imagecatalog.dev/folder"

	provisionedBy = "pv.kubernetes.io/provisioned-by"
	provisionFor  = "volume.kubernetes.io/storage-provisioner"
)

type provisioner struct {
	client  kubernetes.Interface
	root    string
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
}

// Run provisions below root until the context ends.
func Run(ctx context.Context, client kubernetes.Interface, root string) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	changed := make(chan struct{}, 1)
	for _, informer := range []cache.SharedIndexInformer{core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer()} {
		if _, err := informer.AddEventHandler(notify(changed)); err != nil {
			return err
		}
	}
	p := provisioner{client, root, core.PersistentVolumeClaims().Lister(), core.PersistentVolumes().Lister()}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			if err := p.sync(ctx); err != nil {
				klog.FromContext(ctx).Error(err, "Provisioning; the next change tries again")
			}
		}
	}
}

// notify merges changes that come while an earlier one is handled.
func notify(changed chan<- struct{}) cache.ResourceEventHandler {
	kick := func(any) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: kick, UpdateFunc: func(_, object any) { kick(object) }}
}

// sync looks at everything: there are few volumes, and what an earlier run
// left half done is finished.
func (p provisioner) sync(ctx context.Context) error {
	claims, err := p.claims.List(labels.Everything())
	if err != nil {
		return err
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		return err
	}
	var failed []error
	for _, claim := range claims {
		if wants(claim) {
			failed = append(failed, p.provision(ctx, claim))
		}
	}
	for _, volume := range volumes {
		if volume.Status.Phase == corev1.VolumeReleased && volume.Annotations[provisionedBy] == Provisioner {
			failed = append(failed, p.remove(ctx, volume))
		}
	}
	return errors.Join(failed...)
}

// wants reports whether the claim waits for us.
func wants(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Status.Phase == corev1.ClaimPending && claim.Spec.VolumeName == "" && claim.Annotations[provisionFor] == Provisioner
}

func (p provisioner) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	name := "pvc-" + string(claim.UID)
	folder := filepath.Join(p.root, name)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("provision %s: %w", name, err)
	}
	// The process's umask does not matter to chmod.
	if err := os.Chmod(folder, 0o777); err != nil {
		return fmt.Errorf("provision %s: %w", name, err)
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume(name, folder, claim), metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("provision %s: %w", name, err)
	}
	return nil
}

func volume(name, folder string, claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName:              *claim.Spec.StorageClassName,
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			Capacity:                      claim.Spec.Resources.Requests,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: folder}},
			ClaimRef: &corev1.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
		},
	}
}

// remove deletes the folder first: a volume object that remains is met again.
func (p provisioner) remove(ctx context.Context, volume *corev1.PersistentVolume) error {
	if err := os.RemoveAll(filepath.Join(p.root, volume.Name)); err != nil {
		return fmt.Errorf("delete the folder of %s: %w", volume.Name, err)
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s: %w", volume.Name, err)
	}
	return nil
}
