package plane

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// deployed is what a Deployment of config/ says about its process.
type deployed struct {
	account     string
	args        []string
	env         []string
	certificate []corev1.KeyToPath // what it has mounted of a Secret
	template    corev1.PodTemplateSpec
}

// readDeployment reads a Deployment for a pod of that name.
func readDeployment(root, component, pod string) (deployed, error) {
	file := filepath.Join(root, "config", "deployment-"+component+".yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		return deployed{}, err
	}
	var deployment appsv1.Deployment
	if err := yaml.Unmarshal(content, &deployment); err != nil {
		return deployed{}, fmt.Errorf("reading %s: %w", file, err)
	}
	spec := deployment.Spec.Template.Spec
	container := spec.Containers[0]
	d := deployed{account: spec.ServiceAccountName, args: container.Args, template: deployment.Spec.Template}
	for _, volume := range spec.Volumes {
		if volume.Secret != nil {
			d.certificate = volume.Secret.Items
		}
	}
	for _, variable := range container.Env {
		value, err := valueOf(variable, pod)
		if err != nil {
			return deployed{}, fmt.Errorf("reading %s: %w", file, err)
		}
		d.env = append(d.env, variable.Name+"="+value)
	}
	return d, nil
}

// CollectorSettings are the variables of a component's Deployment that say how much garbage Go may let come together.
func CollectorSettings(component string) ([]string, error) {
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	d, err := readDeployment(root, component, component)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(d.env, func(variable string) bool {
		return !strings.HasPrefix(variable, "GOGC=") && !strings.HasPrefix(variable, "GOMEMLIMIT=")
	}), nil
}

func valueOf(variable corev1.EnvVar, pod string) (string, error) {
	switch {
	case variable.ValueFrom == nil:
		return variable.Value, nil
	case variable.ValueFrom.FieldRef != nil && variable.ValueFrom.FieldRef.FieldPath == "metadata.namespace":
		return SystemNamespace, nil
	case variable.ValueFrom.FieldRef != nil && variable.ValueFrom.FieldRef.FieldPath == "metadata.name":
		return pod, nil
	}
	return "", fmt.Errorf("the value of %s is from something that only a pod has", variable.Name)
}
