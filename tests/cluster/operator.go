package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// installation says which release's operator to run.
type installation struct {
	kubeconfig, server, dir, namespace, release string
	env                                         list
	binary                                      string
}

// operator becomes the operator that the Deployment of a release would have run, with the same arguments and environment
// and the permissions of its ServiceAccount. No kubelet does that here.
func operator(args []string) error {
	i, err := parseInstallation(args)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", i.kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	deployment, err := i.deployment(client)
	if err != nil {
		return err
	}
	if err := i.logIn(client, config, deployment.Spec.Template.Spec.ServiceAccountName); err != nil {
		return err
	}
	return i.become(deployment)
}

func parseInstallation(args []string) (*installation, error) {
	i := &installation{}
	flags := flag.NewFlagSet("operator", flag.ContinueOnError)
	flags.StringVar(&i.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "of the cluster's administrator")
	flags.StringVar(&i.server, "server", "", "where the operator finds the API server, if not where the administrator does")
	flags.StringVar(&i.dir, "dir", "", "directory for the operator's kubeconfig and run.json; made if absent")
	flags.StringVar(&i.namespace, "namespace", "pluvo-system", "namespace of the release")
	flags.StringVar(&i.release, "release", "pluvo-operator", "name of the release")
	flags.Var(&i.env, "env", "variable on top of the Deployment's, NAME=VALUE; may be repeated")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if i.kubeconfig == "" || i.dir == "" || flags.NArg() != 1 {
		return nil, errors.New(usage)
	}
	binary, err := exec.LookPath(flags.Arg(0))
	if err != nil {
		return nil, err
	}
	i.binary, err = filepath.Abs(binary)
	return i, err
}

func (i *installation) deployment(client *kubernetes.Clientset) (*apps.Deployment, error) {
	selector := "app.kubernetes.io/instance=" + i.release
	found, err := client.AppsV1().Deployments(i.namespace).List(context.Background(), meta.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	if len(found.Items) != 1 || len(found.Items[0].Spec.Template.Spec.Containers) != 1 {
		return nil, fmt.Errorf("the chart must render one Deployment with one container; %d Deployments have %s", len(found.Items), selector)
	}
	return &found.Items[0], nil
}

func (i *installation) logIn(client *kubernetes.Clientset, admin *rest.Config, account string) error {
	day := int64(24 * 60 * 60)
	request := &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{ExpirationSeconds: &day}}
	token, err := client.CoreV1().ServiceAccounts(i.namespace).CreateToken(context.Background(), account, request, meta.CreateOptions{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		return err
	}
	server := i.server
	if server == "" {
		server = admin.Host
	}
	return writeKubeconfig(filepath.Join(i.dir, "kubeconfig"), access{
		server:    server,
		authority: admin.CAData,
		token:     token.Status.Token,
		namespace: i.namespace,
	})
}

// become replaces this process, so that whoever started it holds the operator's own process id and exit status.
func (i *installation) become(deployment *apps.Deployment) error {
	container := deployment.Spec.Template.Spec.Containers[0]
	if len(container.Command) > 0 {
		return errors.New("the Deployment must leave the command to its image: this cannot know what it stands for here")
	}
	env, err := i.environment(deployment, container)
	if err != nil {
		return err
	}
	args := append([]string{i.binary}, container.Args...)
	run, err := json.Marshal(map[string]any{"pid": os.Getpid(), "args": args, "env": env, "ready": readyURL(container)})
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(i.dir, "run.json"), run); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", i.binary, syscall.Exec(i.binary, args, env))
}

// environment has nothing of ours in it but the way to the API server, which a Pod is given as well.
func (i *installation) environment(deployment *apps.Deployment, container core.Container) ([]string, error) {
	kubeconfig, err := filepath.Abs(filepath.Join(i.dir, "kubeconfig"))
	if err != nil {
		return nil, err
	}
	env := []string{"KUBECONFIG=" + kubeconfig}
	for _, variable := range container.Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			if value, err = i.field(deployment, variable); err != nil {
				return nil, err
			}
		}
		env = append(env, variable.Name+"="+value)
	}
	return append(env, i.env...), nil
}

func (i *installation) field(deployment *apps.Deployment, variable core.EnvVar) (string, error) {
	ref := variable.ValueFrom.FieldRef
	if ref == nil {
		return "", fmt.Errorf("environment variable %s: only fieldRef is supported here", variable.Name)
	}
	switch ref.FieldPath {
	case "metadata.namespace":
		return i.namespace, nil
	case "metadata.name":
		return deployment.Name + "-testcluster", nil
	case "spec.serviceAccountName":
		return deployment.Spec.Template.Spec.ServiceAccountName, nil
	default:
		return "", fmt.Errorf("environment variable %s: field %s is not supported here", variable.Name, ref.FieldPath)
	}
}

// readyURL is where the kubelet would ask, seen from this host.
func readyURL(container core.Container) string {
	probe := container.ReadinessProbe
	if probe == nil || probe.HTTPGet == nil {
		return ""
	}
	port := probe.HTTPGet.Port.IntValue()
	for _, named := range container.Ports {
		if named.Name == probe.HTTPGet.Port.StrVal {
			port = int(named.ContainerPort)
		}
	}
	return fmt.Sprintf("http://127.0.0.1:%d%s", port, probe.HTTPGet.Path)
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }
