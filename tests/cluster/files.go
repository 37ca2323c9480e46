package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// auditPolicy: who did what, from every request once; a watch is told when it opens, not only when it ends.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

// files are the paths of a cluster's directory.
type files struct {
	etcdData, certs                         string
	tokens, serviceAccountKey               string
	auditPolicy, auditLog, kubeconfig, pids string
	adminToken                              string
}

// newFiles starts from nothing: what an earlier cluster left in the directory goes, and nothing else.
func newFiles(dir string) (*files, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	f := &files{
		etcdData:          in("etcd"),
		certs:             in("certs"),
		tokens:            in("tokens.csv"),
		serviceAccountKey: in("service-account.key"),
		auditPolicy:       in("audit-policy.yaml"),
		auditLog:          in("audit.log"),
		kubeconfig:        in("kubeconfig"),
		pids:              in("pids.json"),
		adminToken:        rand.Text(),
	}
	for _, old := range []string{f.etcdData, f.certs, f.auditLog, f.kubeconfig, f.pids, in(etcdName + ".log"), in(apiServerName + ".log"), in(controllersName + ".log")} {
		if err := os.RemoveAll(old); err != nil {
			return nil, err
		}
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	for path, text := range map[string][]byte{
		f.serviceAccountKey: key,
		f.auditPolicy:       []byte(auditPolicy),
		f.tokens:            []byte(f.adminToken + `,admin,admin,"system:masters"` + "\n"),
	} {
		if err := writeFile(path, text); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func newKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
}

func (f *files) writeAdminKubeconfig(port int) error {
	chain, err := os.ReadFile(filepath.Join(f.certs, "apiserver.crt"))
	if err != nil {
		return err
	}
	begin := bytes.LastIndex(chain, []byte("-----BEGIN CERTIFICATE-----"))
	if begin <= 0 {
		return fmt.Errorf("%s holds no certificate authority behind the server's certificate", f.certs)
	}
	return writeKubeconfig(f.kubeconfig, access{
		server:    fmt.Sprintf("https://127.0.0.1:%d", port),
		authority: chain[begin:],
		token:     f.adminToken,
		namespace: "default",
	})
}

// access is what a kubeconfig says.
type access struct {
	server    string
	authority []byte // PEM
	token     string
	namespace string
}

func writeKubeconfig(path string, a access) error {
	const name = "testcluster"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: a.server, CertificateAuthorityData: a.authority}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: a.token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: a.namespace}
	config.CurrentContext = name
	text, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return writeFile(path, text)
}

// freePort takes ports from below those that the kernel gives to outgoing connections, so that none of these takes it
// between now and the start of the server that it is for.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 20000 + mathrand.IntN(12000)
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("no free port on 127.0.0.1: %w", last)
}
