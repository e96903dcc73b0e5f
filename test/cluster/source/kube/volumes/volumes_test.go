package volumes

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
)

// await fails the test when the condition never comes true.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func newClaim(name, provisioner string) *corev1.PersistentVolumeClaim {
	class := "standard"
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "demo", Name: name, UID: "uid-of-claim",
			Annotations: map[string]string{provisionFor: provisioner},
		},
		Spec:   corev1.PersistentVolumeClaimSpec{StorageClassName: &class},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
}

// run provisions until the test ends.
func run(t *testing.T, client kubernetes.Interface, root string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Run(ctx, client, root) }()
	t.Cleanup(func() { cancel(); <-ended })
}

func TestAClaimGetsAFolderThatAnyoneMayWriteTo(t *testing.T) {
	root, client := t.TempDir(), fake.NewClientset(newClaim("ours", Provisioner))
	run(t, client, root)

	var volume *corev1.PersistentVolume
	await(t, "the volume is made", func() (made bool) {
		var err error
		volume, err = client.CoreV1().PersistentVolumes().Get(t.Context(), "pvc-uid-of-claim", metav1.GetOptions{})
		return err == nil
	})
	folder := filepath.Join(root, volume.Name)
	if volume.Spec.HostPath.Path != folder || volume.Spec.ClaimRef.Name != "ours" {
		t.Errorf("volume is %+v", volume.Spec)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("folder is %v, %v: pods without root must be able to write to it", info, err)
	}
}

func TestAReleasedVolumeGoesWithItsFolder(t *testing.T) {
	root, released := t.TempDir(), volume("pvc-1", "unused", newClaim("ours", Provisioner))
	released.Status.Phase = corev1.VolumeReleased
	if err := os.Mkdir(filepath.Join(root, "pvc-1"), 0o777); err != nil {
		t.Fatal(err)
	}
	client := fake.NewClientset(released)
	run(t, client, root)

	await(t, "the volume is deleted", func() bool {
		_, err := client.CoreV1().PersistentVolumes().Get(t.Context(), "pvc-1", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if _, err := os.Stat(filepath.Join(root, "pvc-1")); !os.IsNotExist(err) {
		t.Errorf("folder remains: %v", err)
	}
}

func TestClaimsOfOtherProvisionersAreLeftAlone(t *testing.T) {
	if !wants(newClaim("ours", Provisioner)) || wants(newClaim("theirs", "example.com/other")) {
		t.Error("claims are told apart by the provisioner they wait for")
	}
}

func TestProvisionMayBeRepeatedAfterACrash(t *testing.T) {
	p := provisioner{client: fake.NewClientset(), root: t.TempDir()}
	for range 2 {
		if err := p.provision(t.Context(), newClaim("ours", Provisioner)); err != nil {
			t.Fatal(err)
		}
	}
}
