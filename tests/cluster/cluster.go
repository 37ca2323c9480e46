package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	etcd "go.etcd.io/etcd/client/v3"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is a control plane without nodes: Deployments get Pods that nobody runs.
type cluster struct {
	files *files
	ports ports

	etcd, apiServer, controllers *child
}

type ports struct{ etcd, apiServer int }

func newCluster(dir string) (*cluster, error) {
	files, err := newFiles(dir)
	if err != nil {
		return nil, err
	}
	etcdPort, err := freePort()
	if err != nil {
		return nil, err
	}
	apiPort, err := freePort()
	if err != nil {
		return nil, err
	}
	etcdURL := fmt.Sprintf("http://127.0.0.1:%d", etcdPort)

	return &cluster{
		files: files,
		ports: ports{etcdPort, apiPort},
		etcd: newChild(dir, etcdName,
			"--data-dir", files.etcdData,
			"--listen-client-urls", etcdURL,
			"--advertise-client-urls", etcdURL,
			"--listen-peer-urls", "http://127.0.0.1:0",
			"--log-level", "warn",
			"--unsafe-no-fsync",
		),
		apiServer: newChild(dir, apiServerName,
			"--etcd-servers", etcdURL,
			"--bind-address", "127.0.0.1",
			"--secure-port", fmt.Sprint(apiPort),
			"--cert-dir", files.certs,
			"--authorization-mode", "RBAC",
			"--token-auth-file", files.tokens,
			"--service-account-issuer", "https://localhost",
			"--service-account-key-file", files.serviceAccountKey,
			"--service-account-signing-key-file", files.serviceAccountKey,
			"--service-cluster-ip-range", "10.0.0.0/24",
			"--audit-policy-file", files.auditPolicy,
			"--audit-log-path", files.auditLog,
			"--audit-log-maxsize", "100000", // never rotated: tests count in it
		),
		controllers: newChild(dir, controllersName, "--kubeconfig", files.kubeconfig),
	}, nil
}

func (c *cluster) child(name string) *child {
	for _, child := range []*child{c.etcd, c.apiServer, c.controllers} {
		if child.name == name {
			return child
		}
	}
	return nil
}

func (c *cluster) up(ctx context.Context) error {
	for _, child := range []*child{c.etcd, c.apiServer, c.controllers} {
		if err := c.start(ctx, child); err != nil {
			return err
		}
	}
	return nil
}

// start returns when the child does its work.
func (c *cluster) start(ctx context.Context, child *child) error {
	if child.running() {
		return fmt.Errorf("%s is running already", child.name)
	}
	if err := child.start(); err != nil {
		return err
	}
	if err := c.writePids(); err != nil {
		return err
	}
	ready := map[string]func(context.Context) error{
		etcdName:        c.etcdHealthy,
		apiServerName:   c.apiServerReady,
		controllersName: c.controllersWork,
	}
	return c.await(ctx, child, ready[child.name])
}

// await polls a condition until it holds, and gives up as soon as the child that it depends on has ended.
func (c *cluster) await(ctx context.Context, child *child, condition func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("timed out"))
	defer cancel()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-child.done:
			return child.died()
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w; last seen: %w; its log is %s", child.name, context.Cause(ctx), err, child.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *cluster) etcdHealthy(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/health", c.ports.etcd), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// apiServerReady also writes the kubeconfig: the server makes its certificate when it starts for the first time.
func (c *cluster) apiServerReady(ctx context.Context) error {
	if err := c.files.writeAdminKubeconfig(c.ports.apiServer); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// controllersWork: every namespace gets its default ServiceAccount.
func (c *cluster) controllersWork(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	_, err = client.CoreV1().ServiceAccounts(meta.NamespaceDefault).Get(ctx, "default", meta.GetOptions{})
	return err
}

func (c *cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.files.kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// writePids lists the processes that run, for tests that stop or kill one.
func (c *cluster) writePids() error {
	pids := map[string]int{"testcluster": os.Getpid()}
	for _, child := range []*child{c.etcd, c.apiServer, c.controllers} {
		if child.running() {
			pids[child.name] = child.pid()
		}
	}
	text, err := json.Marshal(pids)
	if err != nil {
		return err
	}
	return writeFile(c.files.pids, text)
}

// forget removes all objects of an API group behind the API server's back, whatever finalizers they have: between two
// tests, this takes the place of a new cluster.
func (c *cluster) forget(ctx context.Context, group string) error {
	client, err := etcd.New(etcd.Config{Endpoints: []string{fmt.Sprintf("http://127.0.0.1:%d", c.ports.etcd)}})
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Delete(ctx, "/registry/"+group+"/", etcd.WithPrefix())
	return err
}

// down leaves the logs, and removes what is of no use without the processes.
func (c *cluster) down() {
	for _, child := range []*child{c.controllers, c.apiServer, c.etcd} {
		child.kill()
	}
	for _, path := range []string{c.files.etcdData, c.files.certs, c.files.kubeconfig, c.files.pids, c.files.tokens, c.files.serviceAccountKey} {
		os.RemoveAll(path)
	}
}

// writeFile replaces a file as a whole: a reader sees the old or the new one.
func writeFile(path string, text []byte) error {
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
