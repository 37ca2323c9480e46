// A Kubernetes test cluster in one binary, from Go modules at pinned versions.
//
// It is the tool by whose name it is called: one link step instead of seven, and one file to cache.
// As itself, `testcluster`, it runs a whole cluster (up.go), or an operator as its chart wants it run (operator.go).
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	etcd "go.etcd.io/etcd/server/v3/etcdmain"
	helm "helm.sh/helm/v4/pkg/cmd"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case etcdName:
		etcd.Main(os.Args)
	case apiServerName:
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case controllersName:
		exitOn(runControllers(os.Args[1:]))
	case "kubectl":
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	case "helm":
		exitOn(runHelm())
	case "kstatus":
		exitOn(judge(os.Stdin, os.Stdout))
	default:
		exitOn(testcluster(os.Args[1:]))
	}
}

const usage = `usage:
  testcluster up --dir DIR [--stdin]
        runs a cluster until SIGTERM or SIGINT; DIR gets kubeconfig, pids.json, audit.log and the logs
  testcluster operator --kubeconfig FILE --dir DIR [--namespace NS] [--release NAME] [--server URL] [--env NAME=VALUE]... -- BINARY
        becomes BINARY with the arguments, environment and permissions of the release's Deployment;
        DIR gets its kubeconfig, and run.json, which says what it was started with
  testcluster port
        prints a free port of 127.0.0.1`

func testcluster(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "up":
		return up(args[1:])
	case "operator":
		return operator(args[1:])
	case "port":
		port, err := freePort()
		if err == nil {
			fmt.Println(port)
		}
		return err
	default:
		return fmt.Errorf("there is no command %q\n%s", args[0], usage)
	}
}

func runHelm() error {
	root, err := helm.NewRootCmd(os.Stdout, os.Args[1:], helm.SetupLogging)
	if err != nil {
		return err
	}
	return root.Execute()
}

func exitOn(err error) {
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, filepath.Base(os.Args[0])+":", err)
		os.Exit(1)
	}
}
